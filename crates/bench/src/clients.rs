//! The clients' side: keys, and assertions signed before the clock starts.

use std::time::SystemTime;

use countersign_crypto::{JwsSigner, SigningAlgorithm, SigningKey, random_token};
use serde_json::json;

use crate::cores::{self, Cores};

/// `iss` and `sub` of the benchmark's client.
pub(crate) const ISSUER: &str = "benchmark-client";

/// `aud` of every assertion. Neither the port nor the organization is part of it, so that assertions that cost
/// 0.4–0.7 ms each (RS256) serve again on the next, freshly created server.
pub(crate) const AUDIENCE: &str = "https://benchmark.example/token";

/// The `kid` of every registered key.
pub(crate) const KID: &str = "benchmark-1";

/// How long an assertion is good for, in seconds: a little less than the longest that is accepted by default.
const LIFETIME: u64 = 3_500;

/// A client that signs assertions.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    signer: JwsSigner,
    issuer: String,
}

impl Client {
    /// Makes a client with a new key.
    pub(crate) fn new(issuer: &str, algorithm: SigningAlgorithm) -> Self {
        let key = SigningKey::generate(algorithm);
        Self {
            signer: JwsSigner::new(key, Some("JWT"), Some(KID)),
            issuer: issuer.to_owned(),
        }
    }

    /// Its `iss` and `sub`.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its key pair.
    pub(crate) fn key(&self) -> &SigningKey {
        self.signer.key()
    }

    /// Signs an assertion that nobody has used. All of one client have the same length.
    pub(crate) fn assertion(&self, now: u64) -> String {
        let claims = json!({
            "iss": self.issuer, "sub": self.issuer, "aud": AUDIENCE,
            "iat": now, "exp": now + LIFETIME, "jti": random_token(16),
        });
        self.signer.sign(claims.to_string().as_bytes())
    }
}

/// Signs `count` assertions on both processors, taking the clients in turn.
pub(crate) fn presign(
    clients: &[Client],
    count: usize,
    cores: Cores,
) -> Result<Vec<String>, String> {
    let now = unix_seconds();
    let half = count / 2;
    std::thread::scope(|scope| {
        let parts = [(cores.server, 0..half), (cores.generator, half..count)];
        let workers = parts.map(|(core, numbers)| {
            scope.spawn(move || {
                cores::pin(core)?;
                let sign = |number: usize| clients[number % clients.len()].assertion(now);
                Ok(numbers.map(sign).collect::<Vec<_>>())
            })
        });
        let mut all = Vec::with_capacity(count);
        for worker in workers {
            let signed: Result<Vec<String>, String> =
                worker.join().map_err(|_| "a signing thread panicked")?;
            all.extend(signed?);
        }
        Ok(all)
    })
}

/// The time, in Unix seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the benchmark plays the clients, and these have clocks of their own"
)]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use countersign_crypto::{UnverifiedJws, VerifyingKey};

    use super::*;

    #[test]
    fn presigned_assertions_are_distinct_of_equal_length_and_take_the_clients_in_turn() {
        let clients = ["one", "two"].map(|name| Client::new(name, SigningAlgorithm::Es256));
        let all = presign(&clients, 101, Cores::choose().unwrap()).unwrap();
        let distinct: HashSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), 101);
        assert!(all.iter().all(|assertion| assertion.len() == all[0].len()));
        for (number, assertion) in all.iter().enumerate() {
            let key = clients[number % 2].key();
            let key = VerifyingKey::new(key.public_key().clone(), key.algorithm().algorithm());
            let jws = UnverifiedJws::parse(assertion).unwrap();
            assert!(jws.verify(&key.unwrap()).is_ok(), "{number}");
        }
    }
}

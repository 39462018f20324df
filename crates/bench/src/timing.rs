//! `timing`: whether an outsider can tell by the clock why an assertion was refused (conformance D11 and DA11, attack
//! 23).
//!
//! It prints what was measured and judges nothing: a busy machine would fail any threshold.

use std::time::{Duration, Instant};

use countersign_crypto::{SigningAlgorithm, SigningKey, b64, random_bytes, random_token};
use serde_json::json;

use crate::admin::Admin;
use crate::clients::{self, AUDIENCE, ISSUER, KID};
use crate::connection::Connection;
use crate::options::Options;
use crate::requests::{Requests, token_request};
use crate::server::{Launcher, Server};
use crate::statistics::Sample;
use crate::table::{Table, grouped};

/// How assertions are signed.
const ALGORITHMS: [SigningAlgorithm; 2] = [SigningAlgorithm::Rs256, SigningAlgorithm::Es256];

/// Rounds over all classes whose requests are made at once.
const BATCH: usize = 200;

/// Rounds over all classes before anything is kept: keys are parsed at their first use.
const WARM_UP: usize = 100;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an outsider sends: assertions of one length with a signature of one length that nobody has made.
struct Class {
    label: &'static str,
    issuer: &'static str,
    kid: &'static str,
    typ: &'static str,
}

/// The configuration that was deactivated; as long as [`ISSUER`].
const DEACTIVATED: &str = "benchmark-closed";

/// The first is what the others are held against. The second is the same: it shows how much chance alone makes of it. The
/// last is refused before any signature is checked, which its sender knows: it shows what a difference would look like.
const CLASSES: [Class; 6] = [
    Class {
        label: "bad signature",
        issuer: ISSUER,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "bad signature, again",
        issuer: ISSUER,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "unknown issuer",
        issuer: "benchmark-nobody",
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "unknown kid",
        issuer: ISSUER,
        kid: "benchmark-0",
        typ: "JWT",
    },
    Class {
        label: "deactivated configuration",
        issuer: DEACTIVATED,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "header, not verified at all",
        issuer: ISSUER,
        kid: KID,
        typ: "JWS",
    },
];

/// Runs the measurement and prints a table for each algorithm.
///
/// # Errors
/// A sentence, when it could not be made.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<(), String> {
    let rounds = (options.samples() / (ALGORITHMS.len() * CLASSES.len())).max(1);
    for algorithm in ALGORITHMS {
        let data = launcher.data()?;
        let server = launcher.start(data.path())?;
        let tenant = furnish(&mut server.admin()?, algorithm)?;
        let target = Target {
            host: server.address.to_string(),
            tenant,
            algorithm,
        };
        let samples = measure(&server, &target, rounds)?;
        server.stop()?;
        print(algorithm, &samples);
    }
    Ok(())
}

/// An organization with a configuration that is active and one that no longer is.
fn furnish(admin: &mut Admin, algorithm: SigningAlgorithm) -> Result<String, String> {
    let tenant = admin.create_organization("benchmark", SigningAlgorithm::Es256)?;
    for issuer in [ISSUER, DEACTIVATED] {
        let key = SigningKey::generate(algorithm);
        let id = admin.register(&tenant, issuer, key.public_key(), algorithm)?;
        if issuer == DEACTIVATED {
            admin.deactivate(&tenant, &id)?;
        }
    }
    Ok(tenant)
}

/// Asks every class once in each round, in an order drawn anew, so that whatever slows the machine slows all alike.
fn measure(server: &Server, target: &Target, rounds: usize) -> Result<Vec<Sample>, String> {
    let mut connection = Connection::open(server.address)?;
    let mut times = vec![Vec::with_capacity(rounds); CLASSES.len()];
    let mut order: Vec<usize> = (0..CLASSES.len()).collect();
    let mut requests = Requests::default();
    for round in 0..WARM_UP + rounds {
        let at = round % BATCH;
        if at == 0 {
            requests = target.batch()?;
        }
        order.sort_by_cached_key(|_| random_bytes::<8>());
        for &class in &order {
            let request = at * CLASSES.len() + class;
            let time = ask(&mut connection, &requests, request)
                .map_err(|error| format!("{error}\n{}", server.log_end()))?;
            if round >= WARM_UP {
                times[class].push(time.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(times.into_iter().map(Sample::from_iter).collect())
}

/// Where the assertions go.
struct Target {
    host: String,
    tenant: String,
    algorithm: SigningAlgorithm,
}

impl Target {
    /// The requests of some rounds, each with every class in turn.
    fn batch(&self) -> Result<Requests, String> {
        let now = clients::unix_seconds();
        let all: Requests = (0..BATCH)
            .flat_map(|_| &CLASSES)
            .map(|class| token_request(&self.host, &self.tenant, &self.assertion(class, now)))
            .collect();
        let length = all.octets(0).len();
        if (0..all.len()).all(|index| all.octets(index).len() == length) {
            Ok(all)
        } else {
            Err("requests of different lengths take different times by themselves".to_owned())
        }
    }

    /// An assertion that nobody has signed. Its signature is new each time: how long a verification takes depends on
    /// it, and a few of them, used again and again, would make classes differ that do not.
    fn assertion(&self, class: &Class, now: u64) -> String {
        let header = json!({ "alg": self.algorithm.as_str(), "typ": class.typ, "kid": class.kid });
        let claims = json!({
            "iss": class.issuer, "sub": class.issuer, "aud": AUDIENCE,
            "iat": now, "exp": now + 300, "jti": random_token(16),
        });
        let signature = match self.algorithm {
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let mut number = random_bytes::<256>();
                // Below every modulus of 2048 bits: a larger number is refused without the arithmetic.
                number[0] = 0;
                b64::encode(number)
            }
            SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => b64::encode(random_bytes::<64>()),
        };
        let [header, claims] =
            [header, claims].map(|part| b64::encode(part.to_string().as_bytes()));
        format!("{header}.{claims}.{signature}")
    }
}

/// The time from the first octet of a request to the last one of its answer, which must be the one that every outsider
/// gets. It never sleeps: being woken takes longer than what is looked for.
fn ask(
    connection: &mut Connection,
    requests: &Requests,
    request: usize,
) -> Result<Duration, String> {
    let begun = Instant::now();
    connection.send(request, begun, requests)?;
    loop {
        if let Some((status, body)) = connection.receive()? {
            let time = begun.elapsed();
            let text = String::from_utf8_lossy(body);
            if status == 400 && text.contains("invalid_grant") && !text.contains("\"reason\"") {
                return Ok(time);
            }
            return Err(format!(
                "not the refusal that was expected: {status} {text}"
            ));
        }
        connection.flush(requests)?;
        if begun.elapsed() > PATIENCE {
            return Err("the server does not answer".to_owned());
        }
    }
}

fn print(algorithm: SigningAlgorithm, samples: &[Sample]) {
    let table = Table::begin(&[
        "assertion refused for            ",
        "samples",
        "median µs",
        "  p90 µs",
        "difference µs",
        "slower",
        "     z",
    ]);
    let Some(reference) = samples.first() else {
        return;
    };
    for (number, (class, sample)) in CLASSES.iter().zip(samples).enumerate() {
        let mut cells = vec![
            format!("{algorithm} {}", class.label),
            grouped(sample.len() as f64),
            format!("{:.1}", sample.percentile(50)),
            format!("{:.1}", sample.percentile(90)),
        ];
        if number > 0 {
            let difference = sample.percentile(50) - reference.percentile(50);
            let comparison = sample.compare(reference);
            cells.push(format!("{difference:+.2}"));
            cells.push(format!("{:.3}", comparison.slower));
            cells.push(format!("{:+.2}", comparison.z));
        }
        table.row(&cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_differ_in_nothing_that_has_a_length() {
        for class in &CLASSES {
            assert_eq!(class.issuer.len(), ISSUER.len(), "{}", class.label);
            assert_eq!(class.kid.len(), KID.len(), "{}", class.label);
            assert_eq!(class.typ.len(), CLASSES[0].typ.len(), "{}", class.label);
        }
    }
}

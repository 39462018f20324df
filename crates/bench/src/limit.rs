//! The limit: what the cryptography of one exchange costs by itself, on the server's processor.

use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_crypto::{SigningAlgorithm, SigningKey, VerifyingKey, b64};

use crate::clients::Client;
use crate::cores::{self, Cores};
use crate::latency::median;

/// Octets that are signed for an access token: header and claims in base64url.
const SIGNING_INPUT: usize = 640;

/// Slices of a measurement; their median is the result.
const SLICES: u32 = 5;

/// One signature to verify with a parsed key, and one to make with a loaded key.
pub(crate) struct Exchange {
    verifying: VerifyingKey,
    input: Vec<u8>,
    signature: Vec<u8>,
    signing: SigningKey,
}

impl Exchange {
    /// Prepares the two for a client and the algorithm of the access token.
    ///
    /// # Errors
    /// A sentence, when the client's assertion does not verify.
    pub(crate) fn new(client: &Client, outgoing: SigningAlgorithm) -> Result<Self, String> {
        let key = client.key();
        let verifying = VerifyingKey::new(key.public_key().clone(), key.algorithm().algorithm())
            .map_err(|error| error.to_string())?;
        let assertion = client.assertion(0);
        let (input, signature) = assertion.rsplit_once('.').ok_or("not a compact JWS")?;
        let signature = b64::decode_canonical(signature).map_err(|error| error.to_string())?;
        verifying
            .verify(input.as_bytes(), &signature)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            verifying,
            input: input.as_bytes().to_vec(),
            signature,
            signing: SigningKey::generate(outgoing),
        })
    }

    /// How many fit in a second of the server's processor, which must be idle. Afterwards the thread is on the
    /// generator's processor again.
    ///
    /// # Errors
    /// A sentence, when the processor cannot be taken.
    pub(crate) fn per_second(&self, cores: Cores, time: Duration) -> Result<f64, String> {
        cores::pin(cores.server)?;
        let slice = time / SLICES;
        let rate = median((0..SLICES).map(|_| {
            let started = Instant::now();
            let mut count = 0.0;
            while started.elapsed() < slice {
                self.once();
                count += 1.0;
            }
            count / started.elapsed().as_secs_f64()
        }));
        cores::pin(cores.generator)?;
        Ok(rate)
    }

    fn once(&self) {
        let verified = self
            .verifying
            .verify(black_box(&self.input), &self.signature);
        assert!(black_box(verified).is_ok(), "it verified before");
        black_box(self.signing.sign(black_box(&[b'a'; SIGNING_INPUT])));
    }
}

/// How many requests a round can use up: no server is faster than its cryptography, and one that comes near ends
/// its round a little earlier.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few hundred thousand"
)]
pub(crate) fn most_in(per_second: f64, time: Duration) -> usize {
    (per_second * time.as_secs_f64() * 0.9) as usize + 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_signature_has_the_lower_limit() {
        let cores = Cores::choose().unwrap();
        let client = Client::new("client", SigningAlgorithm::EdDsa);
        let rate = |outgoing| {
            let exchange = Exchange::new(&client, outgoing).unwrap();
            exchange
                .per_second(cores, Duration::from_millis(60))
                .unwrap()
        };
        let (fast, slow) = (rate(SigningAlgorithm::EdDsa), rate(SigningAlgorithm::Rs256));
        assert!(fast > slow && slow > 1.0, "{fast} {slow}");
    }
}

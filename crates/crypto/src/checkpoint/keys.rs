//! The name of a log with its key: what signs a checkpoint, and what verifies it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Checkpoint, CheckpointRefusal};
use crate::{Algorithm, PublicKey, SigningAlgorithm, SigningKey, VerifyingKey, hex, sha256};

/// The signature type of Ed25519 (C2SP signed-note).
const ED25519: u8 = 1;

/// The name of a log, which is also the origin of its checkpoints.
///
/// # Errors
/// [`CheckpointRefusal::NameUnacceptable`]
pub(super) fn check_name(name: &str) -> Result<(), CheckpointRefusal> {
    let is_good = (1..=255).contains(&name.len())
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+');
    match is_good {
        true => Ok(()),
        false => Err(CheckpointRefusal::NameUnacceptable),
    }
}

/// What a log signs its checkpoints with: its name and an Ed25519 key.
#[derive(Clone, Debug)]
pub struct LogSigner {
    key: SigningKey,
    verifier: LogVerifier,
}

impl LogSigner {
    /// Binds a key to the name of the log.
    ///
    /// # Errors
    /// [`CheckpointRefusal`] when the name is not acceptable or the key is not one for EdDSA.
    pub fn new(name: &str, key: SigningKey) -> Result<Self, CheckpointRefusal> {
        if key.algorithm() != SigningAlgorithm::EdDsa {
            return Err(CheckpointRefusal::KeyUnacceptable);
        }
        let verifier = LogVerifier::new(name, key.public_key().clone())?;
        Ok(Self { key, verifier })
    }

    /// What everybody else verifies with.
    #[must_use]
    pub fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// Signs the log's own checkpoint: the whole signed note, with its line end.
    ///
    /// # Errors
    /// [`CheckpointRefusal::OriginMismatch`] when it is one of another log.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Result<String, CheckpointRefusal> {
        if checkpoint.origin() != self.verifier.name {
            return Err(CheckpointRefusal::OriginMismatch);
        }
        let text = checkpoint.to_string();
        let signature = self.key.sign(text.as_bytes());
        let blob = STANDARD.encode([self.verifier.id.as_slice(), &signature].concat());
        Ok(format!("{text}\n\u{2014} {} {blob}\n", self.verifier.name))
    }
}

/// What verifies the checkpoints of one log. It is written as `name+id+key`, the form that signed notes share.
#[derive(Clone, Debug)]
pub struct LogVerifier {
    pub(super) name: String,
    pub(super) id: [u8; 4],
    point: [u8; 32],
    key: VerifyingKey,
}

impl LogVerifier {
    /// Binds a public key to the name of the log.
    ///
    /// # Errors
    /// [`CheckpointRefusal`] when the name is not acceptable or the key is not an Ed25519 key.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, CheckpointRefusal> {
        check_name(name)?;
        let point = *key
            .ed25519_point()
            .ok_or(CheckpointRefusal::KeyUnacceptable)?;
        let key = VerifyingKey::new(key, Algorithm::EdDsa)
            .map_err(|_| CheckpointRefusal::KeyUnacceptable)?;
        let digest = sha256(&[name.as_bytes(), b"\n", &[ED25519], &point]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Ok(Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            point,
            key,
        })
    }

    /// The name of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Result<(), CheckpointRefusal> {
        self.key
            .verify(text.as_bytes(), signature)
            .map_err(|_| CheckpointRefusal::SignatureInvalid)
    }
}

impl PartialEq for LogVerifier {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.point) == (&other.name, other.point)
    }
}

impl Eq for LogVerifier {}

impl fmt::Display for LogVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+", self.name)?;
        hex::write(&self.id, f)?;
        let key = [&[ED25519], self.point.as_slice()].concat();
        write!(f, "+{}", STANDARD.encode(key))
    }
}

impl FromStr for LogVerifier {
    type Err = CheckpointRefusal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Base64 may have a plus; the name and the id have none.
        let parts: Vec<&str> = text.splitn(3, '+').collect();
        let [name, id, key] = parts.as_slice() else {
            return Err(CheckpointRefusal::KeyMalformed);
        };
        let octets = STANDARD
            .decode(key)
            .map_err(|_| CheckpointRefusal::KeyMalformed)?;
        let [ED25519, point @ ..] = octets.as_slice() else {
            return Err(CheckpointRefusal::KeyUnacceptable);
        };
        let point = point
            .try_into()
            .map_err(|_| CheckpointRefusal::KeyMalformed)?;
        let key = PublicKey::from_ed25519(point).map_err(|_| CheckpointRefusal::KeyUnacceptable)?;
        let verifier = Self::new(name, key)?;
        match hex::parse(id) == Some(verifier.id) {
            true => Ok(verifier),
            false => Err(CheckpointRefusal::KeyMalformed),
        }
    }
}

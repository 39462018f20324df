//! The public key of a passkey: out of a COSE_Key (RFC 9052 §7, RFC 9053), kept as SPKI and algorithm.

use crate::cbor::Cbor;
use crate::import::{ImportRefusal, components, spki};
use crate::{Algorithm, KeyFingerprint, KeyKind, PublicKey, VerifyingKey, ecdsa};

use super::PasskeyRefusal;

/// A passkey's public key, bound to its algorithm: ES256 with P-256, EdDSA with Ed25519, or RS256.
///
/// It is stored as [`Self::algorithm`] and [`Self::spki_der`], and read back with [`Self::from_spki`]. Whichever way
/// it comes, it passes the checks of a key import: points on their curve, no small order, no weak RSA key.
#[derive(Clone, Debug)]
pub struct PasskeyPublicKey(VerifyingKey);

impl PasskeyPublicKey {
    /// The accepted algorithms with their numbers in COSE, in the order in which a browser is to be asked for them.
    pub const ALGORITHMS: [(Algorithm, i32); 3] = [
        (Algorithm::Es256, -7),
        (Algorithm::EdDsa, -8),
        (Algorithm::Rs256, -257),
    ];

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`PasskeyRefusal`] when the algorithm is not accepted, does not fit the key, or the key is refused.
    pub fn from_spki(algorithm: Algorithm, der: &[u8]) -> Result<Self, PasskeyRefusal> {
        let key = spki::import(der).map_err(|import| PasskeyRefusal::KeyNotAccepted { import })?;
        Self::bind(key, algorithm)
    }

    /// Reads a COSE_Key with exactly the members that its type needs (WebAuthn §6.5.1.1).
    pub(super) fn from_cose(cose: &Cbor<'_>) -> Result<Self, PasskeyRefusal> {
        let Some(Cbor::Integer(number)) = cose.integer_entry(3) else {
            return Err(PasskeyRefusal::KeyMalformed);
        };
        let (algorithm, _) = Self::ALGORITHMS
            .into_iter()
            .find(|(_, known)| i128::from(*known) == *number)
            .ok_or(PasskeyRefusal::AlgorithmNotAllowed)?;
        let key = key_of(cose).ok_or(PasskeyRefusal::KeyMalformed)?;
        let key = key.map_err(|import| PasskeyRefusal::KeyNotAccepted { import })?;
        Self::bind(key, algorithm)
    }

    fn bind(key: PublicKey, algorithm: Algorithm) -> Result<Self, PasskeyRefusal> {
        let is_accepted = Self::ALGORITHMS
            .iter()
            .any(|(accepted, _)| *accepted == algorithm);
        if !is_accepted {
            return Err(PasskeyRefusal::AlgorithmNotAllowed);
        }
        VerifyingKey::new(key, algorithm)
            .map(Self)
            .map_err(|_| PasskeyRefusal::KeyMalformed)
    }

    /// The one algorithm it is bound to.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The canonical DER-encoded `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.0.public_key().spki_der()
    }

    /// The SHA-256 digest of [`Self::spki_der`].
    #[must_use]
    pub fn fingerprint(&self) -> KeyFingerprint {
        self.0.fingerprint()
    }

    /// Checks a signature in the form of WebAuthn §6.5.5: for ES256 that is DER.
    pub(super) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), PasskeyRefusal> {
        let verified = match self.algorithm() {
            Algorithm::Es256 => ecdsa::p256_from_der(signature)
                .is_some_and(|fixed| self.0.verify(signed, &fixed).is_ok()),
            _ => self.0.verify(signed, signature).is_ok(),
        };
        match verified {
            true => Ok(()),
            false => Err(PasskeyRefusal::SignatureInvalid),
        }
    }
}

impl PartialEq for PasskeyPublicKey {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm(), self.fingerprint()) == (other.algorithm(), other.fingerprint())
    }
}

impl Eq for PasskeyPublicKey {}

/// The key, or why it is refused; `None` when the map is not that of its type.
fn key_of(cose: &Cbor<'_>) -> Option<Result<PublicKey, ImportRefusal>> {
    let Cbor::Map(entries) = cose else {
        return None;
    };
    let number = |label| match cose.integer_entry(label) {
        Some(Cbor::Integer(number)) => Some(*number),
        _ => None,
    };
    let octets = |label| cose.integer_entry(label).and_then(Cbor::bytes);
    match (number(1)?, entries.len()) {
        // OKP with Ed25519 (RFC 9053 §7.2).
        (1, 4) if number(-1)? == 6 => Some(components::ed25519(octets(-2)?)),
        // EC2 with P-256 (RFC 9053 §7.1); a compressed point has a truth value as y.
        (2, 5) if number(-1)? == 1 => Some(components::ec(KeyKind::P256, octets(-2)?, octets(-3)?)),
        // RSA (RFC 8230 §4): numbers without leading zeros.
        (3, 4) => {
            let (n, e) = (octets(-1)?, octets(-2)?);
            (n.first()? != &0 && e.first()? != &0).then(|| components::rsa(n, e))
        }
        _ => None,
    }
}

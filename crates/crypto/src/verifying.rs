//! A public key bound to one algorithm: the only thing that can check a signature.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::{Algorithm, KeyFingerprint, KeyKind, PublicKey, ed25519};

/// The key's kind cannot serve the algorithm: an EC curve belongs to one `ES…`, an RSA key to `RS…` and `PS…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} key cannot verify {algorithm}; it can be bound to: {}", names(.kind.algorithms()))]
pub struct AlgorithmDoesNotFit {
    /// What the key is.
    pub kind: KeyKind,
    /// What was asked of it.
    pub algorithm: Algorithm,
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms
        .iter()
        .map(|algorithm| algorithm.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The signature does not belong to these octets and this key.
///
/// It deliberately says no more: which of length, range or arithmetic failed is of no use to an honest caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify with this key and its algorithm")]
pub struct SignatureInvalid;

impl SignatureInvalid {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "signature_invalid"
    }
}

/// A public key bound to exactly one algorithm (RFC 8725 §3.1).
///
/// A clone shares the key, which is parsed for arithmetic at its first use and kept: thousands of keys that are
/// loaded but not used cost their encoding only.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Bound>);

struct Bound {
    key: PublicKey,
    algorithm: Algorithm,
    parsed: OnceLock<Option<ParsedPublicKey>>,
}

impl VerifyingKey {
    /// Binds a key to an algorithm.
    ///
    /// # Errors
    /// [`AlgorithmDoesNotFit`] when a key of this kind cannot serve the algorithm.
    pub fn new(key: PublicKey, algorithm: Algorithm) -> Result<Self, AlgorithmDoesNotFit> {
        let kind = key.kind();
        if !kind.algorithms().contains(&algorithm) {
            return Err(AlgorithmDoesNotFit { kind, algorithm });
        }
        Ok(Self(Arc::new(Bound {
            key,
            algorithm,
            parsed: OnceLock::new(),
        })))
    }

    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.key
    }

    /// The one algorithm it is bound to.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The fingerprint of the key.
    #[must_use]
    pub fn fingerprint(&self) -> KeyFingerprint {
        self.0.key.fingerprint()
    }

    /// The exact length of a signature in octets (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1).
    #[must_use]
    pub fn signature_length(&self) -> usize {
        match self.0.key.kind() {
            KeyKind::Rsa { bits } => bits.div_ceil(8) as usize,
            KeyKind::P256 | KeyKind::Ed25519 => 64,
            KeyKind::P384 => 96,
            KeyKind::P521 => 132,
        }
    }

    /// Whether checking a signature takes the arithmetic: it has the right length and, for RSA, is below the modulus
    /// (RFC 8017 §5.2.2). Whatever else is wrong with it shows in the same time with every key of the same kind.
    #[must_use]
    pub fn takes(&self, signature: &[u8]) -> bool {
        signature.len() == self.signature_length()
            && self
                .public_key()
                .rsa_modulus()
                .is_none_or(|modulus| signature < modulus)
    }

    /// A signature that checking takes the arithmetic for: this one, or what fits the key of it.
    pub(crate) fn fitted<'s>(&self, signature: &'s [u8]) -> Cow<'s, [u8]> {
        if self.takes(signature) {
            return Cow::Borrowed(signature);
        }
        let mut fitted = vec![0; self.signature_length()];
        let kept = signature.len().min(fitted.len() - 1);
        let begin = fitted.len() - kept;
        fitted[begin..].copy_from_slice(&signature[signature.len() - kept..]);
        Cow::Owned(fitted)
    }

    /// Checks a signature as it stands in a JWS: for ECDSA the concatenation R || S.
    ///
    /// # Errors
    /// [`SignatureInvalid`] when the length is not exactly [`Self::signature_length`], a value is out of range or
    /// not in its only encoding, or the signature belongs to other octets or to another key.
    pub fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        if signature.len() != self.signature_length() {
            return Err(SignatureInvalid);
        }
        if self.0.algorithm == Algorithm::EdDsa
            && !signature.try_into().is_ok_and(ed25519::is_strict_signature)
        {
            return Err(SignatureInvalid);
        }
        let parsed = self.0.parsed.get_or_init(|| {
            ParsedPublicKey::new(primitive(self.0.algorithm), self.0.key.spki_der()).ok()
        });
        let parsed = parsed.as_ref().ok_or(SignatureInvalid)?;
        parsed
            .verify_sig(signing_input, signature)
            .map_err(|_| SignatureInvalid)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {:?})", self.0.algorithm, self.0.key)
    }
}

fn primitive(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa => &signature::ED25519,
    }
}

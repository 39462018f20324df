//! Private keys of every accepted algorithm.

use std::fmt;
use std::sync::Arc;

use countersign_crypto::{Algorithm, PublicKey, SigningAlgorithm, SigningKey};
use jsonwebtoken::EncodingKey;
use rcgen::SigningKey as _;

use crate::assertion::decode_base64url;

/// A caller's private key, bound to one algorithm; its clones share it.
#[derive(Clone)]
pub struct TestKey {
    algorithm: Algorithm,
    private: Arc<Private>,
    public_key: String,
}

enum Private {
    /// P-384 and P-521: the octets of one coordinate.
    Curve(rcgen::KeyPair, usize),
    Ours(SigningKey),
    /// RSA with SHA-384 and SHA-512.
    Rsa(EncodingKey, jsonwebtoken::Algorithm),
}

impl TestKey {
    /// A new key.
    #[must_use]
    pub fn generate(algorithm: Algorithm) -> Self {
        let ours = |signing| {
            let key = SigningKey::generate(signing);
            let public_key = key.public_key().to_pem();
            (Private::Ours(key), public_key)
        };
        let (private, public_key) = match algorithm {
            Algorithm::Es256 => ours(SigningAlgorithm::Es256),
            Algorithm::EdDsa => ours(SigningAlgorithm::EdDsa),
            Algorithm::Ps256 => ours(SigningAlgorithm::Ps256),
            Algorithm::Rs256 => ours(SigningAlgorithm::Rs256),
            Algorithm::Es384 => curve(&rcgen::PKCS_ECDSA_P384_SHA384, 48),
            Algorithm::Es512 => curve(&rcgen::PKCS_ECDSA_P521_SHA512, 66),
            Algorithm::Rs384 => rsa(jsonwebtoken::Algorithm::RS384),
            Algorithm::Rs512 => rsa(jsonwebtoken::Algorithm::RS512),
            Algorithm::Ps384 => rsa(jsonwebtoken::Algorithm::PS384),
            Algorithm::Ps512 => rsa(jsonwebtoken::Algorithm::PS512),
        };
        Self {
            algorithm,
            private: Arc::new(private),
            public_key,
        }
    }

    /// A new P-256 key.
    #[must_use]
    pub fn es256() -> Self {
        Self::generate(Algorithm::Es256)
    }

    /// A key that exists already, for example one that was stolen.
    #[must_use]
    pub fn from_signing_key(key: SigningKey) -> Self {
        Self {
            algorithm: key.algorithm().algorithm(),
            public_key: key.public_key().to_pem(),
            private: Arc::new(Private::Ours(key)),
        }
    }

    /// The same private key, signing with another algorithm of ours.
    ///
    /// # Panics
    /// When the key is not one that this program can sign with, or does not fit.
    #[must_use]
    pub fn rebound(&self, algorithm: SigningAlgorithm) -> Self {
        let Private::Ours(key) = &*self.private else {
            panic!("not a key of ours");
        };
        Self::from_signing_key(SigningKey::from_pkcs8_der(algorithm, &key.to_pkcs8_der()).unwrap())
    }

    /// The algorithm that it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as PEM.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The public half, parsed.
    #[must_use]
    pub fn parsed(&self) -> PublicKey {
        PublicKey::from_pem(&self.public_key).unwrap()
    }

    /// The `kid` that a configuration gives the key when nobody names one: its thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.parsed().thumbprint()
    }

    /// A self-signed certificate for the key, from 2026-01-01 until midnight UTC of a day.
    ///
    /// # Panics
    /// When the key is not one that this program can sign with.
    #[must_use]
    pub fn certificate(&self, (year, month, day): (i32, u8, u8)) -> String {
        let Private::Ours(key) = &*self.private else {
            panic!("not a key of ours");
        };
        let pair = rcgen::KeyPair::from_pem(&key.to_pkcs8_pem()).unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        params.self_signed(&pair).unwrap().pem()
    }

    /// Signs octets; the signature has the form that a JWS carries (ECDSA: R || S).
    #[must_use]
    pub fn sign(&self, input: &[u8]) -> Vec<u8> {
        match &*self.private {
            Private::Ours(key) => key.sign(input),
            Private::Curve(pair, length) => fixed(&pair.sign(input).unwrap(), *length),
            Private::Rsa(key, algorithm) => {
                let signature = jsonwebtoken::crypto::sign(input, key, *algorithm).unwrap();
                decode_base64url(&signature)
            }
        }
    }
}

impl fmt::Debug for TestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestKey({})", self.algorithm)
    }
}

fn curve(kind: &'static rcgen::SignatureAlgorithm, length: usize) -> (Private, String) {
    let pair = rcgen::KeyPair::generate_for(kind).unwrap();
    let public_key = rcgen::PublicKeyData::subject_public_key_info(&pair);
    let public_key = PublicKey::from_spki_der(&public_key).unwrap().to_pem();
    (Private::Curve(pair, length), public_key)
}

fn rsa(algorithm: jsonwebtoken::Algorithm) -> (Private, String) {
    let key = SigningKey::generate(SigningAlgorithm::Rs256);
    let encoding = EncodingKey::from_rsa_pem(key.to_pkcs8_pem().as_bytes()).unwrap();
    let public_key = key.public_key().to_pem();
    (Private::Rsa(encoding, algorithm), public_key)
}

/// An ECDSA signature in DER (`SEQUENCE { r, s }`) as `R || S`.
fn fixed(der: &[u8], length: usize) -> Vec<u8> {
    // The lengths of P-521 need the long form (one octet more); those of P-384 do not.
    let start = if der[1] & 0x80 == 0 { 2 } else { 3 };
    let (mut rest, mut fixed) = (&der[start..], Vec::with_capacity(2 * length));
    for _ in 0..2 {
        let (integer, after) = rest[2..].split_at(usize::from(rest[1]));
        let digits = &integer[integer.len().saturating_sub(length)..];
        fixed.resize(fixed.len() + length - digits.len(), 0);
        fixed.extend_from_slice(digits);
        rest = after;
    }
    fixed
}

/// HMAC-SHA256, for callers that try their luck with a public key as the secret.
#[must_use]
pub fn hmac_sha256(secret: &[u8], input: &[u8]) -> Vec<u8> {
    let key = EncodingKey::from_secret(secret);
    let algorithm = jsonwebtoken::Algorithm::HS256;
    decode_base64url(&jsonwebtoken::crypto::sign(input, &key, algorithm).unwrap())
}

//! Private keys, and the signer that issues tokens with them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::public_key::pem;
use crate::{Algorithm, PublicKey, b64};

/// The algorithms that Countersign signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256: the default.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for resource servers that know nothing else.
    #[serde(rename = "RS256")]
    Rs256,
}

impl SigningAlgorithm {
    /// Every one of them, the default first.
    pub const ALL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ps256, Self::Rs256];

    /// The value of the `alg` header parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.algorithm().as_str()
    }

    /// The algorithm that verifies it.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::EdDsa => Algorithm::EdDsa,
            Self::Ps256 => Algorithm::Ps256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = crate::UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(crate::UnknownAlgorithm)
    }
}

/// Why octets are not a private key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyRejected {
    /// The PEM section holds something else, or its DER does not parse.
    #[error(
        "not an unencrypted PKCS#8, SEC 1 or PKCS#1 private key for P-256, Ed25519 or RSA of 2048 to 8192 bits"
    )]
    KeyUnacceptable,
    /// There is no PEM section with a private key.
    #[error("no PEM section with an unencrypted private key was found")]
    PemMissing,
}

impl SigningKeyRejected {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyUnacceptable => "signing_key_unacceptable",
            Self::PemMissing => "signing_key_pem_missing",
        }
    }
}

/// How long an RSA key to generate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaSize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// A private key bound to one algorithm. A clone shares the key; `Debug` shows the public half only.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    algorithm: SigningAlgorithm,
    secret: Secret,
    public_key: PublicKey,
}

enum Secret {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Our own calls cannot hit the library's other failures: it is out of memory, or the generator is gone.
const LIBRARY: &str =
    "the cryptographic library fails only without memory or without a random generator";

impl SigningKey {
    /// Generates a key; an RSA key has 2048 bits.
    #[must_use]
    pub fn generate(algorithm: SigningAlgorithm) -> Self {
        Self::generate_sized(algorithm, RsaSize::Bits2048)
    }

    /// Generates a key, of the given size if it is an RSA key.
    #[must_use]
    pub fn generate_sized(algorithm: SigningAlgorithm, size: RsaSize) -> Self {
        let secret = match algorithm {
            SigningAlgorithm::Es256 => Secret::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(LIBRARY),
            ),
            SigningAlgorithm::EdDsa => Secret::Ed25519(Ed25519KeyPair::generate().expect(LIBRARY)),
            SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256 => {
                let size = match size {
                    RsaSize::Bits2048 => KeySize::Rsa2048,
                    RsaSize::Bits3072 => KeySize::Rsa3072,
                    RsaSize::Bits4096 => KeySize::Rsa4096,
                };
                Secret::Rsa(RsaKeyPair::generate(size).expect(LIBRARY))
            }
        };
        Self::new(algorithm, secret).expect("a generated key is acceptable")
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5208, RFC 5958) for the given algorithm.
    ///
    /// # Errors
    /// [`SigningKeyRejected`] when the octets are no such key.
    pub fn from_pkcs8_der(
        algorithm: SigningAlgorithm,
        der: &[u8],
    ) -> Result<Self, SigningKeyRejected> {
        let secret = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Secret::Ecdsa)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Secret::Ed25519),
            SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256 => {
                RsaKeyPair::from_pkcs8(der).map(Secret::Rsa)
            }
        };
        Self::new(
            algorithm,
            secret.map_err(|_| SigningKeyRejected::KeyUnacceptable)?,
        )
    }

    /// Reads the first private key of a PEM text: `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    ///
    /// Without an algorithm the key decides: ES256, EdDSA, or RS256 for an RSA key.
    ///
    /// # Errors
    /// [`SigningKeyRejected`] when there is no such key, or it does not fit the algorithm.
    pub fn from_pem(
        text: &str,
        algorithm: Option<SigningAlgorithm>,
    ) -> Result<Self, SigningKeyRejected> {
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| SigningKeyRejected::PemMissing)?;
        let candidates = [
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Rs256,
        ];
        let candidates = algorithm
            .as_ref()
            .map_or(&candidates[..], std::slice::from_ref);
        let keys = candidates
            .iter()
            .map(|algorithm| Self::from_section(*algorithm, &der));
        keys.into_iter()
            .find_map(Result::ok)
            .ok_or(SigningKeyRejected::KeyUnacceptable)
    }

    fn from_section(
        algorithm: SigningAlgorithm,
        der: &PrivateKeyDer<'_>,
    ) -> Result<Self, SigningKeyRejected> {
        let secret = match (der, algorithm) {
            (PrivateKeyDer::Pkcs8(der), _) => {
                return Self::from_pkcs8_der(algorithm, der.secret_pkcs8_der());
            }
            (PrivateKeyDer::Sec1(der), SigningAlgorithm::Es256) => {
                let der = der.secret_sec1_der();
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                    .map(Secret::Ecdsa)
            }
            (PrivateKeyDer::Pkcs1(der), SigningAlgorithm::Ps256 | SigningAlgorithm::Rs256) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Secret::Rsa)
            }
            _ => return Err(SigningKeyRejected::KeyUnacceptable),
        };
        Self::new(
            algorithm,
            secret.map_err(|_| SigningKeyRejected::KeyUnacceptable)?,
        )
    }

    fn new(algorithm: SigningAlgorithm, secret: Secret) -> Result<Self, SigningKeyRejected> {
        let spki: PublicKeyX509Der<'_> = match &secret {
            Secret::Ecdsa(pair) => pair.public_key().as_der(),
            Secret::Ed25519(pair) => pair.public_key().as_der(),
            Secret::Rsa(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| SigningKeyRejected::KeyUnacceptable)?;
        let public_key = PublicKey::from_spki_der(spki.as_ref())
            .map_err(|_| SigningKeyRejected::KeyUnacceptable)?;
        Ok(Self(Arc::new(Inner {
            algorithm,
            secret,
            public_key,
        })))
    }

    /// The key as unencrypted PKCS#8, version 1 (RFC 5208 §5). It wipes itself.
    #[must_use]
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let der = match &self.0.secret {
            Secret::Ecdsa(pair) => pair.to_pkcs8v1().expect(LIBRARY).as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.to_pkcs8v1().expect(LIBRARY).as_ref().to_vec(),
            Secret::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)
                .expect(LIBRARY)
                .as_ref()
                .to_vec(),
        };
        Zeroizing::new(der)
    }

    /// The key as PEM, label `PRIVATE KEY` (RFC 7468 §10). It wipes itself.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem("PRIVATE KEY", &self.to_pkcs8_der()))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The one algorithm it signs with.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.0.algorithm
    }

    /// Signs octets; the signature has the form that a JWS carries (ECDSA: R || S).
    #[must_use]
    pub fn sign(&self, signing_input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.0.secret {
            Secret::Ecdsa(pair) => pair
                .sign(&random, signing_input)
                .expect(LIBRARY)
                .as_ref()
                .to_vec(),
            Secret::Ed25519(pair) => pair.sign(signing_input).as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = match self.0.algorithm {
                    SigningAlgorithm::Ps256 => &RSA_PSS_SHA256,
                    SigningAlgorithm::Rs256 | SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => {
                        &RSA_PKCS1_SHA256
                    }
                };
                pair.sign(encoding, &random, signing_input, &mut signature)
                    .expect(LIBRARY);
                signature
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SigningKey({}, {:?}, secret redacted)",
            self.0.algorithm, self.0.public_key
        )
    }
}

/// Signs tokens that share one header, which is encoded once.
#[derive(Clone, Debug)]
pub struct JwsSigner {
    key: SigningKey,
    /// The header in base64url, with the dot that follows it.
    encoded_header: String,
}

impl JwsSigner {
    /// Prepares the header `{"alg": …, "typ": …, "kid": …}`; an absent member is left out.
    #[must_use]
    pub fn new(key: SigningKey, typ: Option<&str>, kid: Option<&str>) -> Self {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut header = format!(r#"{{"alg":"{}""#, key.algorithm());
        for (name, value) in [("typ", typ), ("kid", kid)] {
            if let Some(value) = value {
                header.push_str(&format!(r#","{name}":{}"#, text(value)));
            }
        }
        header.push('}');
        let mut encoded_header = b64::encode(header);
        encoded_header.push('.');
        Self {
            key,
            encoded_header,
        }
    }

    /// The key it signs with.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Signs claims, given as the text of a JSON object, and returns the compact form (RFC 7515 §7.1).
    #[must_use]
    pub fn sign(&self, claims_json: &[u8]) -> String {
        // Room for the claims in base64url and for the signature of RSA with 2048 bits.
        let mut token =
            String::with_capacity(self.encoded_header.len() + claims_json.len() * 4 / 3 + 350);
        token.push_str(&self.encoded_header);
        b64::append(claims_json, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        b64::append(&signature, &mut token);
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{UnverifiedJws, VerifyingKey};

    #[test]
    fn every_key_survives_pkcs8_and_signs_what_its_public_half_verifies() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm);
            let again = SigningKey::from_pem(&key.to_pkcs8_pem(), Some(algorithm)).unwrap();
            assert_eq!(again.public_key(), key.public_key());
            let verifying =
                VerifyingKey::new(key.public_key().clone(), algorithm.algorithm()).unwrap();
            verifying.verify(b"octets", &again.sign(b"octets")).unwrap();
            verifying
                .verify(b"other", &again.sign(b"octets"))
                .unwrap_err();
            assert!(!format!("{key:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn the_key_decides_the_algorithm_when_none_is_given() {
        for algorithm in [
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Rs256,
        ] {
            let text = SigningKey::generate(algorithm).to_pkcs8_pem();
            assert_eq!(
                SigningKey::from_pem(&text, None).unwrap().algorithm(),
                algorithm
            );
        }
        let rsa = SigningKey::generate(SigningAlgorithm::Ps256).to_pkcs8_pem();
        assert_eq!(
            SigningKey::from_pem(&rsa, Some(SigningAlgorithm::Ps256))
                .unwrap()
                .algorithm()
                .as_str(),
            "PS256"
        );
        let refused = SigningKey::from_pem(&rsa, Some(SigningAlgorithm::Es256)).unwrap_err();
        assert_eq!(refused, SigningKeyRejected::KeyUnacceptable);
        assert_eq!(
            SigningKey::from_pem("nothing", None).unwrap_err(),
            SigningKeyRejected::PemMissing
        );
    }

    #[test]
    fn sec1_and_pkcs1_sections_are_read() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = AsDer::as_der(&pair.private_key()).unwrap();
        let der: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> = der;
        let key = SigningKey::from_pem(&pem("EC PRIVATE KEY", der.as_ref()), None).unwrap();
        assert_eq!(key.algorithm(), SigningAlgorithm::Es256);

        // A PKCS#8 key wraps the PKCS#1 one in an OCTET STRING that ends the document.
        let key = SigningKey::generate(SigningAlgorithm::Rs256);
        let pkcs8 = key.to_pkcs8_der();
        let pkcs1 = &pkcs8[26..];
        let again = SigningKey::from_pem(&pem("RSA PRIVATE KEY", pkcs1), None).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }

    #[test]
    fn larger_rsa_keys_can_be_generated() {
        let key = SigningKey::generate_sized(SigningAlgorithm::Ps256, RsaSize::Bits3072);
        assert_eq!(key.public_key().kind(), crate::KeyKind::Rsa { bits: 3072 });
    }

    #[test]
    fn the_header_is_encoded_once_and_escaped() {
        let signer = JwsSigner::new(
            SigningKey::generate(SigningAlgorithm::EdDsa),
            Some("at+jwt"),
            Some("a\"b"),
        );
        let token = signer.sign(br#"{"sub":"s"}"#);
        let header = b64::decode_canonical(token.split('.').next().unwrap()).unwrap();
        assert_eq!(header, br#"{"alg":"EdDSA","typ":"at+jwt","kid":"a\"b"}"#);
        let jws = UnverifiedJws::parse(&token).unwrap();
        assert_eq!(jws.header().kid(), Some("a\"b"));
    }
}

//! An independent implementation reads what we write, and we read what it writes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use countersign_crypto::{
    Algorithm, JwsSigner, SigningAlgorithm, SigningKey, UnverifiedJws, VerifyingKey,
};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rcgen::PublicKeyData;
use serde_json::{Value, json};

fn claims() -> Value {
    json!({ "iss": "issuer", "sub": "subject", "aud": "audience", "iat": 1_700_000_000, "exp": 1_700_000_060, "s": "é" })
}

fn foreign(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

fn encoding_key(algorithm: Algorithm, pem: &str) -> EncodingKey {
    match algorithm {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
            EncodingKey::from_ec_pem(pem.as_bytes())
        }
        Algorithm::EdDsa => EncodingKey::from_ed_pem(pem.as_bytes()),
        _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
    }
    .unwrap()
}

fn decoding_key(algorithm: Algorithm, pem: &str) -> DecodingKey {
    match algorithm {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
            DecodingKey::from_ec_pem(pem.as_bytes())
        }
        Algorithm::EdDsa => DecodingKey::from_ed_pem(pem.as_bytes()),
        _ => DecodingKey::from_rsa_pem(pem.as_bytes()),
    }
    .unwrap()
}

/// Signs there, verifies here, with every algorithm that is served by this key.
fn we_read(key: &countersign_crypto::PublicKey, pem: &str) {
    for algorithm in key.kind().algorithms() {
        let header = Header {
            kid: Some("k1".to_owned()),
            ..Header::new(foreign(*algorithm))
        };
        let token = encode(&header, &claims(), &encoding_key(*algorithm, pem)).unwrap();
        let bound = VerifyingKey::new(key.clone(), *algorithm).unwrap();
        let jws = UnverifiedJws::parse(&token).unwrap();
        assert_eq!(jws.header().kid(), Some("k1"));
        let verified = jws.verify(&bound).unwrap();
        assert_eq!(
            &Value::Object(verified.claims().unwrap().members().clone()),
            &claims(),
            "{algorithm}"
        );
    }
}

#[test]
fn we_read_what_it_writes() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
        SigningAlgorithm::Rs256,
    ] {
        let key = SigningKey::generate(algorithm);
        we_read(key.public_key(), &key.to_pkcs8_pem());
    }
}

#[test]
fn we_read_what_it_writes_with_p384() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let key =
        countersign_crypto::PublicKey::from_spki_der(&pair.subject_public_key_info()).unwrap();
    we_read(&key, &pair.serialize_pem());
}

#[test]
fn it_reads_what_we_write() {
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::generate(algorithm);
        let public = decoding_key(algorithm.algorithm(), &key.public_key().to_pem());
        let token =
            JwsSigner::new(key, Some("at+jwt"), Some("k1")).sign(claims().to_string().as_bytes());
        let mut validation = Validation::new(foreign(algorithm.algorithm()));
        validation.validate_exp = false;
        validation.set_audience(&["audience"]);
        let read = decode::<Value>(&token, &public, &validation).unwrap();
        assert_eq!(read.claims, claims());
        assert_eq!(
            (read.header.typ.as_deref(), read.header.kid.as_deref()),
            (Some("at+jwt"), Some("k1"))
        );
        let jwk = serde_json::from_value(key_jwk(algorithm)).unwrap();
        DecodingKey::from_jwk(&jwk).unwrap();
    }
}

fn key_jwk(algorithm: SigningAlgorithm) -> Value {
    SigningKey::generate(algorithm)
        .public_key()
        .to_jwk("k1", Some(algorithm.algorithm()))
}

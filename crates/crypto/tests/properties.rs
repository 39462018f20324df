//! What must hold for every input, tried with many.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use countersign_crypto::json::{Limits, StrictObject};
use countersign_crypto::{
    JwsSigner, MasterKey, PublicKey, SigningAlgorithm, SigningKey, UnverifiedJws, VerifyingKey,
    b64, canonical_json,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn verifying(key: &SigningKey) -> VerifyingKey {
    VerifyingKey::new(key.public_key().clone(), key.algorithm().algorithm()).unwrap()
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(".{0,6}", json(), 0..5)
        .prop_map(|members| Value::Object(Map::from_iter(members)))
}

proptest! {
    #[test]
    fn parsing_any_text_never_panics(text in ".{0,200}", octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = UnverifiedJws::parse(&text);
        let _ = StrictObject::parse(&octets, Limits::TOKEN);
        let _ = PublicKey::from_spki_der(&octets);
        let _ = MasterKey::from_text(&text);
        let _ = SigningKey::from_pem(&text, None);
    }

    #[test]
    fn parsing_any_segments_never_panics(
        header in r#"\{("alg":"(ES256|RS256|none)"|"kid":[0-9"a-z]{0,5}|[,\\"{}:\[\]a-z0-9]){0,6}\}?"#,
        payload in prop::collection::vec(any::<u8>(), 0..60),
        signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let token = format!("{}.{}.{}", b64::encode(header), b64::encode(payload), b64::encode(signature));
        if let Ok(jws) = UnverifiedJws::parse(&token) {
            let key = SigningKey::generate(SigningAlgorithm::Es256);
            prop_assert!(jws.verify(&verifying(&key)).is_err());
        }
    }

    #[test]
    fn strict_objects_mean_what_serde_json_reads(value in object()) {
        let text = serde_json::to_vec(&value).unwrap();
        let strict = StrictObject::parse(&text, Limits::TOKEN).unwrap();
        prop_assert_eq!(Value::Object(strict.into_members()), value);
    }

    #[test]
    fn what_strict_json_accepts_serde_json_accepts(text in r#"\{[{}\[\]",:a0-9.eE\\ +-]{0,30}\}"#) {
        if StrictObject::parse(text.as_bytes(), Limits::TOKEN).is_ok() {
            prop_assert!(serde_json::from_str::<Map<String, Value>>(&text).is_ok());
        }
    }

    #[test]
    fn canonical_json_is_a_fixed_point_with_the_same_meaning(value in object()) {
        let canonical = canonical_json(&value).unwrap();
        let again = serde_json::from_slice::<Value>(&canonical).unwrap();
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(canonical_json(&again).unwrap(), canonical);
    }

    #[test]
    fn what_is_signed_verifies(claims in object()) {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let token = JwsSigner::new(key.clone(), Some("JWT"), None).sign(claims.to_string().as_bytes());
        let verified = UnverifiedJws::parse(&token).unwrap().verify(&verifying(&key)).unwrap();
        prop_assert_eq!(Value::Object(verified.into_claims().unwrap().into_members()), claims);
    }

    #[test]
    fn what_is_sealed_opens(plaintext in prop::collection::vec(any::<u8>(), 0..100), aad in ".{0,20}") {
        let key = MasterKey::generate();
        let sealed = key.seal(&plaintext, aad.as_bytes());
        prop_assert_eq!(key.open(&sealed, aad.as_bytes()).unwrap().to_vec(), plaintext);
    }
}

#[test]
fn flipping_any_bit_of_the_compact_form_is_refused() {
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::generate(algorithm);
        let verifying = verifying(&key);
        let token =
            JwsSigner::new(key, Some("JWT"), Some("k")).sign(br#"{"iss":"a","exp":1700000000}"#);
        let accepted = |octets: &[u8]| {
            let jws = std::str::from_utf8(octets)
                .ok()
                .and_then(|text| UnverifiedJws::parse(text).ok());
            jws.is_some_and(|jws| jws.verify(&verifying).is_ok())
        };
        assert!(accepted(token.as_bytes()));
        for index in 0..token.len() {
            for bit in 0..8 {
                let mut changed = token.clone().into_bytes();
                changed[index] ^= 1 << bit;
                assert!(
                    !accepted(&changed),
                    "{algorithm}: bit {bit} of octet {index}"
                );
            }
        }
    }
}

#[test]
fn ecdsa_never_repeats_its_nonce() {
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let mut halves = (0..10_000)
        .map(|_| key.sign(b"the same octets")[..32].to_vec())
        .collect::<Vec<_>>();
    halves.sort();
    halves.dedup();
    assert_eq!(halves.len(), 10_000);
}

//! The rules for algorithms and signatures (`conformance.md` DA1 to DA9), one test each.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair};
use countersign_crypto::{
    Algorithm, KeyKind, PublicKey, PublicKeyRejected, SignatureInvalid, SigningAlgorithm,
    SigningKey, UnverifiedJws, VerifyingKey, b64,
};
use num_bigint::BigUint;

const MESSAGE: &[u8] = b"eyJhbGciOiJFUzI1NiJ9.e30";

fn rsa() -> (SigningKey, VerifyingKey) {
    let key = SigningKey::generate(SigningAlgorithm::Rs256);
    let verifying = VerifyingKey::new(key.public_key().clone(), Algorithm::Rs256).unwrap();
    (key, verifying)
}

fn ec(kind: KeyKind, signing: &'static EcdsaSigningAlgorithm) -> (EcdsaKeyPair, PublicKey) {
    let pair = EcdsaKeyPair::generate(signing).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let key = PublicKey::from_ec_point(kind, x, y).unwrap();
    (pair, key)
}

#[test]
fn da1_one_key_serves_one_algorithm() {
    let key = SigningKey::generate(SigningAlgorithm::Rs256);
    let input = format!(
        "{}.{}",
        b64::encode(r#"{"alg":"RS256"}"#),
        b64::encode("{}")
    );
    let token = format!("{input}.{}", b64::encode(key.sign(input.as_bytes())));
    for algorithm in [
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ] {
        let bound = VerifyingKey::new(key.public_key().clone(), algorithm).unwrap();
        assert!(
            UnverifiedJws::parse(&token)
                .unwrap()
                .verify(&bound)
                .is_err(),
            "{algorithm}"
        );
    }
    let bound = VerifyingKey::new(key.public_key().clone(), Algorithm::Rs256).unwrap();
    assert!(UnverifiedJws::parse(&token).unwrap().verify(&bound).is_ok());
}

#[test]
fn da2_ecdsa_signatures_have_one_length_and_range() {
    let cases = [
        (
            KeyKind::P256,
            Algorithm::Es256,
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            64,
        ),
        (
            KeyKind::P384,
            Algorithm::Es384,
            &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            96,
        ),
        (
            KeyKind::P521,
            Algorithm::Es512,
            &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
            132,
        ),
    ];
    for (kind, algorithm, signing, length) in cases {
        let (pair, key) = ec(kind, signing);
        let key = VerifyingKey::new(key, algorithm).unwrap();
        let good = pair
            .sign(&SystemRandom::new(), MESSAGE)
            .unwrap()
            .as_ref()
            .to_vec();
        assert_eq!((good.len(), key.signature_length()), (length, length));
        key.verify(MESSAGE, &good).unwrap();

        let half = length / 2;
        let padded = [&[0], &good[..half], &[0], &good[half..]].concat();
        let zero_r = [&vec![0; half][..], &good[half..]].concat();
        let zero_s = [&good[..half], &vec![0; half][..]].concat();
        let large_r = [&vec![0xff; half][..], &good[half..]].concat();
        let longer = [&good[..], &[0]].concat();
        for bad in [
            &good[1..],
            &good[..length - 1],
            &longer,
            &padded,
            &zero_r,
            &zero_s,
            &large_r,
            &[],
        ] {
            assert_eq!(key.verify(MESSAGE, bad), Err(SignatureInvalid));
        }
    }
}

#[test]
fn da3_each_curve_has_its_algorithm() {
    let (_, p256) = ec(KeyKind::P256, &signature::ECDSA_P256_SHA256_FIXED_SIGNING);
    let (_, p384) = ec(KeyKind::P384, &signature::ECDSA_P384_SHA384_FIXED_SIGNING);
    let ed25519 = SigningKey::generate(SigningAlgorithm::EdDsa)
        .public_key()
        .clone();
    let (rsa, _) = rsa();
    for (key, fit) in [
        (p256, &[Algorithm::Es256][..]),
        (p384, &[Algorithm::Es384]),
        (ed25519, &[Algorithm::EdDsa]),
        (
            rsa.public_key().clone(),
            KeyKind::Rsa { bits: 2048 }.algorithms(),
        ),
    ] {
        for algorithm in Algorithm::ALL {
            assert_eq!(
                VerifyingKey::new(key.clone(), algorithm).is_ok(),
                fit.contains(&algorithm),
                "{key:?} {algorithm}"
            );
        }
    }
    let (_, p384) = ec(KeyKind::P384, &signature::ECDSA_P384_SHA384_FIXED_SIGNING);
    let refused = VerifyingKey::new(p384, Algorithm::Es256).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a P-384 key cannot verify ES256; it can be bound to: ES384"
    );
}

#[test]
fn da4_high_s_is_accepted_and_the_replay_digest_ignores_it() {
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let verifying = VerifyingKey::new(key.public_key().clone(), Algorithm::Es256).unwrap();
    let input = format!(
        "{}.{}",
        b64::encode(r#"{"alg":"ES256"}"#),
        b64::encode("{}")
    );
    let signature = key.sign(input.as_bytes());
    // n - s verifies wherever s does.
    let n = b"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
    let other = BigUint::parse_bytes(n, 16).unwrap() - BigUint::from_bytes_be(&signature[32..]);
    let mut mirrored = signature[..32].to_vec();
    mirrored.extend(std::iter::repeat_n(0, 32 - other.to_bytes_be().len()));
    mirrored.extend(other.to_bytes_be());
    assert_ne!(mirrored, signature);
    let digest = |signature: &[u8]| {
        let token = format!("{input}.{}", b64::encode(signature));
        UnverifiedJws::parse(&token)
            .unwrap()
            .verify(&verifying)
            .unwrap()
            .signing_input()
            .digest()
    };
    assert_eq!(digest(&signature), digest(&mirrored));
}

/// The padding itself is proven by the Wycheproof files; here: what is signed must be exactly the padded digest.
#[test]
fn da5_and_da6_padding_and_hash_of_another_algorithm_are_refused() {
    let (key, _) = rsa();
    let pss = SigningKey::from_pem(&key.to_pkcs8_pem(), Some(SigningAlgorithm::Ps256)).unwrap();
    let verifies = |algorithm, signature: &[u8]| {
        VerifyingKey::new(key.public_key().clone(), algorithm)
            .unwrap()
            .verify(MESSAGE, signature)
            .is_ok()
    };
    for algorithm in (KeyKind::Rsa { bits: 2048 }).algorithms() {
        assert_eq!(
            verifies(*algorithm, &key.sign(MESSAGE)),
            *algorithm == Algorithm::Rs256
        );
        assert_eq!(
            verifies(*algorithm, &pss.sign(MESSAGE)),
            *algorithm == Algorithm::Ps256
        );
    }
}

#[test]
fn da7_rsa_signatures_have_the_length_of_the_modulus_and_lie_below_it() {
    let (key, verifying) = rsa();
    let n = BigUint::from_bytes_be(key.public_key().rsa_modulus().unwrap());
    // s + n is the same number to the arithmetic; find a signature for which it still has 256 octets.
    let (message, signature, above) = (0u32..)
        .find_map(|counter| {
            let message = counter.to_be_bytes();
            let signature = key.sign(&message);
            let above = (BigUint::from_bytes_be(&signature) + &n).to_bytes_be();
            (above.len() == 256).then_some((message, signature, above))
        })
        .unwrap();
    verifying.verify(&message, &signature).unwrap();
    let longer = [&[0], &signature[..]].concat();
    for bad in [
        &above[..],
        &longer,
        &signature[1..],
        &signature[..255],
        &[0; 256],
        &[],
    ] {
        assert_eq!(verifying.verify(&message, bad), Err(SignatureInvalid));
    }
}

#[test]
fn da8_ed25519_s_must_be_reduced_and_small_order_is_refused() {
    let key = SigningKey::generate(SigningAlgorithm::EdDsa);
    let verifying = VerifyingKey::new(key.public_key().clone(), Algorithm::EdDsa).unwrap();
    let signature = key.sign(MESSAGE);
    verifying.verify(MESSAGE, &signature).unwrap();
    let l = BigUint::parse_bytes(
        b"1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed",
        16,
    )
    .unwrap();
    let mut above = signature[..32].to_vec();
    above.extend((BigUint::from_bytes_le(&signature[32..]) + l).to_bytes_le());
    assert_eq!(above.len(), 64);
    assert_eq!(verifying.verify(MESSAGE, &above), Err(SignatureInvalid));

    // The neutral element as key and as R, with S = 0, satisfies the equation for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(
        PublicKey::from_ed25519(&neutral).unwrap_err(),
        PublicKeyRejected::Ed25519SmallOrder
    );
    neutral[31] = 0x80;
    assert_eq!(
        PublicKey::from_ed25519(&neutral).unwrap_err(),
        PublicKeyRejected::Ed25519SmallOrder
    );
    let not_reduced = [0xff; 32];
    assert_eq!(
        PublicKey::from_ed25519(&not_reduced).unwrap_err(),
        PublicKeyRejected::Ed25519NotCanonical
    );
}

#[test]
fn da9_other_edwards_and_montgomery_keys_are_refused() {
    // id-X25519, id-X448 and id-Ed448 (RFC 8410 §3) around 32 octets.
    for last in [0x6e, 0x6f, 0x71] {
        let spki = [
            &[
                0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, last, 0x03, 0x21, 0x00,
            ][..],
            &[9; 32],
        ]
        .concat();
        assert_eq!(
            PublicKey::from_spki_der(&spki).unwrap_err(),
            PublicKeyRejected::KeyTypeUnsupported
        );
    }
    let key = SigningKey::generate(SigningAlgorithm::EdDsa);
    let verifying = VerifyingKey::new(key.public_key().clone(), Algorithm::EdDsa).unwrap();
    for alg in ["EdDSA", "Ed25519"] {
        let input = format!(
            "{}.{}",
            b64::encode(format!(r#"{{"alg":"{alg}"}}"#)),
            b64::encode("{}")
        );
        let token = format!("{input}.{}", b64::encode(key.sign(input.as_bytes())));
        UnverifiedJws::parse(&token)
            .unwrap()
            .verify(&verifying)
            .unwrap();
    }
    for alg in ["Ed448", "ed25519", "EDDSA"] {
        let token = format!(
            "{}.e30.{}",
            b64::encode(format!(r#"{{"alg":"{alg}"}}"#)),
            b64::encode([0; 64])
        );
        assert_eq!(
            UnverifiedJws::parse(&token).unwrap_err().code(),
            "algorithm_not_allowed"
        );
    }
}

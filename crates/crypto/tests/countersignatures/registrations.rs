//! A passkey is enrolled only when every rule holds (`conformance.md` L7, D, K).

use countersign_crypto::webauthn::{CredentialId, PasskeyPublicKey, PasskeyRefusal};
use countersign_crypto::{Algorithm, SigningAlgorithm, b64};
use serde_json::json;

use crate::authenticator::{
    Authenticator, Ceremony, UP_UV, attestation_object, bytes, int, int_map, register_with, text,
    text_map,
};

fn authenticator() -> Authenticator {
    Authenticator::new(SigningAlgorithm::Es256)
}

fn code(authenticator: &Authenticator, ceremony: &Ceremony) -> &'static str {
    let answer = register_with(&authenticator.create(ceremony));
    answer.map_or_else(|refusal| refusal.code(), |_| "accepted")
}

/// The code with which this COSE_Key is refused.
fn key_code(cose: Vec<u8>) -> &'static str {
    let authenticator = Authenticator {
        cose: Some(cose),
        ..authenticator()
    };
    code(&authenticator, &Ceremony::default())
}

/// The code with which this attestation object is refused.
fn object_code(object: Vec<u8>) -> &'static str {
    let (_, client) = authenticator().create(&Ceremony::default());
    register_with(&(object, client)).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

#[test]
fn l7_a_registered_passkey_verifies_what_it_signs_and_survives_storage() {
    for (signing, algorithm) in [
        (SigningAlgorithm::Es256, Algorithm::Es256),
        (SigningAlgorithm::EdDsa, Algorithm::EdDsa),
        (SigningAlgorithm::Rs256, Algorithm::Rs256),
    ] {
        let authenticator = Authenticator::new(signing);
        let ceremony = Ceremony {
            flags: UP_UV | 0b1000,
            sign_count: 3,
            ..Ceremony::default()
        };
        let passkey = register_with(&authenticator.create(&ceremony)).unwrap();
        assert_eq!(passkey.aaguid(), [0xaa; 16]);
        assert_eq!(passkey.credential_id().as_bytes(), authenticator.id);
        assert_eq!(passkey.sign_count(), 3);
        assert!(passkey.flags().is_backup_eligible() && !passkey.flags().is_backed_up());
        assert_eq!(passkey.key().algorithm(), algorithm);
        let stored = passkey.key().spki_der();
        let again = PasskeyPublicKey::from_spki(algorithm, stored).unwrap();
        assert_eq!(
            (&again, passkey.key()),
            (&authenticator.public_key(), &again)
        );
        let answer = authenticator.get(&Ceremony::default());
        answer.verify(&authenticator).unwrap();
        let name: CredentialId = passkey.credential_id().to_string().parse().unwrap();
        assert_eq!(&name, passkey.credential_id());
    }
}

#[test]
fn l7_the_rules_of_the_ceremony_hold_for_a_registration() {
    let authenticator = authenticator();
    let client = |members| Ceremony {
        client: members,
        ..Ceremony::default()
    };
    let flags = |flags| Ceremony {
        flags,
        ..Ceremony::default()
    };
    let other_party = Ceremony {
        rp: "evil.io",
        ..Ceremony::default()
    };
    let challenge = b64::encode([8; 32]);
    for (ceremony, expected) in [
        (
            client(json!({ "type": "webauthn.get" })),
            "passkey_ceremony_mismatch",
        ),
        (
            client(json!({ "challenge": challenge })),
            "passkey_challenge_mismatch",
        ),
        (
            client(json!({ "origin": "https://evil.io" })),
            "passkey_origin_not_allowed",
        ),
        (
            client(json!({ "crossOrigin": true })),
            "passkey_cross_origin",
        ),
        (
            client(json!({ "topOrigin": "https://a" })),
            "passkey_top_origin_present",
        ),
        (other_party, "passkey_relying_party_mismatch"),
        (flags(0b001), "passkey_user_not_verified"),
        (flags(0b100), "passkey_user_not_present"),
        (flags(0b1_0101), "passkey_backup_state_impossible"),
    ] {
        assert_eq!(code(&authenticator, &ceremony), expected);
    }
}

#[test]
fn l7_an_assertion_passed_off_as_a_registration_is_refused() {
    let answer = authenticator().get(&Ceremony::default());
    let object = attestation_object(&answer.authenticator_data);
    assert_eq!(object_code(object.clone()), "passkey_credential_missing");
    let refusal = register_with(&(object, answer.client_data_json)).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::CeremonyMismatch);
}

#[test]
fn l7_an_attestation_is_read_and_not_believed() {
    let data = bytes(&authenticator().registration_data(&Ceremony::default()));
    let object = |format: &str, statement: Vec<u8>| {
        text_map(&[
            ("fmt", text(format)),
            ("attStmt", statement),
            ("authData", data.clone()),
        ])
    };
    let packed = text_map(&[
        ("alg", int(-7)),
        ("sig", bytes(b"no signature")),
        ("x5c", [vec![0x81], bytes(b"no certificate")].concat()),
    ]);
    assert_eq!(object_code(object("packed", packed)), "accepted");
    assert_eq!(object_code(object("none", vec![0xa0])), "accepted");
    let trailing = [object("none", vec![0xa0]), vec![0]].concat();
    let deep = text_map(&[("x5c", [vec![0x81; 3], bytes(b"")].concat())]);
    for malformed in [
        object("none", vec![0x80]),
        object("none", b"\xa2\x61a\x01\x61a\x01".to_vec()),
        object("packed", deep),
        text_map(&[("attStmt", vec![0xa0]), ("authData", data.clone())]),
        text_map(&[("fmt", text("none")), ("authData", data.clone())]),
        text_map(&[("fmt", text("none")), ("attStmt", vec![0xa0])]),
        text_map(&[
            ("fmt", int(1)),
            ("attStmt", vec![0xa0]),
            ("authData", data.clone()),
        ]),
        trailing,
        Vec::new(),
        vec![0; 16 * 1024 + 1],
    ] {
        assert_eq!(
            object_code(malformed),
            "passkey_attestation_object_malformed"
        );
    }
}

#[test]
fn l7_a_credential_id_has_16_to_1023_octets() {
    for (length, expected) in [
        (0, "passkey_credential_id_length"),
        (15, "passkey_credential_id_length"),
        (16, "accepted"),
        (1023, "accepted"),
        (1024, "passkey_credential_id_length"),
    ] {
        let authenticator = Authenticator {
            id: vec![1; length],
            ..authenticator()
        };
        assert_eq!(
            code(&authenticator, &Ceremony::default()),
            expected,
            "{length}"
        );
    }
}

#[test]
fn l7_what_follows_the_key_is_announced_and_well_formed() {
    let authenticator = authenticator();
    let with = |flags: u8, tail: &[u8]| {
        let ceremony = Ceremony {
            flags: UP_UV | flags,
            tail: tail.to_vec(),
            ..Ceremony::default()
        };
        code(&authenticator, &ceremony)
    };
    assert_eq!(
        with(0x80, &text_map(&[("hmac-secret", vec![0xf5])])),
        "accepted"
    );
    for (flags, tail) in [
        (0, [0xa0].as_slice()),
        (0x80, &[]),
        (0x80, &[0xa0, 0]),
        (0x80, &[1]),
    ] {
        assert_eq!(with(flags, tail), "passkey_authenticator_data_malformed");
    }
}

#[test]
fn l7_only_three_algorithms_are_enrolled() {
    let (x, y) = (bytes(&[1; 32]), bytes(&[2; 32]));
    let ec = |algorithm| {
        int_map(&[
            (1, int(2)),
            (3, int(algorithm)),
            (-1, int(1)),
            (-2, x.clone()),
            (-3, y.clone()),
        ])
    };
    // ES384, ES512, PS256, ES256K, and RS1 with SHA-1.
    for algorithm in [-35, -36, -37, -47, -65535] {
        assert_eq!(key_code(ec(algorithm)), "passkey_algorithm_not_allowed");
    }
    let spki = authenticator().public_key().spki_der().to_vec();
    for algorithm in [Algorithm::Es384, Algorithm::Ps256] {
        let refusal = PasskeyPublicKey::from_spki(algorithm, &spki).unwrap_err();
        assert_eq!(refusal, PasskeyRefusal::AlgorithmNotAllowed);
    }
    let refusal = PasskeyPublicKey::from_spki(Algorithm::EdDsa, &spki).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::KeyMalformed);
}

#[test]
fn l7_a_key_has_exactly_the_members_of_its_type() {
    let jwk = authenticator().key.public_key().to_jwk("", None);
    let member = |name: &str| bytes(&b64::decode_canonical(jwk[name].as_str().unwrap()).unwrap());
    let (x, y) = (member("x"), member("y"));
    let good = vec![
        (1, int(2)),
        (3, int(-7)),
        (-1, int(1)),
        (-2, x.clone()),
        (-3, y),
    ];
    assert_eq!(key_code(int_map(&good)), "accepted");
    let changed = |label: i32, value: Option<Vec<u8>>| {
        let mut entries = good.clone();
        entries.retain(|(found, _)| *found != label);
        entries.extend(value.map(|value| (label, value)));
        key_code(int_map(&entries))
    };
    for (label, value) in [
        (1, None),
        (1, Some(int(1))),
        (1, Some(int(3))),
        (3, None),
        (3, Some(int(-8))),
        (-1, Some(int(2))),
        (-2, Some(text("x"))),
        (-3, None),
        // A compressed point.
        (-3, Some(vec![0xf5])),
        // The private key, or anything else besides.
        (-4, Some(x.clone())),
        (2, Some(bytes(b"kid"))),
    ] {
        assert_eq!(changed(label, value), "passkey_key_malformed", "{label}");
    }
    assert_eq!(key_code(int(1)), "passkey_key_malformed");
}

#[test]
fn a_key_that_proves_nothing_is_not_enrolled() {
    let ed25519 =
        |point: &[u8]| int_map(&[(1, int(1)), (3, int(-8)), (-1, int(6)), (-2, bytes(point))]);
    let rsa = |n: &[u8], e: &[u8]| {
        int_map(&[(1, int(3)), (3, int(-257)), (-1, bytes(n)), (-2, bytes(e))])
    };
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let off_curve = int_map(&[
        (1, int(2)),
        (3, int(-7)),
        (-1, int(1)),
        (-2, bytes(&[1; 32])),
        (-3, bytes(&[2; 32])),
    ]);
    let good = Authenticator::new(SigningAlgorithm::Rs256);
    let modulus = good.key.public_key().rsa_modulus().unwrap();
    for weak in [
        ed25519(&[0; 32]),
        ed25519(&neutral),
        ed25519(&[0xff; 32]),
        ed25519(&[1; 31]),
        off_curve,
        rsa(&modulus[..128], &[1, 0, 1]),
        rsa(modulus, &[3]),
        rsa(modulus, &[1]),
        rsa(&[0xff; 256], &[1, 0, 1]),
    ] {
        assert_eq!(key_code(weak), "passkey_key_not_accepted");
    }
    let padded = [&[0], modulus].concat();
    assert_eq!(key_code(rsa(&padded, &[1, 0, 1])), "passkey_key_malformed");
    assert_eq!(key_code(rsa(&[], &[1, 0, 1])), "passkey_key_malformed");
}

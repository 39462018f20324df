//! A signature with a passkey is accepted only when every rule holds (`approvals.md` C12, `conformance.md` L7).

use countersign_crypto::webauthn::PasskeyRefusal;
use countersign_crypto::{SigningAlgorithm, b64};
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, CHALLENGE, Ceremony, UP_UV, text_map};

fn authenticator() -> Authenticator {
    Authenticator::new(SigningAlgorithm::Es256)
}

/// The code with which a correctly signed answer is refused.
fn code(ceremony: &Ceremony) -> &'static str {
    let authenticator = authenticator();
    let answer = authenticator.get(ceremony).verify(&authenticator);
    answer.map_or_else(|refusal| refusal.code(), |_| "accepted")
}

fn client(members: Value) -> &'static str {
    code(&Ceremony {
        client: members,
        ..Ceremony::default()
    })
}

fn flags(flags: u8) -> &'static str {
    code(&Ceremony {
        flags,
        ..Ceremony::default()
    })
}

#[test]
fn l7_the_three_algorithms_are_accepted_and_say_what_was_verified() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
        SigningAlgorithm::Rs256,
    ] {
        let authenticator = Authenticator::new(algorithm);
        let ceremony = Ceremony {
            flags: UP_UV | 0b1_1000,
            sign_count: 5,
            ..Ceremony::default()
        };
        let verified = authenticator.get(&ceremony).verify(&authenticator).unwrap();
        assert_eq!(verified.challenge(), &CHALLENGE);
        assert_eq!(verified.key(), authenticator.public_key().fingerprint());
        assert_eq!(verified.sign_count(), 5);
        assert!(verified.flags().is_user_present() && verified.flags().is_user_verified());
        assert!(verified.flags().is_backup_eligible() && verified.flags().is_backed_up());
    }
}

#[test]
fn an_answer_to_another_challenge_is_refused() {
    let other = b64::encode([8; 32]);
    assert_eq!(
        client(json!({ "challenge": other })),
        "passkey_challenge_mismatch"
    );
    let shorter = b64::encode([7; 31]);
    assert_eq!(
        client(json!({ "challenge": shorter })),
        "passkey_challenge_mismatch"
    );
    assert_eq!(
        client(json!({ "challenge": "" })),
        "passkey_challenge_mismatch"
    );
    let padded = format!("{}=", b64::encode(CHALLENGE));
    assert_eq!(
        client(json!({ "challenge": padded })),
        "passkey_client_data_malformed"
    );
    assert_eq!(
        client(json!({ "challenge": null })),
        "passkey_client_data_malformed"
    );
}

#[test]
fn a_registration_passed_off_as_an_assertion_is_refused() {
    for other in ["webauthn.create", "payment.get", "WebAuthn.get", ""] {
        assert_eq!(
            client(json!({ "type": other })),
            "passkey_ceremony_mismatch"
        );
    }
    assert_eq!(
        client(json!({ "type": null })),
        "passkey_client_data_malformed"
    );
}

#[test]
fn a_page_of_another_origin_is_refused() {
    for origin in [
        "https://console.example.com.evil.io",
        "https://console.example.com/",
        "https://CONSOLE.example.com",
        "https://console.example.com:8443",
        "http://console.example.com",
        "https://example.com",
        "null",
        "",
    ] {
        assert_eq!(
            client(json!({ "origin": origin })),
            "passkey_origin_not_allowed",
            "{origin}"
        );
    }
    assert_eq!(
        client(json!({ "origin": ["a"] })),
        "passkey_client_data_malformed"
    );
}

#[test]
fn a_framed_page_is_refused() {
    assert_eq!(
        client(json!({ "crossOrigin": true })),
        "passkey_cross_origin"
    );
    assert_eq!(
        client(json!({ "crossOrigin": "false" })),
        "passkey_client_data_malformed"
    );
    for top in [
        json!("https://evil.io"),
        json!("https://console.example.com"),
        json!(0),
    ] {
        assert_eq!(
            client(json!({ "topOrigin": top })),
            "passkey_top_origin_present"
        );
    }
    assert_eq!(client(json!({ "crossOrigin": null })), "accepted");
}

#[test]
fn client_data_is_one_strict_object_and_unknown_members_are_ignored() {
    assert_eq!(
        client(json!({ "new": {"a": 1}, "tokenBinding": {"status": "supported"} })),
        "accepted"
    );
    let challenge = b64::encode(CHALLENGE);
    let twice = format!(
        r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"https://evil.io","origin":"https://console.example.com"}}"#
    );
    let long = format!(r#"{{"a":"{}"}}"#, " ".repeat(4096));
    for text in [twice.as_str(), "[]", "{", "\u{feff}{}", &long] {
        let ceremony = Ceremony {
            client_text: Some(text.to_owned()),
            ..Ceremony::default()
        };
        assert_eq!(code(&ceremony), "passkey_client_data_not_strict", "{text}");
    }
}

#[test]
fn another_relying_party_is_refused() {
    for rp in ["evil.io", "example.com", "console.example.com."] {
        let ceremony = Ceremony {
            rp,
            ..Ceremony::default()
        };
        assert_eq!(code(&ceremony), "passkey_relying_party_mismatch");
    }
}

#[test]
fn user_presence_and_verification_are_required() {
    assert_eq!(flags(0b001), "passkey_user_not_verified");
    assert_eq!(flags(0b100), "passkey_user_not_present");
    assert_eq!(flags(0), "passkey_user_not_present");
    // The reserved bits say nothing.
    assert_eq!(flags(UP_UV | 0b10_0010), "accepted");
}

#[test]
fn l7_backed_up_without_being_eligible_is_refused() {
    assert_eq!(flags(UP_UV | 0b1_0000), "passkey_backup_state_impossible");
    assert_eq!(flags(UP_UV | 0b0_1000), "accepted");
}

#[test]
fn l7_authenticator_data_is_read_to_its_last_octet() {
    let with = |flags: u8, tail: &[u8]| {
        code(&Ceremony {
            flags: UP_UV | flags,
            tail: tail.to_vec(),
            ..Ceremony::default()
        })
    };
    let extensions = text_map(&[("credProtect", vec![2])]);
    assert_eq!(with(0x80, &extensions), "accepted");
    for (flags, tail) in [
        (0, [0].as_slice()),
        (0, &extensions),
        (0x80, &[]),
        (0x80, &[0xa1, 0x61]),
        (0x80, &[0x80]),
        (0x80, &[extensions.as_slice(), &[0]].concat()),
        (0x40, &[0; 18]),
    ] {
        assert_eq!(
            with(flags, tail),
            "passkey_authenticator_data_malformed",
            "{tail:x?}"
        );
    }
    let authenticator = authenticator();
    let mut answer = authenticator.get(&Ceremony::default());
    answer.authenticator_data.truncate(36);
    let refusal = answer.verify(&authenticator).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::AuthenticatorDataMalformed);
}

#[test]
fn every_signed_octet_counts() {
    let authenticator = authenticator();
    let answer = authenticator.get(&Ceremony::default());
    answer.verify(&authenticator).unwrap();
    for index in 0..answer.authenticator_data.len() {
        let mut changed = answer.clone();
        changed.authenticator_data[index] ^= 1 << 1;
        changed.verify(&authenticator).unwrap_err();
    }
    for index in 0..answer.client_data_json.len() {
        let mut changed = answer.clone();
        changed.client_data_json[index] ^= 1;
        changed.verify(&authenticator).unwrap_err();
    }
    for index in 0..answer.signature.len() {
        let mut changed = answer.clone();
        changed.signature[index] ^= 1;
        let refusal = changed.verify(&authenticator).unwrap_err();
        assert_eq!(refusal, PasskeyRefusal::SignatureInvalid, "octet {index}");
    }
    // White space in the client data changes nothing but the digest that is signed.
    let mut spaced = answer.clone();
    spaced.client_data_json.push(b' ');
    let refusal = spaced.verify(&authenticator).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::SignatureInvalid);
}

#[test]
fn a_signature_of_another_key_is_refused() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
        SigningAlgorithm::Rs256,
    ] {
        let (one, other) = (Authenticator::new(algorithm), Authenticator::new(algorithm));
        let refusal = one.get(&Ceremony::default()).verify(&other).unwrap_err();
        assert_eq!(refusal, PasskeyRefusal::SignatureInvalid);
    }
}

#[test]
fn da2_an_es256_signature_of_a_passkey_is_der_and_nothing_else() {
    let authenticator = authenticator();
    let answer = authenticator.get(&Ceremony::default());
    let plain = authenticator.key.sign(b"");
    let trailing = [answer.signature.as_slice(), &[0]].concat();
    let long_form = [&[0x30, 0x81], &answer.signature[1..]].concat();
    for signature in [
        plain,
        trailing,
        long_form,
        Vec::new(),
        vec![0x30, 6, 2, 1, 0, 2, 1, 0],
    ] {
        let mut changed = answer.clone();
        changed.signature = signature;
        let refusal = changed.verify(&authenticator).unwrap_err();
        assert_eq!(refusal, PasskeyRefusal::SignatureInvalid);
    }
}

#[test]
fn l7_a_counter_that_does_not_go_forward_is_a_refusal_of_its_own() {
    let authenticator = authenticator();
    let after = |stored, received| {
        let ceremony = Ceremony {
            sign_count: received,
            ..Ceremony::default()
        };
        let answer = authenticator.get(&ceremony);
        answer
            .verify_after(&authenticator, stored)
            .map(|verified| verified.sign_count())
    };
    assert_eq!(after(0, 0), Ok(0));
    assert_eq!(after(0, 1), Ok(1));
    assert_eq!(after(7, 9), Ok(9));
    assert_eq!(after(7, u32::MAX), Ok(u32::MAX));
    for (stored, received) in [(7, 7), (7, 6), (7, 0), (u32::MAX, 1)] {
        let regressed = PasskeyRefusal::SignCountRegressed { stored, received };
        assert_eq!(after(stored, received), Err(regressed));
    }
    // Nobody learns the counter of a key without holding it.
    let mut forged = authenticator.get(&Ceremony::default());
    forged.signature.reverse();
    let refusal = forged.verify_after(&authenticator, 7).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::SignatureInvalid);
}

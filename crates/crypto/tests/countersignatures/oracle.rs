//! Evidence made by another implementation (`shared/oracles/countersign.py`) verifies here.

use countersign_crypto::webauthn::{
    AssertionResponse, PasskeyPublicKey, PasskeyRefusal, RegisteredKey, VerifiedPasskey,
    verify_assertion,
};
use countersign_crypto::{Algorithm, Digest32, KeyKind, PublicKey, b64, canonical_json, sha256};
use serde_json::Value;

use crate::authenticator::relying_party;

/// The bundle and the roster, or `None` when the collection is absent on this machine.
fn vector() -> Option<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/oracles/vector.json"
    );
    match std::fs::read(path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            println!("skipped: shared/oracles/vector.json is absent");
            None
        }
    }
}

fn digest(label: &str, document: &Value) -> Digest32 {
    sha256(&[label.as_bytes(), &canonical_json(document).unwrap()])
}

fn octets(text: &Value) -> Vec<u8> {
    b64::decode_canonical(text.as_str().unwrap()).unwrap()
}

fn key_of(vector: &Value, credential: &Value) -> PasskeyPublicKey {
    let jwk = &vector["roster"][credential.as_str().unwrap()]["jwk"];
    let key = PublicKey::from_ec_point(KeyKind::P256, &octets(&jwk["x"]), &octets(&jwk["y"]));
    PasskeyPublicKey::from_spki(Algorithm::Es256, key.unwrap().spki_der()).unwrap()
}

/// Verifies a part with the challenge that its statement gives.
fn verify(vector: &Value, part: &Value) -> Result<VerifiedPasskey, PasskeyRefusal> {
    let challenge = digest("dual-approval/statement/v1\0", &part["statement"]);
    let assertion = &part["assertion"];
    let key = &key_of(vector, &assertion["credential_id"]);
    let [data, client, signature] = ["authenticator_data", "client_data_json", "signature"]
        .map(|name| octets(&assertion[name]));
    verify_assertion(
        &relying_party(),
        challenge.as_bytes(),
        RegisteredKey { key, sign_count: 0 },
        AssertionResponse {
            authenticator_data: &data,
            client_data_json: &client,
            signature: &signature,
        },
    )
}

#[test]
fn the_golden_bundle_of_another_implementation_verifies() {
    let Some(vector) = vector() else { return };
    let bundle = &vector["bundle"];
    let change = digest("dual-approval/change/v1\0", &bundle["envelope"]).to_string();
    assert_eq!(vector["change_digest"], change);
    let checker = digest(
        "dual-approval/statement/v1\0",
        &bundle["approvals"][0]["statement"],
    );
    assert_eq!(vector["checker_challenge"], b64::encode(checker.as_bytes()));
    for part in [&bundle["maker"], &bundle["approvals"][0]] {
        assert_eq!(part["statement"]["change"], change);
        assert_eq!(verify(&vector, part).unwrap().sign_count(), 1);
    }
}

#[test]
fn every_tampered_statement_changes_the_challenge() {
    let Some(vector) = vector() else { return };
    let approval = &vector["bundle"]["approvals"][0];
    for (member, value) in [
        ("change", "00"),
        ("request", "cr_OTHER"),
        ("tenant", "tn-other"),
        ("role", "maker"),
        ("decision", "reject"),
        ("user", "usr_ana2"),
        ("credential", "fByX3xfAZpJIIrCvCaZSUQ"),
        ("nonce", "ERERERERERERERERERERERERERERERERERERERERERE"),
        ("not_after", "2026-02-09T10:05:00Z"),
    ] {
        let mut tampered = approval.clone();
        tampered["statement"][member] = value.into();
        let refusal = verify(&vector, &tampered).unwrap_err();
        assert_eq!(refusal, PasskeyRefusal::ChallengeMismatch, "{member}");
    }
}

#[test]
fn the_makers_signature_is_no_approval() {
    let Some(vector) = vector() else { return };
    let bundle = &vector["bundle"];
    let mut tampered = bundle["approvals"][0].clone();
    tampered["assertion"]["signature"] = bundle["maker"]["assertion"]["signature"].clone();
    let refusal = verify(&vector, &tampered).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::SignatureInvalid);
    tampered["assertion"] = bundle["maker"]["assertion"].clone();
    let refusal = verify(&vector, &tampered).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::ChallengeMismatch);
    let mut swapped = bundle["approvals"][0].clone();
    swapped["assertion"]["credential_id"] = bundle["maker"]["assertion"]["credential_id"].clone();
    let refusal = verify(&vector, &swapped).unwrap_err();
    assert_eq!(refusal, PasskeyRefusal::SignatureInvalid);
}

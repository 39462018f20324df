//! What the outside vectors need: where they are, and keys out of JSON.

use std::path::PathBuf;

use countersign_crypto::{Algorithm, KeyKind, PublicKey, VerifyingKey, b64};
use serde_json::Value;

/// The path of a vector file, or `None` when the collection is absent on this machine.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: shared/vectors absent ({name})");
    None
}

/// A vector file as JSON.
pub(crate) fn load(name: &str) -> Option<Value> {
    let text = std::fs::read(path(name)?).expect("the file is readable");
    Some(serde_json::from_slice(&text).expect("the file is JSON"))
}

/// Says how many cases ran, and fails when there were none.
pub(crate) fn counted(name: &str, cases: usize) {
    assert!(cases > 0, "{name} holds no case");
    println!("{name}: {cases} cases");
}

pub(crate) fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().expect("hexadecimal text").as_bytes();
    let digit = |digit: u8| {
        u8::try_from(char::from(digit).to_digit(16).expect("a digit")).expect("below 16")
    };
    digits
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// The public key of a JWK; `None` when the type is foreign or the key is refused.
pub(crate) fn key_of_jwk(jwk: &Value) -> Option<PublicKey> {
    let member = |name: &str| b64::decode_canonical(jwk[name].as_str()?).ok();
    let kind = match jwk["crv"].as_str() {
        Some("P-256") => KeyKind::P256,
        Some("P-384") => KeyKind::P384,
        Some("P-521") => KeyKind::P521,
        _ => KeyKind::Ed25519,
    };
    match jwk["kty"].as_str()? {
        "RSA" => PublicKey::from_rsa_components(&member("n")?, &member("e")?).ok(),
        "EC" => PublicKey::from_ec_point(kind, &member("x")?, &member("y")?).ok(),
        "OKP" if jwk["crv"] == "Ed25519" => {
            PublicKey::from_ed25519(member("x")?.as_slice().try_into().ok()?).ok()
        }
        _ => None,
    }
}

/// The JWK's key bound to its `alg`, with the collection's bogus name `ES521` read as ES512.
pub(crate) fn bound_key_of_jwk(jwk: &Value) -> Option<VerifyingKey> {
    let name = match jwk["alg"].as_str()? {
        "ES521" => "ES512",
        name => name,
    };
    VerifyingKey::new(key_of_jwk(jwk)?, name.parse::<Algorithm>().ok()?).ok()
}

//! Keys made elsewhere (openssl and Python's cryptography, 2026-11-23): in every accepted form, and in every form that is
//! refused. The private ones protect nothing.

use std::sync::OnceLock;

use serde_json::Value;

/// Good public keys by name.
pub(crate) fn good(name: &str) -> &'static str {
    let key = fixtures()["good"][name].as_str();
    key.unwrap_or_else(|| panic!("no key {name}"))
}

/// Two RSA keys that share a prime.
pub(crate) fn shared_prime() -> [&'static str; 2] {
    let keys = &fixtures()["good"]["shared_prime"];
    [keys[0].as_str().unwrap(), keys[1].as_str().unwrap()]
}

/// Private keys: what it is, the text, and a piece of the secret.
pub(crate) fn private() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let keys = fixtures()["private"].as_object().unwrap().iter();
    keys.map(|(name, key)| {
        let (text, canary) = (key["text"].as_str(), key["canary"].as_str());
        (name.as_str(), text.unwrap(), canary.unwrap())
    })
}

/// Public keys that must be refused: rule, what is wrong, the text, and the code.
pub(crate) fn refused() -> impl Iterator<Item = (String, String, String, String)> {
    static ROWS: OnceLock<Vec<Value>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| serde_json::from_str(include_str!("weak_keys.json")).unwrap());
    rows.iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let key = match row["filler"].as_u64() {
            Some(octets) => " ".repeat(usize::try_from(octets).unwrap()),
            None => text("public_key"),
        };
        (text("rule"), text("what"), key, text("code"))
    })
}

fn fixtures() -> &'static Value {
    static FIXTURES: OnceLock<Value> = OnceLock::new();
    FIXTURES.get_or_init(|| serde_json::from_str(include_str!("keys.json")).unwrap())
}

//! The examples of the standard (WebAuthn Level 3 §16), which another implementation made: registrations with every
//! kind of attestation, and an assertion with each credential. Ours asks for more than the examples give, such as
//! verification of the person, so some are refused, each for its own
//! reason.

use countersign_crypto::webauthn::{
    AssertionResponse, PasskeyRefusal, RegisteredKey, RegistrationResponse, RelyingParty, register,
    verify_assertion,
};
use serde_json::Value;

/// Name, what becomes of the registration, and what becomes of the assertion with its key. The RSA key of the example
/// is the product of two published primes.
const CASES: [(&str, &str, &str); 14] = [
    ("none-es256", "passkey_user_not_verified", ""),
    ("packed-self-es256", "accepted", "passkey_user_not_verified"),
    ("none-es256-crossOrigin", "passkey_cross_origin", ""),
    ("none-es256-topOrigin", "passkey_top_origin_present", ""),
    (
        "none-es256-long-credential-id",
        "passkey_user_not_verified",
        "",
    ),
    ("packed-es256", "accepted", "accepted"),
    ("packed-es384", "passkey_user_not_verified", ""),
    ("packed-rs256", "passkey_key_not_accepted", ""),
    ("packed-eddsa", "passkey_user_not_verified", ""),
    ("packed-ed448", "passkey_user_not_verified", ""),
    ("tpm-es256", "accepted", "accepted"),
    ("android-key-es256", "accepted", "passkey_user_not_verified"),
    ("apple-es256", "passkey_user_not_verified", ""),
    ("fido-u2f-es256", "passkey_user_not_verified", ""),
];

fn octets(hexadecimal: &Value) -> Vec<u8> {
    let digits = hexadecimal.as_str().unwrap().as_bytes();
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn challenge(part: &Value) -> [u8; 32] {
    octets(&part["challenge"]).try_into().unwrap()
}

/// What becomes of the registration and of the assertion; of the latter nothing without the former.
fn outcome(example: &Value) -> Result<&'static str, PasskeyRefusal> {
    let party = RelyingParty::new(
        "example.org".to_owned(),
        vec!["https://example.org".to_owned()],
    );
    let party = party.unwrap();
    let (made, used) = (&example["registration"], &example["assertion"]);
    let passkey = register(
        &party,
        &challenge(made),
        RegistrationResponse {
            attestation_object: &octets(&made["attestation_object"]),
            client_data_json: &octets(&made["client_data_json"]),
        },
    )?;
    let answer = verify_assertion(
        &party,
        &challenge(used),
        RegisteredKey {
            key: passkey.key(),
            sign_count: passkey.sign_count(),
        },
        AssertionResponse {
            authenticator_data: &octets(&used["authenticator_data"]),
            client_data_json: &octets(&used["client_data_json"]),
            signature: &octets(&used["signature"]),
        },
    );
    Ok(answer.map_or_else(|refusal| refusal.code(), |_| "accepted"))
}

#[test]
fn l7_the_examples_of_the_standard_are_judged_by_its_rules_and_ours() {
    let examples: Value = serde_json::from_str(include_str!("webauthn_level_3.json")).unwrap();
    let examples = examples.as_array().unwrap();
    assert_eq!(examples.len(), CASES.len());
    for (example, (name, registration, assertion)) in examples.iter().zip(CASES) {
        assert_eq!(example["name"], name);
        let outcome = outcome(example);
        let found = match &outcome {
            Ok(assertion) => ("accepted", *assertion),
            Err(refusal) => (refusal.code(), ""),
        };
        assert_eq!(found, (registration, assertion), "{name}");
    }
}

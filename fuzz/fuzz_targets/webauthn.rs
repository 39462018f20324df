//! What an authenticator and a browser give: never a panic; what is registered reads back from storage, and nobody signs
//! with a key that is not theirs.
#![no_main]

use std::sync::LazyLock;

use countersign_crypto::webauthn::{
    AssertionResponse, AuthenticatorData, ClientData, CredentialId, PasskeyPublicKey, RegisteredKey,
    RegistrationResponse, RelyingParty, register, verify_assertion,
};
use countersign_crypto::{Algorithm, SigningAlgorithm, SigningKey};
use libfuzzer_sys::fuzz_target;

/// Thirty-two zeros in base64url, as the seeds have them.
const CHALLENGE: [u8; 32] = [0; 32];
const CREATED: &[u8] = br#"{"type":"webauthn.create","challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","origin":"https://example.org"}"#;
const USED: &[u8] = br#"{"type":"webauthn.get","challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","origin":"https://example.org"}"#;

static PARTY: LazyLock<RelyingParty> = LazyLock::new(|| {
    let origins = vec!["https://example.org".to_owned()];
    RelyingParty::new("example.org".to_owned(), origins).expect("a good relying party")
});

static KEY: LazyLock<PasskeyPublicKey> = LazyLock::new(|| {
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    PasskeyPublicKey::from_spki(Algorithm::Es256, key.public_key().spki_der()).expect("a good key")
});

fuzz_target!(|input: &[u8]| {
    if let Ok(client) = ClientData::parse(input) {
        assert!(client.challenge().len() <= input.len());
    }
    if let Ok(data) = AuthenticatorData::parse(input) {
        assert!(data.flags().is_backup_eligible() || !data.flags().is_backed_up());
    }
    let response = RegistrationResponse {
        attestation_object: input,
        client_data_json: CREATED,
    };
    if let Ok(passkey) = register(&PARTY, &CHALLENGE, response) {
        assert!(passkey.flags().is_user_verified());
        let key = PasskeyPublicKey::from_spki(passkey.key().algorithm(), passkey.key().spki_der());
        assert_eq!(key.as_ref(), Ok(passkey.key()));
        let id = passkey.credential_id();
        assert_eq!(id.to_string().parse::<CredentialId>().as_ref(), Ok(id));
    }
    let (authenticator_data, signature) = input.split_at(input.len().min(37));
    let response = AssertionResponse {
        authenticator_data,
        client_data_json: USED,
        signature,
    };
    let registered = RegisteredKey {
        key: &KEY,
        sign_count: 0,
    };
    assert!(verify_assertion(&PARTY, &CHALLENGE, registered, response).is_err());
});

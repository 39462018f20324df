//! A software stand-in for a passkey.

use countersign_crypto::{Digest32, SigningAlgorithm, SigningKey, b64, sha256};

use crate::approval::{Octets, Signature};
use crate::roster::{AuthenticatorKey, CredentialId};

pub const RP_ID: &str = "console.example.com";
pub const ORIGIN: &str = "https://console.example.com";

/// A key that signs as an authenticator does. It does not count its signatures.
#[derive(Clone)]
pub struct Passkey {
    pub credential: CredentialId,
    key: SigningKey,
}

impl Passkey {
    pub fn new() -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let id = b64::encode(&key.public_key().fingerprint().as_bytes()[..16]);
        Self {
            credential: id.parse().unwrap(),
            key,
        }
    }

    pub fn public(&self) -> AuthenticatorKey {
        AuthenticatorKey::Passkey {
            aaguid: None,
            algorithm: self.key.algorithm().algorithm(),
            backup_eligible: false,
            public_key: self.key.public_key().to_pem(),
            rp_id: RP_ID.to_owned(),
        }
    }

    pub fn sign(&self, challenge: Digest32) -> Signature {
        let client = serde_json::json!({
            "type": "webauthn.get",
            "challenge": b64::encode(challenge.as_bytes()),
            "origin": ORIGIN,
        });
        let client = client.to_string().into_bytes();
        let (user_present, user_verified) = (1, 1 << 2);
        let mut data = sha256(&[RP_ID.as_bytes()]).as_bytes().to_vec();
        data.extend([user_present | user_verified, 0, 0, 0, 0]);
        let signed = [data.as_slice(), sha256(&[&client]).as_bytes()].concat();
        Signature::Passkey {
            authenticator_data: Octets(data),
            client_data_json: Octets(client),
            credential_id: self.credential.clone(),
            signature: Octets(der(&self.key.sign(&signed))),
        }
    }
}

/// An ECDSA signature as authenticators write it (WebAuthn §6.5.5): a sequence of two integers.
fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |octets: &[u8]| {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let mut value = octets[zeros..].to_vec();
        if value[0] >= 0x80 {
            value.insert(0, 0);
        }
        [vec![2, u8::try_from(value.len()).unwrap()], value].concat()
    };
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}

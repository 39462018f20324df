//! A passkey in software, which also does what no honest authenticator does.

use countersign_crypto::webauthn::{
    AssertionResponse, PasskeyPublicKey, PasskeyRefusal, RegisteredKey, RegisteredPasskey,
    RegistrationResponse, RelyingParty, VerifiedPasskey, register, verify_assertion,
};
use countersign_crypto::{SigningAlgorithm, SigningKey, b64, sha256};
use serde_json::{Value, json};

pub(crate) const RP: &str = "console.example.com";
pub(crate) const ORIGIN: &str = "https://console.example.com";
pub(crate) const CHALLENGE: [u8; 32] = [7; 32];

/// User present and verified.
pub(crate) const UP_UV: u8 = 0b101;

/// What the authenticator and the browser are made to say; the default is what honest ones say.
#[derive(Clone)]
pub(crate) struct Ceremony {
    /// Members that replace or add to those of the client data; `null` takes one away.
    pub(crate) client: Value,
    /// The whole client data, instead.
    pub(crate) client_text: Option<String>,
    pub(crate) rp: &'static str,
    pub(crate) flags: u8,
    pub(crate) sign_count: u32,
    /// What follows counter and credential.
    pub(crate) tail: Vec<u8>,
}

impl Default for Ceremony {
    fn default() -> Self {
        Self {
            client: json!({}),
            client_text: None,
            rp: RP,
            flags: UP_UV,
            sign_count: 1,
            tail: Vec::new(),
        }
    }
}

impl Ceremony {
    fn client_data(&self, ceremony: &str) -> Vec<u8> {
        if let Some(text) = &self.client_text {
            return text.clone().into_bytes();
        }
        let mut members = json!({
            "type": ceremony,
            "challenge": b64::encode(CHALLENGE),
            "origin": ORIGIN,
            "crossOrigin": false,
        });
        for (name, value) in self.client.as_object().unwrap() {
            match value {
                Value::Null => drop(members.as_object_mut().unwrap().remove(name)),
                value => members[name] = value.clone(),
            }
        }
        members.to_string().into_bytes()
    }

    fn authenticator_data(&self, credential: &[u8]) -> Vec<u8> {
        [
            sha256(&[self.rp.as_bytes()]).as_bytes().as_slice(),
            &[self.flags],
            &self.sign_count.to_be_bytes(),
            credential,
            &self.tail,
        ]
        .concat()
    }
}

pub(crate) struct Authenticator {
    pub(crate) key: SigningKey,
    pub(crate) id: Vec<u8>,
    /// Replaces the COSE_Key.
    pub(crate) cose: Option<Vec<u8>>,
}

/// An answer, to be tampered with.
#[derive(Clone)]
pub(crate) struct Assertion {
    pub(crate) authenticator_data: Vec<u8>,
    pub(crate) client_data_json: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Authenticator {
    pub(crate) fn new(algorithm: SigningAlgorithm) -> Self {
        Self {
            key: SigningKey::generate(algorithm),
            id: vec![9; 16],
            cose: None,
        }
    }

    pub(crate) fn public_key(&self) -> PasskeyPublicKey {
        let algorithm = self.key.algorithm().algorithm();
        PasskeyPublicKey::from_spki(algorithm, self.key.public_key().spki_der()).unwrap()
    }

    pub(crate) fn get(&self, ceremony: &Ceremony) -> Assertion {
        let authenticator_data = ceremony.authenticator_data(&[]);
        let client_data_json = ceremony.client_data("webauthn.get");
        let signature = self.sign(&authenticator_data, &client_data_json);
        Assertion {
            authenticator_data,
            client_data_json,
            signature,
        }
    }

    pub(crate) fn sign(&self, authenticator_data: &[u8], client_data_json: &[u8]) -> Vec<u8> {
        let digest = sha256(&[client_data_json]);
        let signed = [authenticator_data, digest.as_bytes()].concat();
        let signature = self.key.sign(&signed);
        match self.key.algorithm() {
            SigningAlgorithm::Es256 => der_signature(&signature),
            _ => signature,
        }
    }

    /// The attestation object and the client data of a new credential.
    pub(crate) fn create(&self, ceremony: &Ceremony) -> (Vec<u8>, Vec<u8>) {
        let data = self.registration_data(ceremony);
        (
            attestation_object(&data),
            ceremony.client_data("webauthn.create"),
        )
    }

    pub(crate) fn registration_data(&self, ceremony: &Ceremony) -> Vec<u8> {
        let cose = self.cose.clone().unwrap_or_else(|| self.cose_key());
        let length = u16::try_from(self.id.len()).unwrap();
        let credential = [
            &[0xaa; 16],
            length.to_be_bytes().as_slice(),
            &self.id,
            &cose,
        ]
        .concat();
        let with_credential = Ceremony {
            flags: ceremony.flags | 0x40,
            ..ceremony.clone()
        };
        with_credential.authenticator_data(&credential)
    }

    pub(crate) fn cose_key(&self) -> Vec<u8> {
        let jwk = self.key.public_key().to_jwk("", None);
        let member = |name: &str| b64::decode_canonical(jwk[name].as_str().unwrap()).unwrap();
        let entries = match self.key.algorithm() {
            SigningAlgorithm::Es256 => vec![
                (1, int(2)),
                (3, int(-7)),
                (-1, int(1)),
                (-2, bytes(&member("x"))),
                (-3, bytes(&member("y"))),
            ],
            SigningAlgorithm::EdDsa => vec![
                (1, int(1)),
                (3, int(-8)),
                (-1, int(6)),
                (-2, bytes(&member("x"))),
            ],
            _ => vec![
                (1, int(3)),
                (3, int(-257)),
                (-1, bytes(&member("n"))),
                (-2, bytes(&member("e"))),
            ],
        };
        int_map(&entries)
    }
}

impl Assertion {
    /// Verifies it under a key whose stored counter is 0.
    pub(crate) fn verify(
        &self,
        authenticator: &Authenticator,
    ) -> Result<VerifiedPasskey, PasskeyRefusal> {
        self.verify_after(authenticator, 0)
    }

    pub(crate) fn verify_after(
        &self,
        authenticator: &Authenticator,
        sign_count: u32,
    ) -> Result<VerifiedPasskey, PasskeyRefusal> {
        let key = &authenticator.public_key();
        verify_assertion(
            &relying_party(),
            &CHALLENGE,
            RegisteredKey { key, sign_count },
            AssertionResponse {
                authenticator_data: &self.authenticator_data,
                client_data_json: &self.client_data_json,
                signature: &self.signature,
            },
        )
    }
}

pub(crate) fn register_with(
    (attestation_object, client_data_json): &(Vec<u8>, Vec<u8>),
) -> Result<RegisteredPasskey, PasskeyRefusal> {
    register(
        &relying_party(),
        &CHALLENGE,
        RegistrationResponse {
            attestation_object,
            client_data_json,
        },
    )
}

pub(crate) fn relying_party() -> RelyingParty {
    RelyingParty::new(RP.to_owned(), vec![ORIGIN.to_owned()]).unwrap()
}

pub(crate) fn attestation_object(authenticator_data: &[u8]) -> Vec<u8> {
    text_map(&[
        ("fmt", text("none")),
        ("attStmt", vec![0xa0]),
        ("authData", bytes(authenticator_data)),
    ])
}

/// R || S as DER.
pub(crate) fn der_signature(fixed: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let start = half.iter().take_while(|octet| **octet == 0).count();
        let sign: &[u8] = if half[start] >= 0x80 { &[0] } else { &[] };
        let content = [sign, &half[start..]].concat();
        [
            &[2, u8::try_from(content.len()).unwrap()],
            content.as_slice(),
        ]
        .concat()
    };
    let content = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [
        &[0x30, u8::try_from(content.len()).unwrap()],
        content.as_slice(),
    ]
    .concat()
}

fn head(major: u8, argument: usize) -> Vec<u8> {
    match argument {
        0..24 => vec![major << 5 | u8::try_from(argument).unwrap()],
        24..256 => vec![major << 5 | 24, u8::try_from(argument).unwrap()],
        _ => {
            let [high, low] = u16::try_from(argument).unwrap().to_be_bytes();
            vec![major << 5 | 25, high, low]
        }
    }
}

pub(crate) fn int(number: i32) -> Vec<u8> {
    match usize::try_from(number) {
        Ok(number) => head(0, number),
        Err(_) => head(1, usize::try_from(-1 - number).unwrap()),
    }
}

pub(crate) fn bytes(octets: &[u8]) -> Vec<u8> {
    [head(2, octets.len()), octets.to_vec()].concat()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

pub(crate) fn int_map(entries: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut map = head(5, entries.len());
    for (key, value) in entries {
        map.extend(int(*key));
        map.extend(value);
    }
    map
}

pub(crate) fn text_map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut map = head(5, entries.len());
    for (key, value) in entries {
        map.extend(text(key));
        map.extend(value);
    }
    map
}

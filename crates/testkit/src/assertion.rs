//! Assertions: a valid one, and every way to break it.

use countersign_crypto::b64;
use serde_json::{Map, Value, json};

use crate::keys::TestKey;
use crate::world::Client;

/// How long a valid assertion lives, in seconds.
const LIFETIME: i64 = 60;

/// An assertion in the making. Members are set and taken away one by one, or the whole text is given.
#[derive(Clone, Debug)]
pub struct Assertion {
    header: Part,
    payload: Part,
    key: TestKey,
    signature: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Part {
    Members(Map<String, Value>),
    Raw(Vec<u8>),
}

impl Part {
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Members(members) => serde_json::to_vec(members).unwrap(),
            Self::Raw(octets) => octets.clone(),
        }
    }

    fn members(&mut self) -> &mut Map<String, Value> {
        match self {
            Self::Members(members) => members,
            Self::Raw(_) => panic!("the text was given as a whole"),
        }
    }
}

impl Assertion {
    /// A valid assertion of a client, made at `now`, with a `jti` of its own.
    #[must_use]
    pub fn new(client: &Client, now: i64) -> Self {
        let header = json!({"alg": client.key.algorithm().as_str(), "kid": client.kid});
        let payload = json!({
            "iss": client.issuer,
            "sub": client.subject,
            "aud": client.audience,
            "jti": countersign_crypto::random_token(16),
            "iat": now,
            "exp": now + LIFETIME,
        });
        let (Value::Object(header), Value::Object(payload)) = (header, payload) else {
            unreachable!("both are objects");
        };
        Self {
            header: Part::Members(header),
            payload: Part::Members(payload),
            key: client.key.clone(),
            signature: None,
        }
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.payload.members().insert(name.to_owned(), value.into());
        self
    }

    /// Takes a claim away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.payload.members().remove(name);
        self
    }

    /// Sets a header parameter.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.members().insert(name.to_owned(), value.into());
        self
    }

    /// Takes a header parameter away.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.members().remove(name);
        self
    }

    /// Gives the whole header as octets.
    #[must_use]
    pub fn raw_header(mut self, octets: impl Into<Vec<u8>>) -> Self {
        self.header = Part::Raw(octets.into());
        self
    }

    /// Gives the whole payload as octets.
    #[must_use]
    pub fn raw_payload(mut self, octets: impl Into<Vec<u8>>) -> Self {
        self.payload = Part::Raw(octets.into());
        self
    }

    /// Signs with another key; the header stays as it is.
    #[must_use]
    pub fn signed_by(mut self, key: &TestKey) -> Self {
        self.key = key.clone();
        self
    }

    /// Puts octets where the signature belongs.
    #[must_use]
    pub fn signature(mut self, octets: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(octets.into());
        self
    }

    /// The octets of the header, as they stand.
    #[must_use]
    pub fn header_text(&self) -> String {
        String::from_utf8(self.header.octets()).unwrap()
    }

    /// The octets of the payload, as they stand.
    #[must_use]
    pub fn payload_text(&self) -> String {
        String::from_utf8(self.payload.octets()).unwrap()
    }

    /// What is signed: header and payload in base64url with a dot between them.
    #[must_use]
    pub fn signing_input(&self) -> String {
        let [header, payload] = [&self.header, &self.payload].map(|part| base64url(part.octets()));
        format!("{header}.{payload}")
    }

    /// The compact form.
    #[must_use]
    pub fn sign(&self) -> String {
        let input = self.signing_input();
        let signature = match &self.signature {
            Some(signature) => signature.clone(),
            None => self.key.sign(input.as_bytes()),
        };
        format!("{input}.{}", base64url(signature))
    }
}

/// Octets in base64url without padding.
#[must_use]
pub fn base64url(octets: impl AsRef<[u8]>) -> String {
    b64::encode(octets)
}

/// Octets out of base64url without padding.
///
/// # Panics
/// When it is not that.
#[must_use]
pub fn decode_base64url(text: &str) -> Vec<u8> {
    b64::decode_canonical(text).unwrap()
}

/// The segments of a compact JWS.
#[must_use]
pub fn segments(compact: &str) -> Vec<&str> {
    compact.split('.').collect()
}

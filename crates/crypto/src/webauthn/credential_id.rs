//! The name that an authenticator gives a credential.

use std::fmt;
use std::str::FromStr;

use super::PasskeyRefusal;
use crate::b64;

/// A credential id: 16 to 1023 octets (WebAuthn §4), written as base64url.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId(Box<[u8]>);

impl CredentialId {
    /// Takes the octets.
    ///
    /// # Errors
    /// [`PasskeyRefusal::CredentialIdLength`] when they are too few to be unique or too many.
    pub fn new(octets: &[u8]) -> Result<Self, PasskeyRefusal> {
        match octets.len() {
            16..=1023 => Ok(Self(octets.into())),
            _ => Err(PasskeyRefusal::CredentialIdLength),
        }
    }

    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64::encode(&self.0))
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialId({self})")
    }
}

impl FromStr for CredentialId {
    type Err = PasskeyRefusal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octets = b64::decode_canonical(text);
        Self::new(&octets.map_err(|_| PasskeyRefusal::CredentialIdLength)?)
    }
}

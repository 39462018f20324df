//! The name of an authenticator.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use countersign_crypto::b64;
use serde::{Deserialize, Serialize};

/// Names an authenticator: the credential id of a passkey (base64url of 16 to 1023 octets, WebAuthn §4), or the
/// fingerprint of a person key (`SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CredentialId(Arc<str>);

/// The text names no authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a credential id (base64url of 16 to 1023 octets) or a key fingerprint (SHA256:…)")]
pub struct MalformedCredentialId;

/// What a fingerprint begins with.
const FINGERPRINT: &str = "SHA256:";

impl CredentialId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the fingerprint of a person key.
    #[must_use]
    pub fn is_fingerprint(&self) -> bool {
        self.0.starts_with(FINGERPRINT)
    }
}

impl FromStr for CredentialId {
    type Err = MalformedCredentialId;

    fn from_str(text: &str) -> Result<Self, MalformedCredentialId> {
        let is_well_formed = match text.strip_prefix(FINGERPRINT) {
            // 43 characters of base64 without padding have two spare bits, which must be zero.
            Some(rest) => {
                let url_safe = rest.replace('+', "-").replace('/', "_");
                !rest.contains(['-', '_'])
                    && b64::decode_canonical(url_safe).is_ok_and(|octets| octets.len() == 32)
            }
            None => {
                b64::decode_canonical(text).is_ok_and(|octets| (16..=1023).contains(&octets.len()))
            }
        };
        if is_well_formed {
            Ok(Self(text.into()))
        } else {
            Err(MalformedCredentialId)
        }
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<CredentialId> for String {
    fn from(id: CredentialId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for CredentialId {
    type Error = MalformedCredentialId;

    fn try_from(text: String) -> Result<Self, MalformedCredentialId> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_exactly_one_spelling() {
        let passkey = b64::encode([7; 16]);
        assert!(!passkey.parse::<CredentialId>().unwrap().is_fingerprint());
        let fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        assert!(
            fingerprint
                .parse::<CredentialId>()
                .unwrap()
                .is_fingerprint()
        );
        for malformed in [
            "",
            "SHA256:",
            "SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV",
            &format!("{passkey}="),
            &b64::encode([7; 15]),
            &b64::encode([7; 1024]),
        ] {
            assert!(malformed.parse::<CredentialId>().is_err(), "{malformed}");
        }
    }
}

//! API tokens: how programs reach the admin API. The secret is shown once; only its digest is remembered.

use std::fmt;

use countersign_crypto::{Digest32, b64, crc32, sha256};
use serde::{Deserialize, Serialize};

use crate::ids::{ApiTokenId, TenantId};
use crate::text::Label;
use crate::time::UnixTime;

/// Marks an API token, so that scanners find one that leaked.
pub const PREFIX: &str = "cst_";

/// Random octets in a token.
const SECRET_OCTETS: usize = 32;

/// Characters of the random part, base64url.
const SECRET_CHARS: usize = 43;

/// The longest life of an API token, in days.
pub const MAX_DAYS: u32 = 365;

/// What an API token may do within its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiRole {
    /// Read and request every change.
    Admin,
    /// Read.
    Auditor,
    /// Introspect access tokens of its organization; nothing else.
    Introspector,
}

impl ApiRole {
    /// The name used in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Introspector => "introspector",
        }
    }
}

/// Where an API token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiScope {
    /// In one organization.
    Organization(TenantId),
    /// On the platform: organizations and the instance.
    Platform,
}

/// An API token as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its public ID.
    pub id: ApiTokenId,
    /// What people call it.
    pub name: Label,
    /// Where it is valid.
    pub scope: ApiScope,
    /// What it may do.
    pub role: ApiRole,
    /// When it was made.
    pub created_at: UnixTime,
    /// From this moment on it is refused.
    pub expires_at: UnixTime,
}

/// The secret of an API token: `cst_`, 43 random characters, and a checksum of 6 characters.
#[derive(Clone)]
pub struct ApiTokenSecret(String);

/// The text cannot be an API token: wrong prefix, alphabet, length or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API token")]
pub struct MalformedApiToken;

impl ApiTokenSecret {
    /// Makes a new secret of 256 random bits.
    #[must_use]
    pub fn from_random(octets: [u8; SECRET_OCTETS]) -> Self {
        let random = b64::encode(octets);
        let sum = checksum(&random);
        Self(format!("{PREFIX}{random}{sum}"))
    }

    /// Recognizes a secret by its form and checksum, before any look into the database.
    ///
    /// # Errors
    /// [`MalformedApiToken`] for anything that this program cannot have made.
    pub fn parse(text: &str) -> Result<Self, MalformedApiToken> {
        let rest = text.strip_prefix(PREFIX).ok_or(MalformedApiToken)?;
        let sound = rest.is_ascii()
            && rest.len() == SECRET_CHARS + 6
            && checksum(&rest[..SECRET_CHARS]) == rest[SECRET_CHARS..];
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(MalformedApiToken)
        }
    }

    /// What is remembered: SHA-256 of the secret, which has 256 random bits and needs no salt.
    #[must_use]
    pub fn digest(&self) -> Digest32 {
        sha256(&[b"countersign/api-token/v1\0", self.0.as_bytes()])
    }

    /// The secret itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiTokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiTokenSecret(cst_…)")
    }
}

/// CRC-32 in six letters and digits: tells a typing error or a stray text from a token.
fn checksum(random: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32(random.as_bytes());
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognized_by_prefix_and_checksum_and_never_printed() {
        let secret = ApiTokenSecret::from_random([7; SECRET_OCTETS]);
        let text = secret.reveal().to_owned();
        assert_eq!(
            ApiTokenSecret::parse(&text).unwrap().digest(),
            secret.digest()
        );
        assert!(!format!("{secret:?}").contains(&text[4..20]));
        let mut typo = text.clone();
        let replacement = if typo.remove(10) == 'x' { 'y' } else { 'x' };
        typo.insert(10, replacement);
        for bad in [
            typo.as_str(),
            &text[1..],
            &text[..text.len() - 1],
            "cst_",
            "",
            "cst_é",
        ] {
            assert!(ApiTokenSecret::parse(bad).is_err(), "{bad}");
        }
    }
}

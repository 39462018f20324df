//! The registered keys of a configuration and the states they pass through.

use countersign_crypto::import::has_private_key;
use countersign_crypto::{Algorithm, KeyFingerprint};
use serde::{Deserialize, Serialize};

use crate::time::UnixTime;

/// The most keys one configuration may hold, retired ones included.
pub const MAX_KEYS: usize = 20;

/// The longest overlap of a rotation, in seconds (90 days).
pub const MAX_RETIRE_AFTER: u32 = 90 * 86_400;

/// The overlap when a rotation names none, in seconds (7 days).
pub const DEFAULT_RETIRE_AFTER: u32 = 7 * 86_400;

/// Where a registered key stands. Only time and an applied change move it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum KeyState {
    /// Registered ahead of its use; accepted already, so that a caller can switch whenever it is ready.
    Next,
    /// The key in use.
    Current,
    /// Replaced; accepted until the date.
    Retiring {
        /// From this moment on the key is refused.
        retires_at: UnixTime,
    },
    /// Refused.
    Retired {
        /// Since when.
        retired_at: UnixTime,
    },
}

/// A public key that assertions of one configuration may be signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredKey {
    /// The `kid` that selects the key within its configuration.
    pub kid: KeyId,
    /// The one algorithm that the key is bound to (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    /// SHA-256 of the DER `SubjectPublicKeyInfo`.
    pub fingerprint_sha256: KeyFingerprint,
    /// The key as PEM `SubjectPublicKeyInfo`.
    pub public_key: Box<str>,
    /// Where the key stands.
    #[serde(flatten)]
    pub state: KeyState,
    /// When the key was registered.
    pub added_at: UnixTime,
    /// The end of the certificate that the key came in, if it came in one.
    pub expires_at: Option<UnixTime>,
}

/// Whether a key may verify an assertion now, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// It may.
    Active,
    /// Its certificate has ended.
    Expired,
    /// It was retired.
    Retired,
}

impl KeyState {
    /// Whether an assertion signed with a key in this state, and with this end, may be accepted at `now`.
    #[must_use]
    pub fn usable(self, expires_at: Option<UnixTime>, now: UnixTime) -> KeyUse {
        let retired = match self {
            Self::Next | Self::Current => false,
            Self::Retiring { retires_at } => now >= retires_at,
            Self::Retired { .. } => true,
        };
        match (retired, expires_at) {
            (true, _) => KeyUse::Retired,
            (false, Some(end)) if now >= end => KeyUse::Expired,
            (false, _) => KeyUse::Active,
        }
    }
}

/// A key's identifier within its configuration (RFC 7515 §4.1.4): 1 to 256 printable ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyId(Box<str>);

/// The text cannot be a `kid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 256 printable ASCII characters without spaces, and no private key")]
pub struct MalformedKeyId;

impl KeyId {
    /// Parses a `kid`.
    ///
    /// # Errors
    /// [`MalformedKeyId`] when it is empty, too long, has a space, a control character or a non-ASCII character, or is a
    /// private key.
    pub fn parse(text: &str) -> Result<Self, MalformedKeyId> {
        let sound =
            (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound && !has_private_key(text) {
            Ok(Self(text.into()))
        } else {
            Err(MalformedKeyId)
        }
    }

    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<KeyId> for String {
    fn from(kid: KeyId) -> Self {
        kid.0.into()
    }
}

impl TryFrom<String> for KeyId {
    type Error = MalformedKeyId;

    fn try_from(text: String) -> Result<Self, MalformedKeyId> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

    #[test]
    fn a_retiring_key_works_until_its_date_and_not_at_it() {
        let state = KeyState::Retiring { retires_at: NOW };
        assert_eq!(state.usable(None, NOW.plus(-1)), KeyUse::Active);
        assert_eq!(state.usable(None, NOW), KeyUse::Retired);
    }

    #[test]
    fn k12_a_certificate_ends_its_key_at_the_exact_second() {
        assert_eq!(
            KeyState::Current.usable(Some(NOW), NOW.plus(-1)),
            KeyUse::Active
        );
        assert_eq!(KeyState::Current.usable(Some(NOW), NOW), KeyUse::Expired);
    }

    #[test]
    fn a_key_state_is_written_flat() {
        let json = serde_json::to_value(KeyState::Retiring { retires_at: NOW }).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"state": "retiring", "retires_at": "1970-01-12T13:46:40Z"})
        );
    }
}

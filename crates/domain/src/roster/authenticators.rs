//! Authenticators: the keys with which users sign statements.

use countersign_crypto::ssh::PersonKey;
use countersign_crypto::webauthn::PasskeyPublicKey;
use countersign_crypto::{Algorithm, PublicKey};
use serde::{Deserialize, Serialize};

use super::{CredentialId, Origin};
use crate::ids::UserId;
use crate::time::UnixTime;

/// Whether an authenticator signs for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuthenticatorStatus {
    /// It does.
    Active,
    /// It does no more, which is final.
    Revoked,
}

/// The key of an authenticator, by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AuthenticatorKey {
    /// A passkey (WebAuthn).
    Passkey {
        /// The model of the authenticator, as it says itself; a UUID.
        aaguid: Option<String>,
        /// The one algorithm that it signs with.
        algorithm: Algorithm,
        /// Whether it may be copied to other devices (BE).
        backup_eligible: bool,
        /// The public key, SPKI in PEM.
        public_key: String,
        /// The relying party it was enrolled at.
        rp_id: String,
    },
    /// A person key: an SSH key, used at the command line.
    PersonKey {
        /// The public key, one line in the form of OpenSSH.
        public_key: String,
    },
}

impl AuthenticatorKey {
    /// The public key as text.
    #[must_use]
    pub fn public_key(&self) -> &str {
        match self {
            Self::Passkey { public_key, .. } | Self::PersonKey { public_key } => public_key,
        }
    }

    /// Whether it is a key that signs, written in its one form, and `credential` is its name.
    #[must_use]
    pub fn is_named(&self, credential: &CredentialId) -> bool {
        match self {
            Self::Passkey {
                algorithm,
                public_key,
                ..
            } => PublicKey::from_pem(public_key).is_ok_and(|key| {
                !credential.is_fingerprint()
                    && key.to_pem() == *public_key
                    && PasskeyPublicKey::from_spki(*algorithm, key.spki_der()).is_ok()
            }),
            Self::PersonKey { public_key } => public_key.parse().is_ok_and(|key: PersonKey| {
                key.to_string() == *public_key && key.fingerprint() == credential.as_str()
            }),
        }
    }

    /// Whether the private key cannot leave the hardware that it was made in.
    #[must_use]
    pub fn is_hardware_bound(&self) -> bool {
        match self {
            Self::Passkey {
                backup_eligible, ..
            } => !backup_eligible,
            Self::PersonKey { public_key } => public_key.starts_with("sk-"),
        }
    }
}

/// The governed state of an authenticator: what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticatorState {
    /// Its name.
    pub credential_id: CredentialId,
    /// When the ceremony of its enrolment took place.
    pub enrolled_at: UnixTime,
    /// Its key.
    #[serde(flatten)]
    pub key: AuthenticatorKey,
    /// From this moment on what it signs is not believed (C10 no. 39).
    pub revoked_as_of: Option<UnixTime>,
    /// Whether it signs.
    pub status: AuthenticatorStatus,
    /// For whom.
    pub user: UserId,
}

impl AuthenticatorState {
    /// A new authenticator.
    #[must_use]
    pub const fn new(
        credential_id: CredentialId,
        key: AuthenticatorKey,
        user: UserId,
        enrolled_at: UnixTime,
    ) -> Self {
        Self {
            credential_id,
            enrolled_at,
            key,
            revoked_as_of: None,
            status: AuthenticatorStatus::Active,
            user,
        }
    }

    /// This authenticator, revoked as of a moment.
    #[must_use]
    pub fn revoked(self, as_of: UnixTime) -> Self {
        Self {
            revoked_as_of: Some(as_of),
            status: AuthenticatorStatus::Revoked,
            ..self
        }
    }

    /// Whether it signs.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == AuthenticatorStatus::Active
    }

    /// Whether what it signed at `at` is believed.
    #[must_use]
    pub fn is_believed_at(&self, at: UnixTime) -> bool {
        self.revoked_as_of.is_none_or(|as_of| at < as_of)
    }

    /// Whether name, kind and status fit each other.
    pub(super) fn is_coherent(&self) -> bool {
        let is_person_key = matches!(self.key, AuthenticatorKey::PersonKey { .. });
        self.credential_id.is_fingerprint() == is_person_key
            && self.is_active() == self.revoked_as_of.is_none()
    }
}

/// An authenticator as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// Counts the changes, beginning with 1.
    pub version: u64,
    /// The governed state.
    pub state: AuthenticatorState,
    /// Its enrolment; kept beside the signed state, see [`Origin`].
    pub enrolled: Origin,
}

impl Authenticator {
    /// The authenticator that `state` makes out of `before`, by a change of this origin.
    pub(super) fn changed(
        before: Option<&Self>,
        state: AuthenticatorState,
        origin: &Origin,
    ) -> Self {
        Self {
            version: before.map_or(0, |known| known.version) + 1,
            state,
            enrolled: before.map_or(origin, |known| &known.enrolled).clone(),
        }
    }
}

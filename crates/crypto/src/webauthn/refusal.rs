//! Why the answer of an authenticator is not accepted.

use crate::import::ImportRefusal;
use crate::json::JsonRefusal;

/// Why a registration or an assertion is not accepted. One list for both ceremonies: they share nearly every check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyRefusal {
    /// The key is for another algorithm than ES256, EdDSA or RS256.
    #[error(
        "the passkey's algorithm is not accepted: use an authenticator with ES256, EdDSA or RS256"
    )]
    AlgorithmNotAllowed,
    /// Not CBOR, not the map of WebAuthn §6.5, or beyond a bound.
    #[error("the attestation object is malformed (WebAuthn §6.5)")]
    AttestationObjectMalformed,
    /// Too short, octets left over, or malformed extensions.
    #[error("the authenticator data is malformed (WebAuthn §6.1)")]
    AuthenticatorDataMalformed,
    /// Backed up, though it cannot be.
    #[error("the authenticator says that the passkey is backed up and that it cannot be")]
    BackupStateImpossible,
    /// Made for another ceremony: a registration is no assertion.
    #[error("the answer belongs to another ceremony than the one that was asked for")]
    CeremonyMismatch,
    /// It answers another challenge.
    #[error("the answer belongs to another challenge: begin again")]
    ChallengeMismatch,
    /// A member is missing or of the wrong type.
    #[error("the client data is malformed (WebAuthn §5.8.1)")]
    ClientDataMalformed,
    /// Not a strict JSON object.
    #[error("the client data is not acceptable JSON: {json}")]
    ClientDataNotStrict {
        /// The rule it breaks.
        json: JsonRefusal,
    },
    /// Shorter than 16 octets, or longer than 1023.
    #[error("a credential id has 16 to 1023 octets")]
    CredentialIdLength,
    /// A registration without a new credential.
    #[error("the authenticator data has no credential")]
    CredentialMissing,
    /// Asked for by a page inside a page of another origin.
    #[error(
        "the passkey was asked for by a page framed in another origin's: open the console itself"
    )]
    CrossOrigin,
    /// Not the map that RFC 9052 §7 and WebAuthn §6.5.1.1 ask for.
    #[error("the passkey's public key is malformed (WebAuthn §6.5.1.1)")]
    KeyMalformed,
    /// A key with which nothing would be proven.
    #[error("the passkey's public key is not accepted: {import}")]
    KeyNotAccepted {
        /// The rule it breaks.
        import: ImportRefusal,
    },
    /// Asked for by a page of another origin: what phishing looks like.
    #[error("the passkey was used on a page of another origin: check the address of the page")]
    OriginNotAllowed,
    /// Made for another relying party.
    #[error("the passkey belongs to another relying party")]
    RelyingPartyMismatch,
    /// Not over these octets, or not by this key.
    #[error("the signature does not verify with the registered passkey")]
    SignatureInvalid,
    /// The counter stands still or went back: two authenticators may hold the key.
    #[error(
        "the passkey's counter went from {stored} to {received}: there may be a copy of it; enrol another one"
    )]
    SignCountRegressed {
        /// The count that was stored.
        stored: u32,
        /// The count that came.
        received: u32,
    },
    /// The page is framed, and names the page around it.
    #[error("the passkey was asked for by a framed page: open the console itself")]
    TopOriginPresent,
    /// Nobody touched the authenticator.
    #[error("the authenticator did not ask for a touch")]
    UserNotPresent,
    /// No PIN, fingerprint or face was asked for.
    #[error(
        "the authenticator did not verify the person: use one with a PIN, a fingerprint or a face"
    )]
    UserNotVerified,
}

impl PasskeyRefusal {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed => "passkey_algorithm_not_allowed",
            Self::AttestationObjectMalformed => "passkey_attestation_object_malformed",
            Self::AuthenticatorDataMalformed => "passkey_authenticator_data_malformed",
            Self::BackupStateImpossible => "passkey_backup_state_impossible",
            Self::CeremonyMismatch => "passkey_ceremony_mismatch",
            Self::ChallengeMismatch => "passkey_challenge_mismatch",
            Self::ClientDataMalformed => "passkey_client_data_malformed",
            Self::ClientDataNotStrict { .. } => "passkey_client_data_not_strict",
            Self::CredentialIdLength => "passkey_credential_id_length",
            Self::CredentialMissing => "passkey_credential_missing",
            Self::CrossOrigin => "passkey_cross_origin",
            Self::KeyMalformed => "passkey_key_malformed",
            Self::KeyNotAccepted { .. } => "passkey_key_not_accepted",
            Self::OriginNotAllowed => "passkey_origin_not_allowed",
            Self::RelyingPartyMismatch => "passkey_relying_party_mismatch",
            Self::SignatureInvalid => "passkey_signature_invalid",
            Self::SignCountRegressed { .. } => "passkey_sign_count_regressed",
            Self::TopOriginPresent => "passkey_top_origin_present",
            Self::UserNotPresent => "passkey_user_not_present",
            Self::UserNotVerified => "passkey_user_not_verified",
        }
    }
}

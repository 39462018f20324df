//! Passkeys (WebAuthn Level 3): enrolling one, and verifying what one has signed.
//!
//! The challenge is the caller's. For a decision it is the digest of the statement that the person signs, nonce
//! included, which is why this is no library's: they make the challenge themselves. It is a plain function of its
//! arguments, so that the same evidence verifies later and elsewhere.

mod assertion;
mod authenticator_data;
mod client_data;
mod credential_id;
mod public_key;
mod refusal;
mod registration;
mod relying_party;

pub use assertion::{AssertionResponse, RegisteredKey, VerifiedPasskey, verify_assertion};
pub use authenticator_data::{AuthenticatorData, PasskeyFlags};
pub use client_data::ClientData;
pub use credential_id::CredentialId;
pub use public_key::PasskeyPublicKey;
pub use refusal::PasskeyRefusal;
pub use registration::{RegisteredPasskey, RegistrationResponse, register};
pub use relying_party::{RelyingParty, RelyingPartyRejected};

/// What the authenticator was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ceremony {
    Assertion,
    Registration,
}

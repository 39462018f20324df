//! From an unverified text to an accepted assertion, one type per step (RFC 7523 §3).
//!
//! [`UnverifiedAssertion`] → [`Candidate`] → [`VerifiedAssertion`] → [`AcceptedAssertion`]: each has one constructor,
//! which consumes the step before it, so a check that is skipped does not compile.

mod accept;
mod claims;
mod near_miss;
mod refusal;
mod told;
mod trace;
mod verify;

pub use accept::{AcceptedAssertion, CLOCK_AHEAD, Conditions};
pub use claims::account_binding;
pub use near_miss::{Hint, near_misses};
pub use refusal::{Check, Expected, Reason, Refusal};
pub use told::Told;
pub use trace::{Step, Trace};
pub use verify::{
    Candidate, Decoys, OrganizationStanding, Unselected, UnverifiedAssertion, VerifiedAssertion,
};

/// How the caller asks (`tokens.md`, three ways to ask).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 §2.1).
    AuthorizationGrant,
    /// `client_credentials` with `private_key_jwt` (RFC 7523 §2.2), and client authentication elsewhere.
    ClientAuthentication,
    /// The compatibility route of the hosted reference product.
    Compatibility,
}

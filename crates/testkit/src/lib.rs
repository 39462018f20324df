//! For tests only: the real router on a real database, a clock that tests set, and callers with keys of their own.
//!
//! [`World::start`] gives a valid world: two organizations, three configurations, their keys. A test changes one thing
//! and looks at the answer. [`Assertion`] makes a valid assertion and then breaks it in any way that a caller could.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests have names of their own, and wait for what other threads do"
)]

mod answer;
mod assertion;
mod authority;
mod clock;
mod database;
mod keys;
mod server;
mod theft;
mod verifier;
mod world;

// What tests of the doors reach below them: they depend on this crate, not on the layers (`deny.toml`).
pub use countersign_crypto as crypto;
pub use countersign_store as store;

pub use answer::Answer;
pub use assertion::{Assertion, base64url, decode_base64url, segments};
pub use authority::{Authority, IssuedCertificate};
pub use clock::{MIDNIGHT, ManualClock, NOW};
pub use database::{DatabaseKind, TestDatabase, postgres_url};
pub use keys::{TestKey, hmac_sha256};
pub use server::{CLIENT_CREDENTIALS, FORM, JWT_BEARER, PRIVATE_KEY_JWT, Setup, TestServer};
pub use theft::StolenKey;
pub use world::{Client, NewClient, Tenant, World};

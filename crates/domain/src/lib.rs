//! What is true: the types, rules and decisions of Countersign.
//!
//! Nothing here waits, reads a clock, draws a random number, or knows SQL or HTTP. Time comes in as a parameter, and
//! what was checked comes out as a value that the next step requires.

pub mod access_token;
pub mod api_tokens;
pub mod approval;
pub mod assertion;
pub mod change;
pub mod configurations;
pub mod directory;
pub mod grant;
mod guard;
pub mod identifier;
pub mod ids;
pub mod organizations;
pub mod permission_groups;
pub mod roster;
pub mod signing_keys;
pub mod text;
pub mod time;

/// Unit tests, because they take rules away; see `guard`.
#[cfg(test)]
#[path = "../tests/approvals/mod.rs"]
mod approvals;

//! Key import, rule by rule: a test per line of `conformance.md` K.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot build its input has failed, and a skipped one says so"
)]

mod certificates;
mod curves;
mod formats;
mod jwk;
mod private_keys;
mod properties;
mod rsa;
mod support;
mod wycheproof;

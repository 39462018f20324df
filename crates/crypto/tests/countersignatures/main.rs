//! What people sign, and what keeps it: passkeys, SSH signatures, the log and its checkpoints.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and says what it skips"
)]

mod assertions;
mod authenticator;
mod checkpoints;
mod merkle;
mod oracle;
mod registrations;
mod ssh_keys;
mod ssh_signatures;
mod standard;

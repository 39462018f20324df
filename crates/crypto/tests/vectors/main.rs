//! Outside test vectors: read from `shared/vectors` beside the project, skipped aloud where that is absent.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and says what it skips"
)]

mod json;
mod signatures;
mod support;

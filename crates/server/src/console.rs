//! What the server's own commands say to the person at the terminal.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these lines are for the person at the terminal"
)]

/// A line of the answer.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A remark beside the answer.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Why there is no answer.
pub(crate) fn error(text: &str) {
    eprintln!("error: {text}");
}

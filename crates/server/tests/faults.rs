//! The real program under faults: killed, starved, misled, started twice, restored. What it has promised still holds.
//!
//! The long ones are ignored in a plain `cargo test`; the test command runs them.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers of a test are part of the test: they panic and say what was skipped"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "each test has names of its own, and one waits as the server does"
)]

#[path = "faults/backup.rs"]
mod backup;
#[path = "faults/changes.rs"]
mod changes;
#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/first_run.rs"]
mod first_run;
#[path = "faults/http.rs"]
mod http;
#[path = "faults/kill.rs"]
mod kill;
#[path = "faults/postgres.rs"]
mod postgres;
#[path = "faults/race.rs"]
mod race;
#[path = "faults/server.rs"]
mod server;
#[path = "faults/start.rs"]
mod start;
#[path = "faults/tls.rs"]
mod tls;
#[path = "faults/world.rs"]
mod world;

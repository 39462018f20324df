//! The command line: what people and scripts use to speak to a running server, and to make keys and assertions.
//!
//! A command is one file: its arguments, what it does, how its answer reads, its tests.

mod activity;
mod api_tokens;
mod args;
mod assertion;
mod client;
mod completions;
mod config;
mod config_fields;
mod config_view;
mod explain;
mod failure;
mod files;
mod instance;
mod keygen;
mod keys;
mod lookup;
mod org;
mod output;
mod requests;
mod revoke;
mod session;
mod token;
mod token_cache;

use std::process::ExitCode;

pub(crate) use args::{
    BackupArgs, Cli, ClientCommand, Command, DoctorArgs, LogFormat, MetricsListen, MigrateArgs,
    RestoreArgs, ServeArgs, StoreArgs, TlsArgs,
};
use failure::Failure;
use output::Answer;

/// Performs a client command, prints its answer, and says how the process ends.
pub(crate) fn run(command: &ClientCommand) -> ExitCode {
    match perform(command, now()) {
        Ok(answer) => {
            output::print(&answer.render(as_json(command)));
            ExitCode::from(answer.exit_code())
        }
        Err(failure) => {
            output::report(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn perform(command: &ClientCommand, now: i64) -> Result<Answer, Failure> {
    match command {
        ClientCommand::Activity(args) => activity::run(args),
        ClientCommand::ApiToken(args) => api_tokens::run(args),
        ClientCommand::Assertion(args) => assertion::run(args, now),
        ClientCommand::Completions(args) => Ok(completions::run(args)),
        ClientCommand::Config(args) => config::run(args, now),
        ClientCommand::Explain(args) => explain::run(args),
        ClientCommand::Instance(args) => instance::run(args),
        ClientCommand::Keygen(args) => keygen::run(args),
        ClientCommand::Keys(args) => keys::run(args),
        ClientCommand::Org(args) => org::run(args),
        ClientCommand::Requests(args) => requests::run(args),
        ClientCommand::Revoke(args) => revoke::run(args),
        ClientCommand::Token(args) => token::run(args, now),
    }
}

fn as_json(command: &ClientCommand) -> bool {
    match command {
        ClientCommand::Activity(args) => args.connection.reporting.json,
        ClientCommand::ApiToken(args) => args.connection.reporting.json,
        ClientCommand::Assertion(args) => args.connection.reporting.json,
        ClientCommand::Completions(_) => false,
        ClientCommand::Config(args) => args.connection.reporting.json,
        ClientCommand::Explain(args) => args.connection.reporting.json,
        ClientCommand::Instance(args) => args.connection.reporting.json,
        ClientCommand::Keygen(args) => args.json,
        ClientCommand::Keys(args) => args.connection.reporting.json,
        ClientCommand::Org(args) => args.connection.reporting.json,
        ClientCommand::Requests(args) => args.connection.reporting.json,
        ClientCommand::Revoke(args) => args.connection.reporting.json,
        ClientCommand::Token(args) => args.connection.reporting.json,
    }
}

/// The time of day, in Unix seconds: the only place where the command line reads the clock.
#[expect(
    clippy::disallowed_methods,
    reason = "an assertion carries the time at which it is made; everything below takes it as a parameter"
)]
fn now() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    })
}

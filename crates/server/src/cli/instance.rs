//! `countersign instance`: the running instance itself.

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::Connection;
use super::failure::Failure;
use super::output::{self, Answer};

/// Arguments of `instance`.
#[derive(Args, Debug)]
pub(crate) struct InstanceArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: InstanceCommand,
}

#[derive(Debug, Subcommand)]
enum InstanceCommand {
    /// Show its version, its restore epoch, and whether it issues tokens
    #[command(after_help = "Example:\n  countersign instance show")]
    Show,
    /// Let a restored instance issue tokens again
    #[command(
        after_help = "Example:\n  countersign instance confirm-restore\n\nConfirm only when the instance that was backed up no longer runs."
    )]
    ConfirmRestore,
}

pub(super) fn run(args: &InstanceArgs) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    let answer = match args.command {
        InstanceCommand::Show => client.get("/instance")?,
        InstanceCommand::ConfirmRestore => client.post("/instance/confirm-restore", &json!({}))?,
    };
    let text = output::object(&answer);
    let text = if text.is_empty() {
        "Done.".to_owned()
    } else {
        text
    };
    Ok(Answer::new(text, answer))
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    #[test]
    fn an_empty_answer_is_said_in_words() {
        let server = Canned::start(vec![(200, json!({})), (200, json!({"version": "0.1.0"}))]);
        let shown = |command| {
            let connection = connection(&server.url);
            run(&InstanceArgs {
                connection,
                command,
            })
            .unwrap()
            .render(false)
        };
        assert_eq!(shown(InstanceCommand::ConfirmRestore), "Done.\n");
        assert_eq!(shown(InstanceCommand::Show), "version  0.1.0\n");
        let asked = server.asked();
        assert!(asked[0].starts_with("POST /api/v1/instance/confirm-restore "));
        assert!(asked[1].starts_with("GET /api/v1/instance "));
    }
}

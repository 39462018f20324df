//! `countersign requests`: change requests, to be read.

use clap::{Args, Subcommand};

use super::args::{Connection, InOrganization, Page};
use super::client::{path, with_query};
use super::failure::Failure;
use super::lookup;
use super::output::{self, Answer, Column};

/// Arguments of `requests`.
#[derive(Args, Debug)]
pub(crate) struct RequestsArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: RequestsCommand,
}

#[derive(Debug, Subcommand)]
enum RequestsCommand {
    /// List the change requests of an organization
    #[command(after_help = "Example:\n  countersign requests list")]
    List {
        /// Which organization.
        #[command(flatten)]
        organization: InOrganization,
        /// Which part.
        #[command(flatten)]
        page: Page,
    },
    /// Show one change request, with what it changes
    #[command(after_help = "Example:\n  countersign requests show 17")]
    Show {
        /// Its number
        number: u64,
        /// Which organization.
        #[command(flatten)]
        organization: InOrganization,
    },
}

const COLUMNS: &[Column] = &[
    ("NUMBER", &["number"]),
    ("KIND", &["kind"]),
    ("TARGET", &["target"]),
    ("STATE", &["state"]),
    ("MAKER", &["maker"]),
    ("AT", &["submitted_at"]),
];

pub(super) fn run(args: &RequestsArgs) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    match &args.command {
        RequestsCommand::List { organization, page } => {
            let tenant = lookup::organization(&client, organization.org.as_deref())?;
            let place = path(&["organizations", &tenant, "change-requests"]);
            let answer = client.get(&with_query(&place, &page.query()))?;
            Ok(Answer::new(
                output::list(&answer, COLUMNS, "No change requests."),
                answer,
            ))
        }
        RequestsCommand::Show {
            number,
            organization,
        } => {
            let tenant = lookup::organization(&client, organization.org.as_deref())?;
            let place = [
                "organizations",
                &tenant,
                "change-requests",
                &number.to_string(),
            ];
            let answer = client.get(&path(&place))?;
            Ok(Answer::new(output::object(&answer), answer))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    #[test]
    fn a_request_is_shown_with_what_it_changes() {
        let request = json!({"number": 17, "kind": "oidc_config.edit", "after": {"name": "n"}});
        let server = Canned::start(vec![(200, request)]);
        let organization = InOrganization {
            org: Some("tn-1".to_owned()),
        };
        let args = RequestsArgs {
            connection: connection(&server.url),
            command: RequestsCommand::Show {
                number: 17,
                organization,
            },
        };
        let text = run(&args).unwrap().render(false);
        assert_eq!(
            text,
            "kind    oidc_config.edit\nnumber  17\n\nafter:\n{\n  \"name\": \"n\"\n}\n"
        );
        let asked = server.asked().remove(0);
        assert!(
            asked.starts_with("GET /api/v1/organizations/tn-1/change-requests/17 "),
            "{asked}"
        );
    }
}

//! `countersign org`: organizations.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{Connection, Page};
use super::client::{path, with_query};
use super::failure::Failure;
use super::lookup;
use super::output::{self, Answer, Column, member};

/// Arguments of `org`.
#[derive(Args, Debug)]
pub(crate) struct OrgArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: OrgCommand,
}

#[derive(Debug, Subcommand)]
enum OrgCommand {
    /// Create an organization
    #[command(after_help = "Example:\n  countersign org create \"Example Bank\"")]
    Create {
        /// What people call it
        name: String,
    },
    /// List the organizations
    #[command(after_help = "Example:\n  countersign org list --limit 200")]
    List(Page),
    /// Show one organization
    #[command(after_help = "Example:\n  countersign org show tn-0F6E…")]
    Show {
        /// Its ID; may be left out when there is only one
        #[arg(env = "COUNTERSIGN_ORG")]
        tenant: Option<String>,
    },
    /// Stop every token of an organization, at once and reversibly
    #[command(after_help = "Example:\n  countersign org suspend tn-0F6E… --reason \"key leaked\"")]
    Suspend(Act),
    /// Take a suspension back
    #[command(after_help = "Example:\n  countersign org restore tn-0F6E…")]
    Restore(Act),
}

#[derive(Args, Debug)]
struct Act {
    /// The organization's ID
    tenant: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("TENANT", &["tenant_id"]),
    ("NAME", &["name"]),
    ("STATUS", &["status"]),
    ("SIGNS WITH", &["signing_algorithm"]),
    ("CREATED", &["created_at"]),
];

pub(super) fn run(args: &OrgArgs) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    match &args.command {
        OrgCommand::Create { name } => {
            let answer = client.post("/organizations", &json!({ "name": name }))?;
            let text = format!("{}\n\n{}", view(&answer), next(&answer));
            Ok(Answer::new(text, answer))
        }
        OrgCommand::List(page) => {
            let answer = client.get(&with_query("/organizations", &page.query()))?;
            let empty = "No organizations yet: countersign org create NAME";
            Ok(Answer::new(output::list(&answer, COLUMNS, empty), answer))
        }
        OrgCommand::Show { tenant } => {
            let tenant = lookup::organization(&client, tenant.as_deref())?;
            let answer = client.get(&path(&["organizations", &tenant]))?;
            Ok(Answer::new(view(&answer), answer))
        }
        OrgCommand::Suspend(act) => {
            let answer = client.post(&place(act, "suspend"), &reason(act.reason.as_deref()))?;
            let text = "Suspended: its tokens are neither issued nor accepted by introspection.";
            Ok(Answer::new(format!("{}\n\n{text}", view(&answer)), answer))
        }
        OrgCommand::Restore(act) => {
            let answer = client.post(&place(act, "restore"), &reason(act.reason.as_deref()))?;
            Ok(Answer::new(view(&answer), answer))
        }
    }
}

fn place(act: &Act, verb: &str) -> String {
    path(&["organizations", &act.tenant, verb])
}

/// The body of an act: the reason, if there is one.
pub(super) fn reason(reason: Option<&str>) -> Value {
    reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }))
}

fn view(organization: &Value) -> String {
    let names = [
        "tenant_id",
        "name",
        "status",
        "issuer",
        "token_endpoint",
        "jwks_uri",
        "signing_algorithm",
        "permission_groups",
        "created_at",
        "updated_at",
        "version",
    ];
    output::pairs(&names.map(|name| (name, member(organization, &[name]))))
}

fn next(organization: &Value) -> String {
    let tenant = member(organization, &["tenant_id"]);
    format!(
        "Next, on the server that will sign assertions:\n  countersign keygen --org {tenant} --out ./payments"
    )
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    fn organization() -> Value {
        json!({
            "tenant_id": "tn-1", "name": "Example Bank", "status": "ACTIVE", "issuer": "http://h/t/tn-1",
            "token_endpoint": "http://h/t/tn-1/token", "signing_algorithm": "ES256", "version": 1,
        })
    }

    fn perform(answers: Vec<(u16, Value)>, command: OrgCommand) -> (Answer, Vec<String>) {
        let server = Canned::start(answers);
        let args = OrgArgs {
            connection: connection(&server.url),
            command,
        };
        let answer = run(&args).unwrap();
        (answer, server.asked())
    }

    #[test]
    fn create_prints_the_addresses_and_what_comes_next() {
        let name = "Example Bank".to_owned();
        let (answer, asked) = perform(vec![(201, organization())], OrgCommand::Create { name });
        assert!(asked[0].starts_with("POST /api/v1/organizations HTTP/1.1"));
        assert!(asked[0].ends_with(r#"{"name":"Example Bank"}"#));
        assert_eq!(
            answer.render(false),
            "tenant_id          tn-1\n\
             name               Example Bank\n\
             status             ACTIVE\n\
             issuer             http://h/t/tn-1\n\
             token_endpoint     http://h/t/tn-1/token\n\
             signing_algorithm  ES256\n\
             version            1\n\n\
             Next, on the server that will sign assertions:\n  countersign keygen --org tn-1 --out ./payments\n"
        );
    }

    #[test]
    fn json_is_what_the_server_answered() {
        let (answer, _) = perform(
            vec![(200, organization())],
            OrgCommand::Show {
                tenant: Some("tn-1".into()),
            },
        );
        let json: Value = serde_json::from_str(&answer.render(true)).unwrap();
        assert_eq!(json, organization());
    }

    #[test]
    fn suspend_names_the_organization_and_the_reason() {
        let act = Act {
            tenant: "tn-1".to_owned(),
            reason: Some("key leaked".to_owned()),
        };
        let (_, asked) = perform(vec![(200, organization())], OrgCommand::Suspend(act));
        assert!(asked[0].starts_with("POST /api/v1/organizations/tn-1/suspend HTTP/1.1"));
        assert!(asked[0].ends_with(r#"{"reason":"key leaked"}"#));
    }
}

//! `countersign keys`: the keys that an organization's access tokens are signed with.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{Connection, InOrganization};
use super::client::path;
use super::failure::Failure;
use super::lookup;
use super::output::{self, Answer, Column};

/// Arguments of `keys`.
#[derive(Args, Debug)]
pub(crate) struct KeysArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// List them with their states
    #[command(after_help = "Example:\n  countersign keys list")]
    List(InOrganization),
    /// Sign with a new key; the old one stays published until its last token has expired
    #[command(after_help = "Example:\n  countersign keys rotate --emergency")]
    Rotate {
        /// Which organization.
        #[command(flatten)]
        organization: InOrganization,
        /// The key has leaked: stop publishing the old ones at once, which ends the tokens they signed
        #[arg(long)]
        emergency: bool,
    },
}

const COLUMNS: &[Column] = &[
    ("KID", &["kid"]),
    ("ALG", &["algorithm"]),
    ("STATE", &["state"]),
    ("SINCE", &["since"]),
];

pub(super) fn run(args: &KeysArgs) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    match &args.command {
        KeysCommand::List(organization) => {
            let tenant = lookup::organization(&client, organization.org.as_deref())?;
            let answer = client.get(&path(&["organizations", &tenant, "signing-keys"]))?;
            Ok(Answer::new(view(&answer), answer))
        }
        KeysCommand::Rotate {
            organization,
            emergency,
        } => {
            let tenant = lookup::organization(&client, organization.org.as_deref())?;
            let place = path(&["organizations", &tenant, "signing-keys", "rotate"]);
            let answer = client.post(&place, &json!({ "emergency": emergency }))?;
            Ok(Answer::new(view(&answer), answer))
        }
    }
}

fn view(answer: &Value) -> String {
    match answer["items"].is_array() {
        true => output::list(answer, COLUMNS, "No signing keys yet."),
        false => output::object(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    #[test]
    fn an_emergency_is_only_what_is_called_one() {
        for emergency in [false, true] {
            let server = Canned::start(vec![(200, json!({"items": []}))]);
            let organization = InOrganization {
                org: Some("tn-1".to_owned()),
            };
            let args = KeysArgs {
                connection: connection(&server.url),
                command: KeysCommand::Rotate {
                    organization,
                    emergency,
                },
            };
            run(&args).unwrap();
            let asked = server.asked().remove(0);
            assert!(
                asked.starts_with("POST /api/v1/organizations/tn-1/signing-keys/rotate "),
                "{asked}"
            );
            assert!(
                asked.ends_with(&format!(r#"{{"emergency":{emergency}}}"#)),
                "{asked}"
            );
        }
    }

    #[test]
    fn keys_are_listed_with_their_states() {
        let answer = json!({"items": [
            {"kid": "k1", "algorithm": "ES256", "state": "current", "since": "2027-01-31T12:00:00Z"},
        ]});
        assert_eq!(
            view(&answer),
            "KID  ALG    STATE    SINCE\n\
             ─────────────────────────────────────────\n\
             k1   ES256  current  2027-01-31T12:00:00Z"
        );
    }
}

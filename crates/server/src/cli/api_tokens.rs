//! `countersign api-token`: the tokens that programs use the admin API with.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::args::{Connection, Page};
use super::client::{Client, path, with_query};
use super::failure::Failure;
use super::files::{self, PRIVATE};
use super::output::{self, Answer, Column, member};

/// Arguments of `api-token`.
#[derive(Args, Debug)]
pub(crate) struct ApiTokenArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: ApiTokenCommand,
}

#[derive(Debug, Subcommand)]
enum ApiTokenCommand {
    /// Create one; its secret is shown this once
    #[command(
        after_help = "Example:\n  countersign api-token create --name gateway --org tn-0F6E… --role introspector"
    )]
    Create(Create),
    /// List them, without their secrets
    #[command(after_help = "Example:\n  countersign api-token list")]
    List {
        /// Only those of this organization
        #[arg(long, value_name = "TENANT", env = "COUNTERSIGN_ORG")]
        org: Option<String>,
        /// Which part.
        #[command(flatten)]
        page: Page,
    },
    /// Revoke one, at once
    #[command(after_help = "Example:\n  countersign api-token revoke at-9D2B…")]
    Revoke {
        /// Its ID, as the list shows it
        id: String,
    },
}

#[derive(Args, Debug)]
struct Create {
    /// What it is for
    #[arg(long)]
    name: String,
    /// Valid in this organization only
    #[arg(
        long,
        value_name = "TENANT",
        required_unless_present = "platform",
        conflicts_with = "platform"
    )]
    org: Option<String>,
    /// Valid on the whole platform
    #[arg(long)]
    platform: bool,
    /// What it may do
    #[arg(long, value_enum)]
    role: Role,
    /// Days until it expires, 1 to 365
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=365))]
    expires_in_days: u16,
    /// Write the secret into this new file (mode 0600) instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Read, and request every change
    Admin,
    /// Read
    Auditor,
    /// Introspect access tokens, and nothing else
    Introspector,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Introspector => "introspector",
        }
    }
}

const COLUMNS: &[Column] = &[
    ("ID", &["id"]),
    ("NAME", &["name"]),
    ("ROLE", &["role"]),
    ("WHERE", &["tenant_id", "scope"]),
    ("EXPIRES", &["expires_at"]),
];

/// Where the secret is in the answer that made it.
const SECRET: &str = "token";

pub(super) fn run(args: &ApiTokenArgs) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    match &args.command {
        ApiTokenCommand::Create(create) => create.run(&client),
        ApiTokenCommand::List { org, page } => {
            let mut query = page.query();
            query.extend(org.clone().map(|org| ("tenant_id", org)));
            let answer = client.get(&with_query("/api-tokens", &query))?;
            Ok(Answer::new(
                output::list(&answer, COLUMNS, "No API tokens."),
                answer,
            ))
        }
        ApiTokenCommand::Revoke { id } => {
            let answer = client.delete(&path(&["api-tokens", id]))?;
            Ok(Answer::new(
                format!("Revoked {}.", output::visible(id)),
                answer,
            ))
        }
    }
}

impl Create {
    fn run(&self, client: &Client) -> Result<Answer, Failure> {
        if let Some(existing) = self.out.as_ref().filter(|path| path.exists()) {
            return Err(Failure::FileExists(existing.clone()));
        }
        let mut body = json!({
            "name": self.name,
            "scope": if self.platform { "platform" } else { "organization" },
            "role": self.role.as_str(),
            "expires_in_days": self.expires_in_days,
        });
        if let Some(tenant) = &self.org {
            body["tenant_id"] = tenant.as_str().into();
        }
        let mut answer = client.post("/api-tokens", &body)?;
        let Some(path) = &self.out else {
            let text = format!("{}\n\nThe token is shown this once.", view(&answer));
            return Ok(Answer::new(text, answer));
        };
        files::create(
            path,
            PRIVATE,
            format!("{}\n", member(&answer, &[SECRET])).as_bytes(),
        )?;
        if let Some(members) = answer.as_object_mut() {
            members.remove(SECRET);
        }
        let text = format!("{}\n\nThe token is in {}.", view(&answer), path.display());
        Ok(Answer::new(text, answer))
    }
}

fn view(answer: &Value) -> String {
    let names = [
        "id",
        "name",
        "role",
        "scope",
        "tenant_id",
        "created_at",
        "expires_at",
    ];
    let mut pairs = names.map(|name| (name, member(answer, &[name]))).to_vec();
    pairs.push(("token", member(answer, &[SECRET])));
    output::pairs(&pairs)
}

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::super::client::tests::Canned;
    use super::super::files::tests::mode;
    use super::super::session::tests::connection;
    use super::*;
    use clap::Parser;

    fn create(out: Option<PathBuf>) -> (Result<Answer, Failure>, Vec<String>) {
        let created =
            json!({"id": "at-1", "name": "gateway", "role": "auditor", "token": "cst_secret"});
        let is_refused_here = out.as_ref().is_some_and(|path| path.exists());
        let server = Canned::start(if is_refused_here {
            vec![]
        } else {
            vec![(201, created)]
        });
        let args = ApiTokenArgs {
            connection: connection(&server.url),
            command: ApiTokenCommand::Create(Create {
                name: "gateway".to_owned(),
                org: Some("tn-1".to_owned()),
                platform: false,
                role: Role::Auditor,
                expires_in_days: 90,
                out,
            }),
        };
        let answer = run(&args);
        (answer, server.asked())
    }

    #[test]
    fn a_new_token_is_scoped_and_shown_once() {
        let (answer, asked) = create(None);
        let text = answer.unwrap().render(false);
        assert!(text.contains("token  cst_secret\n"), "{text}");
        assert!(asked[0].ends_with(
            r#"{"expires_in_days":90,"name":"gateway","role":"auditor","scope":"organization","tenant_id":"tn-1"}"#
        ), "{}", asked[0]);
    }

    #[test]
    fn a_secret_for_a_file_is_its_owners_and_is_not_shown() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        let (answer, _) = create(Some(path.clone()));
        let answer = answer.unwrap();
        assert!(!(answer.render(false) + &answer.render(true)).contains("cst_secret"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "cst_secret\n");
        assert_eq!(mode(&path), 0o600);
        let (again, asked) = create(Some(path));
        assert_eq!(again.unwrap_err().code(), "file_exists");
        assert!(asked.is_empty(), "no token is made that could not be kept");
    }

    #[test]
    fn where_a_token_is_valid_is_never_a_default() {
        let parse = |more: &[&str]| {
            let words = [
                "countersign",
                "api-token",
                "create",
                "--name",
                "n",
                "--role",
                "admin",
            ];
            Cli::try_parse_from(words.iter().chain(more)).is_ok()
        };
        assert!(!parse(&[]));
        assert!(!parse(&["--platform", "--org", "tn-1"]));
        assert!(parse(&["--platform"]) && parse(&["--org", "tn-1"]));
    }
}

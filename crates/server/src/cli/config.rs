//! `countersign config`: authentication configurations.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{Connection, InOrganization, Page};
use super::client::{Client, path, with_query};
use super::config_fields::{ConfigurationFields, KeyBinding};
use super::config_view;
use super::failure::Failure;
use super::output::Answer;
use super::{files, lookup, org};

/// Arguments of `config`.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Register a public key, and say what its assertions must carry
    #[command(
        after_help = "Example:\n  countersign config create --key ./payments.pub.pem --name \"payments service\""
    )]
    Create(Create),
    /// List the configurations of an organization
    #[command(after_help = "Example:\n  countersign config list --status ACTIVE")]
    List(List),
    /// Show one configuration and its keys
    #[command(after_help = "Example:\n  countersign config show ac-9D2B…")]
    Show(Target),
    /// Change fields of a configuration
    #[command(
        after_help = "Example:\n  countersign config edit ac-9D2B… --access-token-lifetime 300"
    )]
    Edit(Box<Edit>),
    /// Register a new key; the old ones retire after an overlap
    #[command(after_help = "Example:\n  countersign config rotate ac-9D2B… --key ./new.pub.pem")]
    Rotate(Rotate),
    /// Stop a configuration, at once and reversibly
    #[command(
        after_help = "Example:\n  countersign config suspend ac-9D2B… --reason \"key leaked\""
    )]
    Suspend(Act),
    /// Take a suspension back
    #[command(after_help = "Example:\n  countersign config restore ac-9D2B…")]
    Restore(Act),
    /// End a configuration for good
    #[command(after_help = "Example:\n  countersign config deactivate ac-9D2B…")]
    Deactivate(Deactivate),
}

#[derive(Args, Debug)]
struct Create {
    #[command(flatten)]
    organization: InOrganization,
    /// Public key: certificate, PEM, DER, JWK, JWKS or OpenSSH line; - for stdin
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    binding: KeyBinding,
    /// Say what would result, and store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: Box<ConfigurationFields>,
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    organization: InOrganization,
    /// Only those with this status: ACTIVE, SUSPENDED or DEACTIVATED
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Args, Debug)]
struct Target {
    /// The configuration's ID; may be left out when there is only one
    configuration: Option<String>,
    #[command(flatten)]
    organization: InOrganization,
}

#[derive(Args, Debug)]
struct Edit {
    #[command(flatten)]
    target: Target,
    /// The version the edit starts from [default: the newest]
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Say what would result, and store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: ConfigurationFields,
}

#[derive(Args, Debug)]
struct Rotate {
    #[command(flatten)]
    target: Target,
    /// New public key, in any form; - for stdin
    #[arg(long, value_name = "FILE", required_unless_present = "promote")]
    key: Option<PathBuf>,
    #[command(flatten)]
    binding: KeyBinding,
    /// Let the waiting next key take over
    #[arg(long, conflicts_with_all = ["key", "as_next"])]
    promote: bool,
    /// Register the key as the next one, and leave the current one in place
    #[arg(long)]
    as_next: bool,
    /// Seconds until the old keys stop working [default: 604800, which is 7 days]
    #[arg(long, value_name = "SECONDS")]
    retire_after_seconds: Option<u32>,
    /// Say what would result, and store nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Debug)]
struct Act {
    #[command(flatten)]
    target: Target,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
struct Deactivate {
    /// The configuration's ID; it is never looked up, because this is final
    configuration: String,
    #[command(flatten)]
    organization: InOrganization,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

pub(super) fn run(args: &ConfigArgs, now: i64) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    match &args.command {
        ConfigCommand::Create(create) => create.run(&client, now),
        ConfigCommand::List(list) => list.run(&client),
        ConfigCommand::Show(target) => shown(client.get(&target.place(&client)?)?),
        ConfigCommand::Edit(edit) => edit.run(&client),
        ConfigCommand::Rotate(rotate) => rotate.run(&client, now),
        ConfigCommand::Suspend(act) => act.run(&client, "suspend"),
        ConfigCommand::Restore(act) => act.run(&client, "restore"),
        ConfigCommand::Deactivate(act) => act.run(&client),
    }
}

impl Create {
    fn run(&self, client: &Client, now: i64) -> Result<Answer, Failure> {
        let public_key = files::public_key(&self.key, now)?;
        let tenant = lookup::organization(client, self.organization.org.as_deref())?;
        let mut members = self.fields.members();
        members.extend(self.binding.members());
        members.insert("public_key".to_owned(), public_key);
        let place = path(&["organizations", &tenant, "configurations"]);
        let answer = client.post(&trial(&place, self.dry_run), &Value::Object(members))?;
        if self.dry_run {
            return Ok(Answer::new(config_view::trial(&answer), answer));
        }
        let next = config_view::next(&answer, &self.key);
        let text = format!("{}\n\n{next}", config_view::view(&answer));
        Ok(Answer::new(text, answer))
    }
}

impl List {
    fn run(&self, client: &Client) -> Result<Answer, Failure> {
        let tenant = lookup::organization(client, self.organization.org.as_deref())?;
        let place = path(&["organizations", &tenant, "configurations"]);
        let mut query = self.page.query();
        query.extend(
            self.status
                .clone()
                .map(|status| ("status", status.to_uppercase())),
        );
        let answer = client.get(&with_query(&place, &query))?;
        Ok(Answer::new(config_view::list(&answer), answer))
    }
}

impl Target {
    /// The path of the configuration.
    fn place(&self, client: &Client) -> Result<String, Failure> {
        let tenant = lookup::organization(client, self.organization.org.as_deref())?;
        let id = lookup::configuration(client, &tenant, self.configuration.as_deref())?;
        Ok(path(&["organizations", &tenant, "configurations", &id]))
    }
}

impl Edit {
    fn run(&self, client: &Client) -> Result<Answer, Failure> {
        let members = self.fields.members();
        if members.is_empty() {
            return Err(Failure::NothingToChange);
        }
        let place = self.target.place(client)?;
        let version = match self.if_version {
            Some(version) => version,
            None => client.get(&place)?["version"].as_u64().unwrap_or_default(),
        };
        let place = trial(&place, self.dry_run);
        let answer = client.patch(&place, version, &Value::Object(members))?;
        if self.dry_run {
            return Ok(Answer::new(config_view::trial(&answer), answer));
        }
        shown(answer)
    }
}

impl Rotate {
    fn run(&self, client: &Client, now: i64) -> Result<Answer, Failure> {
        let mut members = self.binding.members();
        if let Some(key) = &self.key {
            members.insert("public_key".to_owned(), files::public_key(key, now)?);
        }
        if self.as_next {
            members.insert("as_next".to_owned(), json!(true));
        }
        if let Some(seconds) = self.retire_after_seconds {
            members.insert("retire_after_seconds".to_owned(), json!(seconds));
        }
        let place = format!("{}/rotate", self.target.place(client)?);
        let answer = client.post(&trial(&place, self.dry_run), &Value::Object(members))?;
        if self.dry_run {
            return Ok(Answer::new(config_view::trial(&answer), answer));
        }
        shown(answer)
    }
}

impl Act {
    fn run(&self, client: &Client, verb: &str) -> Result<Answer, Failure> {
        let place = format!("{}/{verb}", self.target.place(client)?);
        shown(client.post(&place, &org::reason(self.reason.as_deref()))?)
    }
}

impl Deactivate {
    fn run(&self, client: &Client) -> Result<Answer, Failure> {
        let tenant = lookup::organization(client, self.organization.org.as_deref())?;
        let place = [
            "organizations",
            &tenant,
            "configurations",
            &self.configuration,
            "deactivate",
        ];
        shown(client.post(&path(&place), &org::reason(self.reason.as_deref()))?)
    }
}

fn shown(answer: Value) -> Result<Answer, Failure> {
    Ok(Answer::new(config_view::view(&answer), answer))
}

fn trial(place: &str, is_dry_run: bool) -> String {
    let query = is_dry_run.then(|| ("dry_run", "true".to_owned()));
    with_query(place, query.as_slice())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use countersign_crypto::{SigningAlgorithm, SigningKey};

    use super::super::args::{Cli, ClientCommand, Command};
    use super::super::client::tests::Canned;
    use super::*;

    fn perform(
        answers: Vec<(u16, Value)>,
        words: &[&str],
    ) -> (Result<Answer, Failure>, Vec<String>) {
        let server = Canned::start(answers);
        let words = ["countersign", "config"].iter().chain(words);
        let words = words
            .copied()
            .chain(["--url", server.url.as_str(), "--token", "cst_x"]);
        let Command::Client(ClientCommand::Config(args)) =
            Cli::try_parse_from(words).unwrap().command
        else {
            panic!("config parses as config")
        };
        let answer = run(&args, 1_800_000_000);
        (answer, server.asked())
    }

    fn body(asked: &str) -> Value {
        let (_, body) = asked.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn create_sends_the_key_and_the_given_fields_and_prints_the_next_command() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("p.pub.pem");
        let pem = SigningKey::generate(SigningAlgorithm::Es256)
            .public_key()
            .to_pem();
        std::fs::write(&file, &pem).unwrap();
        let words = [
            "create",
            "--org",
            "tn-1",
            "--key",
            file.to_str().unwrap(),
            "--name",
            "n",
            "--auth-type",
            "standard",
        ];
        let created = json!({"id": "ac-1", "tenant_id": "tn-1", "name": "n"});
        let (answer, asked) = perform(vec![(201, created)], &words);
        assert!(asked[0].starts_with("POST /api/v1/organizations/tn-1/configurations HTTP/1.1"));
        let sent = body(&asked[0]);
        assert_eq!(
            sent,
            json!({"public_key": pem, "name": "n", "auth_type": "STANDARD"})
        );
        let text = answer.unwrap().render(false);
        assert!(
            text.contains("countersign token --org tn-1 --config ac-1 --key"),
            "{text}"
        );
    }

    #[test]
    fn a_private_key_given_by_mistake_reaches_no_server() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("p.pem");
        let pem = SigningKey::generate(SigningAlgorithm::Es256).to_pkcs8_pem();
        std::fs::write(&file, pem.as_bytes()).unwrap();
        let words = ["create", "--org", "tn-1", "--key", file.to_str().unwrap()];
        let (answer, asked) = perform(vec![], &words);
        assert_eq!(answer.unwrap_err().code(), "private_key_refused");
        assert!(asked.is_empty());
    }

    #[test]
    fn edit_starts_from_the_newest_version_unless_told_otherwise() {
        let answers = vec![(200, json!({"version": 4})), (200, json!({"id": "ac-1"}))];
        let words = ["edit", "ac-1", "--org", "tn-1", "--owner", ""];
        let (_, asked) = perform(answers, &words);
        assert!(
            asked[1].starts_with("PATCH /api/v1/organizations/tn-1/configurations/ac-1 HTTP/1.1")
        );
        assert!(asked[1].to_ascii_lowercase().contains("if-match: \"4\""));
        assert_eq!(body(&asked[1]), json!({"owner": null}));
        let words = [
            "edit",
            "ac-1",
            "--org",
            "tn-1",
            "--name",
            "n",
            "--if-version",
            "2",
        ];
        let (_, asked) = perform(vec![(200, json!({}))], &words);
        assert!(asked[0].to_ascii_lowercase().contains("if-match: \"2\""));
    }

    #[test]
    fn an_edit_of_nothing_is_a_mistake_in_the_command_line() {
        let (answer, asked) = perform(vec![], &["edit", "ac-1", "--org", "tn-1"]);
        assert_eq!(answer.unwrap_err().exit_code(), 2);
        assert!(asked.is_empty());
    }

    #[test]
    fn a_dry_run_asks_for_one() {
        let words = [
            "edit",
            "ac-1",
            "--org",
            "tn-1",
            "--name",
            "n",
            "--if-version",
            "2",
            "--dry-run",
        ];
        let (answer, asked) = perform(vec![(200, json!({}))], &words);
        assert!(
            asked[0]
                .starts_with("PATCH /api/v1/organizations/tn-1/configurations/ac-1?dry_run=true ")
        );
        assert!(answer.unwrap().render(false).starts_with("Dry run"));
    }

    #[test]
    fn a_rotation_registers_a_key_or_promotes_the_waiting_one() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("n.pub.pem");
        std::fs::write(&file, "a key").unwrap();
        let key = file.to_str().unwrap();
        let target = ["rotate", "ac-1", "--org", "tn-1"];
        let sent = |more: &[&str]| {
            let words = [&target[..], more].concat();
            let (_, asked) = perform(vec![(200, json!({}))], &words);
            assert!(
                asked[0].starts_with("POST /api/v1/organizations/tn-1/configurations/ac-1/rotate ")
            );
            body(&asked[0])
        };
        let overlap = ["--key", key, "--kid", "k2", "--retire-after-seconds", "60"];
        assert_eq!(
            sent(&overlap),
            json!({"public_key": "a key", "kid": "k2", "retire_after_seconds": 60})
        );
        assert_eq!(
            sent(&["--key", key, "--as-next"]),
            json!({"public_key": "a key", "as_next": true})
        );
        assert_eq!(sent(&["--promote"]), json!({}));
        assert!(Cli::try_parse_from(["countersign", "config", "rotate", "ac-1"]).is_err());
    }

    #[test]
    fn the_acts_name_the_configuration_and_the_reason() {
        for verb in ["suspend", "restore", "deactivate"] {
            let words = [verb, "ac-1", "--org", "tn-1", "--reason", "leaked"];
            let (_, asked) = perform(vec![(200, json!({}))], &words);
            let expected = format!("POST /api/v1/organizations/tn-1/configurations/ac-1/{verb} ");
            assert!(asked[0].starts_with(&expected), "{}", asked[0]);
            assert_eq!(body(&asked[0]), json!({"reason": "leaked"}));
        }
    }

    #[test]
    fn deactivation_is_final_so_its_target_is_never_guessed() {
        assert!(Cli::try_parse_from(["countersign", "config", "deactivate"]).is_err());
        assert!(Cli::try_parse_from(["countersign", "config", "suspend"]).is_ok());
    }
}

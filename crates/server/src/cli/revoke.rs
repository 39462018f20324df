//! `countersign revoke`: an access token that introspection must no longer call active.

use clap::Args;
use countersign_crypto::UnverifiedJws;
use countersign_domain::time::UnixTime;
use serde_json::{Value, json};

use super::args::{Connection, InOrganization};
use super::client::path;
use super::failure::Failure;
use super::output::Answer;
use super::{files, lookup};

/// Arguments of `revoke`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  countersign revoke --jti 5t4c… --expires-at 2027-01-31T12:10:00Z"
)]
pub(crate) struct RevokeArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The access token; - for stdin
    #[arg(
        value_name = "TOKEN",
        required_unless_present = "jti",
        conflicts_with = "jti"
    )]
    access_token: Option<String>,
    /// Its jti, when the token itself is not at hand
    #[arg(long, requires = "expires_at")]
    jti: Option<String>,
    /// When it expires (RFC 3339): until then the revocation is remembered
    #[arg(long, value_name = "TIME", requires = "jti")]
    expires_at: Option<String>,
    /// Which organization.
    #[command(flatten)]
    organization: InOrganization,
}

pub(super) fn run(args: &RevokeArgs) -> Result<Answer, Failure> {
    let body = match &args.access_token {
        Some(token) => named(&files::argument_or_stdin(token)?).ok_or(Failure::TokenUnreadable)?,
        None => json!({ "jti": args.jti, "expires_at": args.expires_at }),
    };
    let client = args.connection.open()?;
    let tenant = lookup::organization(&client, args.organization.org.as_deref())?;
    let answer = client.post(
        &path(&["organizations", &tenant, "tokens", "revoke"]),
        &body,
    )?;
    let text = "Revoked. Introspection refuses it from now on; who verifies tokens alone accepts it until it expires.";
    Ok(Answer::new(text, answer))
}

/// What the API knows a token by. Only these two values leave the machine, never the token itself.
///
/// Nobody checks its signature here: to revoke a token that was never issued harms nobody.
fn named(token: &str) -> Option<Value> {
    let jws = UnverifiedJws::parse(token).ok()?;
    let claims = jws.peek_claims().ok()?;
    let expires_at = UnixTime::from_seconds(claims.get("exp")?.as_i64()?);
    Some(json!({ "jti": claims.text("jti")?, "expires_at": expires_at.to_string() }))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use countersign_crypto::{JwsSigner, SigningAlgorithm, SigningKey};

    use super::super::args::{Cli, ClientCommand, Command};
    use super::super::client::tests::Canned;
    use super::*;

    fn perform(more: &[&str], answers: usize) -> (Result<Answer, Failure>, Vec<String>) {
        let server = Canned::start(vec![(200, json!({})); answers]);
        let words = [
            "countersign",
            "revoke",
            "--org",
            "tn-1",
            "--url",
            &server.url,
        ];
        let words = words.iter().chain(more);
        let Command::Client(ClientCommand::Revoke(args)) =
            Cli::try_parse_from(words).unwrap().command
        else {
            panic!("revoke parses as revoke")
        };
        (run(&args), server.asked())
    }

    #[test]
    fn a_token_is_revoked_by_its_jti_and_stays_on_the_machine() {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let token =
            JwsSigner::new(key, Some("at+jwt"), None).sign(br#"{"jti":"j","exp":1801397400}"#);
        for words in [
            &[token.as_str()][..],
            &["--jti", "j", "--expires-at", "2027-01-31T12:10:00Z"],
        ] {
            let (answer, asked) = perform(words, 1);
            answer.unwrap();
            let asked = &asked[0];
            assert!(
                asked.starts_with("POST /api/v1/organizations/tn-1/tokens/revoke "),
                "{asked}"
            );
            let body = r#"{"expires_at":"2027-01-31T12:10:00Z","jti":"j"}"#;
            assert!(asked.ends_with(body), "{asked}");
        }
    }

    #[test]
    fn what_is_no_access_token_is_a_mistake_in_the_command_line() {
        let (answer, asked) = perform(&["a.b.c"], 0);
        assert_eq!(answer.unwrap_err().exit_code(), 2);
        assert!(asked.is_empty());
    }

    #[test]
    fn neither_or_both_is_a_mistake_in_the_command_line() {
        for words in [
            &["countersign", "revoke"][..],
            &["countersign", "revoke", "a.b.c", "--jti", "j"][..],
        ] {
            assert!(Cli::try_parse_from(words).is_err(), "{words:?}");
        }
    }
}

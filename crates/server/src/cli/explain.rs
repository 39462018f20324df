//! `countersign explain`: the fourteen checks of one assertion, run by the server, with what was seen and expected.

use clap::{Args, ValueEnum};
use countersign_crypto::{TokenType, UnverifiedJws};
use serde_json::{Value, json};

use super::args::{Connection, InOrganization};
use super::client::path;
use super::failure::Failure;
use super::output::{self, Answer, member, visible};
use super::{files, lookup};

/// Arguments of `explain`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  countersign assertion --key ./payments.key.pem | countersign explain -\n\nThe assertion is not used up. Ends with 0 when it would be accepted, with 1 when it would be refused."
)]
pub(crate) struct ExplainArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The assertion, three parts with dots between them; - for stdin
    #[arg(value_name = "JWT")]
    assertion: String,
    /// Which organization.
    #[command(flatten)]
    organization: InOrganization,
    /// Permission groups that the request would ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// How it would be sent [default: client-assertion if its typ says so, else jwt-bearer]
    #[arg(long, value_enum)]
    flow: Option<Flow>,
}

/// How a caller asks for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Flow {
    /// client_assertion, grant_type=client_credentials
    ClientAssertion,
    /// assertion, grant_type=…:jwt-bearer, as countersign token does
    JwtBearer,
    /// POST /passport/v1/oauth2/token
    Compatibility,
}

impl Flow {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClientAssertion => "client_assertion",
            Self::JwtBearer => "jwt_bearer",
            Self::Compatibility => "compatibility",
        }
    }

    /// How an assertion is probably sent: its `typ` says when it is for client authentication only.
    fn of(assertion: &str) -> Self {
        match UnverifiedJws::parse(assertion) {
            Ok(jws) if *jws.header().token_type() == TokenType::ClientAuthentication => {
                Self::ClientAssertion
            }
            _ => Self::JwtBearer,
        }
    }
}

pub(super) fn run(args: &ExplainArgs) -> Result<Answer, Failure> {
    let assertion = files::argument_or_stdin(&args.assertion)?;
    let client = args.connection.open()?;
    let tenant = lookup::organization(&client, args.organization.org.as_deref())?;
    let flow = args.flow.unwrap_or_else(|| Flow::of(&assertion));
    let mut body = json!({ "assertion": assertion, "flow": flow.as_str() });
    if let Some(scope) = &args.scope {
        body["scope"] = scope.as_str().into();
    }
    let explanation = client.post(&path(&["organizations", &tenant, "explain"]), &body)?;
    let is_accepted = explanation["outcome"] == "accepted";
    let answer = Answer::new(view(&explanation), explanation);
    Ok(if is_accepted {
        answer
    } else {
        answer.refused()
    })
}

/// The checks as a table, then the verdict, then what it was probably meant to be.
fn view(explanation: &Value) -> String {
    let checks = explanation["checks"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let header = ["CHECK", "SEEN", "EXPECTED"].map(str::to_owned).to_vec();
    let mut text = output::table(header, checks.iter().map(row).collect());
    text.push_str(&format!("\n\n{}", verdict(explanation, checks)));
    for hint in explanation["hints"].as_array().into_iter().flatten() {
        let code = visible(&member(hint, &["code"]));
        text.push_str(&format!(
            "\nHint ({code}): {}",
            visible(&member(hint, &["detail"]))
        ));
    }
    text
}

fn row(check: &Value) -> Vec<String> {
    let (mark, is_over) = match check["status"].as_str() {
        Some("passed") => ("✓", true),
        Some("failed") => ("✗", true),
        _ => ("–", false),
    };
    let number = member(check, &["number"]);
    let name = format!("{mark} {number:>2} {}", member(check, &["name"]));
    // A check that did not run has seen nothing, whatever the server might fill in.
    let seen = if is_over {
        member(check, &["seen"])
    } else {
        String::new()
    };
    vec![name, seen, member(check, &["expected"])]
}

fn verdict(explanation: &Value, checks: &[Value]) -> String {
    if explanation["outcome"] == "accepted" {
        let grant = output::object(&explanation["grant"]);
        let text = "Accepted: this assertion gives an access token. It was not used up.";
        return if grant.is_empty() {
            text.to_owned()
        } else {
            format!("{text}\n\n{grant}")
        };
    }
    let reason = visible(&member(explanation, &["reason"]));
    let Some(failed) = checks.iter().find(|check| check["status"] == "failed") else {
        return format!("Refused: {reason}");
    };
    let number = member(failed, &["number"]);
    let name = visible(&member(failed, &["name"]));
    let detail = visible(&member(failed, &["detail"]));
    format!("Refused at check {number}, {name}: {reason}\n{detail}")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use countersign_crypto::{JwsSigner, SigningAlgorithm, SigningKey};

    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    fn refused() -> Value {
        json!({
            "outcome": "refused", "reason": "audience_mismatch",
            "checks": [
                {"number": 1, "name": "Well-formed JWT", "status": "passed", "seen": "412 octets",
                 "expected": "at most 16384 octets"},
                {"number": 4, "name": "Configuration (iss, sub, aud)", "status": "failed",
                 "seen": "http://h/t/tn-1/", "expected": "http://h/t/tn-1", "reason": "audience_mismatch",
                 "detail": "aud names nobody here."},
                {"number": 14, "name": "Single use", "status": "not_reached", "seen": "?", "expected": ""},
            ],
            "hints": [{"code": "trailing_slash", "detail": "aud differs only in the final slash."}],
            "grant": null,
        })
    }

    #[test]
    fn a_refusal_shows_the_checks_the_reason_and_the_near_miss() {
        assert_eq!(
            view(&refused()),
            "CHECK                               SEEN              EXPECTED\n\
             ──────────────────────────────────────────────────────────────────────────\n\
             ✓  1 Well-formed JWT                412 octets        at most 16384 octets\n\
             ✗  4 Configuration (iss, sub, aud)  http://h/t/tn-1/  http://h/t/tn-1\n\
             – 14 Single use\n\n\
             Refused at check 4, Configuration (iss, sub, aud): audience_mismatch\n\
             aud names nobody here.\n\
             Hint (trailing_slash): aud differs only in the final slash."
        );
    }

    #[test]
    fn an_accepted_assertion_shows_what_it_would_give() {
        let explanation = json!({
            "outcome": "accepted", "reason": null, "hints": [], "grant": {"scope": "a b", "expires_in": 600},
            "checks": [{"number": 1, "name": "Well-formed JWT", "status": "passed", "seen": "s", "expected": "e"}],
        });
        let text = view(&explanation);
        assert!(
            text.ends_with("It was not used up.\n\nexpires_in  600\nscope       a b"),
            "{text}"
        );
    }

    #[test]
    fn what_a_stranger_wrote_into_the_assertion_cannot_steer_the_terminal() {
        let mut explanation = refused();
        explanation["checks"][1]["seen"] = "\u{1b}]0;owned\u{7}".into();
        explanation["hints"][0]["detail"] = "\u{1b}[2J".into();
        let text = view(&explanation);
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }

    #[test]
    fn it_asks_the_server_and_ends_as_the_outcome_says() {
        let accepted = json!({"outcome": "accepted", "checks": [], "hints": [], "grant": {}});
        for (answer, exit_code) in [(refused(), 1), (accepted, 0)] {
            let server = Canned::start(vec![(200, answer.clone())]);
            let args = ExplainArgs {
                connection: connection(&server.url),
                assertion: " a.b.c\n".to_owned(),
                organization: InOrganization {
                    org: Some("tn-1".to_owned()),
                },
                scope: None,
                flow: Some(Flow::ClientAssertion),
            };
            let shown = run(&args).unwrap();
            assert_eq!(shown.exit_code(), exit_code);
            assert_eq!(
                serde_json::from_str::<Value>(&shown.render(true)).unwrap(),
                answer
            );
            let asked = server.asked().remove(0);
            assert!(
                asked.starts_with("POST /api/v1/organizations/tn-1/explain "),
                "{asked}"
            );
            assert!(
                asked.ends_with(r#"{"assertion":"a.b.c","flow":"client_assertion"}"#),
                "{asked}"
            );
        }
    }

    #[test]
    fn the_typ_of_an_assertion_says_how_it_is_sent() {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let cases = [
            (Some("client-authentication+jwt"), Flow::ClientAssertion),
            (Some("JWT"), Flow::JwtBearer),
            (None, Flow::JwtBearer),
        ];
        for (typ, flow) in cases {
            let assertion = JwsSigner::new(key.clone(), typ, None).sign(b"{}");
            assert_eq!(Flow::of(&assertion), flow, "{typ:?}");
        }
        assert_eq!(Flow::of("no assertion"), Flow::JwtBearer);
    }
}

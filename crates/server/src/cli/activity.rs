//! `countersign activity`: what happened in an organization, or on the platform.

use clap::Args;

use super::args::{Connection, InOrganization, Page};
use super::client::{path, with_query};
use super::failure::Failure;
use super::lookup;
use super::output::{self, Answer, Column};

/// Arguments of `activity`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  countersign activity --correlation-id 0198c2f0-7d2e-7c33-9a51-5be1f0c2a1d4"
)]
pub(crate) struct ActivityArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Which organization.
    #[command(flatten)]
    organization: InOrganization,
    /// What happened on the platform itself: API tokens of the platform, restores
    #[arg(long, conflicts_with = "org")]
    platform: bool,
    /// Only what belongs to this answer of the server
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Only what is of this kind, for example token.refused
    #[arg(long)]
    kind: Option<String>,
    /// Which part.
    #[command(flatten)]
    page: Page,
}

const COLUMNS: &[Column] = &[
    ("CORRELATION ID", &["correlation_id"]),
    ("AT", &["at"]),
    ("KIND", &["kind"]),
    ("REASON", &["reason", "detail/reason"]),
    ("ACTOR", &["actor"]),
];

pub(super) fn run(args: &ActivityArgs) -> Result<Answer, Failure> {
    let client = args.connection.open()?;
    let place = if args.platform {
        path(&["activity"])
    } else {
        let tenant = lookup::organization(&client, args.organization.org.as_deref())?;
        path(&["organizations", &tenant, "activity"])
    };
    let mut query = args.page.query();
    query.extend(args.correlation_id.clone().map(|id| ("correlation_id", id)));
    query.extend(args.kind.clone().map(|kind| ("kind", kind)));
    let answer = client.get(&with_query(&place, &query))?;
    let text = match answer["items"].as_array().map(Vec::as_slice) {
        // One answer of the server was asked for: all of it.
        Some([entry]) if args.correlation_id.is_some() => output::object(entry),
        _ => output::list(&answer, COLUMNS, "Nothing happened yet."),
    };
    Ok(Answer::new(text, answer))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    fn shown(correlation_id: Option<&str>, items: &Value) -> (String, String) {
        let server = Canned::start(vec![(200, json!({"items": items}))]);
        let args = ActivityArgs {
            connection: connection(&server.url),
            organization: InOrganization {
                org: Some("tn-1".to_owned()),
            },
            platform: false,
            correlation_id: correlation_id.map(str::to_owned),
            kind: Some("token.refused".to_owned()),
            page: Page {
                limit: 5,
                cursor: None,
            },
        };
        let text = run(&args).unwrap().render(false);
        (text, server.asked().remove(0))
    }

    fn entry() -> Value {
        json!({
            "at": "2027-01-31T12:00:00Z", "kind": "token.refused", "actor": "ac-1",
            "correlation_id": "0198c2f0-7d2e-7c33-9a51-5be1f0c2a1d4", "detail": {"reason": "key_unknown"},
        })
    }

    #[test]
    fn a_refusal_is_listed_with_its_reason() {
        let (text, asked) = shown(None, &json!([entry()]));
        assert!(
            asked.starts_with(
                "GET /api/v1/organizations/tn-1/activity?limit=5&kind=token%2Erefused "
            ),
            "{asked}"
        );
        assert!(
            text.contains("0198c2f0-7d2e-7c33-9a51-5be1f0c2a1d4") && text.contains("key_unknown"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
    }

    #[test]
    fn one_answer_is_shown_whole() {
        let (text, asked) = shown(Some("c-1"), &json!([entry()]));
        assert!(
            asked.contains("limit=5&correlation_id=c-1&kind="),
            "{asked}"
        );
        assert!(
            text.contains("detail:\n{\n  \"reason\": \"key_unknown\"\n}"),
            "{text}"
        );
    }
}

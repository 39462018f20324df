//! `countersign token`: an assertion exchanged for an access token (RFC 7523 §2.1), which is kept while it lasts.

use clap::Args;
use countersign_crypto::KeyFingerprint;
use serde_json::Value;

use super::args::Connection;
use super::assertion::{self, SigningArgs, Type};
use super::client::path;
use super::failure::Failure;
use super::output::Answer;
use super::token_cache::{CacheKey, TokenCache, UserPlaces};

/// The grant of RFC 7523 §2.1.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Arguments of `token`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  TOKEN=$(countersign token --key ./payments.key.pem)")]
pub(crate) struct TokenArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What is signed, and with which key.
    #[command(flatten)]
    signing: SigningArgs,
    /// Neither use nor keep a token in the cache
    #[arg(long)]
    no_cache: bool,
    /// Where the cache is.
    #[command(flatten)]
    user: UserPlaces,
}

pub(super) fn run(args: &TokenArgs, now: i64) -> Result<Answer, Failure> {
    let cache = if args.no_cache {
        None
    } else {
        TokenCache::of_user(&args.user)
    };
    run_with(args, cache.as_ref(), now)
}

fn run_with(args: &TokenArgs, cache: Option<&TokenCache>, now: i64) -> Result<Answer, Failure> {
    let TokenArgs {
        connection,
        signing,
        ..
    } = args;
    let key = signing.signing_key()?;
    let client = connection.open()?;
    let (tenant, configuration) = signing.target(&client)?;
    let place = path(&["t", &tenant]);
    let issuer = format!("{}{place}", client.url().as_str());
    let cache_key = cache_key(
        signing,
        &issuer,
        &configuration,
        key.public_key().fingerprint(),
    );
    if let Some(kept) = cache.and_then(|cache| cache.find(&cache_key, now)) {
        connection.say("using the token in the cache; --no-cache asks for a new one");
        return Ok(answer(kept));
    }
    let identity = assertion::identity(signing, &client, connection, (&tenant, &configuration));
    let assertion = assertion::sign(key, signing, Type::Jwt, &identity, now);
    let mut form = vec![("grant_type", GRANT), ("assertion", assertion.as_str())];
    form.extend(signing.scope.as_deref().map(|scope| ("scope", scope)));
    let token = client.post_form(&format!("{place}/token"), &form);
    let token = token.map_err(|failure| hinted(failure, &tenant))?;
    if !token["access_token"].is_string() {
        let url = format!("{issuer}/token");
        return Err(Failure::AnswerUnreadable { url, status: 200 });
    }
    if let Some(cache) = cache
        && let Err(failure) = cache.keep(&cache_key, &token, now)
    {
        // The token is good; only the next call will have to ask again.
        connection.say(&format!("not kept: {failure}"));
    }
    Ok(answer(token))
}

fn cache_key<'a>(
    signing: &'a SigningArgs,
    issuer: &'a str,
    configuration: &'a str,
    fingerprint: KeyFingerprint,
) -> CacheKey<'a> {
    CacheKey {
        issuer,
        configuration,
        scope: signing.scope.as_deref(),
        identity: [&signing.issuer, &signing.subject, &signing.audience].map(Option::as_deref),
        fingerprint,
    }
}

fn answer(token: Value) -> Answer {
    let text = token["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Answer::new(text, token)
}

/// The token endpoint tells a stranger little; an administrator can ask for all of it.
fn hinted(failure: Failure, tenant: &str) -> Failure {
    match failure {
        Failure::Problem(problem) if matches!(problem.status, 400 | 401) => {
            let hint = format!(
                "to see every check, make an assertion and pipe it into: countersign explain --org {tenant} -"
            );
            Failure::Problem(Box::new(problem.with_hint(hint)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use countersign_crypto::SigningKey;
    use serde_json::json;

    use super::super::assertion::tests::{claims, signing};
    use super::super::client::tests::Canned;
    use super::super::session::tests::connection;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn args(place: &tempfile::TempDir, url: &str) -> (TokenArgs, SigningKey) {
        let (signing, key) = signing(place);
        let args = TokenArgs {
            connection: connection(url),
            signing,
            no_cache: false,
            user: UserPlaces::default(),
        };
        (args, key)
    }

    fn cache(place: &tempfile::TempDir) -> TokenCache {
        TokenCache::at(place.path().join("cache"))
    }

    fn issued(token: &str) -> (u16, Value) {
        (
            200,
            json!({"access_token": token, "token_type": "Bearer", "expires_in": 600}),
        )
    }

    #[test]
    fn the_exchange_sends_a_fresh_assertion_and_prints_the_token() {
        let place = tempfile::tempdir().unwrap();
        let server = Canned::start(vec![issued("t1")]);
        let (mut args, key) = args(&place, &server.url);
        args.signing.scope = Some("payments-v1:accounts:r".to_owned());
        let answer = run_with(&args, None, NOW).unwrap();
        assert_eq!(answer.render(false), "t1\n");
        let url = server.url.clone();
        let asked = server.asked().remove(0);
        assert!(asked.starts_with("POST /t/tn-1/token HTTP/1.1"), "{asked}");
        let (_, form) = asked.split_once("\r\n\r\n").unwrap();
        assert!(form.starts_with(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
        ));
        assert!(
            form.ends_with("&scope=payments-v1%3Aaccounts%3Ar"),
            "{form}"
        );
        let assertion = form.split(['=', '&']).nth(3).unwrap();
        assert_eq!(claims(assertion, &key)["aud"], format!("{url}/t/tn-1"));
    }

    #[test]
    fn a_kept_token_saves_the_exchange_and_another_key_gets_its_own() {
        let place = tempfile::tempdir().unwrap();
        let server = Canned::start(vec![issued("t1"), issued("t2"), issued("t3")]);
        let cache = cache(&place);
        let (first, _) = args(&place, &server.url);
        let (second, _) = args(&place, &server.url);
        let token =
            |args: &TokenArgs, now| run_with(args, Some(&cache), now).unwrap().render(false);
        assert_eq!(token(&first, NOW), "t1\n");
        assert_eq!(token(&first, NOW + 1), "t1\n");
        assert_eq!(token(&second, NOW + 1), "t2\n");
        assert_eq!(token(&first, NOW + 600), "t3\n");
        assert_eq!(server.asked().len(), 3);
    }

    #[test]
    fn a_refusal_is_not_kept_and_says_how_to_learn_more() {
        let place = tempfile::tempdir().unwrap();
        let refusal =
            json!({"error": "invalid_grant", "error_description": "No.", "correlation_id": "c-1"});
        let server = Canned::start(vec![(400, refusal), issued("t1")]);
        let cache = cache(&place);
        let (args, _) = args(&place, &server.url);
        let failure = run_with(&args, Some(&cache), NOW).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(
            failure
                .report()
                .contains("countersign explain --org tn-1 -"),
            "{}",
            failure.report()
        );
        assert_eq!(
            run_with(&args, Some(&cache), NOW).unwrap().render(false),
            "t1\n"
        );
        server.asked();
    }

    #[test]
    fn an_answer_without_a_token_is_no_success() {
        let place = tempfile::tempdir().unwrap();
        let server = Canned::start(vec![(200, json!({"expires_in": 600}))]);
        let cache = cache(&place);
        let (args, _) = args(&place, &server.url);
        assert_eq!(
            run_with(&args, Some(&cache), NOW).unwrap_err().exit_code(),
            4
        );
        assert!(!place.path().join("cache").exists());
        server.asked();
    }

    #[test]
    fn a_cache_that_cannot_be_written_costs_nothing_but_time() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("cache"), "a file in the way").unwrap();
        let server = Canned::start(vec![issued("t1")]);
        let (args, _) = args(&place, &server.url);
        assert_eq!(
            run_with(&args, Some(&cache(&place)), NOW)
                .unwrap()
                .render(false),
            "t1\n"
        );
        server.asked();
    }
}

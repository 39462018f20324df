//! `conformance.md` O2: people paste secrets where they do not belong. None is kept, and none is shown.

use axum::http::Method;
use countersign_domain::api_tokens::ApiRole;
use countersign_testkit::{Answer, Assertion, CLIENT_CREDENTIALS, PRIVATE_KEY_JWT, World};
use serde_json::{Value, json};

const PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

/// Members of an assertion that end up in an explanation when they are wrong.
const CLAIMS: [&str; 11] = [
    "iss",
    "sub",
    "aud",
    "jti",
    "exp",
    "iat",
    "tenant_id",
    "uid",
    "external_account_id",
    "scope",
    "pismo",
];

/// Secrets, each with a part of it that must be found nowhere.
async fn secrets(world: &World, program: &str) -> Vec<(String, String)> {
    let token = world.server.token(&world.acme, world.assertion().sign());
    let token = token.await.access_token();
    let unused = world.assertion().sign();
    let mut secrets = vec![
        (
            format!("-----BEGIN PRIVATE KEY-----\n{PKCS8}\n-----END PRIVATE KEY-----\n"),
            PKCS8[30..60].to_owned(),
        ),
        (PKCS8.to_owned(), PKCS8[30..60].to_owned()),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "d": &PKCS8[20..]}).to_string(),
            PKCS8[30..60].to_owned(),
        ),
        (program.to_owned(), program[10..30].to_owned()),
    ];
    for jws in [token, unused] {
        let signature = jws.rsplit('.').next().unwrap();
        secrets.push((jws.clone(), signature[10..40].to_owned()));
        // The end of the payload, which is like no other's: the `jti`.
        let payload = jws.split('.').nth(1).unwrap();
        secrets.push((jws.clone(), payload[payload.len() - 30..].to_owned()));
    }
    secrets
}

/// Every request that has the text in a place where it does not belong.
fn requests<'a>(world: &'a World, text: &'a str) -> Vec<(Assertion, [(&'a str, &'a str); 1])> {
    let mut all: Vec<_> = ["client_id", "scope", "resource"]
        .map(|parameter| (world.assertion(), [(parameter, text)]))
        .into();
    for claim in CLAIMS {
        for value in [json!(text), json!([text]), json!({ text: text })] {
            all.push((world.assertion().claim(claim, value), [("x", "")]));
        }
    }
    for name in ["kid", "typ", "alg"] {
        all.push((world.assertion().header(name, text), [("x", "")]));
    }
    let payload = format!("{{{0}:1,{0}:2}}", json!(text));
    all.push((world.assertion().raw_payload(payload), [("x", "")]));
    all
}

async fn ask(world: &World, assertion: &str, parameter: [(&str, &str); 1]) -> Answer {
    let form = [
        ("grant_type", CLIENT_CREDENTIALS),
        ("client_assertion_type", PRIVATE_KEY_JWT),
        ("client_assertion", assertion),
        parameter[0],
    ];
    world
        .server
        .post_form(&world.acme.path("token"), &form)
        .await
}

#[tokio::test]
async fn o2_no_secret_in_any_parameter_or_claim_is_kept_or_shown() {
    let world = World::start().await;
    let admin = ApiRole::Admin;
    let program = world.server.api_token(Some(&world.acme), admin).await;
    let explain = format!("/api/v1/organizations/{}/explain", world.acme.id);
    let mut asked = 0;
    for (secret, canary) in secrets(&world, &program).await {
        for (assertion, parameter) in requests(&world, &secret) {
            let signed = assertion.sign();
            let answer = ask(&world, &signed, parameter).await;
            assert!(!answer.text().contains(&canary), "{}", answer.text());
            if answer.status != 200 {
                let detail = world.server.recorded_detail(&world.acme, &answer).await;
                assert!(!detail.to_string().contains(&canary), "{detail}");
                let seen = detail["seen"].as_str().unwrap();
                assert!(seen.chars().count() <= 121, "{detail}");
            }
            let mut body = json!({ "assertion": signed });
            match parameter {
                [("x", _)] => {}
                [("resource", text)] => body["resource"] = json!([text]),
                [(name, text)] => body[name] = json!(text),
            }
            let shown = world
                .server
                .api(Method::POST, &explain, &program, Some(body))
                .await;
            assert!(!shown.text().contains(&canary), "{}", shown.text());
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
}

/// Before the signature has verified, anybody can send it: what is kept of it is little.
#[tokio::test]
async fn o2_of_a_long_text_the_beginning_is_kept() {
    let world = World::start().await;
    let long = "long ".repeat(8_000);
    for parameter in [("client_id", long.as_str()), ("scope", long.as_str())] {
        let answer = ask(&world, &world.assertion().sign(), [parameter]).await;
        let detail = world.server.recorded_detail(&world.acme, &answer).await;
        let kept: Vec<&Value> = detail.as_object().unwrap().values().collect();
        assert!(detail.to_string().len() < 1500, "{kept:?}");
    }
}

//! Part 3, attacks 18 and 23: what an outsider can plant, and what it can learn.

use axum::http::Method;
use countersign_domain::api_tokens::ApiRole;
use countersign_domain::configurations::ConfigurationEdit;
use countersign_domain::time::UnixTime;
use countersign_service::StatusChange;
use countersign_testkit::{
    Answer, Assertion, FORM, MIDNIGHT, NewClient, PRIVATE_KEY_JWT, TestKey, World, base64url,
};
use serde_json::json;

use crate::support::assert_recorded;

#[tokio::test]
async fn attack_18_hostile_text_stays_data_in_the_activity() {
    let world = World::start().await;
    let hostile = [
        "\r\nSet-Cookie: a=b",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{202e}\u{2066}evil",
        "\"},{\"kind\":\"change.applied\"",
        "=cmd|' /C calc'!A0",
        "</script><script>alert(1)</script>",
        "\u{0}",
        "${jndi:ldap://evil.example}",
    ];
    let token = world.server.api_token(Some(&world.acme), ApiRole::Auditor);
    let token = token.await;
    for text in hostile {
        for name in ["iss", "sub", "aud"] {
            let assertion = world.assertion().claim(name, text).sign();
            let answer = world.server.grant(&world.acme, &assertion).await;
            assert_eq!(answer.status, 400);
            assert!(!answer.text().contains("evil") && !answer.text().contains("<script"));
            let detail = world.server.recorded_detail(&world.acme, &answer).await;
            assert_eq!(detail["seen"], text, "what was seen is kept as it was");
        }
        let kid = world.assertion().header("kid", text).sign();
        assert_eq!(world.server.grant(&world.acme, &kid).await.status, 400);
    }
    let path = format!("/api/v1/organizations/{}/activity?limit=100", world.acme.id);
    let listed = world.server.api(Method::GET, &path, &token, None).await;
    assert_eq!(listed.header("content-type"), Some("application/json"));
    for entry in listed.json()["items"].as_array().unwrap() {
        let kind = entry["kind"].as_str().unwrap();
        let from_us = entry["actor"] != "caller";
        assert!(kind == "token.refused" || from_us, "{entry}");
    }
    let raw: Vec<u8> = listed
        .body
        .iter()
        .copied()
        .filter(u8::is_ascii_control)
        .collect();
    assert!(raw.is_empty(), "no control character leaves unescaped");
    let huge = world.assertion().header("kid", "k".repeat(3000)).sign();
    let answer = world.server.grant(&world.acme, &huge).await;
    let detail = world.server.recorded_detail(&world.acme, &answer).await;
    assert!(detail.to_string().len() < 1000);
}

/// Assertions of clients whose trust has ended in one way or another, each with the true reason.
async fn ended(world: &World) -> Vec<(&'static str, Assertion)> {
    let server = &world.server;
    let soon = UnixTime::from_seconds(server.now() + 10);
    let expiring = NewClient::with_fields(ConfigurationEdit {
        expires_at: Some(Some(soon)),
        ..ConfigurationEdit::default()
    });
    let mut clients = Vec::new();
    for new in [
        NewClient::with_key(&TestKey::es256()),
        NewClient::with_key(&TestKey::es256()),
        expiring,
        NewClient::with_certificate(),
    ] {
        clients.push(server.create_client(&world.acme, new).await.unwrap());
    }
    server
        .change_status(&clients[0], StatusChange::Suspend)
        .await;
    server
        .change_status(&clients[1], StatusChange::Deactivate)
        .await;
    server.clock.set(MIDNIGHT);
    let reasons = [
        "configuration_suspended",
        "configuration_deactivated",
        "configuration_expired",
        "key_expired",
    ];
    let assertions = clients.iter().map(|client| world.assertion_of(client));
    reasons.into_iter().zip(assertions).collect()
}

/// Assertions of callers who have not proven to hold a key, each with the true reason.
async fn unproven(world: &World) -> Vec<(&'static str, String)> {
    let mut found = ended(world).await;
    let good = || world.assertion();
    found.extend([
        (
            "issuer_unknown",
            good().claim("iss", "ac-x").claim("sub", "ac-x"),
        ),
        ("issuer_unknown", world.assertion_of(&world.b1)),
        ("subject_mismatch", good().claim("sub", "x")),
        ("audience_mismatch", good().claim("aud", "x")),
        ("claims_malformed", good().without("iss")),
        ("claims_malformed", good().claim("aud", json!(["x", "y"]))),
        ("claims_malformed", good().raw_payload("[]")),
        ("key_unknown", good().header("kid", "x")),
        ("key_unknown", good().header("alg", "RS256")),
        ("signature_invalid", good().signed_by(&world.a2.key)),
        ("signature_invalid", good().signature([0; 64])),
        ("algorithm_not_allowed", good().header("alg", "none")),
        ("header_unacceptable", good().header("typ", "x")),
    ]);
    let mut texts: Vec<_> = found
        .iter()
        .map(|(reason, assertion)| (*reason, assertion.sign()))
        .collect();
    texts.push(("assertion_malformed", "garbage".to_owned()));
    texts.push(("assertion_malformed", base64url("a.b.c")));
    texts
}

/// Status, header fields and body, without what is different in every answer.
fn comparable(answer: &Answer) -> String {
    let mut headers = answer.headers.clone();
    headers.remove("x-correlation-id");
    format!(
        "{} {headers:?} {}",
        answer.status,
        answer.text_without_correlation()
    )
}

#[tokio::test]
async fn attack_23_an_outsider_cannot_tell_one_refusal_from_another() {
    let world = World::start().await;
    let (mut as_client, mut as_grant, mut as_passport) = (Vec::new(), Vec::new(), Vec::new());
    for (reason, assertion) in unproven(&world).await {
        let answer = world.server.token(&world.acme, &assertion).await;
        let reason_here = match reason {
            "subject_mismatch" | "issuer_unknown" => None,
            other => Some(other),
        };
        if let Some(reason) = reason_here {
            assert_recorded(&world, &world.acme, &answer, reason).await;
        }
        as_client.push(comparable(&answer));
        let answer = world.server.grant(&world.acme, &assertion).await;
        assert_recorded(&world, &world.acme, &answer, reason).await;
        as_grant.push(comparable(&answer));
        as_passport.push(comparable(&world.server.passport(&assertion).await));
    }
    for mut texts in [as_client, as_grant, as_passport] {
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:#?}");
    }
}

#[tokio::test]
async fn attack_23_an_unknown_organization_is_one_constant_404() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let mut texts = Vec::new();
    for id in [
        "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
        "tn-x",
        "acme",
        "%F0%9F%98%80",
    ] {
        for (endpoint, more) in [
            ("token", ""),
            ("introspect", "&token=x"),
            ("revoke", "&token=x"),
        ] {
            let body = format!(
                "grant_type=client_credentials&client_assertion={assertion}{more}&client_assertion_type={}",
                PRIVATE_KEY_JWT.replace(':', "%3A")
            );
            let headers = [("content-type", FORM)];
            let path = format!("/t/{id}/{endpoint}");
            texts.push(comparable(&world.server.post(&path, &headers, body).await));
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:#?}");
    assert!(texts[0].starts_with("404"));
}

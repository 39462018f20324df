//! `conformance.md` M9 and O3 for the API: hostile text in every field is refused, or comes back as inert JSON.

use serde_json::{Value, json};

use crate::support::{Api, ORGANIZATIONS, assert_blames, fresh_key};

/// Text that would be executed, split a line or read differently where somebody is careless.
const HARMLESS_AS_JSON: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; DROP TABLE organizations; --",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x}{{7*7}}",
    "支払い Übersicht \u{1f600}",
];

/// Text that no field takes.
const NEVER: [&str; 8] = [
    "a\r\nSet-Cookie: x=1",
    "a\u{1b}[31mred",
    "a\0b",
    "pay\u{202e}stnem",
    "a\u{2066}b",
    "zero\u{200b}width",
    "a\u{feff}b",
    "a\u{85}b",
];

#[tokio::test]
async fn m9_text_of_people_is_taken_as_text_and_returned_unchanged_as_json() {
    let api = Api::start().await;
    for text in HARMLESS_AS_JSON {
        let answer = api.post(ORGANIZATIONS, json!({"name": text})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["name"]),
            (201, &json!(text))
        );
        let (path, resource) = api
            .created(json!({"name": text, "owner": text, "notes": text}))
            .await;
        for field in ["name", "owner", "notes"] {
            assert_eq!(resource[field], text, "{field}");
        }
        assert_eq!(api.get(path).await.json(), resource);
        let token = json!({"name": text, "scope": "platform", "role": "auditor"});
        assert_eq!(
            api.post("/api/v1/api-tokens", token).await.json()["name"],
            text
        );
    }
}

#[tokio::test]
async fn o3_control_and_direction_characters_are_refused_in_every_text() {
    let api = Api::start().await;
    for text in NEVER {
        for field in ["name", "owner", "notes"] {
            assert_blames(
                &api.create(json!({field: text})).await,
                "text_malformed",
                &format!("/{field}"),
            );
            assert_blames(
                &api.patch(api.a1(), 1, json!({field: text})).await,
                "text_malformed",
                &format!("/{field}"),
            );
        }
        assert_blames(
            &api.post(ORGANIZATIONS, json!({"name": text})).await,
            "text_malformed",
            "/name",
        );
        assert_blames(
            &api.patch(api.acme(), 1, json!({"name": text})).await,
            "text_malformed",
            "/name",
        );
        let token = json!({"name": text, "scope": "platform", "role": "auditor"});
        assert_blames(
            &api.post("/api/v1/api-tokens", token).await,
            "text_malformed",
            "/name",
        );
        assert_blames(
            &api.post(format!("{}/suspend", api.a1()), json!({"reason": text}))
                .await,
            "text_malformed",
            "/reason",
        );
        let revoke = json!({"jti": text, "expires_at": "2027-01-15T09:00:00Z"});
        assert_blames(
            &api.post(format!("{}/tokens/revoke", api.acme()), revoke)
                .await,
            "jti_malformed",
            "/jti",
        );
        assert_blames(
            &api.create(json!({"kid": text})).await,
            "kid_malformed",
            "/kid",
        );
        for field in [
            "verifier_issuer",
            "verifier_subject",
            "verifier_audience",
            "signer_issuer",
            "signer_audience",
        ] {
            assert_blames(
                &api.create(json!({field: text})).await,
                "identifier_malformed",
                &format!("/{field}"),
            );
        }
        for (field, code) in [
            ("copied_claims", "copied_claim_not_allowed"),
            ("permission_groups", "permission_group_malformed"),
        ] {
            assert_blames(
                &api.create(json!({field: [text]})).await,
                code,
                &format!("/{field}"),
            );
        }
        let groups = json!({"name": "n", "permission_groups": [text]});
        assert_blames(
            &api.post(ORGANIZATIONS, groups).await,
            "permission_group_malformed",
            "/permission_groups",
        );
    }
}

#[tokio::test]
async fn texts_have_a_longest_length() {
    let api = Api::start().await;
    for (field, longest) in [("name", 100), ("owner", 100), ("notes", 2000)] {
        assert_eq!(
            api.create(json!({field: "é".repeat(longest)})).await.status,
            201,
            "{field}"
        );
        let answer = api.create(json!({field: "é".repeat(longest + 1)})).await;
        assert_blames(&answer, "text_malformed", &format!("/{field}"));
        assert_blames(
            &api.create(json!({field: " \t "})).await,
            "text_malformed",
            &format!("/{field}"),
        );
    }
    assert_eq!(
        api.create(json!({"verifier_issuer": "a".repeat(512)}))
            .await
            .status,
        201
    );
    assert_blames(
        &api.create(json!({"verifier_issuer": "a".repeat(513)}))
            .await,
        "identifier_malformed",
        "/verifier_issuer",
    );
    assert_eq!(
        api.create(json!({"kid": "a".repeat(256)})).await.status,
        201
    );
    assert_blames(
        &api.create(json!({"kid": "a".repeat(257)})).await,
        "kid_malformed",
        "/kid",
    );
}

#[tokio::test]
async fn m9_the_subject_of_a_certificate_and_the_kid_of_a_jwk_are_inert() {
    let api = Api::start().await;
    let path = format!("{}/keys/preview", api.acme());
    let answer = api
        .post(
            &path,
            json!({"public_key": crate::keys::good("hostile_certificate")}),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let subject = answer.json()["keys"][0]["certificate_subject"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(subject.contains("<script>"), "{subject}");
    assert!(
        !subject.contains('\u{202e}'),
        "a text-direction character is passed on: {subject:?}"
    );
    let mut jwk: Value = serde_json::from_str(crate::keys::good("rsa_jwk")).unwrap();
    jwk["kid"] = json!("<script>alert(1)</script>");
    let stored = api.create(json!({"public_key": jwk.clone()})).await;
    assert_eq!(stored.json()["keys"][0]["kid"], "<script>alert(1)</script>");
    jwk["kid"] = json!("a\u{202e}b");
    assert_eq!(api.create(json!({"public_key": jwk})).await.status, 422);
}

#[tokio::test]
async fn what_a_refusal_repeats_is_short_and_without_control_characters() {
    let api = Api::start().await;
    for text in [&"x".repeat(100_000), "a\r\nb\u{1b}[31m"] {
        for answer in [
            api.create(json!({text: 1})).await,
            api.create(json!({"auth_type": text})).await,
            api.create(json!({"permission_groups": [text]})).await,
            api.create(json!({"copied_claims": [text]})).await,
            api.create(json!({"expires_at": text})).await,
            api.post(
                ORGANIZATIONS,
                json!({"name": "n", "permission_groups": [text]}),
            )
            .await,
            api.post(
                api.configurations(),
                json!({"public_key": fresh_key(), "name": text}),
            )
            .await,
        ] {
            assert_eq!(answer.status, 422);
            assert!(answer.body.len() < 2000, "{} octets", answer.body.len());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(!detail.chars().any(char::is_control), "{detail:?}");
        }
    }
}

#[tokio::test]
async fn header_fields_of_the_caller_are_not_sent_back() {
    let api = Api::start().await;
    for (name, value) in [
        ("user-agent", "canary"),
        ("x-correlation-id", "canary"),
        ("x-forwarded-for", "canary"),
        ("origin", "https://canary.example"),
    ] {
        let answer = api
            .ask("GET", "/api/v1/nowhere")
            .header(name, value)
            .send()
            .await;
        let headers = format!("{:?}", answer.headers);
        assert!(
            !headers.contains("canary") && !answer.text().contains("canary"),
            "{name}"
        );
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}

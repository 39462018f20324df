//! What a body must be (`conformance.md` N2, N4).

use serde_json::{Value, json};

use crate::support::{Api, ORGANIZATIONS, assert_blames, assert_problem, fresh_key, merge};

/// Every act with a body: method, path, a good body, and its members.
fn acts(api: &Api) -> Vec<(&'static str, String, Value)> {
    vec![
        ("POST", ORGANIZATIONS.to_owned(), json!({"name": "n"})),
        ("PATCH", api.acme(), json!({"name": "n"})),
        (
            "POST",
            format!("{}/suspend", api.acme()),
            json!({"reason": "r"}),
        ),
        (
            "POST",
            format!("{}/restore", api.acme()),
            json!({"reason": "r"}),
        ),
        (
            "POST",
            api.configurations(),
            json!({"public_key": fresh_key()}),
        ),
        ("PATCH", api.a1(), json!({"name": "n"})),
        (
            "POST",
            format!("{}/rotate", api.a1()),
            json!({"public_key": fresh_key()}),
        ),
        (
            "POST",
            format!("{}/suspend", api.a1()),
            json!({"reason": "r"}),
        ),
        (
            "POST",
            format!("{}/restore", api.a1()),
            json!({"reason": "r"}),
        ),
        (
            "POST",
            format!("{}/deactivate", api.a1()),
            json!({"reason": "r"}),
        ),
        (
            "POST",
            format!("{}/keys/preview", api.acme()),
            json!({"public_key": fresh_key()}),
        ),
        (
            "POST",
            format!("{}/explain", api.acme()),
            json!({"assertion": "a.b.c"}),
        ),
        (
            "POST",
            format!("{}/signing-keys/rotate", api.acme()),
            json!({"emergency": true}),
        ),
        (
            "POST",
            format!("{}/tokens/revoke", api.acme()),
            json!({"jti": "j", "expires_at": "2027-01-15T09:00:00Z"}),
        ),
        (
            "POST",
            "/api/v1/api-tokens".to_owned(),
            json!({"name": "n", "scope": "platform", "role": "admin"}),
        ),
        (
            "DELETE",
            "/api/v1/api-tokens/at-00000000-0000-4000-8000-000000000000".to_owned(),
            json!({}),
        ),
        (
            "POST",
            "/api/v1/instance/confirm-restore".to_owned(),
            json!({}),
        ),
    ]
}

#[tokio::test]
async fn n2_members_that_are_not_documented_are_refused_so_nothing_is_assigned_in_passing() {
    let api = Api::start().await;
    let before = (
        api.get(api.acme()).await.json(),
        api.get(api.a1()).await.json(),
    );
    for (method, path, good) in acts(&api) {
        for member in [
            "status",
            "tenant_id",
            "id",
            "version",
            "created_at",
            "updated_at",
            "created_by",
            "approved_by",
            "change_request",
            "keys",
            "fingerprint_sha256",
            "tokens_not_before",
            "issuer",
            "__proto__",
            "constructor",
            "Name",
            "role",
            "quorum",
        ] {
            if good.get(member).is_some() || (path.ends_with("api-tokens") && member == "tenant_id")
            {
                continue;
            }
            let mut body = good.clone();
            merge(&mut body, json!({member: "x"}));
            let answer = api.ask(method, &path).json(&body).if_match(1).send().await;
            assert_blames(&answer, "body_invalid", &format!("/{member}"));
            assert_eq!(answer.status, 422, "{method} {path} {member}");
        }
    }
    assert_eq!(
        (
            api.get(api.acme()).await.json(),
            api.get(api.a1()).await.json()
        ),
        before
    );
}

#[tokio::test]
async fn n4_a_body_that_is_not_json_is_400() {
    let api = Api::start().await;
    for (method, path, _) in acts(&api) {
        for bad in [
            "{",
            "{\"name\":\"n\"",
            "{'name':'n'}",
            "{\"name\":\"n\"} {}",
            "{\"name\":\"n\",}",
            "\u{feff}{}",
            "nul",
            "{\"name\":\"\\ud800\"}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{\"name\":\"n\",\"name\":\"m\"}",
            "{\"a\":{\"b\":1,\"b\":2}}",
            "{\"name\":\"n\",\"\\u006eame\":\"m\"}",
            "{\"a\":\"\u{1}\"}",
        ] {
            let request = api
                .ask(method, &path)
                .raw(bad)
                .header("content-type", "application/json");
            let answer = request.if_match(1).send().await;
            assert_problem(&answer, 400, "body_malformed");
        }
        let invalid = api.ask(method, &path).raw(b"{\"name\":\"\xff\"}".to_vec());
        let answer = invalid
            .header("content-type", "application/json")
            .send()
            .await;
        assert_problem(&answer, 400, "body_malformed");
    }
}

#[tokio::test]
async fn json_nested_beyond_reason_is_refused() {
    let api = Api::start().await;
    for depth in [200, 100_000] {
        let body = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let request = api
            .ask("POST", ORGANIZATIONS)
            .raw(body)
            .header("content-type", "application/json");
        assert_problem(&request.send().await, 400, "body_malformed");
    }
}

#[tokio::test]
async fn json_that_is_no_object_of_the_right_kind_is_422() {
    let api = Api::start().await;
    for (method, path, _) in acts(&api) {
        for bad in ["7", "\"n\"", "true", "null", "{\"x\":null}"] {
            let request = api
                .ask(method, &path)
                .raw(bad)
                .header("content-type", "application/json");
            let answer = request.if_match(1).send().await;
            assert_problem(&answer, 422, "body_invalid");
        }
    }
}

#[tokio::test]
async fn n4_a_body_of_another_content_type_is_415() {
    let api = Api::start().await;
    for (method, path, good) in acts(&api) {
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/jsonp",
            "application/problem+json",
            "",
            "application/json5",
            "text/json",
        ] {
            let request = api
                .ask(method, &path)
                .raw(good.to_string())
                .header("content-type", other);
            assert_problem(&request.if_match(1).send().await, 415, "json_required");
        }
        let without = api
            .ask(method, &path)
            .raw(good.to_string())
            .if_match(1)
            .send()
            .await;
        assert_problem(&without, 415, "json_required");
        for json in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
        ] {
            let request = api
                .ask(method, format!("{path}?dry_run=true"))
                .raw(good.to_string());
            let answer = request
                .header("content-type", json)
                .if_match(1)
                .send()
                .await;
            assert_ne!(answer.status, 415, "{json}");
        }
    }
}

#[tokio::test]
async fn a_body_of_more_than_256_kib_is_413() {
    let api = Api::start().await;
    for (method, path, _) in acts(&api) {
        let ask = |size: usize| {
            let body = format!("{{\"x\":\"{}\"}}", "a".repeat(size - 8));
            let request = api.ask(method, path.as_str()).raw(body);
            request
                .header("content-type", "application/json")
                .if_match(1)
                .send()
        };
        assert_problem(&ask(256 * 1024 + 1).await, 413, "body_too_large");
        assert_problem(&ask(256 * 1024).await, 422, "body_invalid");
    }
}

#[tokio::test]
async fn an_act_without_anything_to_say_takes_no_body() {
    let api = Api::start().await;
    for path in [
        format!("{}/suspend", api.a1()),
        format!("{}/restore", api.a1()),
        format!("{}/signing-keys/rotate", api.acme()),
    ] {
        let answer = api.ask("POST", path).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let answer = api.ask("POST", ORGANIZATIONS).send().await;
    assert_problem(&answer, 415, "json_required");
}

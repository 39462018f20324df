//! `Idempotency-Key` (`conformance.md` N11): a repetition gets the first answer again, and never a second effect.

use countersign_domain::api_tokens::ApiRole;
use serde_json::{Value, json};

use crate::support::{Api, ORGANIZATIONS, assert_problem, fresh_key};

/// Every act that keeps its answer.
fn acts(api: &Api) -> Vec<(&'static str, String, Value)> {
    vec![
        ("POST", ORGANIZATIONS.to_owned(), json!({"name": "again"})),
        (
            "POST",
            api.configurations(),
            json!({"public_key": fresh_key().replace('\n', "\r\n")}),
        ),
        ("PATCH", api.a1(), json!({"name": "new"})),
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
            format!("{}/signing-keys/rotate", api.acme()),
            json!({"emergency": true}),
        ),
        (
            "POST",
            format!("{}/tokens/revoke", api.acme()),
            json!({"jti": "j", "expires_at": "2027-01-15T09:00:00Z"}),
        ),
    ]
}

#[tokio::test]
async fn n11_a_repetition_gets_the_same_status_body_and_etag() {
    let api = Api::start().await;
    for (method, path, body) in acts(&api) {
        let send = async || {
            api.ask(method, &path)
                .json(&body)
                .if_match(1)
                .key(&path)
                .send()
                .await
        };
        let if_match = path == api.a1();
        let first = if if_match {
            send().await
        } else {
            api.ask(method, &path).json(&body).key(&path).send().await
        };
        assert!(first.status.is_success(), "{path}: {}", first.text());
        let changes = api.get(format!("{}/activity", api.acme())).await.text();
        api.world.server.clock.advance(86_000);
        for _ in 0..2 {
            // Also with a version that has moved: the act was done on the right one.
            let again = send().await;
            assert_eq!(
                (again.status, &again.body),
                (first.status, &first.body),
                "{path}"
            );
            assert_eq!(again.header("etag"), first.header("etag"), "{path}");
            assert_eq!(
                again.header("content-type"),
                first.header("content-type"),
                "{path}"
            );
            assert_ne!(
                again.header("x-correlation-id"),
                first.header("x-correlation-id")
            );
        }
        assert_eq!(
            api.get(format!("{}/activity", api.acme())).await.text(),
            changes,
            "{path}: done again"
        );
    }
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let api = Api::start().await;
    let create = |body: Value| api.ask("POST", ORGANIZATIONS).json(&body).key("k").send();
    assert_eq!(create(json!({"name": "one"})).await.status, 201);
    assert_problem(
        &create(json!({"name": "two"})).await,
        422,
        "idempotency_key_reused",
    );
    let elsewhere = api
        .ask("POST", api.configurations())
        .json(&json!({"public_key": fresh_key()}));
    assert_problem(
        &elsewhere.key("k").send().await,
        422,
        "idempotency_key_reused",
    );
}

#[tokio::test]
async fn parallel_repetitions_do_the_act_once() {
    let api = Api::start().await;
    let before = api.get(ORGANIZATIONS).await.json()["items"]
        .as_array()
        .unwrap()
        .len();
    let body = json!({"name": "once"});
    let requests = (0..20).map(|_| api.ask("POST", ORGANIZATIONS).json(&body).key("k").send());
    let answers = futures_util::future::join_all(requests).await;
    for answer in &answers {
        assert_eq!(
            (answer.status.as_u16(), &answer.body),
            (201, &answers[0].body)
        );
    }
    let after = api.get(ORGANIZATIONS).await.json()["items"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(after, before + 1);
}

#[tokio::test]
async fn keys_belong_to_their_caller() {
    let api = Api::start().await;
    let other = api.token(&api.world.acme, ApiRole::Admin).await;
    let body = || json!({"public_key": fresh_key()});
    let first = api
        .ask("POST", api.configurations())
        .json(&body())
        .key("k")
        .send()
        .await;
    let second = api
        .ask("POST", api.configurations())
        .by(&other)
        .json(&body())
        .key("k")
        .send()
        .await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_ne!(first.json()["id"], second.json()["id"]);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let api = Api::start().await;
    let path = format!("{}/restore", api.a1());
    let restore = || api.ask("POST", path.as_str()).key("k").send();
    assert_problem(&restore().await, 409, "not_suspended");
    api.post(format!("{}/suspend", api.a1()), json!({})).await;
    assert_eq!(restore().await.status, 200);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let api = Api::start().await;
    let body = json!({"name": "daily"});
    let create = || api.ask("POST", ORGANIZATIONS).json(&body).key("k").send();
    let first = create().await.json();
    api.world.server.clock.advance(86_399);
    assert_eq!(create().await.json(), first);
    api.world.server.clock.advance(2);
    let later = create().await;
    assert_eq!(later.status, 201);
    assert_ne!(later.json()["tenant_id"], first["tenant_id"]);
}

#[tokio::test]
async fn a_key_is_visible_ascii_and_sent_once() {
    let api = Api::start().await;
    let create = || api.ask("POST", ORGANIZATIONS).json(&json!({"name": "n"}));
    for bad in ["", "a b", "é", &"k".repeat(256)] {
        assert_problem(
            &create().key(bad).send().await,
            400,
            "idempotency_key_malformed",
        );
    }
    assert_problem(
        &create().key("a").key("b").send().await,
        400,
        "idempotency_key_malformed",
    );
    assert_eq!(create().key(&"k".repeat(255)).send().await.status, 201);
}

#[tokio::test]
async fn an_answer_with_a_secret_is_not_kept() {
    let api = Api::start().await;
    let body = json!({"name": "n", "scope": "platform", "role": "admin"});
    let answer = api
        .ask("POST", "/api/v1/api-tokens")
        .json(&body)
        .key("k")
        .send()
        .await;
    assert_problem(&answer, 400, "idempotency_not_supported");
}

#[tokio::test]
async fn a_repetition_after_the_token_was_revoked_is_401() {
    let api = Api::start().await;
    let body = json!({"name": "n", "scope": "platform", "role": "admin"});
    let made = api.post("/api/v1/api-tokens", body).await.json();
    let (id, secret) = (
        made["id"].as_str().unwrap(),
        made["token"].as_str().unwrap(),
    );
    let body = json!({"name": "n"});
    let create = || {
        api.ask("POST", ORGANIZATIONS)
            .by(secret)
            .json(&body)
            .key("k")
            .send()
    };
    assert_eq!(create().await.status, 201);
    assert_eq!(
        api.ask("DELETE", format!("/api/v1/api-tokens/{id}"))
            .send()
            .await
            .status,
        204
    );
    assert_problem(&create().await, 401, "api_token_required");
}

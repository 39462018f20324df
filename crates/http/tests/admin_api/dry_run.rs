//! `?dry_run=true`: everything is checked, and nothing is kept.

use countersign_domain::api_tokens::ApiRole;
use serde_json::{Value, json};

use crate::support::{Api, ORGANIZATIONS, assert_problem, fresh_key};

/// Every row that an act could leave behind, and every state that it could change.
const EVERYTHING: &str = "SELECT
    (SELECT count(*) FROM activity) || ' ' || (SELECT count(*) FROM feed) || ' ' ||
    (SELECT group_concat(id || version || state) FROM configurations) || ' ' ||
    (SELECT group_concat(tenant_id || version || state) FROM organizations) || ' ' ||
    (SELECT group_concat(name || value) FROM instance WHERE name <> 'clock_high_water') || ' ' ||
    (SELECT group_concat(tenant_id || kid || state) FROM signing_keys) || ' ' ||
    (SELECT group_concat(id || coalesce(revoked_at, 0)) FROM api_tokens) || ' ' ||
    (SELECT count(*) FROM change_requests) || ' ' || (SELECT count(*) FROM versions) || ' ' ||
    (SELECT count(*) FROM registered_keys) || ' ' || (SELECT count(*) FROM revoked_tokens) || ' ' ||
    (SELECT count(*) FROM idempotent_answers) || ' ' ||
    (SELECT count(*) FROM issuances) AS everything";

async fn everything(api: &Api) -> String {
    let database = api.world.server.database();
    database
        .read_text(EVERYTHING, Vec::new(), "everything")
        .await
}

#[tokio::test]
async fn a_trial_answers_what_would_result_and_stores_nothing_anywhere() {
    let api = Api::start().await;
    let suspended = format!("{}/{}", api.configurations(), api.world.a2.id);
    api.post(format!("{suspended}/suspend"), json!({})).await;
    let body = json!({"name": "n", "scope": "platform", "role": "admin"});
    let id = api.post("/api/v1/api-tokens", body.clone()).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    api.token(&api.world.acme, ApiRole::Admin).await;
    let before = everything(&api).await;
    let acts: Vec<(&str, String, Value)> = vec![
        ("POST", ORGANIZATIONS.to_owned(), json!({"name": "n"})),
        ("PATCH", api.acme(), json!({"name": "n"})),
        ("POST", format!("{}/suspend", api.acme()), json!({})),
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
        ("POST", format!("{}/suspend", api.a1()), json!({})),
        ("POST", format!("{suspended}/restore"), json!({})),
        ("POST", format!("{}/deactivate", api.a1()), json!({})),
        (
            "POST",
            format!("{}/keys/preview", api.acme()),
            json!({"public_key": fresh_key()}),
        ),
        (
            "POST",
            format!("{}/explain", api.acme()),
            json!({"assertion": api.world.assertion().sign()}),
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
        ("POST", "/api/v1/api-tokens".to_owned(), body),
        ("DELETE", format!("/api/v1/api-tokens/{id}"), json!({})),
        (
            "POST",
            "/api/v1/instance/confirm-restore".to_owned(),
            json!({}),
        ),
    ];
    for (method, path, body) in acts {
        // A question has nothing to try.
        let is_question = path.ends_with("/explain") || path.ends_with("/keys/preview");
        let query = if is_question { "" } else { "?dry_run=true" };
        let request = api.ask(method, format!("{path}{query}")).json(&body);
        let request = if method == "PATCH" {
            request.if_match(1)
        } else {
            request
        };
        let answer = request.send().await;
        assert!(
            answer.status == 200 || answer.status == 204,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        assert_eq!(everything(&api).await, before, "{path} has left something");
    }
    // Nothing in memory has changed either.
    let token = api
        .world
        .server
        .token(&api.world.acme, &api.world.assertion().sign())
        .await;
    assert_eq!(token.status, 200, "{}", token.text());
}

#[tokio::test]
async fn a_trial_shows_the_resource_as_it_would_be() {
    let api = Api::start().await;
    let path = format!("{}?dry_run=true", api.a1());
    let tried = api
        .ask("PATCH", path)
        .json(&json!({"name": "tried"}))
        .if_match(1)
        .send()
        .await
        .json();
    assert_eq!(
        (&tried["name"], &tried["version"]),
        (&json!("tried"), &json!(2))
    );
    assert_eq!(api.get(api.a1()).await.json()["version"], 1);
    assert_eq!(
        api.patch(api.a1(), 1, json!({"name": "tried"}))
            .await
            .json(),
        tried
    );
}

#[tokio::test]
async fn a_trial_is_refused_as_the_act_would_be() {
    let api = Api::start().await;
    let path = format!("{}?dry_run=true", api.configurations());
    let known = json!({"public_key": api.world.a1.key.public_key()});
    assert_problem(&api.post(&path, known).await, 409, "key_already_registered");
    let stale = api
        .ask("PATCH", format!("{}?dry_run=true", api.a1()))
        .json(&json!({"name": "n"}));
    assert_problem(&stale.if_match(7).send().await, 412, "base_moved");
}

#[tokio::test]
async fn a_trial_neither_takes_nor_gives_a_kept_answer() {
    let api = Api::start().await;
    let body = json!({"name": "n"});
    let ask = |query: &str| {
        api.ask("POST", format!("{ORGANIZATIONS}{query}"))
            .json(&body)
            .key("k")
    };
    assert_eq!(ask("?dry_run=true").send().await.status, 200);
    assert_eq!(ask("").send().await.status, 201);
    assert_eq!(
        ask("?dry_run=true").send().await.status,
        200,
        "not the answer to the act"
    );
}

#[tokio::test]
async fn any_other_parameter_of_an_act_is_refused() {
    let api = Api::start().await;
    for query in [
        "dry_run=1",
        "dry_run",
        "dry_run=true&x=1",
        "dryrun=true",
        "dry_run=true&dry_run=false",
    ] {
        let answer = api
            .post(format!("{ORGANIZATIONS}?{query}"), json!({"name": "n"}))
            .await;
        assert_problem(&answer, 400, "query_unknown");
    }
    assert_eq!(
        api.post(
            format!("{ORGANIZATIONS}?dry_run=false"),
            json!({"name": "n"})
        )
        .await
        .status,
        201
    );
}

//! What an organization can see of what happened, and the workbench.

use serde_json::json;

use countersign_domain::api_tokens::{ApiRole, ApiTokenSecret};

use crate::private_keys::{log, logged};
use crate::support::{Api, assert_problem};

#[tokio::test]
async fn o1_every_administrative_act_is_recorded_under_its_correlation_id() {
    let api = Api::start().await;
    for (path, body) in [
        (
            api.configurations(),
            json!({"public_key": crate::support::fresh_key()}),
        ),
        (format!("{}/suspend", api.a1()), json!({})),
        (format!("{}/signing-keys/rotate", api.acme()), json!({})),
        (format!("{}/suspend", api.acme()), json!({})),
    ] {
        let answer = api.post(&path, body).await;
        let correlation_id = answer.header("x-correlation-id").unwrap();
        let found = api
            .get(format!(
                "{}/activity?correlation_id={correlation_id}",
                api.acme()
            ))
            .await
            .json();
        let [entry] = found["items"].as_array().unwrap().as_slice() else {
            panic!("{path}: {found}");
        };
        assert_eq!(entry["at"], "2027-01-15T08:00:00Z");
        assert!(entry["actor"].as_str().unwrap().contains("at-"), "{entry}");
    }
}

/// Acts that concern no organization are in the platform's own activity, which no organization sees.
#[tokio::test]
async fn o1_every_act_on_the_platform_is_recorded_in_the_platforms_activity() {
    let api = Api::start().await;
    let recorded = async |path: &str, answer: &countersign_testkit::Answer| {
        let correlation_id = answer.header("x-correlation-id").unwrap();
        let found = api
            .get(format!("{path}?correlation_id={correlation_id}"))
            .await
            .json();
        found["items"].as_array().unwrap().clone()
    };
    let platform = "/api/v1/activity";
    let body = json!({"name": "deploy", "scope": "platform", "role": "auditor"});
    let created = api.post("/api/v1/api-tokens", body).await;
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/api-tokens/{id}");
    let revoked = api.ask("DELETE", path).send().await;
    let confirmed = api
        .post("/api/v1/instance/confirm-restore", json!({}))
        .await;
    for (answer, kind) in [
        (&created, "api_token.created"),
        (&revoked, "api_token.revoked"),
        (&confirmed, "instance.restore_confirmed"),
    ] {
        let [entry] = recorded(platform, answer).await.try_into().unwrap();
        assert_eq!(entry["kind"], kind);
        assert!(entry["actor"].as_str().unwrap().contains("at-"), "{entry}");
        assert!(
            recorded(&format!("{}/activity", api.acme()), answer)
                .await
                .is_empty()
        );
    }
}

/// What the platform takes away from an organization, both see; what an organization does to itself, it alone.
#[tokio::test]
async fn o1_revoking_an_organizations_token_as_the_platform_is_recorded_with_both() {
    let api = Api::start().await;
    let admin = api
        .token(
            &api.world.acme,
            countersign_domain::api_tokens::ApiRole::Admin,
        )
        .await;
    for (by, seen) in [(&api.admin, [1, 1, 0]), (&admin, [0, 1, 0])] {
        let body = json!({
            "name": "n", "scope": "organization", "tenant_id": api.world.acme.id.to_string(), "role": "auditor"
        });
        let created = api.post("/api/v1/api-tokens", body).await.json();
        let path = format!("/api/v1/api-tokens/{}", created["id"].as_str().unwrap());
        let revoked = api.ask("DELETE", path).by(by).send().await;
        let id = revoked.header("x-correlation-id").unwrap().to_owned();
        let places = [
            "/api/v1/activity".to_owned(),
            format!("{}/activity", api.acme()),
            format!("{}/activity", api.bob()),
        ];
        for (place, count) in places.iter().zip(seen) {
            let found = api.get(format!("{place}?correlation_id={id}")).await.json();
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{place}");
        }
    }
}

#[tokio::test]
async fn the_first_token_and_a_restore_are_in_the_platforms_activity() {
    let api = Api::start().await;
    let first = api.world.server.service().first_platform_token(|_| Ok(()));
    first.await.unwrap().unwrap();
    api.world.server.mark_restored().await;
    let server = &api.world.server;
    let admin = server
        .api_token(None, countersign_domain::api_tokens::ApiRole::Admin)
        .await;
    let found = api
        .ask("GET", "/api/v1/activity")
        .by(&admin)
        .send()
        .await
        .json();
    let kinds: Vec<_> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["kind"].as_str().unwrap(),
                entry["actor"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds[..3],
        [
            ("api_token.created", "operator"),
            ("instance.restored", "operator"),
            ("api_token.created", "operator")
        ]
    );
}

#[tokio::test]
async fn a_filter_that_no_entry_can_have_is_refused() {
    let api = Api::start().await;
    for query in [
        "correlation_id=x",
        "correlation_id=",
        "correlation_id=%00",
        "kind=%00",
        "kind=a%20b",
        "kind=%FF",
        "kind=a&kind=b",
    ] {
        let answer = api.get(format!("{}/activity?{query}", api.acme())).await;
        assert_problem(&answer, 400, "query_invalid");
    }
    let none = api
        .get(format!("{}/activity?kind=no.such", api.acme()))
        .await
        .json();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn the_workbench_shows_fourteen_checks_and_uses_nothing_up() {
    let api = Api::start().await;
    let path = format!("{}/explain", api.acme());
    let assertion = api.world.assertion().sign();
    for _ in 0..2 {
        let explained = api
            .post(&path, json!({"assertion": assertion}))
            .await
            .json();
        assert_eq!(explained["outcome"], "accepted", "{explained}");
        let checks = explained["checks"].as_array().unwrap();
        let numbers: Vec<_> = checks
            .iter()
            .map(|check| check["number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (1..=14).collect::<Vec<_>>());
    }
    assert_eq!(
        api.world
            .server
            .token(&api.world.acme, &assertion)
            .await
            .status,
        200
    );
    let explained = api
        .post(&path, json!({"assertion": assertion}))
        .await
        .json();
    assert_eq!(
        (&explained["outcome"], &explained["reason"]),
        (&json!("refused"), &json!("assertion_replayed"))
    );
}

#[tokio::test]
async fn the_workbench_answers_to_anything_that_is_a_text() {
    let api = Api::start().await;
    for assertion in [
        "",
        ".",
        "a.b.c",
        "\0",
        "\u{202e}",
        &"a".repeat(200_000),
        &"a.".repeat(1000),
    ] {
        for flow in ["client_assertion", "jwt_bearer", "compatibility"] {
            let body = json!({"assertion": assertion, "flow": flow, "scope": "\u{0}"});
            let answer = api.post(format!("{}/explain", api.acme()), body).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["outcome"]),
                (200, &json!("refused"))
            );
            assert!(answer.body.len() < 20_000, "{} octets", answer.body.len());
        }
    }
}

#[tokio::test]
async fn the_instance_is_shown_to_the_platform() {
    let api = Api::start().await;
    let answer = api.get("/api/v1/instance").await.json();
    let expected = json!({
        "id": answer["id"], "version": env!("CARGO_PKG_VERSION"), "restore_epoch": 0, "restored_at": null, "issuance_held": false,
    });
    assert_eq!(answer, expected);
    let confirmed = api
        .ask("POST", "/api/v1/instance/confirm-restore")
        .send()
        .await
        .json();
    assert_eq!(confirmed, expected);
}

/// What an API token is denied is in the activity of its own organization, and nowhere else.
#[tokio::test]
async fn o1_what_an_api_token_is_denied_is_recorded_in_its_organizations_activity() {
    log();
    let api = Api::start().await;
    let auditor = api.token(&api.world.acme, ApiRole::Auditor).await;
    let cases = [
        ("POST", format!("{}/suspend", api.a1()), "role_not_allowed"),
        (
            "POST",
            format!("{}/suspend", api.bob()),
            "platform_scope_required",
        ),
        (
            "GET",
            format!("{}/configurations", api.bob()),
            "organization_not_own",
        ),
    ];
    for (method, path, code) in cases {
        let request = api.ask(method, path).by(&auditor);
        let request = match method {
            "POST" => request.json(&json!({})),
            _ => request,
        };
        let answer = request.send().await;
        assert!([403, 404].contains(&answer.status.as_u16()));
        let id = answer.header("x-correlation-id").unwrap().to_owned();
        let detail = api
            .world
            .server
            .recorded_detail(&api.world.acme, &answer)
            .await;
        assert_eq!(detail["code"], code);
        let place = format!("{}/activity?correlation_id={id}", api.acme());
        let found = api.get(place).await.json();
        let entry = &found["items"][0];
        assert_eq!(entry["kind"], "api_token.denied", "{entry}");
        assert!(entry["actor"].as_str().unwrap().contains("at-"), "{entry}");
        let place = format!("{}/activity?correlation_id={id}", api.bob());
        let elsewhere = api.get(place).await.json();
        assert_eq!(elsewhere["items"], json!([]));
        assert!(logged(&id), "{code}");
    }
}

#[tokio::test]
async fn o1_a_refused_api_token_and_an_issued_token_are_logged_under_their_correlation_id() {
    log();
    let api = Api::start().await;
    let unknown = ApiTokenSecret::generate();
    for bearer in [unknown.reveal(), "nonsense"] {
        let answer = api.ask("GET", api.acme()).by(bearer).send().await;
        assert_eq!(answer.status, 401);
        let id = answer.header("x-correlation-id").unwrap();
        assert!(
            logged(&format!("\"correlation_id\":\"{id}\",\"omitted\":0")),
            "{bearer}"
        );
        assert!(!logged(bearer));
    }
    let world = &api.world;
    let assertion = world.assertion().sign();
    let answer = world.server.token(&world.acme, &assertion).await;
    let id = answer.header("x-correlation-id").unwrap();
    let (configuration, token) = (world.a1.id, answer.access_token());
    let line = format!("\"configuration\":\"{configuration}\",\"correlation_id\":\"{id}\"");
    assert!(logged(&line));
    assert!(!logged(&token) && !logged(&assertion));
}

//! What an organization can see of what happened, and the workbench.

use serde_json::json;

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

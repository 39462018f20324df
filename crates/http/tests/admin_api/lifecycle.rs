//! Suspend, restore, deactivate: which step is possible from where, and what becomes of tokens.

use serde_json::{Value, json};

use crate::support::{Api, assert_blames, assert_problem, fresh_key, key_states};

#[tokio::test]
async fn every_step_from_every_status_is_done_or_is_a_conflict() {
    for (status, act, expected) in [
        ("ACTIVE", "suspend", Ok("SUSPENDED")),
        ("ACTIVE", "restore", Err("not_suspended")),
        ("ACTIVE", "deactivate", Ok("DEACTIVATED")),
        ("SUSPENDED", "suspend", Err("already_suspended")),
        ("SUSPENDED", "restore", Ok("ACTIVE")),
        ("SUSPENDED", "deactivate", Ok("DEACTIVATED")),
        ("DEACTIVATED", "suspend", Err("configuration_deactivated")),
        ("DEACTIVATED", "restore", Err("configuration_deactivated")),
        (
            "DEACTIVATED",
            "deactivate",
            Err("configuration_deactivated"),
        ),
    ] {
        let api = Api::start().await;
        for step in [("SUSPENDED", "suspend"), ("DEACTIVATED", "deactivate")] {
            if step.0 == status {
                assert_eq!(
                    api.post(format!("{}/{}", api.a1(), step.1), json!({}))
                        .await
                        .status,
                    200
                );
            }
        }
        let before = api.get(api.a1()).await.json();
        let answer = api
            .post(format!("{}/{act}", api.a1()), json!({"reason": "because"}))
            .await;
        match expected {
            Ok(after) => {
                assert_eq!(
                    (answer.status.as_u16(), &answer.json()["status"]),
                    (200, &json!(after)),
                    "{status} {act}"
                );
                assert_eq!(
                    answer.json()["version"].as_u64(),
                    before["version"].as_u64().map(|v| v + 1)
                );
            }
            Err(code) => {
                assert_problem(&answer, 409, code);
                assert_eq!(api.get(api.a1()).await.json(), before, "{status} {act}");
            }
        }
    }
}

#[tokio::test]
async fn a_deactivated_configuration_is_final() {
    let api = Api::start().await;
    let ended = api
        .post(format!("{}/deactivate", api.a1()), json!({}))
        .await
        .json();
    assert_eq!(key_states(&ended), ["retired"]);
    let edit = api.patch(api.a1(), 2, json!({"name": "again"})).await;
    assert_problem(&edit, 409, "configuration_deactivated");
    let rotate = api
        .post(
            format!("{}/rotate", api.a1()),
            json!({"public_key": fresh_key()}),
        )
        .await;
    assert_problem(&rotate, 409, "configuration_deactivated");
    assert_eq!(api.get(api.a1()).await.json(), ended, "it stays readable");
}

#[tokio::test]
async fn the_verifier_values_of_a_deactivated_configuration_may_be_used_again_and_its_key_may_not()
{
    let api = Api::start().await;
    let old = api.get(api.a1()).await.json();
    let values = json!({
        "verifier_issuer": old["verifier_issuer"], "verifier_subject": old["verifier_subject"],
        "verifier_audience": old["verifier_audience"],
    });
    let taken = "identifier_of_another_configuration";
    assert_problem(&api.create(values.clone()).await, 422, taken);
    api.post(format!("{}/deactivate", api.a1()), json!({}))
        .await;
    assert_eq!(api.create(values.clone()).await.status, 201);
    assert_problem(&api.create(values).await, 409, "verifier_values_taken");
    let answer = api
        .create(json!({"public_key": old["keys"][0]["public_key"]}))
        .await;
    assert_blames(&answer, "key_already_registered", "/public_key");
}

#[tokio::test]
async fn a_suspension_ends_tokens_at_once_and_a_restore_does_not_revive_them() {
    let api = Api::start().await;
    let (world, server) = (&api.world, &api.world.server);
    let introspector = api
        .token(
            &world.acme,
            countersign_domain::api_tokens::ApiRole::Introspector,
        )
        .await;
    let token = server
        .token(&world.acme, &world.assertion().sign())
        .await
        .access_token();
    let active = async || {
        server
            .introspect(&world.acme, &introspector, &token)
            .await
            .json()["active"]
            .clone()
    };
    assert_eq!(active().await, true);
    api.post(format!("{}/suspend", api.a1()), json!({})).await;
    assert_eq!(active().await, false);
    server.clock.advance(5);
    let refused = server.token(&world.acme, &world.assertion().sign()).await;
    assert_eq!(
        server.recorded_reason(&world.acme, &refused).await,
        "configuration_suspended"
    );
    api.post(format!("{}/restore", api.a1()), json!({})).await;
    assert_eq!(active().await, false, "issued before the containment");
    let again = server
        .token(&world.acme, &world.assertion().claim("jti", "new").sign())
        .await;
    assert_eq!(again.status, 200, "{}", again.text());
}

#[tokio::test]
async fn the_reason_is_kept_in_the_change_request() {
    let api = Api::start().await;
    let reason = "key leaked\nticket 7: <b>&\"";
    let suspended = api
        .post(format!("{}/suspend", api.a1()), json!({"reason": reason}))
        .await
        .json();
    let number = suspended["change_request"].as_u64().unwrap();
    let request = api
        .get(format!("{}/change-requests/{number}", api.acme()))
        .await
        .json();
    assert_eq!(request["justification"], reason);
    let restored = api
        .ask("POST", format!("{}/restore", api.a1()))
        .send()
        .await
        .json();
    let number = restored["change_request"].as_u64().unwrap();
    let request = api
        .get(format!("{}/change-requests/{number}", api.acme()))
        .await
        .json();
    assert_eq!(request["justification"], Value::Null);
}

#[tokio::test]
async fn a_reason_is_plain_text_of_at_most_two_thousand_characters() {
    let api = Api::start().await;
    for act in ["suspend", "restore", "deactivate"] {
        for path in [
            format!("{}/{act}", api.a1()),
            format!("{}/{act}", api.acme()),
        ] {
            if path == format!("{}/deactivate", api.acme()) {
                continue;
            }
            for reason in [
                "",
                "  ",
                "a\u{1b}[31mb",
                "a\rb",
                "a\u{202e}b",
                "a\0b",
                &"x".repeat(2001),
            ] {
                let answer = api.post(&path, json!({"reason": reason})).await;
                assert_blames(&answer, "text_malformed", "/reason");
                assert_eq!(answer.status, 422);
            }
        }
    }
    assert_eq!(api.get(api.a1()).await.json()["status"], "ACTIVE");
    let longest = json!({"reason": "é".repeat(2000)});
    assert_eq!(
        api.post(format!("{}/suspend", api.a1()), longest)
            .await
            .status,
        200
    );
}

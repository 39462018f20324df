//! Changing the key of a configuration, with overlap and without.

use countersign_testkit::{NOW, TestKey};
use serde_json::{Value, json};

use crate::support::{Api, assert_blames, fresh_key, key_states};

/// Rotates the first configuration.
async fn rotate(api: &Api, body: Value) -> Value {
    let answer = api.post(format!("{}/rotate", api.a1()), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn the_new_key_is_current_and_the_old_one_retires_after_seven_days() {
    let api = Api::start().await;
    let new = TestKey::es256();
    let resource = rotate(&api, json!({"public_key": new.public_key(), "kid": "new"})).await;
    assert_eq!(key_states(&resource), ["current", "retiring"]);
    assert_eq!(resource["keys"][0]["kid"], "new");
    assert_eq!(resource["keys"][1]["retires_at"], "2027-01-22T08:00:00Z");
    assert_eq!(resource["version"], 2);
    let assertion = |world: &countersign_testkit::World| {
        world
            .assertion()
            .claim("jti", format!("j{}", world.server.now()))
    };
    let (world, server) = (&api.world, &api.world.server);
    server.clock.set(NOW + 7 * 86_400 - 1);
    assert_eq!(
        server
            .token(&world.acme, &assertion(world).sign())
            .await
            .status,
        200
    );
    server.clock.set(NOW + 7 * 86_400);
    let refused = server.token(&world.acme, &assertion(world).sign()).await;
    assert_eq!(
        server.recorded_reason(&world.acme, &refused).await,
        "key_retired"
    );
    let assertion = assertion(world).signed_by(&new).header("kid", "new");
    assert_eq!(
        server.token(&world.acme, &assertion.sign()).await.status,
        200
    );
}

#[tokio::test]
async fn with_an_overlap_of_nothing_the_old_key_is_retired_at_once() {
    let api = Api::start().await;
    let resource = rotate(
        &api,
        json!({"public_key": fresh_key(), "retire_after_seconds": 0}),
    )
    .await;
    assert_eq!(key_states(&resource), ["current", "retired"]);
    assert_eq!(resource["keys"][1]["retires_at"], Value::Null);
    let refused = api
        .world
        .server
        .token(&api.world.acme, &api.world.assertion().sign())
        .await;
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn a_key_that_waits_is_accepted_already_and_takes_over_when_nothing_is_named() {
    let api = Api::start().await;
    let next = TestKey::es256();
    let resource = rotate(
        &api,
        json!({"public_key": next.public_key(), "kid": "n", "as_next": true}),
    )
    .await;
    assert_eq!(key_states(&resource), ["current", "next"]);
    let assertion = api.world.assertion().signed_by(&next).header("kid", "n");
    assert_eq!(
        api.world
            .server
            .token(&api.world.acme, &assertion.sign())
            .await
            .status,
        200
    );
    let resource = rotate(&api, json!({})).await;
    assert_eq!(key_states(&resource), ["current", "retiring"]);
    assert_eq!(resource["keys"][0]["kid"], "n");
    let answer = api.ask("POST", format!("{}/rotate", api.a1())).send().await;
    assert_blames(&answer, "no_next_key", "/public_key");
}

#[tokio::test]
async fn an_end_that_is_nearer_already_stays() {
    let api = Api::start().await;
    rotate(
        &api,
        json!({"public_key": fresh_key(), "retire_after_seconds": 60}),
    )
    .await;
    let resource = rotate(
        &api,
        json!({"public_key": fresh_key(), "retire_after_seconds": 3600}),
    )
    .await;
    assert_eq!(key_states(&resource), ["current", "retiring", "retiring"]);
    assert_eq!(resource["keys"][1]["retires_at"], "2027-01-15T09:00:00Z");
    assert_eq!(resource["keys"][2]["retires_at"], "2027-01-15T08:01:00Z");
}

#[tokio::test]
async fn the_overlap_is_at_most_ninety_days() {
    let api = Api::start().await;
    let path = format!("{}/rotate", api.a1());
    let body = json!({"public_key": fresh_key(), "retire_after_seconds": 90 * 86_400 + 1});
    assert_blames(
        &api.post(&path, body).await,
        "retire_after_out_of_range",
        "/retire_after_seconds",
    );
    let body = json!({"public_key": fresh_key(), "retire_after_seconds": 90 * 86_400});
    assert_eq!(api.post(&path, body).await.status, 200);
}

#[tokio::test]
async fn a_kid_and_a_key_stand_once_in_a_configuration() {
    let api = Api::start().await;
    let path = format!("{}/rotate", api.a1());
    let body = json!({"public_key": fresh_key(), "kid": api.world.a1.kid});
    assert_blames(&api.post(&path, body).await, "kid_taken", "/kid");
    let body = json!({"public_key": api.world.a1.key.public_key(), "kid": "other"});
    assert_blames(
        &api.post(&path, body).await,
        "key_already_registered",
        "/public_key",
    );
}

#[tokio::test]
async fn at_most_twenty_keys_and_the_oldest_retired_one_makes_room() {
    let api = Api::start().await;
    let path = format!("{}/rotate", api.a1());
    for _ in 0..19 {
        rotate(&api, json!({"public_key": fresh_key()})).await;
    }
    let answer = api.post(&path, json!({"public_key": fresh_key()})).await;
    assert_blames(&answer, "too_many_keys", "/public_key");
    api.world.server.clock.advance(7 * 86_400);
    let resource = rotate(&api, json!({"public_key": fresh_key()})).await;
    assert_eq!(resource["keys"].as_array().map(Vec::len), Some(20));
    let kids: Vec<_> = resource["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    assert!(
        !kids.contains(&api.world.a1.kid.as_str()),
        "the oldest is gone"
    );
}

/// Decision 5: a key is registered once, for good. A retired one that has left the state to make room does not come back,
/// not even to its own configuration.
#[tokio::test]
async fn a_retired_key_that_made_room_does_not_come_back() {
    let api = Api::start().await;
    let path = format!("{}/rotate", api.a1());
    for _ in 0..20 {
        rotate(
            &api,
            json!({"public_key": fresh_key(), "retire_after_seconds": 0}),
        )
        .await;
    }
    let old = api.world.a1.key.public_key();
    let body = json!({"public_key": old, "kid": "old"});
    assert_blames(
        &api.post(&path, body).await,
        "key_already_registered",
        "/public_key",
    );
}

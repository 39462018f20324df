//! An organization's signing keys, and the revocation of its tokens.

use countersign_domain::api_tokens::ApiRole;
use serde_json::{Value, json};

use crate::support::{Api, assert_blames, assert_problem};

fn states(list: &Value) -> Vec<&str> {
    let keys = list["items"].as_array().unwrap().iter();
    keys.map(|key| key["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_has_public_members_only() {
    let api = Api::start().await;
    let list = api.get(format!("{}/signing-keys", api.acme())).await;
    assert_eq!(states(&list.json()), ["current"]);
    assert!(!list.text().contains("PRIVATE") && !list.text().contains("sealed"));
    assert!(
        list.json()["items"][0]["public_key"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PUBLIC KEY-----")
    );
}

#[tokio::test]
async fn a_rotation_publishes_the_next_key_first_and_once() {
    let api = Api::start().await;
    let path = format!("{}/signing-keys/rotate", api.acme());
    let list = api.post(&path, json!({})).await.json();
    let mut published = states(&list);
    published.sort_unstable();
    assert_eq!(published, ["current", "next"]);
    let activity = format!("{}/activity?kind=signing_keys.rotated", api.acme());
    let recorded = api.get(&activity).await.text();
    assert_problem(&api.post(&path, json!({})).await, 409, "next_key_waiting");
    assert_eq!(
        api.get(&activity).await.text(),
        recorded,
        "nothing was done"
    );
    let after = api.get(format!("{}/signing-keys", api.acme())).await.json();
    assert_eq!(after, list);
    let jwks = api
        .world
        .server
        .get(&api.world.acme.path("jwks"))
        .await
        .json();
    assert_eq!(
        jwks["keys"].as_array().map(Vec::len),
        Some(2),
        "both are published"
    );
}

#[tokio::test]
async fn an_emergency_ends_everything_that_the_old_key_has_signed() {
    let api = Api::start().await;
    let (world, server) = (&api.world, &api.world.server);
    let introspector = api.token(&world.acme, ApiRole::Introspector).await;
    let token = server
        .token(&world.acme, &world.assertion().sign())
        .await
        .access_token();
    let old = server.get(&world.acme.path("jwks")).await.json()["keys"][0]["kid"].clone();
    let list = api
        .post(
            format!("{}/signing-keys/rotate", api.acme()),
            json!({"emergency": true}),
        )
        .await
        .json();
    assert_eq!(
        states(&list)
            .iter()
            .filter(|state| **state == "current")
            .count(),
        1
    );
    let jwks = server.get(&world.acme.path("jwks")).await.json();
    assert!(
        jwks["keys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["kid"] != old)
    );
    assert_eq!(
        server
            .introspect(&world.acme, &introspector, &token)
            .await
            .json(),
        json!({"active": false})
    );
}

#[tokio::test]
async fn a_revoked_token_is_not_active() {
    let api = Api::start().await;
    let (world, server) = (&api.world, &api.world.server);
    let introspector = api.token(&world.acme, ApiRole::Introspector).await;
    let issued = server.token(&world.acme, &world.assertion().sign()).await;
    let (token, jti) = (issued.access_token(), issued.claims()["jti"].clone());
    let body = json!({"jti": jti, "expires_at": "2027-01-15T08:10:00Z"});
    let answer = api
        .post(format!("{}/tokens/revoke", api.acme()), body)
        .await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (204, ""));
    assert_eq!(
        server
            .introspect(&world.acme, &introspector, &token)
            .await
            .json(),
        json!({"active": false})
    );
    let activity = api
        .get(format!("{}/activity?kind=token.revoked", api.acme()))
        .await
        .json();
    assert_eq!(activity["items"][0]["detail"]["jti"], jti);
}

#[tokio::test]
async fn a_jti_is_that_of_a_token_and_is_remembered_no_longer_than_any_token_lives() {
    let api = Api::start().await;
    let path = format!("{}/tokens/revoke", api.acme());
    let revoke = |jti: String, end: &str| api.post(&path, json!({"jti": jti, "expires_at": end}));
    for bad in [
        String::new(),
        "a b".to_owned(),
        "a\0".to_owned(),
        "é".to_owned(),
        "a".repeat(65),
    ] {
        assert_blames(
            &revoke(bad, "2027-01-15T09:00:00Z").await,
            "jti_malformed",
            "/jti",
        );
    }
    for bad in [
        "",
        "tomorrow",
        "2027-01-15",
        "1800000000",
        "99999-01-01T00:00:00Z",
    ] {
        assert_blames(
            &revoke("j".to_owned(), bad).await,
            "body_invalid",
            "/expires_at",
        );
    }
    assert_eq!(
        revoke("a".repeat(64), "9999-12-30T00:00:00Z").await.status,
        204
    );
    let sql = "SELECT CAST(max(expires_at) AS TEXT) AS latest FROM revoked_tokens";
    let latest = api
        .world
        .server
        .database()
        .read_text(sql, Vec::new(), "latest")
        .await;
    assert_eq!(latest, (countersign_testkit::NOW + 3600).to_string());
}

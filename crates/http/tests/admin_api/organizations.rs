//! Organizations: create, edit, suspend, restore, and what becomes of tokens.

use countersign_domain::api_tokens::ApiRole;
use serde_json::json;

use crate::support::{Api, ORGANIZATIONS, assert_blames, assert_problem};

#[tokio::test]
async fn an_organization_is_edited_field_by_field() {
    let api = Api::start().await;
    let before = api.get(api.acme()).await.json();
    api.world.server.clock.advance(1);
    let edit = json!({"name": "New Acme", "signing_algorithm": "EdDSA", "permission_groups": ["a-v1:b:r"]});
    let answer = api.patch(api.acme(), 1, edit).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut expected = before;
    for (name, value) in [
        ("name", json!("New Acme")),
        ("signing_algorithm", json!("EdDSA")),
        ("permission_groups", json!(["a-v1:b:r"])),
        ("version", json!(2)),
        ("updated_at", json!("2027-01-15T08:00:01Z")),
        ("change_request", answer.json()["change_request"].clone()),
    ] {
        expected[name] = value;
    }
    assert_eq!(answer.json(), expected);
    assert_eq!(api.get(api.acme()).await.json(), expected);
}

#[tokio::test]
async fn an_organization_signs_with_the_algorithm_that_it_was_created_with() {
    let api = Api::start().await;
    for algorithm in ["ES256", "EdDSA", "PS256", "RS256"] {
        let body = json!({"name": "n", "signing_algorithm": algorithm});
        let tenant = api.post(ORGANIZATIONS, body).await.json()["tenant_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let keys = api
            .get(format!("{ORGANIZATIONS}/{tenant}/signing-keys"))
            .await
            .json();
        let [key] = keys["items"].as_array().unwrap().as_slice() else {
            panic!("one key is expected: {keys}");
        };
        assert_eq!(
            (&key["algorithm"], &key["state"]),
            (&json!(algorithm), &json!("current"))
        );
    }
    for bad in ["none", "HS256", "ES384", "es256", ""] {
        let answer = api
            .post(
                ORGANIZATIONS,
                json!({"name": "n", "signing_algorithm": bad}),
            )
            .await;
        assert_blames(&answer, "body_invalid", "/signing_algorithm");
    }
}

#[tokio::test]
async fn permission_groups_have_a_form_and_a_greatest_number() {
    let api = Api::start().await;
    let groups = |count: usize| {
        (0..count)
            .map(|number| format!("a-v1:r{number}:r"))
            .collect::<Vec<_>>()
    };
    let create = |groups: Vec<String>| {
        api.post(
            ORGANIZATIONS,
            json!({"name": "n", "permission_groups": groups}),
        )
    };
    assert_eq!(create(groups(200)).await.status, 201);
    assert_blames(
        &create(groups(201)).await,
        "too_many_permission_groups",
        "/permission_groups",
    );
    for bad in [
        "payments",
        "payments-v1:accounts:x",
        "Payments-v1:accounts:r",
        "",
    ] {
        let answer = create(vec![bad.to_owned()]).await;
        assert_blames(&answer, "permission_group_malformed", "/permission_groups");
    }
}

#[tokio::test]
async fn a_suspended_organization_gets_no_tokens_and_has_none() {
    let api = Api::start().await;
    let (world, server) = (&api.world, &api.world.server);
    let introspector = api.token(&world.acme, ApiRole::Introspector).await;
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
    let answer = api
        .post(
            format!("{}/suspend", api.acme()),
            json!({"reason": "contained"}),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (200, &json!("SUSPENDED"))
    );
    assert_eq!(active().await, false);
    let refused = server
        .token(&world.acme, &world.assertion().claim("jti", "two").sign())
        .await;
    assert_eq!(
        server.recorded_reason(&world.acme, &refused).await,
        "organization_suspended"
    );
    let other = server
        .token(&world.bob, &world.assertion_of(&world.b1).sign())
        .await;
    assert_eq!(other.status, 200, "another organization is not touched");
    assert_problem(
        &api.post(format!("{}/suspend", api.acme()), json!({})).await,
        409,
        "already_suspended",
    );

    server.clock.advance(5);
    let answer = api.post(format!("{}/restore", api.acme()), json!({})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (200, &json!("ACTIVE"))
    );
    assert_eq!(active().await, false, "issued before the containment");
    let again = server
        .token(&world.acme, &world.assertion().claim("jti", "three").sign())
        .await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_problem(
        &api.post(format!("{}/restore", api.acme()), json!({})).await,
        409,
        "not_suspended",
    );
}

#[tokio::test]
async fn a_new_organization_gives_tokens_at_once() {
    let api = Api::start().await;
    let tenant = api.post(ORGANIZATIONS, json!({"name": "n"})).await.json();
    let id = tenant["tenant_id"].as_str().unwrap();
    let key = countersign_testkit::TestKey::es256();
    let path = format!("{ORGANIZATIONS}/{id}/configurations");
    let made = api
        .post(&path, json!({"public_key": key.public_key()}))
        .await
        .json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let tenant = countersign_testkit::Tenant {
        id: id.parse().unwrap(),
        issuer: tenant["issuer"].as_str().unwrap().to_owned(),
    };
    let client = countersign_testkit::Client {
        tenant: tenant.clone(),
        id: text("id").parse().unwrap(),
        kid: made["keys"][0]["kid"].as_str().unwrap().to_owned(),
        issuer: text("verifier_issuer"),
        subject: text("verifier_subject"),
        audience: text("verifier_audience"),
        key,
    };
    let token = api
        .world
        .server
        .token(&tenant, &api.world.assertion_of(&client).sign())
        .await;
    assert_eq!(token.status, 200, "{}", token.text());
}

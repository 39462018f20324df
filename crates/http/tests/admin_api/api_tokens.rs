//! API tokens from their making to their end.

use countersign_domain::api_tokens::{ApiRole, ApiTokenSecret};
use serde_json::{Value, json};

use crate::support::{Api, assert_blames, assert_problem};

const TOKENS: &str = "/api/v1/api-tokens";

#[tokio::test]
async fn a_token_is_made_with_its_secret_which_is_never_shown_again() {
    let api = Api::start().await;
    let tenant = api.world.acme.id.to_string();
    let body = json!({"name": "gateway", "scope": "organization", "tenant_id": tenant, "role": "introspector", "expires_in_days": 30});
    let answer = api.post(TOKENS, body).await;
    assert_eq!(answer.status, 201);
    let mut made = answer.json();
    let secret = made.as_object_mut().unwrap().remove("token").unwrap();
    let secret = secret.as_str().unwrap();
    assert!(ApiTokenSecret::parse(secret).is_ok());
    let expected = json!({
        "id": made["id"], "name": "gateway", "scope": "organization", "tenant_id": tenant, "role": "introspector",
        "created_at": "2027-01-15T08:00:00Z", "expires_at": "2027-02-14T08:00:00Z",
    });
    assert_eq!(made, expected);
    let list = api.get(format!("{TOKENS}?tenant_id={tenant}")).await;
    assert_eq!(list.json()["items"], json!([expected]));
    let activity = api.get(format!("{}/activity", api.acme())).await;
    assert_eq!(activity.json()["items"][0]["kind"], "api_token.created");
    for text in [list.text(), activity.text()] {
        assert!(
            !text.contains(secret) && !text.contains(&secret[4..30]),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_database_has_the_digest_and_not_the_secret() {
    let api = Api::start().await;
    let body = json!({"name": "n", "scope": "platform", "role": "admin"});
    let secret = api.post(TOKENS, body).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let sql = "SELECT group_concat(id || digest || name || role) AS everything FROM api_tokens";
    let rows = api
        .world
        .server
        .database()
        .read_text(sql, Vec::new(), "everything")
        .await;
    assert!(!rows.contains(&secret[4..30]));
    let digest = ApiTokenSecret::parse(&secret).unwrap().digest().to_string();
    assert!(rows.contains(&digest));
}

#[tokio::test]
async fn a_token_lives_ninety_days_unless_something_else_is_said_and_a_year_at_most() {
    let api = Api::start().await;
    let make = |days: Value| {
        let mut body = json!({"name": "n", "scope": "platform", "role": "admin"});
        if !days.is_null() {
            body["expires_in_days"] = days;
        }
        api.post(TOKENS, body)
    };
    assert_eq!(
        make(Value::Null).await.json()["expires_at"],
        "2027-04-15T08:00:00Z"
    );
    assert_eq!(
        make(json!(365)).await.json()["expires_at"],
        "2028-01-15T08:00:00Z"
    );
    for days in [0, 366, u32::MAX] {
        assert_blames(
            &make(json!(days)).await,
            "expiry_out_of_range",
            "/expires_in_days",
        );
    }
    for days in [json!(-1), json!(1.5), json!("1"), json!(4_294_967_296_u64)] {
        assert_blames(&make(days).await, "body_invalid", "/expires_in_days");
    }
}

#[tokio::test]
async fn scope_and_organization_belong_together() {
    let api = Api::start().await;
    let tenant = api.world.acme.id.to_string();
    for body in [
        json!({"name": "n", "scope": "organization", "role": "admin"}),
        json!({"name": "n", "scope": "platform", "tenant_id": tenant, "role": "admin"}),
    ] {
        assert_blames(
            &api.post(TOKENS, body).await,
            "tenant_id_mismatch",
            "/tenant_id",
        );
    }
    for (field, value) in [
        ("scope", "everything"),
        ("role", "owner"),
        ("role", "Admin"),
    ] {
        let mut body = json!({"name": "n", "scope": "platform", "role": "admin"});
        body[field] = json!(value);
        assert_blames(
            &api.post(TOKENS, body).await,
            "body_invalid",
            &format!("/{field}"),
        );
    }
}

#[tokio::test]
async fn nobody_makes_a_token_that_may_more_than_its_maker() {
    let api = Api::start().await;
    let (acme, bob) = (&api.world.acme, &api.world.bob);
    let admin = api.token(acme, ApiRole::Admin).await;
    let make = |scope: &str, tenant: Option<String>| {
        let mut body = json!({"name": "n", "scope": scope, "role": "admin"});
        if let Some(tenant) = tenant {
            body["tenant_id"] = json!(tenant);
        }
        api.ask("POST", TOKENS).by(&admin).json(&body).send()
    };
    assert_problem(
        &make("platform", None).await,
        403,
        "platform_scope_required",
    );
    assert_problem(
        &make("organization", Some(bob.id.to_string())).await,
        404,
        "not_found",
    );
    assert_eq!(
        make("organization", Some(acme.id.to_string())).await.status,
        201
    );
    for role in [ApiRole::Auditor, ApiRole::Introspector] {
        let token = api.token(acme, role).await;
        let body = json!({"name": "n", "scope": "organization", "tenant_id": acme.id.to_string(), "role": "introspector"});
        let answer = api.ask("POST", TOKENS).by(&token).json(&body).send().await;
        assert_problem(&answer, 403, "role_not_allowed");
    }
}

#[tokio::test]
async fn an_organization_sees_and_revokes_its_own_tokens_only() {
    let api = Api::start().await;
    let (acme, bob) = (&api.world.acme, &api.world.bob);
    let admin = api.token(acme, ApiRole::Admin).await;
    api.token(bob, ApiRole::Admin).await;
    let list = api.ask("GET", TOKENS).by(&admin).send().await.json();
    let items = list["items"].as_array().unwrap();
    assert!(
        !items.is_empty()
            && items
                .iter()
                .all(|item| item["tenant_id"] == acme.id.to_string())
    );
    let all = api.get(TOKENS).await.json();
    let foreign = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["tenant_id"] != acme.id.to_string());
    for item in foreign {
        let path = format!("{TOKENS}/{}", item["id"].as_str().unwrap());
        assert_problem(
            &api.ask("DELETE", path).by(&admin).send().await,
            404,
            "not_found",
        );
    }
    let own = items[0]["id"].as_str().unwrap();
    assert_eq!(
        api.ask("DELETE", format!("{TOKENS}/{own}"))
            .by(&admin)
            .send()
            .await
            .status,
        204
    );
    assert_problem(
        &api.ask("GET", TOKENS).by(&admin).send().await,
        401,
        "api_token_required",
    );
}

/// A caller that was found a moment ago is looked up again when a token was revoked, and not at every act of anybody.
#[tokio::test]
async fn only_a_revocation_makes_callers_be_looked_up_again() {
    let api = Api::start().await;
    let (acme, database) = (api.acme(), api.world.server.database());
    let seen = api.token(&api.world.acme, ApiRole::Auditor).await;
    let body = json!({"name": "n", "scope": "platform", "role": "auditor"});
    let other = api.post(TOKENS, body).await.json()["id"].clone();
    let ask = async || api.ask("GET", acme.as_str()).by(&seen).send().await.status;
    assert_eq!(ask().await, 200);
    let sql = "UPDATE api_tokens SET mac = '' WHERE role = 'auditor' AND tenant_id IS NOT NULL";
    assert_eq!(database.tamper(sql, Vec::new()).await, 1);
    let suspended = api.post(format!("{}/suspend", api.a1()), json!({})).await;
    assert_eq!(suspended.status, 200);
    assert_eq!(ask().await, 200);
    let path = format!("{TOKENS}/{}", other.as_str().unwrap());
    assert_eq!(api.ask("DELETE", path).send().await.status, 204);
    assert_eq!(ask().await, 401);
}

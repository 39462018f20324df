//! `conformance.md` N3: what belongs to another organization answers as what does not exist, byte for byte.

use countersign_domain::api_tokens::ApiRole;
use countersign_testkit::Answer;
use serde_json::{Value, json};

use crate::schema::operations;
use crate::support::{Api, Ask, comparable, fresh_key};

const NO_TENANT: &str = "tn-00000000-0000-4000-8000-000000000000";
const NO_CONFIGURATION: &str = "ac-00000000-0000-4000-8000-000000000000";
const NO_TOKEN: &str = "at-00000000-0000-4000-8000-000000000000";

/// The bodies with which each address is tried: good ones, and ones that are refused before or after the look-up.
fn bodies() -> Vec<Value> {
    vec![
        json!({}),
        json!({"name": "n"}),
        json!({"reason": "r"}),
        json!({"reason": "a\u{202e}"}),
        json!({"public_key": fresh_key()}),
        json!({"public_key": "nonsense"}),
        json!({"assertion": "a.b.c"}),
        json!({"jti": "j", "expires_at": "2027-01-15T09:00:00Z"}),
        json!({"jti": "", "expires_at": "2027-01-15T09:00:00Z"}),
        json!({"emergency": true}),
        json!({"unknown": 1}),
    ]
}

type Vary = for<'a> fn(Ask<'a>) -> Ask<'a>;

/// Header fields that could make a difference.
const VARIATIONS: [Vary; 4] = [
    |ask| ask,
    |ask| ask.if_match(1),
    |ask| ask.if_match(99),
    |ask| ask.key("k"),
];

/// Sends the same request for what is theirs and for what nobody has.
async fn assert_equal(
    api: &Api,
    token: &str,
    method: &'static str,
    (theirs, missing): (&str, &str),
) -> Answer {
    let mut last = None;
    for vary in VARIATIONS {
        let bodies = if method == "GET" {
            vec![Value::Null]
        } else {
            bodies()
        };
        for body in bodies {
            let send = async |path: &str| {
                let request = vary(api.ask(method, path).by(token));
                let request = if body.is_null() {
                    request
                } else {
                    request.json(&body)
                };
                request.send().await
            };
            let (one, other) = (send(theirs).await, send(missing).await);
            assert_eq!(
                comparable(&one),
                comparable(&other),
                "{method} {theirs} {body}"
            );
            assert!(
                !one.status.is_success(),
                "{method} {theirs} {body}: {}",
                one.text()
            );
            last = Some(one);
        }
    }
    last.unwrap()
}

#[tokio::test]
async fn n3_every_operation_on_another_organization_answers_as_for_none() {
    let api = Api::start().await;
    let a1 = api.world.a1.id.to_string();
    for role in [ApiRole::Admin, ApiRole::Auditor, ApiRole::Introspector] {
        let token = api.token(&api.world.bob, role).await;
        for (method, template, _) in operations() {
            if !template.contains("{tenant_id}") {
                continue;
            }
            let method: &'static str = method.leak();
            let fill = |tenant: &str, id: &str| {
                template
                    .replace("{tenant_id}", tenant)
                    .replace("{id}", id)
                    .replace("{number}", "1")
            };
            let theirs = fill(&api.world.acme.id.to_string(), &a1);
            let missing = fill(NO_TENANT, NO_CONFIGURATION);
            assert_equal(&api, &token, method, (&theirs, &missing)).await;
        }
    }
    // Nothing has happened there.
    assert_eq!(api.get(api.acme()).await.json()["version"], 1);
    assert_eq!(api.get(api.a1()).await.json()["version"], 1);
}

#[tokio::test]
async fn n3_another_organizations_configuration_below_ones_own_address_does_not_exist() {
    let api = Api::start().await;
    let token = api.token(&api.world.bob, ApiRole::Admin).await;
    let a1 = api.world.a1.id.to_string();
    for (method, template, _) in operations() {
        if !template.contains("{tenant_id}/configurations/{id}") {
            continue;
        }
        let method: &'static str = method.leak();
        let fill = |id: &str| {
            template
                .replace("{tenant_id}", &api.world.bob.id.to_string())
                .replace("{id}", id)
        };
        let answer =
            assert_equal(&api, &token, method, (&fill(&a1), &fill(NO_CONFIGURATION))).await;
        assert!(answer.status == 404 || method != "GET", "{}", answer.text());
    }
    assert_eq!(api.get(api.a1()).await.json()["version"], 1);
}

#[tokio::test]
async fn n3_methods_that_are_not_offered_answer_alike_too() {
    let api = Api::start().await;
    let token = api.token(&api.world.bob, ApiRole::Admin).await;
    for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        for (theirs, missing) in [
            (api.acme(), format!("/api/v1/organizations/{NO_TENANT}")),
            (
                api.a1(),
                format!("/api/v1/organizations/{NO_TENANT}/configurations/{NO_CONFIGURATION}"),
            ),
        ] {
            let one = api.ask(method, theirs).by(&token).send().await;
            let other = api.ask(method, missing).by(&token).send().await;
            assert_eq!(comparable(&one), comparable(&other), "{method}");
        }
    }
}

#[tokio::test]
async fn n3_another_organizations_token_and_filter_answer_as_for_none() {
    let api = Api::start().await;
    let theirs = api.token(&api.world.acme, ApiRole::Admin).await;
    let list = api
        .ask("GET", "/api/v1/api-tokens")
        .by(&theirs)
        .send()
        .await
        .json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let token = api.token(&api.world.bob, ApiRole::Admin).await;
    let (one, other) = (
        format!("/api/v1/api-tokens/{id}"),
        format!("/api/v1/api-tokens/{NO_TOKEN}"),
    );
    assert_equal(&api, &token, "DELETE", (&one, &other)).await;
    let list = |tenant: String| format!("/api/v1/api-tokens?tenant_id={tenant}");
    let (one, other) = (
        list(api.world.acme.id.to_string()),
        list(NO_TENANT.to_owned()),
    );
    assert_equal(&api, &token, "GET", (&one, &other)).await;
    assert_eq!(
        api.ask("GET", api.acme()).by(&theirs).send().await.status,
        200,
        "still valid"
    );
    let create = async |tenant: &str| {
        let body =
            json!({"name": "n", "scope": "organization", "tenant_id": tenant, "role": "admin"});
        api.ask("POST", "/api/v1/api-tokens")
            .by(&token)
            .json(&body)
            .send()
            .await
    };
    let (one, other) = (
        create(&api.world.acme.id.to_string()).await,
        create(NO_TENANT).await,
    );
    assert_eq!(comparable(&one), comparable(&other));
    assert_eq!(one.status, 404);
}

#[tokio::test]
async fn a_cursor_of_another_organization_leads_nowhere_else() {
    let api = Api::start().await;
    let page = api
        .get(format!("{}?limit=1", api.configurations()))
        .await
        .json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let token = api.token(&api.world.bob, ApiRole::Admin).await;
    let path = format!("{}/configurations?cursor={cursor}", api.bob());
    let list = api.ask("GET", path).by(&token).send().await.json();
    let items = list["items"].as_array().unwrap();
    assert!(
        items
            .iter()
            .all(|item| item["tenant_id"] == api.world.bob.id.to_string())
    );
}

//! Who is let in at all.

use countersign_domain::api_tokens::ApiRole;
use serde_json::json;

use crate::schema::operations;
use crate::support::{Api, ORGANIZATIONS, assert_problem, comparable};

#[tokio::test]
async fn every_operation_is_401_without_a_token_whatever_else_is_wrong() {
    let api = Api::start().await;
    for (method, template, _) in operations() {
        let method: &'static str = method.leak();
        for path in [
            template.to_owned(),
            template
                .replace("{tenant_id}", &api.world.acme.id.to_string())
                .replace("{id}", &api.world.a1.id.to_string()),
        ] {
            let path = path.replace(['{', '}'], "");
            for request in [
                api.ask(method, &path).anonymous(),
                api.ask(method, &path)
                    .anonymous()
                    .raw("{")
                    .header("content-type", "text/plain"),
                api.ask(method, format!("{path}?limit=0&dry_run=x"))
                    .anonymous()
                    .header("if-match", "x"),
            ] {
                let answer = request.send().await;
                assert_problem(&answer, 401, "api_token_required");
                assert_eq!(
                    answer.header("www-authenticate"),
                    Some("Bearer realm=\"countersign\""),
                    "{method} {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_one_answer() {
    let api = Api::start().await;
    let admin = api.admin.clone();
    let ask = |value: String| {
        api.ask("GET", ORGANIZATIONS)
            .anonymous()
            .header("authorization", value)
    };
    let reference = comparable(&api.ask("GET", ORGANIZATIONS).anonymous().send().await);
    let mut typo = admin.clone();
    let last = if typo.ends_with('0') { '1' } else { '0' };
    typo.pop();
    typo.push(last);
    let unknown = countersign_domain::api_tokens::ApiTokenSecret::from_random([6; 32]);
    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {admin}"),
        admin.clone(),
        format!("Bearer {typo}"),
        format!("Bearer {}", &admin[..20]),
        format!("Bearer {admin} x"),
        format!("Bearer {}", unknown.reveal()),
        format!("Bearer {}", admin.to_uppercase()),
        format!("Bearer {}", "a".repeat(8000)),
        format!("Bearer\t{admin}"),
    ] {
        let answer = ask(value.clone()).send().await;
        assert_eq!(comparable(&answer), reference, "{value}");
    }
    let twice = ask(format!("Bearer {admin}")).header("authorization", format!("Bearer {admin}"));
    assert_eq!(comparable(&twice.send().await), reference);
    let in_query = api
        .ask("GET", format!("{ORGANIZATIONS}?access_token={admin}"))
        .anonymous();
    assert_eq!(comparable(&in_query.send().await), reference);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(
            ask(format!("{scheme} {admin}")).send().await.status,
            200,
            "{scheme}"
        );
    }
}

#[tokio::test]
async fn a_token_ends_at_its_second() {
    let api = Api::start().await;
    let body = json!({"name": "short", "scope": "platform", "role": "admin", "expires_in_days": 1});
    let token = api.post("/api/v1/api-tokens", body).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = || api.ask("GET", ORGANIZATIONS).by(&token).send();
    api.world.server.clock.advance(86_399);
    assert_eq!(ask().await.status, 200);
    api.world.server.clock.advance(1);
    assert_problem(&ask().await, 401, "api_token_required");
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_also_by_those_who_believed_it() {
    let api = Api::start().await;
    let token = api.token(&api.world.acme, ApiRole::Admin).await;
    let list = api
        .get(format!(
            "/api/v1/api-tokens?tenant_id={}",
            api.world.acme.id
        ))
        .await
        .json();
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    let ask = || api.ask("GET", api.acme()).by(&token).send();
    assert_eq!(ask().await.status, 200);
    // Readers that overlap with the revocation must not make it forgotten.
    let revoke = api.ask("DELETE", format!("/api/v1/api-tokens/{id}")).send();
    let (_, revoked, _) = tokio::join!(
        futures_util::future::join_all((0..20).map(|_| ask())),
        revoke,
        futures_util::future::join_all((0..20).map(|_| ask()))
    );
    assert_eq!(revoked.status, 204);
    assert_problem(&ask().await, 401, "api_token_required");
    let again = api
        .ask("DELETE", format!("/api/v1/api-tokens/{id}"))
        .send()
        .await;
    assert_problem(&again, 404, "not_found");
}

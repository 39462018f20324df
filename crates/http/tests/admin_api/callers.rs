//! Who may do what: every operation of the OpenAPI document by every kind of caller, in `callers.golden`.
//! `UPDATE_GOLDEN=1` writes it anew; a new operation needs a request in [`example`].

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use countersign_domain::api_tokens::ApiRole;
use serde_json::{Value, json};

use crate::schema::operations;
use crate::support::{Api, ORGANIZATIONS, fresh_key};

/// A good request for an operation: path and body. Writing ones are tried, not done.
pub(crate) fn example(api: &Api, operation: &str, spare_token: &str) -> (String, Option<Value>) {
    let (acme, a1) = (api.acme(), api.a1());
    let suspended = format!("{}/{}", api.configurations(), api.world.a2.id);
    let trial = |path: String, body: Value| (format!("{path}?dry_run=true"), Some(body));
    let read = |path: String| (path, None);
    match operation {
        "confirm_restore" => trial("/api/v1/instance/confirm-restore".to_owned(), json!({})),
        "create_api_token" => {
            let tenant = api.world.acme.id.to_string();
            let body = json!({"name": "n", "scope": "organization", "tenant_id": tenant, "role": "auditor"});
            trial("/api/v1/api-tokens".to_owned(), body)
        }
        "create_configuration" => trial(api.configurations(), json!({"public_key": fresh_key()})),
        "create_organization" => trial(ORGANIZATIONS.to_owned(), json!({"name": "n"})),
        "deactivate_configuration" => trial(format!("{a1}/deactivate"), json!({})),
        "edit_configuration" => trial(a1, json!({"name": "n"})),
        "edit_organization" => trial(acme, json!({"name": "n"})),
        "explain_assertion" => (
            format!("{acme}/explain"),
            Some(json!({"assertion": "a.b.c"})),
        ),
        "list_activity" => read(format!("{acme}/activity")),
        "list_api_tokens" => read(format!(
            "/api/v1/api-tokens?tenant_id={}",
            api.world.acme.id
        )),
        "list_change_requests" => read(format!("{acme}/change-requests")),
        "list_configuration_versions" => read(format!("{a1}/versions")),
        "list_configurations" => read(api.configurations()),
        "list_organizations" => read(ORGANIZATIONS.to_owned()),
        "list_platform_activity" => read("/api/v1/activity".to_owned()),
        "list_signing_keys" => read(format!("{acme}/signing-keys")),
        "preview_key" => (
            format!("{acme}/keys/preview"),
            Some(json!({"public_key": fresh_key()})),
        ),
        "restore_configuration" => trial(format!("{suspended}/restore"), json!({})),
        "restore_organization" => trial(format!("{acme}/restore"), json!({})),
        "revoke_access_token" => {
            let body = json!({"jti": "j", "expires_at": "2027-01-15T09:00:00Z"});
            trial(format!("{acme}/tokens/revoke"), body)
        }
        "revoke_api_token" => trial(format!("/api/v1/api-tokens/{spare_token}"), json!({})),
        "rotate_configuration" => trial(format!("{a1}/rotate"), json!({"public_key": fresh_key()})),
        "rotate_signing_keys" => trial(format!("{acme}/signing-keys/rotate"), json!({})),
        "show_change_request" => read(format!("{acme}/change-requests/1")),
        "show_configuration" => read(a1),
        "show_instance" => read("/api/v1/instance".to_owned()),
        "show_organization" => read(acme),
        "suspend_configuration" => trial(format!("{a1}/suspend"), json!({})),
        "suspend_organization" => trial(format!("{acme}/suspend"), json!({})),
        other => panic!(
            "{other} is new: say here how it is asked, and who may is decided in callers.golden"
        ),
    }
}

/// Every kind of caller; `None` has no token.
async fn callers(api: &Api) -> Vec<(&'static str, Option<String>)> {
    let (acme, bob) = (&api.world.acme, &api.world.bob);
    let platform = async |role| Some(api.world.server.api_token(None, role).await);
    vec![
        ("platform admin", platform(ApiRole::Admin).await),
        ("platform auditor", platform(ApiRole::Auditor).await),
        (
            "platform introspector",
            platform(ApiRole::Introspector).await,
        ),
        ("admin", Some(api.token(acme, ApiRole::Admin).await)),
        ("auditor", Some(api.token(acme, ApiRole::Auditor).await)),
        (
            "introspector",
            Some(api.token(acme, ApiRole::Introspector).await),
        ),
        ("other's admin", Some(api.token(bob, ApiRole::Admin).await)),
        ("nobody", None),
    ]
}

#[tokio::test]
async fn who_may_do_what_is_as_the_table_says() {
    let api = Api::start().await;
    let suspended = format!("{}/{}", api.configurations(), api.world.a2.id);
    api.post(format!("{suspended}/suspend"), json!({})).await;
    let body = json!({"name": "n", "scope": "organization", "tenant_id": api.world.acme.id.to_string(), "role": "auditor"});
    let spare = api.post("/api/v1/api-tokens", body).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let callers = callers(&api).await;
    let mut table = "operation".to_owned();
    callers
        .iter()
        .for_each(|(name, _)| write!(table, " | {name}").unwrap());
    table.push('\n');
    let mut rows = Vec::new();
    for (method, _, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap();
        let mut row = name.to_owned();
        for (_, token) in &callers {
            let (path, body) = example(&api, name, &spare);
            let request = api.ask(method.clone().leak(), path);
            let request = if method == "PATCH" {
                request.if_match(1)
            } else {
                request
            };
            let request = match token {
                Some(token) => request.by(token),
                None => request.anonymous(),
            };
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            write!(row, " | {}", request.send().await.status.as_u16()).unwrap();
        }
        rows.push(row);
    }
    rows.sort();
    table.push_str(&rows.join("\n"));
    table.push('\n');
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/admin_api/callers.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &table).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&golden).unwrap_or_default(),
        table,
        "UPDATE_GOLDEN=1 writes it anew"
    );
}

#[tokio::test]
async fn a_refused_caller_is_told_why_and_no_more() {
    let api = Api::start().await;
    let auditor = api.token(&api.world.acme, ApiRole::Auditor).await;
    let answer = api
        .ask("POST", format!("{}/suspend", api.a1()))
        .by(&auditor)
        .send()
        .await;
    crate::support::assert_problem(&answer, 403, "role_not_allowed");
    let admin = api.token(&api.world.acme, ApiRole::Admin).await;
    let answer = api.ask("GET", "/api/v1/instance").by(&admin).send().await;
    crate::support::assert_problem(&answer, 403, "platform_scope_required");
}

#[tokio::test]
async fn an_organization_lists_itself_only() {
    let api = Api::start().await;
    let admin = api.token(&api.world.acme, ApiRole::Admin).await;
    let list = api.ask("GET", ORGANIZATIONS).by(&admin).send().await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["items"][0]["tenant_id"], api.world.acme.id.to_string());
}

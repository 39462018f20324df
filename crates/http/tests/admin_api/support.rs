//! Asks the admin API, and checks in every answer what must hold for all of them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use countersign_domain::api_tokens::ApiRole;
use countersign_domain::ids::CorrelationId;
use countersign_testkit::{Answer, Tenant, TestKey, World};
use serde_json::{Value, json};

use crate::{errors, schema};

/// What every path of an organization begins with.
pub(crate) const ORGANIZATIONS: &str = "/api/v1/organizations";

/// Two organizations, and an administrator of the platform.
pub(crate) struct Api {
    pub(crate) world: World,
    /// The API token of the platform administrator.
    pub(crate) admin: String,
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    api: &'a Api,
    method: &'static str,
    path: String,
    authorization: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let world = World::start().await;
        let admin = world.server.api_token(None, ApiRole::Admin).await;
        Self { world, admin }
    }

    /// An API token of an organization.
    pub(crate) async fn token(&self, tenant: &Tenant, role: ApiRole) -> String {
        self.world.server.api_token(Some(tenant), role).await
    }

    /// The first organization.
    pub(crate) fn acme(&self) -> String {
        format!("{ORGANIZATIONS}/{}", self.world.acme.id)
    }

    /// The second organization.
    pub(crate) fn bob(&self) -> String {
        format!("{ORGANIZATIONS}/{}", self.world.bob.id)
    }

    /// The configurations of the first organization.
    pub(crate) fn configurations(&self) -> String {
        format!("{}/configurations", self.acme())
    }

    /// The first configuration of the first organization.
    pub(crate) fn a1(&self) -> String {
        format!("{}/{}", self.configurations(), self.world.a1.id)
    }

    /// A request as the platform administrator.
    pub(crate) fn ask(&self, method: &'static str, path: impl Into<String>) -> Ask<'_> {
        Ask {
            api: self,
            method,
            path: path.into(),
            authorization: Some(format!("Bearer {}", self.admin)),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Answer {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: impl Into<String>, body: Value) -> Answer {
        self.ask("POST", path).json(&body).send().await
    }

    pub(crate) async fn patch(&self, path: impl Into<String>, version: u64, body: Value) -> Answer {
        let request = self.ask("PATCH", path).json(&body);
        request.if_match(version).send().await
    }

    /// Creates a configuration in the first organization; nothing is given but the key, and `fields`.
    pub(crate) async fn create(&self, fields: Value) -> Answer {
        let mut body = json!({"public_key": fresh_key()});
        merge(&mut body, fields);
        self.post(self.configurations(), body).await
    }

    /// Creates a configuration and says where it is.
    pub(crate) async fn created(&self, fields: Value) -> (String, Value) {
        let answer = self.create(fields).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let resource = answer.json();
        let id = resource["id"].as_str().unwrap();
        (format!("{}/{id}", self.configurations()), resource)
    }
}

impl Ask<'_> {
    /// As somebody else.
    pub(crate) fn by(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    /// As nobody.
    pub(crate) fn anonymous(mut self) -> Self {
        self.authorization = None;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn if_match(self, version: u64) -> Self {
        self.header("if-match", format!("\"{version}\""))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
            .header("content-type", "application/json")
    }

    /// A body without a content type.
    pub(crate) fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Body::from(self.body)).unwrap();
        let answer = self.api.world.server.send(request).await;
        check(self.method, &self.path, &answer);
        answer
    }
}

/// What holds for every answer of the admin API.
fn check(method: &str, path: &str, answer: &Answer) {
    let at = format!("{method} {path}: {} {}", answer.status, answer.text());
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{at}"
    );
    assert_eq!(
        answer.header("referrer-policy"),
        Some("no-referrer"),
        "{at}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{at}");
    let correlation_id = answer.header("x-correlation-id").unwrap();
    assert!(correlation_id.parse::<CorrelationId>().is_ok(), "{at}");
    assert!(answer.status.as_u16() < 500, "{at}");
    if method == "HEAD" {
        return;
    }
    if answer.status.is_success() {
        check_resource(method, path, answer, &at);
    } else {
        check_problem(answer, correlation_id, &at);
    }
}

fn check_resource(method: &str, path: &str, answer: &Answer, at: &str) {
    if answer.status == StatusCode::NO_CONTENT {
        assert_eq!(answer.text(), "", "{at}");
    } else {
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{at}"
        );
    }
    let version = serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .and_then(|body| body.get("version")?.as_u64())
        .map(|version| format!("\"{version}\""));
    assert_eq!(answer.header("etag"), version.as_deref(), "{at}");
    schema::check_answer(method, path, answer);
}

/// RFC 9457, and that the code is a documented one.
fn check_problem(answer: &Answer, correlation_id: &str, at: &str) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{at}"
    );
    let problem = answer.json();
    schema::check("ProblemDocument", &problem, at);
    let code = problem["code"].as_str().unwrap();
    let type_uri = format!("https://countersign.dev/errors#{code}");
    assert_eq!(problem["type"], type_uri.as_str(), "{at}");
    assert_eq!(problem["status"], answer.status.as_u16(), "{at}");
    assert_eq!(
        problem["title"],
        answer.status.canonical_reason().unwrap(),
        "{at}"
    );
    assert_eq!(problem["correlation_id"], correlation_id, "{at}");
    assert!(
        errors::is_documented(answer.status.as_u16(), code),
        "not in docs/errors.md: {at}"
    );
}

/// Asserts that an answer is this problem.
#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let body = answer.json();
    let found = (
        answer.status.as_u16(),
        body["code"].as_str().unwrap_or_default(),
    );
    assert_eq!(found, (status, code), "{}", answer.text());
}

/// Asserts that an answer is this problem and blames this member, and nothing else.
#[track_caller]
pub(crate) fn assert_blames(answer: &Answer, code: &str, pointer: &str) {
    let status = answer.status.as_u16();
    assert!(status == 422 || status == 409, "{status} {}", answer.text());
    assert_problem(answer, status, code);
    let errors = answer.json()["errors"].clone();
    assert_eq!(
        errors.as_array().map(Vec::len),
        Some(1),
        "{}",
        answer.text()
    );
    assert_eq!(errors[0]["pointer"], pointer, "{}", answer.text());
    assert_eq!(errors[0]["code"], code, "{}", answer.text());
}

/// The answer without what differs between equal ones: status, header fields, body.
pub(crate) fn comparable(answer: &Answer) -> (u16, Vec<String>, String) {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != "x-correlation-id")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    (
        answer.status.as_u16(),
        headers,
        answer.text_without_correlation(),
    )
}

/// A public key that nobody has.
pub(crate) fn fresh_key() -> String {
    TestKey::es256().public_key().to_owned()
}

/// Puts the members of one object into another.
pub(crate) fn merge(into: &mut Value, from: Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else {
        panic!("two objects are expected");
    };
    into.extend(from);
}

/// The states of the keys, in their order.
pub(crate) fn key_states(resource: &Value) -> Vec<String> {
    let keys = resource["keys"].as_array().unwrap().iter();
    keys.map(|key| key["state"].as_str().unwrap().to_owned())
        .collect()
}

//! The server under test: the real router over the real service, without a socket.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use countersign_crypto::MasterKey;
use countersign_domain::api_tokens::{ApiRole, ApiScope};
use countersign_domain::organizations::PublicUrl;
use countersign_domain::time::UnixTime;
use countersign_http::Front;
use countersign_service::{
    Act, ActivityFilter, Caller, CreateApiToken, Executed, Execution, Page, Service, ServiceError,
    Settings, mark_restored, new_correlation_id,
};
use countersign_store::Store;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::answer::Answer;
use crate::clock::ManualClock;
use crate::database::{DatabaseKind, TestDatabase};
use crate::world::Tenant;

/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// `grant_type` of RFC 6749 §4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// `grant_type` of RFC 7523 §2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `client_assertion_type` of RFC 7523 §2.2.
pub const PRIVATE_KEY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long to wait for work in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The database.
    pub database: DatabaseKind,
    /// The address under which it believes to be reached.
    pub public_url: String,
    /// The request budget of each organization.
    pub requests_per_second: Option<u32>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            database: DatabaseKind::default(),
            public_url: "https://auth.example.com".to_owned(),
            requests_per_second: None,
        }
    }
}

/// A running server with a database of its own.
pub struct TestServer {
    /// The clock that the server goes by.
    pub clock: ManualClock,
    service: Arc<Service>,
    front: Front,
    store: Store,
    settings: Settings,
    master: String,
    database: Arc<TestDatabase>,
}

impl TestServer {
    /// A server on SQLite in memory.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A server as described.
    pub async fn with(setup: Setup) -> Self {
        let database = Arc::new(TestDatabase::create(setup.database).await);
        let master = MasterKey::generate();
        let settings = Settings {
            public_url: PublicUrl::parse(&setup.public_url).unwrap(),
            requests_per_second: setup.requests_per_second.and_then(NonZeroU32::new),
            keep_issuances: 86_400,
        };
        let store = Store::new(database.open().clone(), master.mac_key("row"));
        let text = master.to_text().to_string();
        Self::launch(ManualClock::new(), store, settings, text, database).await
    }

    /// Another node on the same database, with a clock of its own that shows the same time now.
    pub async fn second_node(&self) -> Self {
        let clock = ManualClock::new();
        clock.set(self.clock.seconds());
        self.again(clock).await
    }

    /// Another node on the same database, whose clock is `ahead` seconds ahead of this one's, or behind when negative.
    pub async fn node_with_clock(&self, ahead: i64) -> Self {
        let clock = ManualClock::new();
        clock.set(self.clock.seconds() + ahead);
        self.again(clock).await
    }

    /// The same server after its process was killed and started again; this one must not be used any more.
    pub async fn restarted(self) -> Self {
        let clock = self.clock.clone();
        self.again(clock).await
    }

    async fn again(&self, clock: ManualClock) -> Self {
        Self::launch(
            clock,
            self.store.clone(),
            self.settings.clone(),
            self.master.clone(),
            Arc::clone(&self.database),
        )
        .await
    }

    pub(crate) async fn launch(
        clock: ManualClock,
        store: Store,
        settings: Settings,
        master: String,
        database: Arc<TestDatabase>,
    ) -> Self {
        let opened = MasterKey::from_text(&master).unwrap();
        let service = Service::start(
            settings.clone(),
            store.clone(),
            opened,
            Box::new(clock.clone()),
        )
        .await
        .unwrap_or_else(|error| panic!("the service does not start: {error:?}"));
        Self {
            front: countersign_http::front(&service),
            clock,
            service,
            store,
            settings,
            master,
            database,
        }
    }

    /// Does to the database what `countersign restore` does to one that was read from a backup. Restart afterwards.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn mark_restored(&self) {
        let mut unit = self.store.write().await.unwrap();
        let now = UnixTime::from_seconds(self.now());
        let marked = mark_restored(&mut unit, &self.master_key(), now).await;
        marked.unwrap();
        unit.commit().await.unwrap();
    }

    /// The service behind the front.
    #[must_use]
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// What answers on its listener.
    pub fn front(&self) -> Front {
        self.front.clone()
    }

    /// The store below the service.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The database below the store.
    #[must_use]
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// The master key that the service was started with.
    #[must_use]
    pub fn master_key(&self) -> MasterKey {
        MasterKey::from_text(&self.master).unwrap()
    }

    /// The time that the server goes by.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.seconds()
    }

    /// Sends a request through the whole router.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.front.clone().oneshot(request).await.unwrap()).await
    }

    /// `GET`, without a header field.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// `POST` of a form. Parameters may repeat; they are percent-encoded here.
    pub async fn post_form(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.post(path, &[("content-type", FORM)], form(parameters))
            .await
    }

    /// `POST` of any body with any header fields.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Asks for a token with `client_credentials` and `private_key_jwt`.
    pub async fn token(&self, tenant: &Tenant, assertion: impl AsRef<str>) -> Answer {
        self.post_form(
            &tenant.path("token"),
            &[
                ("grant_type", CLIENT_CREDENTIALS),
                ("client_assertion_type", PRIVATE_KEY_JWT),
                ("client_assertion", assertion.as_ref()),
            ],
        )
        .await
    }

    /// Asks for a token with the jwt-bearer grant.
    pub async fn grant(&self, tenant: &Tenant, assertion: impl AsRef<str>) -> Answer {
        self.post_form(
            &tenant.path("token"),
            &[
                ("grant_type", JWT_BEARER),
                ("assertion", assertion.as_ref()),
            ],
        )
        .await
    }

    /// Asks for a token at the compatibility route.
    pub async fn passport(&self, assertion: impl AsRef<str>) -> Answer {
        let body = serde_json::json!({"token": assertion.as_ref()}).to_string();
        let headers = [("content-type", "application/json")];
        self.post("/passport/v1/oauth2/token", &headers, body).await
    }

    /// Introspects a token, as a program with an API token.
    pub async fn introspect(&self, tenant: &Tenant, api_token: &str, token: &str) -> Answer {
        let authorization = format!("Bearer {api_token}");
        let headers = [
            ("content-type", FORM),
            ("authorization", authorization.as_str()),
        ];
        self.post(
            &tenant.path("introspect"),
            &headers,
            form(&[("token", token)]),
        )
        .await
    }

    /// Asks the admin API.
    pub async fn api(
        &self,
        method: Method,
        path: &str,
        api_token: &str,
        body: Option<Value>,
    ) -> Answer {
        self.api_with(method, path, &[], (api_token, body)).await
    }

    /// Asks the admin API with further header fields.
    pub async fn api_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        (api_token, body): (&str, Option<Value>),
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {api_token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    /// Makes an API token of an organization, or of the platform.
    pub async fn api_token(&self, tenant: Option<&Tenant>, role: ApiRole) -> String {
        let scope = tenant.map_or(ApiScope::Platform, |tenant| {
            ApiScope::Organization(tenant.id)
        });
        let act = CreateApiToken {
            name: "test".to_owned(),
            scope,
            role,
            days: 30,
        };
        self.execute(&act).await.unwrap().secret.reveal().to_owned()
    }

    /// Runs a use case as the operator.
    ///
    /// # Errors
    /// As the use case refuses.
    pub async fn execute<A: Act>(&self, act: &A) -> Result<A::Output, ServiceError> {
        let caller = Caller::operator();
        let run = Execution {
            caller: &caller,
            correlation_id: new_correlation_id(),
            dry_run: false,
            keep: None,
        };
        match self.service.execute(act, &run).await? {
            Executed::Done(output) => Ok(output),
            Executed::Repeated(_) => panic!("nothing was asked to be repeated"),
        }
    }

    /// The true reason of a refusal, as the organization's activity has it under the answer's correlation ID.
    ///
    /// # Panics
    /// When it does not appear there.
    pub async fn recorded_reason(&self, tenant: &Tenant, answer: &Answer) -> String {
        let detail = self.recorded_detail(tenant, answer).await;
        detail["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// What the organization's activity has of a refusal.
    ///
    /// # Panics
    /// When it does not appear there.
    pub async fn recorded_detail(&self, tenant: &Tenant, answer: &Answer) -> Value {
        let filter = ActivityFilter {
            correlation_id: Some(answer.correlation_id()),
            kind: None,
        };
        let found = wait_for(async || {
            let page = Page {
                after: None,
                limit: 1,
            };
            let caller = Caller::operator();
            let found = self
                .service
                .activity(&caller, tenant.id, &filter, &page)
                .await;
            found.unwrap().pop()
        });
        found.await.entry.detail
    }
}

/// Parameters as a form.
fn form(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)))
        .collect();
    pairs.join("&")
}

fn percent_encoded(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
    text.bytes()
        .map(|octet| match octet {
            octet if plain(octet) => char::from(octet).to_string(),
            octet => format!("%{octet:02X}"),
        })
        .collect()
}

/// Looks again and again until there is something to see.
async fn wait_for<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("what was waited for has not happened")
}

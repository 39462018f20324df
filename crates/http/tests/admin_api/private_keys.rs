//! `conformance.md` K6 and O2: a pasted private key is refused, kept nowhere and written nowhere.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use countersign_domain::organizations::PublicUrl;
use countersign_service::{
    Caller, CreateOrganization, Executed, Execution, Service, Settings, new_correlation_id,
};
use countersign_testkit::ManualClock;
use countersign_testkit::crypto::MasterKey;
use countersign_testkit::store::{Database, DatabaseUrl, Store};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

use crate::keys::private;
use crate::support::{Api, assert_blames};

/// Everything that is logged in this process, at every level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

pub(crate) fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(log.clone())
            .json()
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

pub(crate) fn logged(text: &str) -> bool {
    let log = log().0.lock().unwrap();
    contains(&log, text)
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The places where somebody could paste a key, with the member to blame.
fn bodies(key: &Value) -> Vec<Value> {
    vec![
        json!({"public_key": key}),
        json!({"public_key": key, "name": "n"}),
    ]
}

#[tokio::test]
async fn k6_a_private_key_is_refused_everywhere_with_the_way_to_its_public_part() {
    let api = Api::start().await;
    for (name, text, canary) in private() {
        let mut keys = vec![json!(text)];
        keys.extend(
            serde_json::from_str::<Value>(text)
                .ok()
                .filter(Value::is_object),
        );
        for key in keys {
            for path in [
                api.configurations(),
                format!("{}/keys/preview", api.acme()),
                format!("{}/rotate", api.a1()),
            ] {
                let answer = api.post(path, json!({"public_key": key})).await;
                assert_blames(&answer, "private_key_refused", "/public_key");
                let text = answer.text();
                assert!(!text.contains(canary), "{name} is repeated: {text}");
                assert!(
                    text.contains("Make the public part") || text.contains("Remove the members"),
                    "{name}: {text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_private_key_in_the_wrong_member_is_not_repeated_either() {
    let api = Api::start().await;
    for (name, text, canary) in private() {
        for member in [
            "algorithm",
            "auth_type",
            "expires_at",
            "access_token_lifetime",
            "replay_protection",
            "permission_groups",
        ] {
            let answer = api.create(json!({member: text})).await;
            assert_eq!(answer.status, 422, "{name} in {member}");
            assert!(
                !answer.text().contains(canary),
                "{name} in {member}: {}",
                answer.text()
            );
        }
        let answer = api.create(json!({text: "member"})).await;
        assert_eq!(answer.status, 422);
        assert!(!answer.text().contains(canary), "{name}: {}", answer.text());
    }
}

/// The base64 of a private key that has armour, or is nothing but base64.
fn bare(text: &str) -> Option<String> {
    let lines = text.lines().filter(|line| {
        !line.starts_with("-----") && !line.contains(':') && !line.trim().is_empty()
    });
    let joined: String = lines.collect();
    let is_base64 = |octet: u8| octet.is_ascii_alphanumeric() || b"+/=".contains(&octet);
    (joined.len() > 48 && joined.starts_with('M') && joined.bytes().all(is_base64))
        .then_some(joined)
}

/// An Ed25519 key in PKCS#8 is 64 characters of base64, and fits wherever a name does.
const SHORT: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

/// Requests that carry a text in each place where people write one: path and body.
fn everywhere(tenant: &str, text: &str) -> Vec<(String, Value)> {
    let organization = format!("/api/v1/organizations/{tenant}");
    let mut requests = Vec::new();
    for member in [
        "name",
        "owner",
        "notes",
        "verifier_issuer",
        "verifier_subject",
        "verifier_audience",
        "signer_issuer",
        "signer_audience",
        "kid",
    ] {
        let body = json!({"public_key": crate::support::fresh_key(), member: text});
        requests.push((format!("{organization}/configurations"), body));
    }
    for (member, list) in [
        ("copied_claims", json!([text])),
        ("permission_groups", json!([text])),
    ] {
        let body = json!({"public_key": crate::support::fresh_key(), member: list});
        requests.push((format!("{organization}/configurations"), body));
    }
    let body = json!({"name": "Groups", "permission_groups": [text]});
    requests.push(("/api/v1/organizations".to_owned(), body));
    let body = json!({"name": text});
    requests.push(("/api/v1/organizations".to_owned(), body));
    requests.push((format!("{organization}/suspend"), json!({"reason": text})));
    let body = json!({"name": text, "scope": "platform", "role": "auditor"});
    requests.push(("/api/v1/api-tokens".to_owned(), body));
    let body = json!({"jti": text, "expires_at": "2027-01-15T09:00:00Z"});
    requests.push((format!("{organization}/tokens/revoke"), body));
    requests
}

#[tokio::test]
async fn k6_a_private_key_in_bare_base64_is_refused_in_every_member() {
    let api = Api::start().await;
    let tenant = api.world.acme.id.to_string();
    let mut keys: Vec<String> = private().filter_map(|(_, text, _)| bare(text)).collect();
    assert!(keys.len() >= 3, "{} keys in bare base64", keys.len());
    keys.push(SHORT.to_owned());
    for key in keys {
        for (path, body) in everywhere(&tenant, &key) {
            let answer = api.post(&path, body.clone()).await;
            assert_eq!(answer.status, 422, "{path} {body}: {}", answer.text());
            assert!(
                !answer.text().contains(&key[..40]),
                "repeated: {}",
                answer.text()
            );
        }
        let request = api.ask("POST", format!("{}/suspend", api.a1()));
        let answer = request.key(&key).json(&json!({})).send().await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}

#[tokio::test]
async fn o2_nothing_of_a_private_key_reaches_the_log_or_the_database_file() {
    log();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("countersign.db");
    let service = on_file(&file).await;
    let tenant = organization(&service).await;
    let token = service
        .first_platform_token(|_| Ok(()))
        .await
        .unwrap()
        .unwrap();
    let front = countersign_http::front(&service);
    for (name, text, _) in private() {
        for body in bodies(&json!(text)) {
            for end in ["configurations", "keys/preview"] {
                let request =
                    axum::http::Request::post(format!("/api/v1/organizations/{tenant}/{end}"))
                        .header("authorization", format!("Bearer {}", token.secret.reveal()))
                        .header("content-type", "application/json")
                        .header("idempotency-key", name.replace([' ', ','], "-"))
                        .body(axum::body::Body::from(body.to_string()))
                        .unwrap();
                let response = front.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status(), 422);
                drop(response.into_body().collect().await.unwrap());
            }
        }
    }
    let bare: Vec<String> = private().filter_map(|(_, text, _)| bare(text)).collect();
    for key in bare.iter().map(String::as_str).chain([SHORT]) {
        for (path, body) in everywhere(&tenant, key) {
            let request = axum::http::Request::post(path)
                .header("authorization", format!("Bearer {}", token.secret.reveal()))
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.to_string()))
                .unwrap();
            let response = front.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 422);
            drop(response.into_body().collect().await.unwrap());
        }
    }
    assert!(
        logged("keys/preview"),
        "the requests themselves are logged, so the log is the right one"
    );
    service.stop().await;
    let mut searched = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let octets = std::fs::read(entry.unwrap().path()).unwrap();
        searched += octets.len();
        assert!(
            !contains(&octets, token.secret.reveal()),
            "an API token is stored"
        );
        for (name, _, canary) in private() {
            assert!(!contains(&octets, canary), "{name} is stored");
        }
        assert!(
            !contains(&octets, &SHORT[20..]),
            "a key in bare base64 is stored"
        );
    }
    assert!(searched > 50_000, "the database has {searched} octets only");
    assert!(!logged(token.secret.reveal()), "an API token is logged");
    assert!(!logged(&SHORT[20..]), "a key in bare base64 is logged");
    for (name, _, canary) in private() {
        assert!(!logged(canary), "{name} is logged");
    }
}

async fn on_file(file: &std::path::Path) -> Arc<Service> {
    let database = Database::open(&DatabaseUrl::Sqlite(file.to_owned()))
        .await
        .unwrap();
    let master = MasterKey::generate();
    let settings = Settings {
        public_url: PublicUrl::parse("https://auth.example.com").unwrap(),
        requests_per_second: None,
        keep_issuances: 60,
    };
    let store = Store::new(database, master.mac_key("row"));
    Service::start(settings, store, master, Box::new(ManualClock::new()))
        .await
        .unwrap()
}

async fn organization(service: &Service) -> String {
    let caller = Caller::operator();
    let run = Execution {
        caller: &caller,
        correlation_id: new_correlation_id(),
        dry_run: false,
        keep: None,
    };
    let act = CreateOrganization {
        name: "Acme".to_owned(),
        fields: Default::default(),
    };
    match service.execute(&act, &run).await.unwrap() {
        Executed::Done(organization) => organization.tenant_id.to_string(),
        Executed::Repeated(_) => unreachable!("nothing was kept"),
    }
}

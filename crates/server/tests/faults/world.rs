//! An organization with a configuration on a running server, and what its callers do.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use countersign_crypto::{JwsSigner, MasterKey, SigningAlgorithm, SigningKey, b64, random_bytes};
use countersign_domain::change::ChangeState;
use countersign_domain::ids::TenantId;
use countersign_store::{Database, DatabaseUrl, Page, Store};
use serde_json::{Value, json};

use crate::http::{Answer, Body, Terms, send};
use crate::server::{PUBLIC_URL, now};

/// Everything that a test knows of an organization.
#[derive(Clone)]
pub struct World {
    pub address: SocketAddr,
    pub admin: String,
    pub tenant_id: String,
    pub configuration: String,
    signer: JwsSigner,
    /// The API token that introspects, made while the database could be written.
    program: Arc<Mutex<String>>,
}

impl World {
    /// Makes an organization with a configuration.
    pub fn new(address: SocketAddr, data: &Path) -> Self {
        let admin = fs::read_to_string(data.join("platform-token")).unwrap();
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        let terms = Terms {
            token: Some(&admin),
            ..Terms::default()
        };
        let body = json!({"name": "Acme Bank"});
        let organization = send(
            address,
            ("POST", "/api/v1/organizations"),
            terms,
            &Body::Json(&body),
        )
        .unwrap();
        assert_eq!(organization.status, 201, "{organization:?}");
        let tenant_id = organization.text("tenant_id");
        let path = format!("/api/v1/organizations/{tenant_id}/configurations");
        let body = json!({"name": "name 1", "public_key": key.public_key().to_pem()});
        let configuration = send(address, ("POST", &path), terms, &Body::Json(&body)).unwrap();
        assert_eq!(configuration.status, 201, "{configuration:?}");
        let world = Self {
            address,
            tenant_id,
            configuration: configuration.text("id"),
            signer: JwsSigner::new(key, None, None),
            program: Arc::default(),
            admin,
        };
        *world.program.lock().unwrap() = world.new_program();
        world
    }

    /// A new assertion that lives for a minute.
    pub fn assertion(&self) -> String {
        self.assertion_at(now(), 60)
    }

    pub fn assertion_at(&self, issued_at: i64, lifetime: i64) -> String {
        let claims = json!({
            "iss": self.configuration, "sub": self.configuration,
            "aud": format!("{PUBLIC_URL}/t/{}", self.tenant_id),
            "iat": issued_at, "exp": issued_at + lifetime, "jti": b64::encode(random_bytes::<16>()),
        });
        self.signer.sign(claims.to_string().as_bytes())
    }

    /// Posts an assertion.
    pub fn exchange(&self, assertion: &str) -> io::Result<Answer> {
        let path = format!("/t/{}/token", self.tenant_id);
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        );
        send(
            self.address,
            ("POST", &path),
            Terms::default(),
            &Body::Form(&form),
        )
    }

    /// A token for a new assertion, with that assertion.
    pub fn token(&self) -> (String, String) {
        let assertion = self.assertion();
        let answer = self.exchange(&assertion).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        (assertion, answer.text("access_token"))
    }

    /// A new API token of the organization: the platform introspects nothing.
    fn new_program(&self) -> String {
        let terms = Terms {
            token: Some(&self.admin),
            ..Terms::default()
        };
        let body = json!({
            "name": "gateway", "scope": "organization", "tenant_id": self.tenant_id, "role": "introspector",
        });
        let path = "/api/v1/api-tokens";
        let answer = send(self.address, ("POST", path), terms, &Body::Json(&body)).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.text("token")
    }

    /// Whether introspection finds a token active.
    pub fn is_active(&self, token: &str) -> bool {
        let mut program = self.program.lock().unwrap();
        let mut answer = self.introspect(&program, token);
        if answer.status == 401 {
            // A restore has revoked it.
            *program = self.new_program();
            answer = self.introspect(&program, token);
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().get("active") == Some(&Value::Bool(true))
    }

    fn introspect(&self, program: &str, token: &str) -> Answer {
        let path = format!("/t/{}/introspect", self.tenant_id);
        let terms = Terms {
            token: Some(program),
            ..Terms::default()
        };
        let form = format!("token={token}");
        send(self.address, ("POST", &path), terms, &Body::Form(&form)).unwrap()
    }

    /// Whether an assertion is refused because it was used.
    pub fn is_replay(&self, assertion: &str) -> bool {
        let answer = self.exchange(assertion).unwrap();
        answer.status == 400 && answer.json().get("reason") == Some(&json!("assertion_replayed"))
    }

    /// Something of the platform's API.
    pub fn platform(&self, method: &str, path: &str) -> Answer {
        let terms = Terms {
            token: Some(&self.admin),
            ..Terms::default()
        };
        send(self.address, (method, path), terms, &Body::Nothing).unwrap()
    }

    /// Gives the configuration another name, if its version is still the one that is known.
    pub fn rename(&self, version: u64, name: &str) -> io::Result<Answer> {
        let path = format!(
            "/api/v1/organizations/{}/configurations/{}",
            self.tenant_id, self.configuration
        );
        let terms = Terms {
            token: Some(&self.admin),
            if_match: Some(version),
        };
        send(
            self.address,
            ("PATCH", &path),
            terms,
            &Body::Json(&json!({"name": name})),
        )
    }

    /// Version and name of the configuration.
    pub fn configuration(&self) -> (u64, String) {
        let path = format!(
            "/api/v1/organizations/{}/configurations/{}",
            self.tenant_id, self.configuration
        );
        let answer = self.platform("GET", &path);
        assert_eq!(answer.status, 200, "{answer:?}");
        (
            answer.json()["version"].as_u64().unwrap(),
            answer.text("name"),
        )
    }
}

/// Opens the database of a server that is not running and looks whether anything is half done.
pub fn look_inside(data: &Path) -> Found {
    let master = fs::read_to_string(data.join("master.key")).unwrap();
    let master = MasterKey::from_text(&master).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = DatabaseUrl::Sqlite(data.join("countersign.db"));
        let database = Database::open(&url).await.unwrap();
        let found = look(&Store::new(database.clone(), master.mac_key("row"))).await;
        database.close().await;
        found
    })
}

/// What is in a database in which nothing is half done.
#[derive(Debug, Default)]
pub struct Found {
    pub organizations: usize,
    pub versions: usize,
    pub issuances: i64,
}

const EVERYTHING: Page = Page {
    after: None,
    limit: 100_000,
};

/// Checks every governed thing of every organization, and that no assertion was recorded twice.
pub async fn look(store: &Store) -> Found {
    let mut found = Found::default();
    let mut unit = store.read().await.unwrap();
    for organization in unit.organizations(&EVERYTHING).await.unwrap() {
        found.organizations += 1;
        let tenant_id = organization.tenant_id;
        for request in unit.changes(tenant_id, &EVERYTHING).await.unwrap() {
            assert!(
                matches!(request.state, ChangeState::Applied { .. }),
                "{request:?}"
            );
        }
        let stands = (organization.version, organization.change_request);
        let state = serde_json::to_value(&organization.state).unwrap();
        found.versions += whole(
            &mut unit,
            tenant_id,
            &tenant_id.to_string(),
            (stands, state),
        )
        .await;
        for configuration in unit
            .configurations(tenant_id, None, &EVERYTHING)
            .await
            .unwrap()
        {
            let stands = (configuration.version, configuration.change_request);
            let state = serde_json::to_value(&configuration.state).unwrap();
            found.versions += whole(
                &mut unit,
                tenant_id,
                &configuration.id.to_string(),
                (stands, state),
            )
            .await;
        }
    }
    drop(unit);
    let mut tx = store.database().read().await.unwrap();
    let twice = "SELECT replay_key FROM issuances GROUP BY replay_key HAVING COUNT(*) > 1";
    assert!(
        tx.fetch_all(twice, vec![]).await.unwrap().is_empty(),
        "an assertion was accepted twice"
    );
    let count = tx
        .fetch_optional("SELECT COUNT(*) AS count FROM issuances", vec![])
        .await
        .unwrap();
    found.issuances = count.unwrap().int("count").unwrap();
    let orphans = "SELECT v.target FROM versions v
        LEFT JOIN change_requests c ON c.tenant_id = v.tenant_id AND c.number = v.change_number
        WHERE c.state IS NULL OR c.state <> 'applied'";
    assert!(
        tx.fetch_all(orphans, vec![]).await.unwrap().is_empty(),
        "a version without its request"
    );
    let unused = "SELECT c.number FROM change_requests c
        LEFT JOIN versions v ON c.tenant_id = v.tenant_id AND c.number = v.change_number
        WHERE v.target IS NULL";
    assert!(
        tx.fetch_all(unused, vec![]).await.unwrap().is_empty(),
        "a request without its version"
    );
    found
}

/// The versions of a target count from 1 without a gap, the newest is how it stands, and each names its request.
async fn whole(
    unit: &mut countersign_store::Unit,
    tenant_id: TenantId,
    target: &str,
    ((version, change_request), state): ((u64, u64), Value),
) -> usize {
    let all = Page {
        after: None,
        limit: u32::MAX,
    };
    let versions = unit.versions(tenant_id, target, &all).await.unwrap();
    let count = u64::try_from(versions.len()).unwrap();
    let numbers: Vec<u64> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (1..=count).rev().collect::<Vec<_>>(), "{target}");
    assert_eq!(
        (version, change_request),
        (count, versions[0].change_request),
        "{target}"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&versions[0].state).unwrap(),
        state,
        "{target}"
    );
    versions.len()
}

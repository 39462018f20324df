//! An instance that an older version of the program has left behind.

use std::sync::Arc;

use countersign_crypto::{MasterKey, SigningAlgorithm, SigningKey};
use countersign_domain::organizations::PublicUrl;
use countersign_service::Settings;
use countersign_store::Store;
use serde_json::Value;

use crate::assertion::decode_base64url;
use crate::clock::ManualClock;
use crate::database::{DatabaseKind, TestDatabase};
use crate::keys::TestKey;
use crate::server::{Setup, TestServer};
use crate::world::{Client, Tenant};

/// The rows of a database of schema 2, which knew keyed digests of organizations and configurations only.
const ROWS: &str = include_str!("../fixtures/schema-2.jsonl");
const FACTS: &str = include_str!("../fixtures/schema-2.json");

/// Columns that hold octets.
const OCTETS: [&str; 3] = ["mac", "modulus", "sealed"];

/// A server that was started on the database of an older version.
pub struct Upgraded {
    /// The server, of today.
    pub server: TestServer,
    /// A configuration of the first organization.
    pub client: Client,
    /// The API token of an administrator of the platform.
    pub platform_token: String,
    /// The API token of an administrator of the first organization.
    pub organization_token: String,
}

impl Upgraded {
    /// Starts the server on SQLite in memory.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let facts: Value = serde_json::from_str(FACTS).unwrap();
        let fact = |name: &str| facts[name].as_str().unwrap().to_owned();
        let database = TestDatabase::create(DatabaseKind::Sqlite).await;
        for line in ROWS.lines() {
            database.tamper(insert(line).leak(), Vec::new()).await;
        }
        let settings = Settings {
            public_url: PublicUrl::parse(&Setup::default().public_url).unwrap(),
            requests_per_second: None,
            keep_issuances: 86_400,
        };
        let tenant = Tenant {
            id: fact("tenant_id").parse().unwrap(),
            issuer: settings
                .public_url
                .issuer(fact("tenant_id").parse().unwrap())
                .to_string(),
        };
        let master = MasterKey::from_text(&fact("master_key")).unwrap();
        let store = Store::new(database.open().clone(), master.mac_key("row"));
        let server = TestServer::launch(
            ManualClock::new(),
            store,
            settings,
            fact("master_key"),
            Arc::new(database),
        );
        let key = SigningKey::from_pkcs8_der(
            SigningAlgorithm::Es256,
            &decode_base64url(&fact("private_key")),
        );
        let id = fact("configuration");
        Self {
            server: server.await,
            client: Client {
                id: id.parse().unwrap(),
                key: TestKey::from_signing_key(key.unwrap()),
                kid: fact("kid"),
                issuer: id.clone(),
                subject: id,
                audience: tenant.issuer.clone(),
                tenant,
            },
            platform_token: fact("platform_token"),
            organization_token: fact("organization_token"),
        }
    }

    /// The same after its process was killed and started again.
    pub async fn restarted(self) -> Self {
        Self {
            server: self.server.restarted().await,
            ..self
        }
    }
}

fn insert(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    let row = line["row"].as_object().unwrap();
    let literal = |(column, value): (&String, &Value)| match value {
        Value::String(hex) if OCTETS.contains(&column.as_str()) => format!("X'{hex}'"),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    };
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    let values: Vec<String> = row.iter().map(literal).collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        line["table"].as_str().unwrap(),
        columns.join(", "),
        values.join(", ")
    )
}

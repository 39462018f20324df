//! Upgrading: a database that was written before rows had keyed digests, taken over once.

use countersign_crypto::{MasterKey, sha256};
use countersign_domain::change::ChangeKind;
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_store::{Database, Store, StoreError};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::world::{World, all, renamed};

const SCRIPTS: [[&str; 2]; 2] = [
    [include_str!("../../migrations/0001_core.sql"); 2],
    [
        include_str!("../../migrations/0002_ledger.sqlite.sql"),
        include_str!("../../migrations/0002_ledger.postgres.sql"),
    ],
];

/// Written by the last version without digests: two organizations, one configuration suspended, restored, rotated.
const ROWS: &str = include_str!("../../../testkit/fixtures/schema-2.jsonl");
const FACTS: &str = include_str!("../../../testkit/fixtures/schema-2.json");

fn fact(name: &str) -> String {
    let facts: Value = serde_json::from_str(FACTS).unwrap();
    facts[name].as_str().unwrap().to_owned()
}

/// The same world with the older database in place of the empty one, brought to the schema of today.
async fn upgraded(mut world: World) -> World {
    older(&world).await;
    let database = Database::open(&world.url).await.unwrap();
    let master = MasterKey::from_text(&fact("master_key")).unwrap();
    world.store = Store::new(database, master.mac_key("row"));
    world
}

/// Puts the database of an older version in place of the empty one.
pub async fn older(world: &World) {
    world.drop_everything().await;
    for (at, scripts) in SCRIPTS.iter().enumerate() {
        let script = scripts[usize::from(world.is_postgres())];
        world.run_script(script).await;
        if at == 0 {
            world.leaked("CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)".to_owned())
                .await;
        }
        let checksum = sha256(&[script.as_bytes()]);
        world
            .leaked(format!(
                "INSERT INTO schema_migrations VALUES ({}, '{checksum}')",
                at + 1
            ))
            .await;
    }
    for line in ROWS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let row = line["row"].as_object().unwrap();
        let columns: Vec<&str> = row.keys().map(String::as_str).collect();
        let values: Vec<String> = row
            .iter()
            .map(|(column, value)| literal(world, column, value))
            .collect();
        let table = line["table"].as_str().unwrap();
        world
            .leaked(format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                columns.join(", "),
                values.join(", ")
            ))
            .await;
    }
}

fn literal(world: &World, column: &str, value: &Value) -> String {
    match value {
        Value::String(hex) if ["mac", "modulus", "sealed"].contains(&column) => {
            if world.is_postgres() {
                format!("decode('{hex}', 'hex')")
            } else {
                format!("X'{hex}'")
            }
        }
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

impl World {
    async fn run_script(&self, script: &str) {
        match self.store.database() {
            Database::Postgres(pool) => sqlx::raw_sql(AssertSqlSafe(script.to_owned()))
                .execute(pool)
                .await
                .map(drop),
            Database::Sqlite { writer, .. } => {
                let script = script.replace("BYTEA", "BLOB");
                sqlx::raw_sql(AssertSqlSafe(script))
                    .execute(writer)
                    .await
                    .map(drop)
            }
        }
        .unwrap();
    }
}

async fn adopt(world: &World) -> Result<(), StoreError> {
    let mut unit = world.write().await;
    unit.adopt_rows().await?;
    unit.commit().await
}

on_both_databases! {
    async fn rows_of_an_older_version_are_taken_over_once(world: World) {
        let world = upgraded(world).await;
        let tenant_id: TenantId = fact("tenant_id").parse().unwrap();
        let id: ConfigurationId = fact("configuration").parse().unwrap();
        let before = world.read().await.organization(tenant_id).await;
        assert!(matches!(before, Err(StoreError::Corrupt { .. })), "nothing is believed before: {before:?}");
        assert!(world.read().await.api_tokens(None, &all()).await.is_err());
        adopt(&world).await.unwrap();
        let mut unit = world.read().await;
        for organization in unit.organizations(&all()).await.unwrap() {
            let mut found = 0;
            let refused = unit.believable_configurations(organization.tenant_id, |_| found += 1).await.unwrap();
            assert_eq!((found, refused.len()), (if organization.tenant_id == tenant_id { 3 } else { 2 }, 0));
            for configuration in unit.configurations(organization.tenant_id, None, &all()).await.unwrap() {
                let history = unit.versions(organization.tenant_id, &configuration.id.to_string()).await.unwrap();
                assert_eq!(history[0].version, configuration.version);
                for key in &configuration.state.keys {
                    let fingerprint = key.fingerprint_sha256.to_string();
                    assert!(!unit.key_is_registered(&fingerprint, configuration.id).await.unwrap());
                }
            }
            assert_eq!(unit.signing_keys(organization.tenant_id).await.unwrap().len(), 1);
            let requests = unit.changes(organization.tenant_id, &all()).await.unwrap();
            assert!(requests.iter().all(|request| request.change.envelope().policy.quorum() == 0));
        }
        assert_eq!(unit.api_tokens(None, &all()).await.unwrap().len(), 2);
        assert_eq!(unit.registered_moduli(&all()).await.unwrap().len(), 1);
        drop(unit);
        let state = renamed(world.state_of(tenant_id, id).await, "after the upgrade");
        world.put(tenant_id, id, ChangeKind::ConfigurationEdit, &state).await.unwrap();
        assert_eq!(world.state_of(tenant_id, id).await, state);
        assert!(matches!(adopt(&world).await, Err(StoreError::Corrupt { .. })), "a second time");
    }

    /// What was not believed before the upgrade is not believed after it.
    async fn a_configuration_edited_by_hand_before_is_not_taken_over(world: World) {
        let world = upgraded(world).await;
        let (tenant_id, id) = (fact("tenant_id").parse().unwrap(), fact("configuration"));
        let edit = "UPDATE configurations SET state = replace(state, 'single_use', 'reuse_until_expiry') WHERE id = ";
        world.leaked(format!("{edit}'{id}'")).await;
        adopt(&world).await.unwrap();
        let mut found = 0;
        let refused = world.read().await.believable_configurations(tenant_id, |_| found += 1).await.unwrap();
        assert_eq!((found, refused), (2, vec![id]));
    }

    /// A change request that was edited by hand is not given today's digest.
    async fn a_change_request_edited_by_hand_before_is_not_taken_over(world: World) {
        let world = upgraded(world).await;
        let tenant_id = fact("tenant_id").parse().unwrap();
        let edit = "UPDATE change_requests SET envelope = replace(envelope, 'Acme', 'Evil') WHERE number = 1";
        world.leaked(edit.to_owned()).await;
        adopt(&world).await.unwrap();
        let mut unit = world.read().await;
        assert!(unit.changes(tenant_id, &all()).await.is_err());
        assert!(unit.change(tenant_id, 2).await.unwrap().is_some(), "the others are");
    }

    /// The newest version that somebody took away leaves a row that fits none.
    async fn a_version_taken_away_before_is_noticed(world: World) {
        let world = upgraded(world).await;
        let tenant_id = fact("tenant_id").parse().unwrap();
        world.leaked("DELETE FROM versions WHERE version = 3".to_owned()).await;
        adopt(&world).await.unwrap();
        let refused = world.read().await.believable_configurations(tenant_id, |_| ()).await.unwrap();
        assert_eq!(refused.len(), 1);
    }

    /// Forged organizations are no way to have forged API tokens taken over: nothing is, then.
    async fn an_organization_edited_by_hand_stops_the_upgrade(world: World) {
        let world = upgraded(world).await;
        world.leaked("UPDATE organizations SET state = replace(state, 'Acme', 'Evil')".to_owned()).await;
        assert!(matches!(adopt(&world).await, Err(StoreError::Corrupt { .. })));
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM version_heads").await, 0);
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM api_tokens WHERE mac IS NOT NULL").await, 0);
    }

    /// Another master key takes nothing over.
    async fn another_master_key_takes_nothing_over(world: World) {
        let world = upgraded(world).await;
        let store = Store::new(world.store.database().clone(), MasterKey::generate().mac_key("row"));
        let refused = store.write().await.unwrap().adopt_rows().await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    }
}

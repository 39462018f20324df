//! A valid world for a test: a fresh database, organizations, configurations, changes. Each test changes one thing.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_crypto::import::{ImportOptions, import_keys};
use countersign_crypto::{MacKey, MasterKey, SigningAlgorithm, SigningKey, random_bytes};
use countersign_domain::approval::Containments;
use countersign_domain::change::{
    AuthorizedChange, Change, ChangeKind, ChangeRequest, ChangeState, Maker, PolicySnapshot,
    Proposal, Situation, authorize,
};
use countersign_domain::configurations::{ConfigurationEdit, ConfigurationState, NewConfiguration};
use countersign_domain::ids::{ChangeRequestId, ConfigurationId, TenantId};
use countersign_domain::organizations::{OrganizationEdit, OrganizationState, PublicUrl};
use countersign_domain::roster::{Role, Roster, Rule};
use countersign_domain::time::UnixTime;
use countersign_store::{Arg, Database, DatabaseUrl, Page, Store, StoreError, Unit};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// The moment of every test.
pub const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Makes two tests of each: one per database.
macro_rules! on_both_databases {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: $type:ty) $body:block)*) => {$(
        $(#[$doc])*
        async fn $name($world: $type) $body

        mod $name {
            #[test]
            fn sqlite() {
                $crate::world::on_sqlite(super::$name);
            }

            #[test]
            fn postgres() {
                let name = concat!(module_path!(), "::postgres");
                $crate::world::on_postgres(name, super::$name);
            }
        }
    )*};
}

/// A store on a database of its own.
pub struct World {
    pub store: Store,
    pub url: DatabaseUrl,
    _directory: Option<TempDir>,
}

/// Runs a test on a fresh SQLite file.
pub fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    runtime().block_on(async {
        test(World::sqlite().await).await;
    });
}

/// Runs a test on a fresh schema of PostgreSQL, where there is a server.
pub fn on_postgres<F: Future<Output = ()>>(name: &str, test: impl FnOnce(World) -> F) {
    let Some(server) = postgres_server() else {
        println!("skipped: PostgreSQL ({name})");
        return;
    };
    runtime().block_on(async {
        let (world, schema) = World::postgres(&server).await;
        let pool = world.store.database().clone();
        test(world).await;
        pool.close().await;
        on_server(&server, format!("DROP SCHEMA {schema} CASCADE")).await;
    });
}

/// Runs a statement as the administrator of the server.
async fn on_server(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test command says so in the environment"
)]
pub fn postgres_server() -> Option<String> {
    std::env::var("COUNTERSIGN_TEST_POSTGRES").ok()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// The row key of every test: the same for each, so that a backup moves between databases.
pub fn row_key() -> MacKey {
    MasterKey::from_text(&"ab".repeat(32))
        .unwrap()
        .mac_key("row")
}

impl World {
    /// On SQLite, in a file: several connections see it, as in production.
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
        Self::open(url, Some(directory)).await
    }

    /// On PostgreSQL, in a new schema, which is a database of its own as far as the store can see and is made much
    /// faster; its name is needed to drop it.
    pub async fn postgres(server: &str) -> (Self, String) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let random = u64::from_be_bytes(random_bytes());
        let schema = format!("contract_{count}_{random:x}");
        on_server(server, format!("CREATE SCHEMA {schema}")).await;
        // Found before the function of PostgreSQL, because the path names the schema first.
        let clock = format!(
            "CREATE FUNCTION {schema}.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT to_timestamp({})'",
            NOW.seconds()
        );
        on_server(server, clock).await;
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options[search_path]={schema},pg_catalog");
        (
            Self::open(DatabaseUrl::parse(&url).unwrap(), None).await,
            schema,
        )
    }

    async fn open(url: DatabaseUrl, directory: Option<TempDir>) -> Self {
        let database = Database::open(&url).await.unwrap();
        Self {
            store: Store::new(database, row_key()),
            url,
            _directory: directory,
        }
    }

    /// Sets the clock of the database, where it has one of its own. It shows [`NOW`] at first, and stands still.
    pub async fn set_clock(&self, now: UnixTime) {
        if self.is_postgres() {
            self.leaked(format!(
                "CREATE OR REPLACE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql
                 AS 'SELECT to_timestamp({})'",
                now.seconds()
            ))
            .await;
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.store.database(), Database::Postgres(_))
    }

    /// Does something in one transaction, and commits it.
    pub async fn write(&self) -> Unit {
        self.store.write().await.unwrap()
    }

    pub async fn read(&self) -> Unit {
        self.store.read().await.unwrap()
    }

    /// What somebody with access to the database could do by hand. Says how many rows it touched.
    pub async fn by_hand(&self, sql: &'static str, args: Vec<Arg>) -> Result<u64, StoreError> {
        let mut tx = self.store.database().write().await?;
        let touched = tx.execute(sql, args).await?;
        tx.commit().await?;
        Ok(touched)
    }

    /// Like [`World::by_hand`], for a statement that is put together.
    pub async fn leaked(&self, sql: String) {
        self.by_hand(Box::leak(sql.into_boxed_str()), vec![])
            .await
            .unwrap();
    }

    /// Takes every table away, as if the database had never been used.
    pub async fn drop_everything(&self) {
        for table in [
            "versions",
            "change_requests",
            "feed_head",
            "feed",
            "configurations",
            "organizations",
            "instance",
            "registered_keys",
            "signing_keys",
            "api_tokens",
            "revoked_tokens",
            "idempotent_answers",
            "issuances",
            "activity",
            "version_heads",
            "schema_migrations",
        ] {
            self.leaked(format!("DROP TABLE {table}")).await;
        }
        if self.is_postgres() {
            self.leaked("DROP TABLE replay_keys".to_owned()).await;
            self.leaked("DROP SEQUENCE issuance_ids".to_owned()).await;
        }
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut tx = self.store.database().read().await.unwrap();
        let row = tx.fetch_optional(sql, vec![]).await.unwrap().unwrap();
        row.int("count").unwrap()
    }

    /// A new organization.
    pub async fn organization(&self) -> TenantId {
        let tenant_id = TenantId::from_random(random_bytes());
        let mut unit = self.write().await;
        let after = serde_json::to_value(organization_state("Acme Bank")).unwrap();
        let target = tenant_id.to_string();
        apply(
            &mut unit,
            wish(tenant_id, ChangeKind::OrganizationCreate, &target, after),
        )
        .await
        .unwrap();
        unit.commit().await.unwrap();
        tenant_id
    }

    /// A new configuration of an organization.
    pub async fn configuration(&self, tenant_id: TenantId) -> ConfigurationId {
        let id = ConfigurationId::from_random(random_bytes());
        let state = configuration_state(tenant_id, id);
        self.put(tenant_id, id, ChangeKind::ConfigurationCreate, &state)
            .await
            .unwrap();
        id
    }

    /// Applies a change of a configuration in a transaction of its own.
    pub async fn put(
        &self,
        tenant_id: TenantId,
        id: ConfigurationId,
        kind: ChangeKind,
        state: &ConfigurationState,
    ) -> Result<ChangeRequest, StoreError> {
        let mut unit = self.store.write().await?;
        let after = serde_json::to_value(state).unwrap();
        let request = apply(&mut unit, wish(tenant_id, kind, &id.to_string(), after)).await?;
        unit.commit().await?;
        Ok(request)
    }

    /// The state of a configuration as it stands.
    pub async fn state_of(&self, tenant_id: TenantId, id: ConfigurationId) -> ConfigurationState {
        let mut unit = self.read().await;
        unit.configuration(tenant_id, id)
            .await
            .unwrap()
            .unwrap()
            .state
    }

    /// Gives a configuration another name: the simplest edit.
    pub async fn rename(
        &self,
        tenant_id: TenantId,
        id: ConfigurationId,
        name: &str,
    ) -> Result<ChangeRequest, StoreError> {
        let state = renamed(self.state_of(tenant_id, id).await, name);
        self.put(tenant_id, id, ChangeKind::ConfigurationEdit, &state)
            .await
    }
}

/// What a test wants changed.
pub struct Wish {
    pub tenant_id: TenantId,
    pub kind: ChangeKind,
    pub target: String,
    pub after: serde_json::Value,
    pub quorum: u32,
}

pub fn wish(tenant_id: TenantId, kind: ChangeKind, target: &str, after: serde_json::Value) -> Wish {
    Wish {
        tenant_id,
        kind,
        target: target.to_owned(),
        after,
        quorum: 0,
    }
}

/// Submits a change request and leaves it open.
pub async fn submit(unit: &mut Unit, wish: Wish) -> Result<ChangeRequest, StoreError> {
    let base = unit.base_of(wish.tenant_id, &wish.target).await?;
    let rule = Rule::standard(Role::ApiKeysApprover, wish.quorum);
    let proposal = Proposal {
        tenant_id: wish.tenant_id,
        kind: wish.kind,
        target: wish.target,
        base,
        after: wish.after,
        maker: Maker::Operator,
        contributors: Vec::new(),
        justification: None,
    };
    let policy = PolicySnapshot::new(1, rule);
    let id = ChangeRequestId::from_random(random_bytes());
    let request = ChangeRequest {
        number: unit.next_change_number(wish.tenant_id).await?,
        change: Change::new(proposal, id, policy, NOW).unwrap(),
        state: ChangeState::Pending,
    };
    unit.insert_change(&request).await?;
    Ok(request)
}

/// A request that every guard lets through, judged against the base that it was made from.
pub fn authorized(request: &ChangeRequest) -> AuthorizedChange {
    let envelope = request.change.envelope();
    let situation = Situation {
        roster: &Roster::unfounded(envelope.tenant_id),
        base: envelope.base(),
        token_stands: true,
        maker_statement: None,
        votes: &[],
        containments: &Containments::default(),
        after: Ok(()),
    };
    authorize(request, &situation, NOW).unwrap()
}

/// Submits a change and applies it in the same transaction.
pub async fn apply(unit: &mut Unit, wish: Wish) -> Result<ChangeRequest, StoreError> {
    let request = submit(unit, wish).await?;
    unit.apply(&authorized(&request), request.number).await?;
    Ok(request)
}

pub fn organization_state(name: &str) -> OrganizationState {
    OrganizationState::new(name, OrganizationEdit::default()).unwrap()
}

/// The state of a new configuration with a key of its own and default values.
pub fn configuration_state(tenant_id: TenantId, id: ConfigurationId) -> ConfigurationState {
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    state_with_key(tenant_id, id, &key)
}

pub fn state_with_key(
    tenant_id: TenantId,
    id: ConfigurationId,
    key: &SigningKey,
) -> ConfigurationState {
    let pem = key.public_key().to_pem();
    let options = ImportOptions { now: NOW.seconds() };
    let new = NewConfiguration {
        id,
        fields: ConfigurationEdit::default(),
        keys: import_keys(pem.as_bytes(), options).unwrap().keys,
        algorithm: Some(key.algorithm().algorithm()),
        kid: None,
    };
    let issuer = PublicUrl::parse("https://auth.example.com")
        .unwrap()
        .issuer(tenant_id);
    new.into_state(&organization_state("Acme Bank"), &issuer, NOW)
        .unwrap()
}

pub fn renamed(state: ConfigurationState, name: &str) -> ConfigurationState {
    let edit = ConfigurationEdit {
        name: Some(name.to_owned()),
        ..ConfigurationEdit::default()
    };
    state
        .edit(edit, &organization_state("Acme Bank"), NOW)
        .unwrap()
}

/// A page that holds everything a test makes.
pub fn all() -> Page {
    Page {
        after: None,
        limit: 1000,
    }
}

//! Schema migrations: append-only, each in one transaction, under a lock, with a checksum.

use countersign_crypto::sha256;

use super::args::args;
use super::{Database, Transaction};
use crate::StoreError;

/// A schema migration; the two texts differ only where the dialects do.
struct Migration {
    version: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: [Migration; 2] = [
    Migration {
        version: 1,
        sqlite: include_str!("../../migrations/0001_core.sql"),
        postgres: include_str!("../../migrations/0001_core.sql"),
    },
    Migration {
        version: 2,
        sqlite: include_str!("../../migrations/0002_ledger.sqlite.sql"),
        postgres: include_str!("../../migrations/0002_ledger.postgres.sql"),
    },
];

/// The newest schema that this program knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Serializes migrations on PostgreSQL; an arbitrary number that no other program is likely to use.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4815162342)";

const CREATE_LOG: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version   BIGINT NOT NULL PRIMARY KEY, -- counts from 1
    checksum  TEXT   NOT NULL              -- SHA-256 of the migration, hexadecimal
)";

/// Brings the schema up to date.
pub(super) async fn run(database: &Database) -> Result<(), StoreError> {
    let mut tx = match database {
        Database::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        Database::Sqlite { .. } => database.begin_write().await?,
    };
    if matches!(tx, Transaction::Postgres(_)) {
        tx.fetch_all(LOCK, args![]).await?;
    }
    tx.execute(CREATE_LOG, args![]).await?;
    let done = check(&mut tx).await?;
    for migration in MIGRATIONS.iter().skip(done) {
        let script = tx_text(migration, &tx);
        execute_script(&mut tx, script).await?;
        tx.execute(
            "INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)",
            args![migration.version, fingerprint(migration, &tx)],
        )
        .await?;
    }
    tx.commit().await
}

/// Looks whether the schema is that of this program, and changes nothing.
pub(super) async fn require(database: &Database) -> Result<(), StoreError> {
    let mut tx = database.begin_read().await?;
    let log = tx.dialect(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
        "SELECT to_regclass('schema_migrations')::text AS name",
    );
    let row = tx.fetch_optional(log, args![]).await?;
    let exists = match row {
        Some(row) => row.opt_text("name")?.is_some(),
        None => false,
    };
    let done = if exists { check(&mut tx).await? } else { 0 };
    match MIGRATIONS.get(done) {
        None => Ok(()),
        Some(missing) => Err(StoreError::DatabaseIsOlder {
            found: missing.version - 1,
            known: SCHEMA_VERSION,
        }),
    }
}

/// How many of the migrations have run; each must be the one of this program.
async fn check(tx: &mut Transaction) -> Result<usize, StoreError> {
    let rows = tx
        .fetch_all(
            "SELECT version, checksum FROM schema_migrations ORDER BY version",
            args![],
        )
        .await?;
    for row in &rows {
        let (version, checksum) = (row.int("version")?, row.text("checksum")?);
        let Some(known) = MIGRATIONS
            .iter()
            .find(|migration| migration.version == version)
        else {
            return Err(StoreError::DatabaseIsNewer {
                found: version,
                known: SCHEMA_VERSION,
            });
        };
        if checksum != fingerprint(known, tx) {
            return Err(StoreError::MigrationChanged(version));
        }
    }
    Ok(rows.len())
}

fn tx_text(migration: &Migration, tx: &Transaction) -> &'static str {
    tx.dialect(migration.sqlite, migration.postgres)
}

fn fingerprint(migration: &Migration, tx: &Transaction) -> String {
    sha256(&[tx_text(migration, tx).as_bytes()]).to_string()
}

/// Runs a script of several statements. The one type that has two names is spelled for PostgreSQL in the files.
async fn execute_script(tx: &mut Transaction, script: &'static str) -> Result<(), StoreError> {
    match tx {
        Transaction::Postgres(tx) => sqlx::raw_sql(script).execute(&mut **tx).await.map(drop)?,
        Transaction::Sqlite(tx) => {
            let script = script.replace("BYTEA", "BLOB");
            sqlx::raw_sql(sqlx::AssertSqlSafe(script))
                .execute(&mut **tx)
                .await
                .map(drop)?;
        }
    }
    Ok(())
}

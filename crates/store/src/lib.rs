//! What is remembered: SQL written once, two databases behind it.
//!
//! Every method names its organization where it has one. Writes to governed data go through
//! `changes` alone, which takes an `AuthorizedChange` that only the change engine can make.

mod activity;
mod api_tokens;
mod backup;
mod changes;
mod configurations;
mod database;
mod error;
mod feed;
mod idempotency;
mod instance;
mod issuances;
mod organizations;
mod registered_keys;
mod revocations;
mod signing_keys;
mod versions;

use countersign_crypto::MacKey;

pub use activity::{ActivityEntry, ActivityFilter, RecordedActivity};
pub use backup::{BackupSummary, read_backup, write_backup};
pub use changes::UniqueRule;
pub use database::{Arg, Database, DatabaseUrl, Row, SCHEMA_VERSION, Transaction};
pub use error::StoreError;
pub use feed::{FeedEvent, FeedPage, Topic};
pub use idempotency::{IdempotencyKey, KeptAnswer};
pub use issuances::{Issuance, ReplayEntry};
pub use registered_keys::RegisteredModulus;
pub use signing_keys::StoredSigningKey;
pub use versions::StoredVersion;

/// A page of a list: at most `limit` entries after the cursor.
#[derive(Clone, Debug)]
pub struct Page {
    /// The last entry of the page before; `None` for the first page.
    pub after: Option<String>,
    /// How many entries at most.
    pub limit: u32,
}

/// An open transaction with the key that row digests are made with.
pub struct Unit {
    tx: Transaction,
    row_key: MacKey,
}

/// The store: opens one [`Unit`] per use case.
#[derive(Clone)]
pub struct Store {
    database: Database,
    row_key: MacKey,
}

impl Store {
    /// A store on an open database; `row_key` makes rows that were edited by hand recognizable.
    #[must_use]
    pub const fn new(database: Database, row_key: MacKey) -> Self {
        Self { database, row_key }
    }

    /// Begins a use case that may write.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn write(&self) -> Result<Unit, StoreError> {
        Ok(Unit {
            tx: self.database.write().await?,
            row_key: self.row_key.clone(),
        })
    }

    /// Begins a use case that only reads, from one consistent moment.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn read(&self) -> Result<Unit, StoreError> {
        Ok(Unit {
            tx: self.database.read().await?,
            row_key: self.row_key.clone(),
        })
    }

    /// The database.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }
}

impl Unit {
    /// Makes everything this use case has written durable. Without it, everything is undone.
    ///
    /// # Errors
    /// When the database refuses; nothing is kept then.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}

/// A count or version on its way into the database.
pub(crate) fn to_int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or version on its way out of the database.
pub(crate) fn from_int(
    value: i64,
    table: &'static str,
    column: &'static str,
) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::corrupt(table, column, value))
}

//! Opening a database: which one, with which promises.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    SqliteTransaction,
};

use super::{Transaction, migrations};
use crate::StoreError;

/// How long a statement waits for a connection or a lock before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// Concurrent readers of the embedded database.
const READERS: u32 = 4;

/// Connections to PostgreSQL.
const CONNECTIONS: u32 = 16;

/// Which database: `sqlite:PATH` or `postgres://…`.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The embedded database in this file.
    Sqlite(PathBuf),
    /// An embedded database in memory, gone when it is closed.
    SqliteInMemory,
    /// A PostgreSQL server; may contain a password, and is therefore never printed.
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// Parses a database URL.
    ///
    /// # Errors
    /// [`StoreError::DatabaseUrl`] when it names neither kind of database; the URL itself is not repeated.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if text == "sqlite::memory:" {
            return Ok(Self::SqliteInMemory);
        }
        if let Some(path) = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
        {
            return Ok(Self::Sqlite(Path::new(path).to_owned()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text)
                .map_err(|_| StoreError::DatabaseUrl("the PostgreSQL URL is malformed".into()))?;
            return Ok(Self::Postgres(Box::new(options)));
        }
        Err(StoreError::DatabaseUrl("unknown kind of database".into()))
    }
}

/// An open database.
#[derive(Clone, Debug)]
pub enum Database {
    /// PostgreSQL.
    Postgres(PgPool),
    /// SQLite: one connection writes, several read.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that read.
        readers: SqlitePool,
    },
}

impl Database {
    /// Opens the database and brings its schema up to date, under a lock.
    ///
    /// # Errors
    /// When it cannot be reached, is newer than this program, or has a migration that this program does not know.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let database = Self::connect(url, true).await?;
        migrations::run(&database).await?;
        Ok(database)
    }

    /// Opens a database that exists, beside the server that may be using it, and changes nothing: neither its schema
    /// nor anything else.
    ///
    /// # Errors
    /// [`StoreError::DatabaseIsOlder`] when its schema is not up to date; otherwise as [`Database::open`].
    pub async fn open_as_it_is(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let database = Self::connect(url, false).await?;
        migrations::require(&database).await?;
        Ok(database)
    }

    async fn connect(url: &DatabaseUrl, create: bool) -> Result<Self, StoreError> {
        Ok(match url {
            DatabaseUrl::Postgres(options) => {
                let pool = PgPoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .acquire_timeout(PATIENCE);
                Self::Postgres(pool.connect_with((**options).clone()).await?)
            }
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                open_sqlite(options.create_if_missing(create)).await?
            }
            DatabaseUrl::SqliteInMemory => {
                let options = SqliteConnectOptions::new().in_memory(true);
                let writer = sqlite_pool(1)
                    .min_connections(1)
                    .connect_with(options)
                    .await?;
                Self::Sqlite {
                    readers: writer.clone(),
                    writer,
                }
            }
        })
    }

    /// Begins a transaction that may write. On PostgreSQL it is serializable; on SQLite it holds the write lock.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn begin_write(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            Self::Postgres(pool) => Transaction::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE")
                    .await?,
            ),
            Self::Sqlite { writer, .. } => Transaction::Sqlite(begin_writing(writer).await?),
        })
    }

    /// Begins a transaction that only reads, from one consistent moment.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn begin_read(&self) -> Result<Transaction, StoreError> {
        Ok(match self {
            Self::Postgres(pool) => Transaction::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
            Self::Sqlite { readers, .. } => Transaction::Sqlite(readers.begin().await?),
        })
    }

    /// Whether one process at a time uses this database, so that it can decide races in memory.
    #[must_use]
    pub const fn has_one_writer(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// Closes every connection; the embedded database checkpoints.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Begins a transaction with the write lock.
async fn begin_writing(writer: &SqlitePool) -> Result<SqliteTransaction<'static>, StoreError> {
    let begun = writer.begin_with("BEGIN IMMEDIATE").await;
    if let Err(error) = &begun {
        replace_read_only(writer, error).await;
    }
    Ok(begun?)
}

/// SQLite opens a file that it may not write for reading only, and such a connection stays that way when the file may
/// be written again. It is closed, so that the next use case gets a new one.
pub(crate) async fn replace_read_only(writer: &SqlitePool, error: &sqlx::Error) {
    let is_read_only = |error: &dyn DatabaseError| {
        // The extended codes of SQLITE_READONLY have it in their low octet.
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| code & 0xff == 8)
    };
    if error.as_database_error().is_some_and(is_read_only)
        && let Ok(connection) = writer.acquire().await
    {
        // It is of no use whether or not it closes well.
        let _closed = connection.close().await;
    }
}

async fn open_sqlite(options: SqliteConnectOptions) -> Result<Database, StoreError> {
    // FULL: a committed row survives a power cut. NORMAL loses it (measured), and with it a used assertion.
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("trusted_schema", "OFF")
        .pragma("secure_delete", "ON");
    let writer = without_stuck_connections(sqlite_pool(1));
    let writer = writer.connect_with(options.clone()).await?;
    let readers = without_stuck_connections(sqlite_pool(READERS));
    let readers = readers.connect_with(options).await?;
    Ok(Database::Sqlite { writer, readers })
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Opens a fresh connection in place of one that is stuck: when the disk is full, SQLite rolls a transaction back by
/// itself, the driver's own rollback then fails, and the driver believes forever that the transaction is still open.
fn without_stuck_connections(options: SqlitePoolOptions) -> SqlitePoolOptions {
    options.before_acquire(|connection, _| {
        Box::pin(async move {
            if connection.is_in_transaction() {
                // A rollback may still be waiting its turn; the answer to a ping comes after it.
                connection.ping().await?;
            }
            Ok(!connection.is_in_transaction())
        })
    })
}

//! A database for one test: SQLite in memory or in a file, or a schema of its own on PostgreSQL.

use countersign_store::{Arg, Database, DatabaseUrl, Transaction};

use crate::clock::NOW;

/// Which database a test wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatabaseKind {
    /// PostgreSQL, where `COUNTERSIGN_TEST_POSTGRES` names a server.
    Postgres,
    /// SQLite in memory.
    #[default]
    Sqlite,
}

/// A database with nothing in it.
pub struct TestDatabase {
    database: Database,
    schema: Option<(String, String)>,
}

/// Where PostgreSQL is for tests: the URL of a database whose user may create schemas.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the test command says so in the environment"
)]
pub fn postgres_url() -> Option<String> {
    std::env::var("COUNTERSIGN_TEST_POSTGRES").ok()
}

impl TestDatabase {
    /// A new database.
    ///
    /// # Panics
    /// When it cannot be made; for PostgreSQL also when the environment names none: ask [`postgres_url`] first.
    pub async fn create(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Sqlite => Self {
                database: Database::open(&DatabaseUrl::SqliteInMemory).await.unwrap(),
                schema: None,
            },
            DatabaseKind::Postgres => {
                let server = postgres_url().expect("COUNTERSIGN_TEST_POSTGRES names a server");
                let schema = format!("t_{}", countersign_crypto::sha256(&[&random()]));
                run(&server, format!("CREATE SCHEMA {schema}")).await;
                run(&server, clock_of(&schema, NOW)).await;
                let separator = if server.contains('?') { '&' } else { '?' };
                // Named first, the schema has the function that tells the time.
                let url = format!("{server}{separator}options[search_path]={schema},pg_catalog");
                let url = DatabaseUrl::parse(&url).unwrap();
                Self {
                    database: Database::open(&url).await.unwrap(),
                    schema: Some((server, schema)),
                }
            }
        }
    }

    /// The open database; its clones share the connections.
    #[must_use]
    pub const fn open(&self) -> &Database {
        &self.database
    }

    /// Sets the clock of the database itself. PostgreSQL has one; it shows [`NOW`] at first, and stands still.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn set_clock(&self, seconds: i64) {
        if let Some((server, schema)) = &self.schema {
            run(server, clock_of(schema, seconds)).await;
        }
    }

    /// Does to the database what its administrator could do by hand. Says how many rows were touched.
    ///
    /// # Panics
    /// When the statement is refused.
    pub async fn tamper(&self, sql: &'static str, args: Vec<Arg>) -> u64 {
        let mut transaction = self.database.write().await.unwrap();
        let touched = transaction.execute(sql, args).await.unwrap();
        transaction.commit().await.unwrap();
        touched
    }

    /// One text out of the database, read by hand.
    ///
    /// # Panics
    /// When the query finds nothing.
    pub async fn read_text(
        &self,
        sql: &'static str,
        args: Vec<Arg>,
        column: &'static str,
    ) -> String {
        let mut transaction: Transaction = self.database.read().await.unwrap();
        let row = transaction.fetch_optional(sql, args).await.unwrap();
        row.unwrap().text(column).unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, schema)) = self.schema.take() else {
            return;
        };
        // The test's own runtime may be ending: the clean-up has one of its own.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run(&server, format!("DROP SCHEMA {schema} CASCADE")));
        });
        drop(cleaned.join());
    }
}

/// The clock of a schema, in place of PostgreSQL's own.
fn clock_of(schema: &str, seconds: i64) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION {schema}.clock_timestamp() RETURNS timestamptz LANGUAGE sql
         AS 'SELECT to_timestamp({seconds})'"
    )
}

fn random() -> [u8; 16] {
    countersign_crypto::random_bytes()
}

async fn run(server: &str, sql: String) {
    let database = Database::open(&DatabaseUrl::parse(server).unwrap())
        .await
        .unwrap();
    let mut transaction = database.write().await.unwrap();
    // A statement is a constant everywhere else; a test process is short.
    transaction
        .execute(Box::leak(sql.into_boxed_str()), Vec::new())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    database.close().await;
}

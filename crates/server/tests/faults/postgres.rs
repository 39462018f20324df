//! PostgreSQL for the real program, where `COUNTERSIGN_TEST_POSTGRES` names a server.

use std::process::Command;

use countersign_crypto::random_bytes;
use countersign_store::{Database, DatabaseUrl};

/// A schema of its own; dropped with this value.
pub struct Schema {
    server: String,
    name: String,
    pub url: String,
}

impl Schema {
    /// A new schema; without a server, `None`, and the skipped test is named.
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command says so in the environment"
    )]
    pub fn create(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") else {
            println!("skipped: PostgreSQL ({test})");
            return None;
        };
        let name = format!("faults_{:x}", u64::from_be_bytes(random_bytes()));
        run(&server, format!("CREATE SCHEMA {name}"));
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options[search_path]={name}");
        Some(Self { server, name, url })
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        run(&self.server, format!("DROP SCHEMA {} CASCADE", self.name));
    }
}

/// A database of its own, administered by hand; dropped with this value.
pub struct OwnDatabase {
    server: String,
    name: String,
    pub url: String,
}

impl OwnDatabase {
    /// A new database; without a server or `psql`, `None`, and the skipped test is named.
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command says so in the environment"
    )]
    pub fn create(test: &str) -> Option<Self> {
        let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").ok();
        let name = format!("faults_{:x}", u64::from_be_bytes(random_bytes()));
        let made = server.filter(|server| psql(server, &format!("CREATE DATABASE {name}")));
        let Some(server) = made else {
            println!("skipped: PostgreSQL with psql ({test})");
            return None;
        };
        let (before, query) = server.split_once('?').unwrap_or((&server, ""));
        let (address, _) = before.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}?{query}");
        Some(Self { server, name, url })
    }

    /// Lets it only read, or write again; open connections end.
    pub fn only_read(&self, only: bool) {
        let Self { server, name, .. } = self;
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {only}");
        assert!(psql(server, &set) && psql(server, &end));
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        psql(
            &self.server,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
    }
}

fn psql(server: &str, sql: &str) -> bool {
    let output = Command::new("psql").args([server, "-qAtc", sql]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs one statement in a thread and runtime of its own: it is also called where a runtime is ending.
fn run(server: &str, sql: String) {
    let url = DatabaseUrl::parse(server).unwrap();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let database = Database::open(&url).await.unwrap();
            let mut tx = database.write().await.unwrap();
            tx.execute(Box::leak(sql.into_boxed_str()), vec![])
                .await
                .unwrap();
            tx.commit().await.unwrap();
            database.close().await;
        });
    };
    std::thread::spawn(work).join().unwrap();
}

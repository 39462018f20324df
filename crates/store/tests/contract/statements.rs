//! Every SQL text of the store is one that both databases understand.

use countersign_store::Database;
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use crate::world::World;

/// Statements that only one database is asked to run.
const ONLY_POSTGRES: [&str; 6] = [
    "nextval(",
    "pg_notify",
    "pg_advisory",
    "replay_keys",
    "unnest(",
    "SKIP LOCKED",
];

/// The string literals of a source file that begin like a statement.
fn statements(source: &str) -> Vec<String> {
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
    let mut found = Vec::new();
    for piece in source.split('"').skip(1) {
        let text = piece.trim();
        if verbs.iter().any(|verb| text.starts_with(verb))
            && !text.ends_with("FROM")
            && !text.ends_with("INTO")
        {
            found.push(text.to_owned());
        }
    }
    found
}

fn all_statements() -> Vec<String> {
    let sources = [
        include_str!("../../src/activity.rs"),
        include_str!("../../src/api_tokens.rs"),
        include_str!("../../src/backup.rs"),
        include_str!("../../src/changes.rs"),
        include_str!("../../src/configurations.rs"),
        include_str!("../../src/feed.rs"),
        include_str!("../../src/idempotency.rs"),
        include_str!("../../src/instance.rs"),
        include_str!("../../src/issuances.rs"),
        include_str!("../../src/organizations.rs"),
        include_str!("../../src/registered_keys.rs"),
        include_str!("../../src/revocations.rs"),
        include_str!("../../src/signing_keys.rs"),
        include_str!("../../src/versions.rs"),
    ];
    let mut all: Vec<String> = sources.into_iter().flat_map(statements).collect();
    // Completed by the program with as many rows as there are.
    all.retain(|text| !text.ends_with("VALUES"));
    all
}

on_both_databases! {
    async fn every_statement_is_understood(world: World) {
        let statements = all_statements();
        assert!(statements.len() >= 45, "only {} statements found", statements.len());
        for text in statements {
            if !world.is_postgres() && ONLY_POSTGRES.iter().any(|only| text.contains(only)) {
                continue;
            }
            let sql = AssertSqlSafe(text.clone()).into_sql_str();
            let prepared = match world.store.database() {
                Database::Postgres(pool) => pool.prepare(sql).await.map(drop),
                Database::Sqlite { writer, .. } => writer.prepare(sql).await.map(drop),
            };
            assert!(prepared.is_ok(), "{prepared:?}: {text}");
        }
    }
}

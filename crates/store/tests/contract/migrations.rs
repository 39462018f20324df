//! Migrations: once, under a lock, guarded by checksums, and never over a newer database.

use countersign_store::{Arg, Database, SCHEMA_VERSION, StoreError};

use crate::world::World;

on_both_databases! {
    async fn opening_again_changes_nothing(world: World) {
        let tenant_id = world.organization().await;
        for _ in 0..3 {
            let again = Database::open(&world.url).await.unwrap();
            again.close().await;
        }
        let count = world.count("SELECT COUNT(*) AS count FROM schema_migrations").await;
        assert_eq!(count, SCHEMA_VERSION);
        assert!(world.read().await.organization(tenant_id).await.unwrap().is_some());
    }

    async fn a_changed_migration_is_refused(world: World) {
        let edit = "UPDATE schema_migrations SET checksum = $1 WHERE version = 1";
        world.by_hand(edit, vec![Arg::Text("00".repeat(32))]).await.unwrap();
        let refused = Database::open(&world.url).await.unwrap_err();
        assert!(matches!(refused, StoreError::MigrationChanged(1)), "{refused:?}");
    }

    async fn a_newer_database_is_refused_in_words(world: World) {
        let insert = "INSERT INTO schema_migrations (version, checksum) VALUES ($1, 'x')";
        world.by_hand(insert, vec![Arg::Int(SCHEMA_VERSION + 1)]).await.unwrap();
        let refused = Database::open(&world.url).await.unwrap_err();
        let StoreError::DatabaseIsNewer { found, known } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((found, known), (SCHEMA_VERSION + 1, SCHEMA_VERSION));
        assert!(refused.to_string().contains("start the newer version of Countersign"), "{refused}");
    }

    /// Processes that start at the same time on an empty database migrate it once.
    async fn a_concurrent_start_migrates_once(world: World) {
        world.drop_everything().await;
        let mut starts = Vec::new();
        for _ in 0..6 {
            let url = world.url.clone();
            starts.push(tokio::spawn(async move { Database::open(&url).await }));
        }
        for start in starts {
            start.await.unwrap().unwrap().close().await;
        }
        let count = world.count("SELECT COUNT(*) AS count FROM schema_migrations").await;
        assert_eq!(count, SCHEMA_VERSION);
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM feed_head").await, 1);
    }
}

/// `style.md` 20: every table and every column says what it is for; a few share the comment above them.
#[test]
fn every_table_and_column_is_described() {
    let scripts = [
        include_str!("../../migrations/0001_core.sql"),
        include_str!("../../migrations/0002_ledger.sqlite.sql"),
        include_str!("../../migrations/0002_ledger.postgres.sql"),
        include_str!("../../migrations/0003_row_digests.sql"),
    ];
    // Described together with the table or the object before it.
    let described = ["CREATE TABLE feed (", "CREATE TABLE issuances ("];
    let (mut tables, mut columns) = (0, 0);
    for script in scripts {
        let lines: Vec<&str> = script.lines().collect();
        let mut inside = false;
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with("CREATE TABLE") {
                assert!(
                    described.contains(line) || lines[at.saturating_sub(1)].starts_with("--"),
                    "{line} has no comment above it"
                );
                (inside, tables) = (true, tables + 1);
            } else if line.starts_with("ALTER TABLE") {
                assert!(
                    lines[at.saturating_sub(1)].starts_with("--"),
                    "{line} has no comment above it"
                );
            } else if line.starts_with(')') {
                inside = false;
            } else if inside
                && line
                    .trim()
                    .starts_with(|first: char| first.is_ascii_lowercase())
            {
                assert!(
                    line.contains("--")
                        || line.contains("GENERATED ALWAYS AS IDENTITY")
                        || line.contains("AUTOINCREMENT"),
                    "{line} has no comment"
                );
                columns += 1;
            }
        }
    }
    assert!(
        tables >= 15 && columns >= 90,
        "{tables} tables, {columns} columns"
    );
}

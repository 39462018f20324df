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

    /// Looking at a database of an older version, or at none, is told in words and changes nothing.
    async fn looking_at_an_older_database_changes_nothing(world: World) {
        let current = Database::open_as_it_is(&world.url).await.unwrap();
        current.close().await;
        let newest = vec![Arg::Int(SCHEMA_VERSION)];
        world.by_hand("DELETE FROM schema_migrations WHERE version = $1", newest).await.unwrap();
        let refused = Database::open_as_it_is(&world.url).await.unwrap_err();
        let StoreError::DatabaseIsOlder { found, known } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((found, known), (SCHEMA_VERSION - 1, SCHEMA_VERSION));
        assert!(refused.to_string().contains("countersign migrate"), "{refused}");
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM schema_migrations").await, SCHEMA_VERSION - 1);
        world.by_hand("DELETE FROM schema_migrations", vec![]).await.unwrap();
        let refused = Database::open_as_it_is(&world.url).await.unwrap_err();
        assert!(matches!(refused, StoreError::DatabaseIsOlder { found: 0, .. }), "{refused:?}");
        world.leaked("DROP TABLE schema_migrations".to_owned()).await;
        let refused = Database::open_as_it_is(&world.url).await.unwrap_err();
        assert!(matches!(refused, StoreError::DatabaseIsOlder { found: 0, .. }), "{refused:?}");
    }

    async fn a_newer_or_changed_database_is_not_looked_at_either(world: World) {
        let insert = "INSERT INTO schema_migrations (version, checksum) VALUES ($1, 'x')";
        world.by_hand(insert, vec![Arg::Int(SCHEMA_VERSION + 1)]).await.unwrap();
        let refused = Database::open_as_it_is(&world.url).await.unwrap_err();
        assert!(matches!(refused, StoreError::DatabaseIsNewer { .. }), "{refused:?}");
        world.by_hand("UPDATE schema_migrations SET checksum = 'y'", vec![]).await.unwrap();
        let refused = Database::open_as_it_is(&world.url).await.unwrap_err();
        assert!(matches!(refused, StoreError::MigrationChanged(1)), "{refused:?}");
    }

    async fn a_changed_migration_is_refused(world: World) {
        let edit = "UPDATE schema_migrations SET checksum = $1 WHERE version = 1";
        world.by_hand(edit, vec![Arg::Text("00".repeat(32))]).await.unwrap();
        let refused = Database::open(&world.url).await.unwrap_err();
        assert!(matches!(refused, StoreError::MigrationChanged(1)), "{refused:?}");
    }

    /// Builds before the first release had other migrations, one of which gave rows their keyed digests later.
    async fn a_database_of_a_build_that_was_never_released_is_refused_in_words(world: World) {
        world.by_hand("UPDATE schema_migrations SET checksum = 'x'", vec![]).await.unwrap();
        let insert = "INSERT INTO schema_migrations (version, checksum) VALUES ($1, 'x')";
        world.by_hand(insert, vec![Arg::Int(SCHEMA_VERSION + 1)]).await.unwrap();
        for refused in [Database::open(&world.url).await, Database::open_as_it_is(&world.url).await] {
            let refused = refused.unwrap_err();
            assert!(refused.to_string().contains("never released"), "{refused}");
        }
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

/// Looking makes no database where there is none.
#[test]
fn looking_makes_no_database() {
    crate::world::on_sqlite(|_| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("none.db");
        let url = countersign_store::DatabaseUrl::Sqlite(file.clone());
        assert!(Database::open_as_it_is(&url).await.is_err());
        assert!(!file.exists());
    });
}

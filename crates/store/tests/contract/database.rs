//! The database itself: promises of a connection, of a transaction, and of an error.

use countersign_store::{Arg, Database, DatabaseUrl, StoreError};

use crate::world::World;

on_both_databases! {
    /// A transaction that only reads sees one moment, whatever is committed meanwhile.
    async fn a_read_sees_one_moment(world: World) {
        let mut reader = world.read().await;
        assert_eq!(reader.instance_fact("f").await.unwrap(), None);
        let mut writer = world.write().await;
        writer.set_instance_fact("f", "now").await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(reader.instance_fact("f").await.unwrap(), None);
        drop(reader);
        assert_eq!(world.read().await.instance_fact("f").await.unwrap().as_deref(), Some("now"));
    }

    /// Readers neither wait for a writer nor see what it has not committed.
    async fn a_reader_does_not_see_what_is_not_committed(world: World) {
        let mut writer = world.write().await;
        writer.set_instance_fact("f", "not yet").await.unwrap();
        assert_eq!(world.read().await.instance_fact("f").await.unwrap(), None);
        writer.commit().await.unwrap();
        assert!(world.read().await.instance_fact("f").await.unwrap().is_some());
    }

    /// Two transactions that read, then write what the other has read, never both succeed on what they saw.
    async fn write_skew_is_impossible(world: World) {
        let mut setup = world.write().await;
        setup.set_instance_fact("left", "on").await.unwrap();
        setup.set_instance_fact("right", "on").await.unwrap();
        setup.commit().await.unwrap();
        let switch_off = |reads: &'static str, writes: &'static str| {
            let store = world.store.clone();
            async move {
                let mut unit = store.write().await?;
                if unit.instance_fact(reads).await?.as_deref() == Some("on") {
                    tokio::task::yield_now().await;
                    unit.set_instance_fact(writes, "off").await?;
                }
                unit.commit().await
            }
        };
        let one = tokio::spawn(switch_off("left", "right"));
        let two = tokio::spawn(switch_off("right", "left"));
        let outcomes = [one.await.unwrap(), two.await.unwrap()];
        assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
        for outcome in outcomes {
            assert!(matches!(outcome, Ok(()) | Err(StoreError::Collision)), "{outcome:?}");
        }
        let mut unit = world.read().await;
        let left = unit.instance_fact("left").await.unwrap();
        let right = unit.instance_fact("right").await.unwrap();
        assert!(left.as_deref() == Some("on") || right.as_deref() == Some("on"));
    }

    /// An unreadable value is an error that names table or column, never an absence.
    async fn a_value_of_the_wrong_type_is_an_error(world: World) {
        let mut tx = world.store.database().read().await.unwrap();
        let row = tx.fetch_optional("SELECT 'text' AS value", vec![]).await.unwrap().unwrap();
        assert!(row.int("value").is_err());
        assert!(row.int("missing").is_err());
        assert_eq!(row.text("value").unwrap(), "text");
    }

    async fn every_kind_of_value_survives(world: World) {
        let sql = "SELECT CAST($1 AS BIGINT) AS i, CAST($2 AS BIGINT) AS oi, CAST($3 AS TEXT) AS t, CAST($4 AS TEXT) AS ot";
        for (int, text) in [(i64::MIN, ""), (i64::MAX, "é\u{1F511}'\"\\"), (0, "line\nline")] {
            let args = vec![Arg::Int(int), Arg::OptInt(None), Arg::from(text), Arg::OptText(None)];
            let mut tx = world.store.database().read().await.unwrap();
            let row = tx.fetch_optional(sql, args).await.unwrap().unwrap();
            assert_eq!((row.int("i").unwrap(), row.opt_int("oi").unwrap()), (int, None));
            assert_eq!((row.text("t").unwrap().as_str(), row.opt_text("ot").unwrap()), (text, None));
        }
    }
}

/// The embedded database promises that a committed row survives a power cut.
#[test]
fn the_embedded_database_is_durable() {
    crate::world::on_sqlite(|world| async move {
        for (pragma, column, expected) in [
            ("PRAGMA journal_mode", "journal_mode", "wal"),
            (
                "SELECT CAST(synchronous AS TEXT) AS synchronous FROM pragma_synchronous",
                "synchronous",
                "2",
            ),
            (
                "SELECT CAST(foreign_keys AS TEXT) AS foreign_keys FROM pragma_foreign_keys",
                "foreign_keys",
                "1",
            ),
        ] {
            let mut tx = world.store.database().write().await.unwrap();
            let row = tx.fetch_optional(pragma, vec![]).await.unwrap().unwrap();
            assert_eq!(row.text(column).unwrap(), expected, "{pragma}");
        }
    });
}

/// While another process holds the write lock, a write is refused as unavailable after a while, and works afterwards.
#[test]
fn a_lock_of_another_process_is_waited_for_and_then_reported() {
    crate::world::on_sqlite(|world| async move {
        let other = Database::open(&world.url).await.unwrap();
        let held = other.write().await.unwrap();
        let refused = world.store.write().await.err().unwrap();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert_eq!(world.read().await.instance_fact("f").await.unwrap(), None);
        drop(held);
        let mut unit = world.store.write().await.unwrap();
        unit.set_instance_fact("f", "x").await.unwrap();
        unit.commit().await.unwrap();
    });
}

/// When SQLite has rolled a transaction back by itself, as it does when the disk is full, the next use case starts
/// afresh.
#[test]
fn a_transaction_that_the_database_has_ended_does_not_wedge_the_writer() {
    crate::world::on_sqlite(|world| async move {
        for _ in 0..3 {
            let mut tx = world.store.database().write().await.unwrap();
            tx.execute("ROLLBACK", vec![]).await.unwrap();
            assert!(tx.commit().await.is_err());
            let mut tx = world.store.database().read().await.unwrap();
            tx.execute("ROLLBACK", vec![]).await.unwrap();
            drop(tx);
        }
        let mut unit = world.store.write().await.unwrap();
        unit.set_instance_fact("f", "x").await.unwrap();
        unit.commit().await.unwrap();
        for _ in 0..8 {
            assert!(
                world
                    .read()
                    .await
                    .instance_fact("f")
                    .await
                    .unwrap()
                    .is_some()
            );
        }
    });
}

#[test]
fn a_database_url_is_parsed_or_refused_without_repeating_it() {
    for good in [
        "sqlite:x.db",
        "sqlite:///tmp/x.db",
        "sqlite::memory:",
        "postgres://u@h/d",
        "postgresql://h/d",
    ] {
        assert!(DatabaseUrl::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "mysql://secret@h/d",
        "/tmp/secret.db",
        "postgres://[secret",
    ] {
        let refused = DatabaseUrl::parse(bad).err().unwrap();
        assert!(matches!(refused, StoreError::DatabaseUrl(_)), "{bad}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}

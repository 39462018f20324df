//! Kept answers: one effect per key, however often it is asked for.

use countersign_store::{IdempotencyKey, StoreError};

use crate::world::{NOW, World};

/// How long an answer is kept.
const DAY: i64 = 86_400;

fn key(caller: &str, key: &str) -> IdempotencyKey {
    IdempotencyKey {
        caller: caller.to_owned(),
        key: key.to_owned(),
        request_digest: "d1".to_owned(),
    }
}

on_both_databases! {
    async fn a_kept_answer_comes_back_to_the_same_caller_only(world: World) {
        let mut unit = world.write().await;
        unit.keep_answer(&key("at-1", "k"), "{\"é\":1}", NOW).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = world.read().await;
        let kept = unit.kept_answer(&key("at-1", "k"), NOW).await.unwrap().unwrap();
        assert_eq!((kept.answer.as_str(), kept.request_digest.as_str()), ("{\"é\":1}", "d1"));
        assert_eq!(unit.kept_answer(&key("at-2", "k"), NOW).await.unwrap(), None);
        assert_eq!(unit.kept_answer(&key("at-1", "other"), NOW).await.unwrap(), None);
    }

    async fn a_second_answer_under_the_key_is_a_collision(world: World) {
        let mut unit = world.write().await;
        unit.keep_answer(&key("at-1", "k"), "first", NOW).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = world.write().await;
        let refused = unit.keep_answer(&key("at-1", "k"), "second", NOW.plus(1)).await;
        assert!(matches!(refused, Err(StoreError::Collision)), "{refused:?}");
    }

    /// At every second an answer is either found or can be replaced, never neither.
    async fn an_old_answer_is_replaced_and_no_second_is_between(world: World) {
        for age in [DAY - 1, DAY, DAY + 1] {
            let mut unit = world.write().await;
            unit.keep_answer(&key("at-1", "k"), "first", NOW).await.unwrap();
            let later = NOW.plus(age);
            let found = unit.kept_answer(&key("at-1", "k"), later).await.unwrap().is_some();
            let replaced = unit.keep_answer(&key("at-1", "k"), "second", later).await.is_ok();
            assert_eq!((found, replaced), (age < DAY, age >= DAY), "{age}");
        }
    }

    async fn old_answers_are_forgotten(world: World) {
        let mut unit = world.write().await;
        unit.keep_answer(&key("at-1", "old"), "", NOW).await.unwrap();
        unit.keep_answer(&key("at-1", "new"), "", NOW.plus(10)).await.unwrap();
        assert_eq!(unit.forget_answers(NOW.plus(DAY)).await.unwrap(), 1);
        assert!(unit.kept_answer(&key("at-1", "new"), NOW.plus(DAY)).await.unwrap().is_some());
    }

    /// Nobody puts words into the mouth of the server.
    async fn an_answer_written_by_hand_is_not_given(world: World) {
        let mut unit = world.write().await;
        unit.keep_answer(&key("at-1", "k"), "first", NOW).await.unwrap();
        unit.keep_answer(&key("at-2", "k"), "other", NOW).await.unwrap();
        unit.commit().await.unwrap();
        world.leaked("CREATE TABLE kept AS SELECT * FROM idempotent_answers".to_owned()).await;
        for edit in [
            "answer = 'forged'", "request_digest = 'd2'", "created_at = created_at + 1", "mac = ''",
            "mac = (SELECT k.mac FROM kept k WHERE k.caller = 'at-2')",
        ] {
            world.leaked(format!("UPDATE idempotent_answers SET {edit} WHERE caller = 'at-1'")).await;
            let read = world.read().await.kept_answer(&key("at-1", "k"), NOW).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            world.leaked("DELETE FROM idempotent_answers".to_owned()).await;
            world.leaked("INSERT INTO idempotent_answers SELECT * FROM kept".to_owned()).await;
        }
        world.leaked("UPDATE idempotent_answers SET caller = 'at-3' WHERE caller = 'at-2'".to_owned()).await;
        let read = world.read().await.kept_answer(&key("at-3", "k"), NOW).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    }

    /// The answer is kept exactly when the effect is.
    async fn a_dropped_transaction_keeps_no_answer(world: World) {
        let mut unit = world.write().await;
        unit.keep_answer(&key("at-1", "k"), "first", NOW).await.unwrap();
        drop(unit);
        assert_eq!(world.read().await.kept_answer(&key("at-1", "k"), NOW).await.unwrap(), None);
    }
}

//! The organizations' signing keys.

use countersign_crypto::SigningAlgorithm;
use countersign_domain::ids::TenantId;
use countersign_domain::signing_keys::SigningKeyState;
use countersign_store::{StoreError, StoredSigningKey, Topic};

use crate::world::{NOW, World};

pub fn key(tenant_id: TenantId, kid: &str, state: SigningKeyState) -> StoredSigningKey {
    StoredSigningKey {
        tenant_id,
        kid: kid.to_owned(),
        algorithm: SigningAlgorithm::Es256,
        state,
        since: NOW,
        public_key: "PEM".to_owned(),
        sealed: Some(vec![0, 255, 1]),
        created_at: NOW,
    }
}

on_both_databases! {
    /// A column of SQLite takes a value of any type. Whatever is not what this program writes is a forged row, not a
    /// database that is away.
    async fn a_value_of_another_type_is_corrupt(world: World) {
        if world.is_postgres() {
            return;
        }
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.insert_signing_key(&key(tenant_id, "a", SigningKeyState::Current), NOW).await.unwrap();
        unit.commit().await.unwrap();
        world.leaked("UPDATE signing_keys SET created_at = 'yesterday'".to_owned()).await;
        let refused = world.read().await.signing_keys(tenant_id).await.unwrap_err();
        let StoreError::Corrupt { table, column, id } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((table, column, id), ("signing_keys", "created_at", tenant_id.to_string()));
    }

    async fn a_key_comes_back_as_it_was(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        for (n, algorithm) in SigningAlgorithm::ALL.iter().enumerate() {
            let mut key = key(tenant_id, &format!("kid-{n}"), SigningKeyState::Next);
            key.algorithm = *algorithm;
            key.created_at = NOW.plus(i64::try_from(n).unwrap());
            unit.insert_signing_key(&key, NOW).await.unwrap();
        }
        let keys = unit.signing_keys(tenant_id).await.unwrap();
        let algorithms: Vec<_> = keys.iter().rev().map(|key| key.algorithm).collect();
        assert_eq!(algorithms, SigningAlgorithm::ALL);
        assert!(keys.iter().all(|key| key.sealed == Some(vec![0, 255, 1]) && key.since == NOW));
    }

    async fn an_organization_has_one_current_key(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.insert_signing_key(&key(tenant_id, "a", SigningKeyState::Current), NOW).await.unwrap();
        unit.insert_signing_key(&key(tenant_id, "b", SigningKeyState::Next), NOW).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = world.write().await;
        let refused = unit.insert_signing_key(&key(tenant_id, "c", SigningKeyState::Current), NOW).await;
        assert!(matches!(refused, Err(StoreError::Taken(_))), "{refused:?}");
        drop(unit);
        let mut unit = world.write().await;
        let promoted = unit
            .move_signing_key((tenant_id, "b"), SigningKeyState::Next, SigningKeyState::Current, NOW)
            .await;
        assert!(matches!(promoted, Err(StoreError::Taken(_))), "{promoted:?}");
    }

    async fn a_key_moves_only_from_the_state_it_is_in(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.insert_signing_key(&key(tenant_id, "a", SigningKeyState::Current), NOW).await.unwrap();
        let moved = unit
            .move_signing_key((tenant_id, "a"), SigningKeyState::Next, SigningKeyState::Retired, NOW)
            .await;
        assert!(matches!(moved, Err(StoreError::Collision)), "{moved:?}");
    }

    async fn a_retired_key_loses_its_private_part_and_a_retiring_one_keeps_it(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.insert_signing_key(&key(tenant_id, "a", SigningKeyState::Current), NOW).await.unwrap();
        for (from, to, kept) in [
            (SigningKeyState::Current, SigningKeyState::Retiring, true),
            (SigningKeyState::Retiring, SigningKeyState::Retired, false),
        ] {
            unit.move_signing_key((tenant_id, "a"), from, to, NOW.plus(5)).await.unwrap();
            let keys = unit.signing_keys(tenant_id).await.unwrap();
            assert_eq!((keys[0].state, keys[0].sealed.is_some(), keys[0].since), (to, kept, NOW.plus(5)));
        }
    }

    /// Whoever writes to the database publishes no key, and brings none back.
    async fn a_row_written_by_hand_is_not_believed(world: World) {
        let (tenant_id, other) = (TenantId::from_random([1; 16]), TenantId::from_random([2; 16]));
        let mut unit = world.write().await;
        unit.insert_signing_key(&key(tenant_id, "a", SigningKeyState::Retiring), NOW).await.unwrap();
        unit.insert_signing_key(&key(other, "b", SigningKeyState::Current), NOW).await.unwrap();
        unit.commit().await.unwrap();
        world.leaked("CREATE TABLE kept AS SELECT * FROM signing_keys".to_owned()).await;
        for edit in [
            "UPDATE signing_keys SET state = 'current' WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET since = since + 1 WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET algorithm = 'EdDSA' WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET public_key = 'mine' WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET sealed = NULL WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET created_at = created_at + 1 WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET kid = 'c' WHERE kid = 'a'".to_owned(),
            "UPDATE signing_keys SET mac = '' WHERE kid = 'a'".to_owned(),
            format!("UPDATE signing_keys SET tenant_id = '{tenant_id}' WHERE kid = 'b'"),
            format!("INSERT INTO signing_keys (tenant_id, kid, algorithm, state, since, public_key, created_at, mac)
                SELECT '{tenant_id}', 'c', algorithm, 'next', since, 'mine', created_at, mac FROM kept WHERE kid = 'a'"),
        ] {
            world.leaked(edit.clone()).await;
            let read = world.read().await.signing_keys(tenant_id).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            world.leaked("DELETE FROM signing_keys".to_owned()).await;
            world.leaked("INSERT INTO signing_keys SELECT * FROM kept".to_owned()).await;
            assert!(world.read().await.signing_keys(tenant_id).await.is_ok());
        }
        world.leaked("UPDATE signing_keys SET public_key = 'mine' WHERE kid = 'a'".to_owned()).await;
        let moved = world.write().await
            .move_signing_key((tenant_id, "a"), SigningKeyState::Retiring, SigningKeyState::Retired, NOW)
            .await;
        assert!(matches!(moved, Err(StoreError::Corrupt { .. })), "a forged row is not made sound: {moved:?}");
    }

    async fn every_change_of_keys_is_announced(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.insert_signing_key(&key(tenant_id, "a", SigningKeyState::Next), NOW).await.unwrap();
        unit.move_signing_key((tenant_id, "a"), SigningKeyState::Next, SigningKeyState::Current, NOW)
            .await
            .unwrap();
        let events = unit.feed_after(0, 10).await.unwrap();
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|event| event.topic == Topic::SigningKeys && event.subject == "a"));
    }
}

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

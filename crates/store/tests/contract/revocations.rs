//! Access tokens revoked before their end.

use countersign_domain::ids::TenantId;
use countersign_store::Topic;

use crate::world::{NOW, World};

on_both_databases! {
    async fn a_revocation_is_remembered_until_the_token_ends(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.revoke_token(tenant_id, "one", NOW.plus(60), NOW).await.unwrap();
        unit.revoke_token(tenant_id, "two", NOW.plus(120), NOW).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = world.write().await;
        let mut revoked = unit.revoked_tokens(tenant_id, NOW).await.unwrap();
        revoked.sort();
        assert_eq!(revoked, [("one".to_owned(), NOW.plus(60)), ("two".to_owned(), NOW.plus(120))]);
        assert_eq!(unit.revoked_tokens(tenant_id, NOW.plus(60)).await.unwrap().len(), 1);
        assert_eq!(unit.forget_revocations(NOW.plus(59)).await.unwrap(), 0);
        assert_eq!(unit.forget_revocations(NOW.plus(60)).await.unwrap(), 1);
        assert_eq!(unit.revoked_tokens(tenant_id, NOW).await.unwrap().len(), 1);
    }

    async fn a_second_revocation_changes_nothing(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.revoke_token(tenant_id, "one", NOW.plus(60), NOW).await.unwrap();
        unit.revoke_token(tenant_id, "one", NOW.plus(9), NOW.plus(5)).await.unwrap();
        assert_eq!(unit.revoked_tokens(tenant_id, NOW).await.unwrap(), [("one".to_owned(), NOW.plus(60))]);
    }

    async fn a_revocation_is_announced(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let mut unit = world.write().await;
        unit.revoke_token(tenant_id, "one", NOW.plus(60), NOW).await.unwrap();
        let events = unit.feed_after(0, 10).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].tenant_id, events[0].topic), (tenant_id, Topic::Revocation));
        assert_eq!(events[0].subject, "one");
    }
}

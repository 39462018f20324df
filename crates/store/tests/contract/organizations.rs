//! Organizations as they stand.

use countersign_domain::change::ChangeKind;
use countersign_domain::ids::TenantId;
use countersign_store::{Page, StoreError};

use crate::world::{NOW, World, all, apply, organization_state, wish};

on_both_databases! {
    async fn what_is_read_is_what_was_applied(world: World) {
        let tenant_id = world.organization().await;
        let mut unit = world.read().await;
        let read = unit.organization(tenant_id).await.unwrap().unwrap();
        assert_eq!((read.tenant_id, read.version, read.change_request), (tenant_id, 1, 1));
        assert_eq!((read.state, read.created_at), (organization_state("Acme Bank"), NOW));
        assert_eq!(unit.organization(TenantId::from_random([1; 16])).await.unwrap(), None);
    }

    async fn an_organization_is_created_once(world: World) {
        let tenant_id = world.organization().await;
        let after = serde_json::to_value(organization_state("Again")).unwrap();
        let target = tenant_id.to_string();
        // A creation starts from nothing; where there is something, its base has moved.
        let mut unit = world.write().await;
        let request = crate::world::submit(
            &mut unit,
            wish(tenant_id, ChangeKind::OrganizationCreate, &target, after),
        )
        .await
        .unwrap();
        assert_eq!(request.change.envelope().base_version, 1);
        unit.apply(&crate::world::authorized(&request), request.number).await.unwrap();
        drop(unit);
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM organizations").await, 1);
    }

    async fn organizations_are_listed_by_id_in_pages(world: World) {
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(world.organization().await);
        }
        ids.sort_by_key(ToString::to_string);
        let mut unit = world.read().await;
        let first = Page { after: None, limit: 3 };
        let listed = unit.organizations(&first).await.unwrap();
        let rest = Page { after: Some(listed[2].tenant_id.to_string()), limit: 3 };
        let listed: Vec<_> = listed.into_iter().chain(unit.organizations(&rest).await.unwrap()).collect();
        assert_eq!(listed.iter().map(|one| one.tenant_id).collect::<Vec<_>>(), ids);
        assert_eq!(unit.organization_ids(&all()).await.unwrap(), ids);
        assert_eq!(unit.organization_ids(&rest).await.unwrap(), ids[3..]);
    }

    async fn a_row_edited_by_hand_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let other = world.organization().await;
        for (edit, undo) in [
            ("state = replace(state, 'ACTIVE', 'SUSPENDED')", "state = replace(state, 'SUSPENDED', 'ACTIVE')"),
            ("version = 2", "version = 1"),
            ("change_number = 2", "change_number = 1"),
            ("created_at = created_at - 1", "created_at = created_at + 1"),
            ("updated_at = updated_at + 1", "updated_at = updated_at - 1"),
        ] {
            world.leaked(format!("UPDATE organizations SET {edit} WHERE tenant_id = '{tenant_id}'")).await;
            let read = world.read().await.organization(tenant_id).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            assert!(world.read().await.organization(other).await.is_ok());
            world.leaked(format!("UPDATE organizations SET {undo} WHERE tenant_id = '{tenant_id}'")).await;
            assert!(world.read().await.organization(tenant_id).await.is_ok());
        }
    }

    /// All columns of an older row, put back together, also with the newest version taken away.
    async fn a_whole_older_row_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let other = world.organization().await;
        world.leaked("CREATE TABLE older AS SELECT * FROM organizations".to_owned()).await;
        let mut unit = world.write().await;
        let suspended = serde_json::to_value(organization_state("Acme Bank").suspend(NOW).unwrap()).unwrap();
        let kind = ChangeKind::OrganizationSuspend;
        apply(&mut unit, wish(tenant_id, kind, &tenant_id.to_string(), suspended)).await.unwrap();
        unit.commit().await.unwrap();
        for column in ["version", "change_number", "state", "mac", "updated_at"] {
            world.leaked(format!(
                "UPDATE organizations SET {column} = (SELECT {column} FROM older o WHERE o.tenant_id = organizations.tenant_id)"
            )).await;
        }
        let mut unit = world.read().await;
        let read = unit.organization(tenant_id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
        assert!(unit.organizations(&all()).await.is_err());
        assert!(unit.organization(other).await.is_ok());
        drop(unit);
        world.leaked(format!("DELETE FROM versions WHERE target = '{tenant_id}' AND version = 2")).await;
        let mut unit = world.read().await;
        assert!(unit.organization(tenant_id).await.is_ok(), "the row alone cannot tell");
        let read = unit.believable_configurations(tenant_id, |found| panic!("{found:?}")).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    }

    /// A store with another row key believes nothing: rows are bound to the master key.
    async fn another_row_key_believes_nothing(world: World) {
        let tenant_id = world.organization().await;
        let other = countersign_store::Store::new(
            world.store.database().clone(),
            countersign_crypto::MasterKey::generate().mac_key("row"),
        );
        let read = other.read().await.unwrap().organization(tenant_id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    }

    async fn a_suspension_and_its_end_are_versions(world: World) {
        let tenant_id = world.organization().await;
        let target = tenant_id.to_string();
        let suspended = organization_state("Acme Bank").suspend(NOW).unwrap();
        let restored = suspended.clone().restore().unwrap();
        for (kind, state) in [
            (ChangeKind::OrganizationSuspend, suspended),
            (ChangeKind::OrganizationRestore, restored),
        ] {
            let mut unit = world.write().await;
            let after = serde_json::to_value(&state).unwrap();
            apply(&mut unit, wish(tenant_id, kind, &target, after)).await.unwrap();
            unit.commit().await.unwrap();
            let read = world.read().await.organization(tenant_id).await.unwrap().unwrap();
            assert_eq!(read.state, state);
        }
        assert_eq!(world.read().await.versions(tenant_id, &target, &all()).await.unwrap().len(), 3);
    }
}

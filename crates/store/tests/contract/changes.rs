//! Change requests and `apply`: versions, bases, siblings, and nothing half done.

use countersign_domain::change::{Base, ChangeKind, ChangeState, state_digest};
use countersign_store::{Page, StoreError, UniqueRule};

use crate::world::{
    NOW, Wish, World, all, apply, authorized, configuration_state, organization_state, renamed,
    submit, wish,
};
use countersign_crypto::random_bytes;
use countersign_domain::ids::{ConfigurationId, TenantId};

on_both_databases! {
    /// C1 P1: with a quorum of 0 the request is submitted and applied in one transaction.
    async fn quorum_zero_applies_in_the_transaction_that_submits(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let request = world.rename(tenant_id, id, "new name").await.unwrap();
        let mut unit = world.read().await;
        let stored = unit.change(tenant_id, request.number).await.unwrap().unwrap();
        assert_eq!(stored.state, ChangeState::Applied { at: NOW });
        let now = unit.configuration(tenant_id, id).await.unwrap().unwrap();
        assert_eq!(now.change_request, request.number);
        assert_eq!(now.state.name.as_str(), "new name");
    }

    /// I7: each application raises the version by one, and every version names its request.
    async fn each_application_raises_the_version_by_one(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        for expected in 2..=5_u64 {
            let request = world.rename(tenant_id, id, &format!("name {expected}")).await.unwrap();
            let mut unit = world.read().await;
            let now = unit.configuration(tenant_id, id).await.unwrap().unwrap();
            assert_eq!((now.version, now.change_request), (expected, request.number));
        }
        let versions = world.read().await.versions(tenant_id, &id.to_string(), &all()).await.unwrap();
        let numbers: Vec<u64> = versions.iter().map(|version| version.version).collect();
        assert_eq!(numbers, [5, 4, 3, 2, 1]);
    }

    /// P3: what is stored is the canonical after-state of the request, byte for byte.
    async fn a_version_is_the_canonical_after_state_byte_for_byte(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let request = world.rename(tenant_id, id, "Zürich \u{1F511} \u{fffd}").await.unwrap();
        let mut unit = world.read().await;
        let versions = unit.versions(tenant_id, &id.to_string(), &all()).await.unwrap();
        assert_eq!(versions[0].state.as_bytes(), request.change.canonical_after());
        assert_eq!(versions[0].digest, state_digest(request.change.canonical_after()));
        assert_eq!(versions[0].change_request, request.number);
        let stored = unit.change(tenant_id, request.number).await.unwrap().unwrap();
        assert_eq!(stored.change, request.change);
        assert_eq!(stored.change.digest(), request.change.digest());
    }

    /// Versions already written stay as they were when later ones are added.
    async fn versions_are_append_only(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let before = world.read().await.versions(tenant_id, &id.to_string(), &all()).await.unwrap();
        world.rename(tenant_id, id, "another").await.unwrap();
        let after = world.read().await.versions(tenant_id, &id.to_string(), &all()).await.unwrap();
        assert_eq!(after[1..], before[..]);
    }

    /// Pages go on where the one before has ended, and a hole is noticed in each.
    async fn versions_come_in_pages_and_none_is_missing(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        for name in ["a", "b", "c", "d"] {
            world.rename(tenant_id, id, name).await.unwrap();
        }
        let look = async |after: Option<&str>, limit| {
            let page = Page { after: after.map(str::to_owned), limit };
            let found = world.read().await.versions(tenant_id, &id.to_string(), &page).await;
            found.map(|found| found.into_iter().map(|version| version.version).collect::<Vec<_>>())
        };
        assert_eq!(look(None, 2).await.unwrap(), [5, 4]);
        assert_eq!(look(Some("4"), 2).await.unwrap(), [3, 2]);
        assert_eq!(look(Some("2"), 2).await.unwrap(), [1]);
        assert_eq!(look(Some("1"), 2).await.unwrap(), Vec::<u64>::new());
        world.leaked(format!("DELETE FROM versions WHERE target = '{id}' AND version = 3")).await;
        for (after, limit) in [(None, 5), (None, 3), (Some("4"), 2), (Some("5"), 2)] {
            let refused = look(after, limit).await;
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{after:?} {limit}: {refused:?}");
        }
        world.leaked(format!("DELETE FROM versions WHERE target = '{id}' AND version = 1")).await;
        let refused = look(Some("3"), 2).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    }

    /// A version number is taken once, whoever tries.
    async fn the_same_version_cannot_be_written_twice(world: World) {
        let tenant_id = world.organization().await;
        let copy = "INSERT INTO versions SELECT * FROM versions";
        let refused = world.by_hand(copy, vec![]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Taken(_)), "{refused:?}");
        assert_eq!(world.read().await.versions(tenant_id, &tenant_id.to_string(), &all()).await.unwrap().len(), 1);
    }

    /// C7: of two changes from one base, the second is refused and leaves nothing behind.
    async fn a_change_on_a_moved_base_is_refused_and_leaves_nothing(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let state = world.state_of(tenant_id, id).await;
        let mut unit = world.write().await;
        let after = serde_json::to_value(renamed(state, "too late")).unwrap();
        // Containment may stand beside an open edit, so both requests can be made from version 1.
        let stale = submit(&mut unit, wish(tenant_id, ChangeKind::ConfigurationSuspend, &id.to_string(), after))
            .await
            .unwrap();
        unit.commit().await.unwrap();
        world.rename(tenant_id, id, "first").await.unwrap();
        let mut unit = world.write().await;
        let refused = unit.apply(&authorized(&stale), stale.number).await.unwrap_err();
        assert!(matches!(refused, StoreError::Collision), "{refused:?}");
        drop(unit);
        assert_eq!(world.state_of(tenant_id, id).await.name.as_str(), "first");
        assert_eq!(world.read().await.versions(tenant_id, &id.to_string(), &all()).await.unwrap().len(), 2);
    }

    /// C7, C11: what is applied supersedes the open requests on the same target, and only those.
    async fn an_application_supersedes_its_open_siblings(world: World) {
        let tenant_id = world.organization().await;
        let (id, other) = (world.configuration(tenant_id).await, world.configuration(tenant_id).await);
        let mut open = Vec::new();
        for target in [id, other] {
            let after = serde_json::to_value(renamed(world.state_of(tenant_id, target).await, "waits")).unwrap();
            let mut unit = world.write().await;
            let waits = Wish { quorum: 1, ..wish(tenant_id, ChangeKind::ConfigurationEdit, &target.to_string(), after) };
            open.push(submit(&mut unit, waits).await.unwrap().number);
            unit.commit().await.unwrap();
        }
        let suspended = world.state_of(tenant_id, id).await.suspend(NOW).unwrap();
        let request = world.put(tenant_id, id, ChangeKind::ConfigurationSuspend, &suspended).await.unwrap();
        let mut unit = world.read().await;
        let mut state = async |number| unit.change(tenant_id, number).await.unwrap().unwrap().state;
        assert_eq!(state(request.number).await, ChangeState::Applied { at: NOW });
        assert_eq!(state(open[0]).await, ChangeState::Superseded { at: NOW });
        assert_eq!(state(open[1]).await, ChangeState::Pending);
    }

    /// A request that is closed cannot be applied again, whatever the caller holds in its hands.
    async fn a_closed_request_is_not_applied_again(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let state = renamed(world.state_of(tenant_id, id).await, "once");
        let request = world.put(tenant_id, id, ChangeKind::ConfigurationEdit, &state).await.unwrap();
        let mut unit = world.write().await;
        let refused = unit.apply(&authorized(&request), request.number).await.unwrap_err();
        assert!(matches!(refused, StoreError::Collision | StoreError::Taken(_)), "{refused:?}");
        drop(unit);
        assert_eq!(world.read().await.versions(tenant_id, &id.to_string(), &all()).await.unwrap().len(), 2);
    }

    /// C4: one open edit per target; the unique index decides.
    async fn a_target_has_one_open_edit(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let after = serde_json::to_value(renamed(world.state_of(tenant_id, id).await, "waits")).unwrap();
        let waits = || Wish {
            quorum: 1,
            ..wish(tenant_id, ChangeKind::ConfigurationEdit, &id.to_string(), after.clone())
        };
        let mut unit = world.write().await;
        submit(&mut unit, waits()).await.unwrap();
        unit.commit().await.unwrap();
        let mut unit = world.write().await;
        let refused = submit(&mut unit, waits()).await.unwrap_err();
        assert_eq!(refused.unique_rule(), Some(UniqueRule::OpenEdit), "{refused:?}");
        drop(unit);
        let other = world.organization().await;
        let mut unit = world.write().await;
        submit(&mut unit, Wish { tenant_id: other, ..waits() }).await.unwrap();
    }

    /// Dropping the transaction at any point leaves the database as it was.
    async fn a_dropped_transaction_leaves_nothing(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let before = everything(&world).await;
        let state = renamed(world.state_of(tenant_id, id).await, "never");
        let wanted = || {
            let after = serde_json::to_value(&state).unwrap();
            wish(tenant_id, ChangeKind::ConfigurationEdit, &id.to_string(), after)
        };
        let mut unit = world.write().await;
        submit(&mut unit, wanted()).await.unwrap();
        drop(unit);
        assert_eq!(everything(&world).await, before);
        let mut unit = world.write().await;
        apply(&mut unit, wanted()).await.unwrap();
        drop(unit);
        assert_eq!(everything(&world).await, before);
        let mut unit = world.write().await;
        apply(&mut unit, wanted()).await.unwrap();
        unit.commit().await.unwrap();
        assert_ne!(everything(&world).await, before);
    }

    /// A request whose application fails half-way (its key is taken) leaves neither request nor version nor event.
    async fn a_failed_application_leaves_nothing(world: World) {
        let tenant_id = world.organization().await;
        let owner = world.configuration(tenant_id).await;
        let id = ConfigurationId::from_random(random_bytes());
        let mut state = configuration_state(tenant_id, id);
        state.keys = world.state_of(tenant_id, owner).await.keys;
        let before = everything(&world).await;
        let refused = world.put(tenant_id, id, ChangeKind::ConfigurationCreate, &state).await.unwrap_err();
        assert_eq!(refused.unique_rule(), Some(UniqueRule::RegisteredKey), "{refused:?}");
        assert_eq!(everything(&world).await, before);
    }

    /// Numbers count within the organization, beginning with 1.
    async fn numbers_count_within_the_organization(world: World) {
        let (first, second) = (world.organization().await, world.organization().await);
        world.configuration(first).await;
        let mut unit = world.read().await;
        assert_eq!(unit.next_change_number(first).await.unwrap(), 3);
        assert_eq!(unit.next_change_number(second).await.unwrap(), 2);
        let nobody = TenantId::from_random([9; 16]);
        assert_eq!(unit.next_change_number(nobody).await.unwrap(), 1);
    }

    /// What does not exist has the base that a creation starts from.
    async fn the_base_of_something_missing_is_nothing(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let mut unit = world.read().await;
        assert_eq!(unit.base_of(tenant_id, "ac-none").await.unwrap(), Base::NOTHING);
        let versions = unit.versions(tenant_id, &id.to_string(), &all()).await.unwrap();
        let base = unit.base_of(tenant_id, &id.to_string()).await.unwrap();
        assert_eq!(base, Base { version: 1, digest: Some(versions[0].digest) });
    }

    /// Requests are listed newest first, in pages that neither repeat nor skip.
    async fn requests_are_listed_newest_first_in_pages(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        for name in ["a", "b", "c"] {
            world.rename(tenant_id, id, name).await.unwrap();
        }
        let mut unit = world.read().await;
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = unit.changes(tenant_id, &Page { after, limit: 2 }).await.unwrap();
            after = page.last().map(|request| request.number.to_string());
            seen.extend(page.iter().map(|request| request.number));
            if page.len() < 2 {
                break;
            }
        }
        assert_eq!(seen, [5, 4, 3, 2, 1]);
        assert_eq!(unit.change(tenant_id, 99).await.unwrap(), None);
    }

    /// Whatever is edited by hand in a request is noticed when it is read: what it asks for, and where it stands.
    async fn a_request_edited_by_hand_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        world.leaked("ALTER TABLE change_requests RENAME TO kept".to_owned()).await;
        world.leaked("CREATE TABLE change_requests AS SELECT * FROM kept".to_owned()).await;
        let edits = [
            "envelope = replace(envelope, '\"v\":1', '\"v\":2')",
            "change_digest = replace(change_digest, substr(change_digest, 1, 4), 'ffff')",
            "state = 'pending', closed_at = NULL",
            "state = 'superseded'",
            "state = 'canceled', close_reason = 'made up'",
            "state = 'unheard of'",
            "closed_at = closed_at + 1",
            "close_reason = 'made up'",
            "submitted_at = submitted_at + 1",
            "expires_at = expires_at + 1",
            "kind = 'oidc_config.edit'",
            "class = 'containment'",
            "target = 'another'",
            "maker = 'somebody else'",
            "id = 'cr-another'",
            "number = 3",
            "mac = (SELECT mac FROM kept k WHERE k.number = 1)",
        ];
        for edit in edits {
            world.leaked(format!("UPDATE change_requests SET {edit} WHERE target = '{id}'")).await;
            let number = if edit == "number = 3" { 3 } else { 2 };
            let read = world.read().await.change(tenant_id, number).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{edit}: {read:?}");
            let listed = world.read().await.changes(tenant_id, &all()).await;
            assert!(matches!(listed, Err(StoreError::Corrupt { .. })), "{edit}");
            world.leaked("DELETE FROM change_requests".to_owned()).await;
            world.leaked("INSERT INTO change_requests SELECT * FROM kept".to_owned()).await;
            assert!(world.read().await.change(tenant_id, 2).await.is_ok());
        }
    }

    async fn an_edited_version_is_not_believed(world: World) {
        let tenant_id = world.organization().await;
        let edit = "UPDATE versions SET state = replace(state, 'Acme Bank', 'Evil Bank')";
        assert_eq!(world.by_hand(edit, vec![]).await.unwrap(), 1);
        let read = world.read().await.versions(tenant_id, &tenant_id.to_string(), &all()).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    }

    /// What was put in place of a request while it waited is not applied; and it does not hold up anything else.
    async fn a_request_that_was_swapped_while_it_waited_is_not_applied(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let state = world.state_of(tenant_id, id).await;
        let mut unit = world.write().await;
        let after = serde_json::to_value(renamed(state.clone(), "waits")).unwrap();
        let edit = Wish { quorum: 1, ..wish(tenant_id, ChangeKind::ConfigurationEdit, &id.to_string(), after) };
        let waiting = submit(&mut unit, edit).await.unwrap();
        unit.commit().await.unwrap();
        world.leaked("UPDATE change_requests SET maker = 'somebody else' WHERE state = 'pending'".to_owned()).await;
        let mut unit = world.write().await;
        let refused = unit.apply(&authorized(&waiting), waiting.number).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
        drop(unit);
        let suspended = state.suspend(NOW).unwrap();
        world.put(tenant_id, id, ChangeKind::ConfigurationSuspend, &suspended).await.unwrap();
        assert!(world.read().await.change(tenant_id, waiting.number).await.is_err());
    }

    /// The same after-state for an organization goes to the organization, not to a configuration.
    async fn an_organization_is_edited_through_the_same_path(world: World) {
        let tenant_id = world.organization().await;
        let mut unit = world.write().await;
        let after = serde_json::to_value(organization_state("Renamed Bank")).unwrap();
        apply(&mut unit, wish(tenant_id, ChangeKind::OrganizationEdit, &tenant_id.to_string(), after))
            .await
            .unwrap();
        unit.commit().await.unwrap();
        let now = world.read().await.organization(tenant_id).await.unwrap().unwrap();
        assert_eq!((now.version, now.state.name.as_str()), (2, "Renamed Bank"));
    }

    /// An after-state that is not a state of what it would change is refused before anything is written.
    async fn a_state_of_another_kind_is_not_written(world: World) {
        let tenant_id = world.organization().await;
        let before = everything(&world).await;
        let mut unit = world.write().await;
        let nonsense = serde_json::json!({"name": "no configuration"});
        let id = ConfigurationId::from_random([5; 16]).to_string();
        let refused = apply(&mut unit, wish(tenant_id, ChangeKind::ConfigurationCreate, &id, nonsense)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
        drop(unit);
        assert_eq!(everything(&world).await, before);
    }
}

/// How many rows there are of everything that an application writes, and where the feed stands.
async fn everything(world: &World) -> Vec<i64> {
    let counts = [
        "SELECT COUNT(*) AS count FROM change_requests",
        "SELECT COUNT(*) AS count FROM versions",
        "SELECT COUNT(*) AS count FROM organizations",
        "SELECT COUNT(*) AS count FROM configurations",
        "SELECT COUNT(*) AS count FROM registered_keys",
        "SELECT COUNT(*) AS count FROM feed",
        "SELECT position AS count FROM feed_head",
    ];
    let mut rows = Vec::new();
    for count in counts {
        rows.push(world.count(count).await);
    }
    rows
}

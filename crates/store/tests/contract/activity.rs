//! The activity of an organization.

use countersign_domain::ids::TenantId;
use countersign_store::{ActivityEntry, ActivityFilter, Page, StoreError};
use serde_json::json;

use crate::world::{NOW, World, all};

fn entry(tenant_id: TenantId, kind: &str, correlation_id: &str) -> ActivityEntry {
    ActivityEntry {
        tenant_id: Some(tenant_id),
        at: NOW,
        kind: kind.to_owned(),
        correlation_id: correlation_id.to_owned(),
        actor: "operator".to_owned(),
        detail: json!({"text": "a \"quoted\" \u{1F511}", "n": 1}),
    }
}

async fn record(world: &World, entries: &[ActivityEntry]) {
    let mut unit = world.write().await;
    for entry in entries {
        unit.append_activity(entry).await.unwrap();
    }
    unit.commit().await.unwrap();
}

on_both_databases! {
    async fn a_cursor_that_names_no_entry_is_not_the_first_page(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        record(&world, &[entry(tenant_id, "a", "co-1")]).await;
        for cursor in ["", "x", "-1", "1.0"] {
            let page = Page { after: Some(cursor.to_owned()), limit: 10 };
            let mut unit = world.read().await;
            let entries = unit.activity(tenant_id, &ActivityFilter::default(), &page).await;
            assert!(matches!(entries, Err(StoreError::Cursor(_))), "{cursor}: {entries:?}");
            let requests = unit.changes(tenant_id, &page).await;
            assert!(matches!(requests, Err(StoreError::Cursor(_))), "{cursor}: {requests:?}");
        }
    }

    async fn entries_come_back_as_they_were_newest_first_in_pages(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let entries: Vec<_> = (0..5).map(|n| entry(tenant_id, "change.applied", &format!("co-{n}"))).collect();
        record(&world, &entries).await;
        let mut unit = world.read().await;
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = Page { after, limit: 2 };
            let page = unit.activity(tenant_id, &ActivityFilter::default(), &page).await.unwrap();
            after = page.last().map(|recorded| recorded.id.to_string());
            seen.extend(page.iter().map(|recorded| recorded.entry.clone()));
            if page.len() < 2 {
                break;
            }
        }
        seen.reverse();
        assert_eq!(seen, entries);
    }

    async fn entries_are_found_by_correlation_and_kind(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        record(&world, &[
            entry(tenant_id, "token.refused", "co-a"),
            entry(tenant_id, "token.refused", "co-b"),
            entry(tenant_id, "change.applied", "co-a"),
        ])
        .await;
        let mut unit = world.read().await;
        let mut count = async |correlation: Option<&str>, kind: Option<&str>| {
            let filter = ActivityFilter {
                correlation_id: correlation.map(str::to_owned),
                kind: kind.map(str::to_owned),
            };
            unit.activity(tenant_id, &filter, &all()).await.unwrap().len()
        };
        assert_eq!(count(None, None).await, 3);
        assert_eq!(count(Some("co-a"), None).await, 2);
        assert_eq!(count(None, Some("token.refused")).await, 2);
        assert_eq!(count(Some("co-a"), Some("token.refused")).await, 1);
        assert_eq!(count(Some("co-c"), None).await, 0);
    }

    /// The platform has an activity of its own: it shows nothing of an organization, and no organization sees it.
    async fn the_platform_has_an_activity_of_its_own(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        let of_platform = ActivityEntry { tenant_id: None, ..entry(tenant_id, "instance.restored", "co-p") };
        let of_organization = entry(tenant_id, "change.applied", "co-o");
        record(&world, &[of_platform.clone(), of_organization.clone()]).await;
        let mut unit = world.read().await;
        let filter = ActivityFilter::default();
        for (place, expected) in [(None, of_platform), (Some(tenant_id), of_organization)] {
            let found = unit.activity(place, &filter, &all()).await.unwrap();
            assert_eq!(found.into_iter().map(|recorded| recorded.entry).collect::<Vec<_>>(), [expected]);
        }
    }

    /// A flood of refusals costs refusals of that organization only, the oldest first.
    async fn trimming_keeps_the_newest_refusals_and_everything_else(world: World) {
        let (flooded, quiet) = (TenantId::from_random([1; 16]), TenantId::from_random([2; 16]));
        let mut entries = vec![entry(flooded, "change.applied", "first"), entry(quiet, "token.refused", "q")];
        entries.extend((0..10).map(|n| entry(flooded, "token.refused", &n.to_string())));
        record(&world, &entries).await;
        let mut unit = world.write().await;
        assert_eq!(unit.trim_refusals(flooded, 20).await.unwrap(), 0);
        assert_eq!(unit.trim_refusals(flooded, 3).await.unwrap(), 7);
        let left = unit.activity(flooded, &ActivityFilter::default(), &all()).await.unwrap();
        let left: Vec<_> = left.iter().map(|recorded| recorded.entry.correlation_id.as_str()).collect();
        assert_eq!(left, ["9", "8", "7", "first"]);
        assert_eq!(unit.activity(quiet, &ActivityFilter::default(), &all()).await.unwrap().len(), 1);
    }
}

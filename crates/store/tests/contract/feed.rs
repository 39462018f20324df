//! The feed: commit order, and no gap that a follower could step over.

use countersign_domain::ids::TenantId;
use countersign_store::{FeedEvent, FeedPage, Store, StoreError, Topic};

use crate::world::{NOW, World};

const WRITERS: u8 = 8;
const EACH: usize = 25;

/// Announces something, as often as it takes.
async fn announce(store: &Store, tenant_id: TenantId, subject: &str) {
    loop {
        let attempt = async {
            let mut unit = store.write().await?;
            unit.revoke_token(tenant_id, subject, NOW.plus(60), NOW)
                .await?;
            unit.commit().await
        };
        match attempt.await {
            Ok(()) => return,
            Err(StoreError::Collision) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads on from `position` until everything is seen; the next event is always the next position.
async fn follow(store: Store, total: usize) -> Vec<FeedEvent> {
    let mut seen: Vec<FeedEvent> = Vec::new();
    while seen.len() < total {
        let position = seen.last().map_or(0, |event| event.position);
        let events = store
            .read()
            .await
            .unwrap()
            .feed_after(position, 7)
            .await
            .unwrap();
        for event in events {
            let expected = seen.last().map_or(1, |event| event.position + 1);
            assert_eq!(event.position, expected, "a follower has seen a gap");
            seen.push(event);
        }
        tokio::task::yield_now().await;
    }
    seen
}

on_both_databases! {
    /// A follower that reads while many write sees every event, once, in order.
    async fn a_follower_sees_no_gap_under_concurrency(world: World) {
        let total = usize::from(WRITERS) * EACH;
        let follower = tokio::spawn(follow(world.store.clone(), total));
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let store = world.store.clone();
            writers.push(tokio::spawn(async move {
                for n in 0..EACH {
                    let tenant_id = TenantId::from_random([writer; 16]);
                    announce(&store, tenant_id, &format!("{writer}-{n}")).await;
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let mut subjects: Vec<String> = follower.await.unwrap().into_iter().map(|event| event.subject).collect();
        subjects.sort();
        subjects.dedup();
        assert_eq!(subjects.len(), total);
        let mut unit = world.read().await;
        assert_eq!(unit.feed_position().await.unwrap(), u64::try_from(total).unwrap());
    }

    async fn a_dropped_transaction_announces_nothing_and_leaves_no_gap(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        announce(&world.store, tenant_id, "one").await;
        let mut unit = world.write().await;
        unit.revoke_token(tenant_id, "never", NOW, NOW).await.unwrap();
        drop(unit);
        announce(&world.store, tenant_id, "two").await;
        let mut unit = world.read().await;
        let events = unit.feed_after(0, 10).await.unwrap();
        let places: Vec<_> = events.iter().map(|event| (event.position, event.subject.as_str())).collect();
        assert_eq!(places, [(1, "one"), (2, "two")]);
        assert_eq!(unit.feed_after(1, 10).await.unwrap().len(), 1);
        assert_eq!(unit.feed_after(0, 1).await.unwrap().len(), 1);
        assert_eq!(unit.feed_position().await.unwrap(), 2);
    }

    async fn every_application_is_announced_with_its_topic(world: World) {
        let tenant_id = world.organization().await;
        let id = world.configuration(tenant_id).await;
        let events = world.read().await.feed_after(0, 10).await.unwrap();
        let seen: Vec<_> = events.iter().map(|event| (event.topic, event.subject.clone())).collect();
        assert_eq!(seen, [(Topic::Organization, tenant_id.to_string()), (Topic::Configuration, id.to_string())]);
        assert!(events.iter().all(|event| event.tenant_id == tenant_id));
    }

    /// Whoever writes an entry by hand is named, so that a follower goes on behind it; what stands beyond the head is not
    /// looked at.
    async fn an_entry_written_by_hand_is_not_believed(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        announce(&world.store, tenant_id, "one").await;
        world.leaked("INSERT INTO feed SELECT position + 1, tenant_id, topic, 'made up', at FROM feed".to_owned()).await;
        let page = world.read().await.follow_feed(0, 10).await.unwrap();
        assert!(matches!(page, FeedPage::Events(events) if events.len() == 1));
        world.leaked("UPDATE feed SET topic = 'unheard of' WHERE position = 1".to_owned()).await;
        let refused = world.read().await.follow_feed(0, 10).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { table: "feed", .. })), "{refused:?}");
    }

    async fn old_events_are_forgotten_and_the_position_stays(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        announce(&world.store, tenant_id, "one").await;
        let mut unit = world.write().await;
        assert_eq!(unit.forget_feed(NOW).await.unwrap(), 0);
        assert_eq!(unit.forget_feed(NOW.plus(1)).await.unwrap(), 1);
        unit.commit().await.unwrap();
        announce(&world.store, tenant_id, "two").await;
        assert_eq!(world.read().await.feed_after(0, 10).await.unwrap()[0].position, 2);
    }

    /// A follower that was away for longer than events are kept is told, and so is one whose events were taken away.
    async fn a_follower_is_told_of_events_that_are_gone(world: World) {
        let tenant_id = TenantId::from_random([1; 16]);
        for subject in ["one", "two", "three"] {
            announce(&world.store, tenant_id, subject).await;
        }
        let follow = async |position, limit| {
            world.read().await.follow_feed(position, limit).await.unwrap()
        };
        for (position, limit, found) in [(0, 10, 3), (1, 10, 2), (3, 10, 0), (0, 2, 2), (0, 3, 3)] {
            let FeedPage::Events(events) = follow(position, limit).await else {
                panic!("no event is gone after {position}");
            };
            assert_eq!(events.len(), found);
        }
        assert_eq!(follow(4, 10).await, FeedPage::Gap { position: 3 }, "the feed was put back");
        world.leaked("DELETE FROM feed WHERE position = 2".to_owned()).await;
        assert_eq!(follow(0, 10).await, FeedPage::Gap { position: 3 });
        assert_eq!(follow(1, 10).await, FeedPage::Gap { position: 3 });
        assert!(matches!(follow(2, 10).await, FeedPage::Events(events) if events.len() == 1));
        let mut unit = world.write().await;
        unit.forget_feed(NOW.plus(1)).await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(follow(0, 10).await, FeedPage::Gap { position: 3 });
        assert_eq!(follow(2, 10).await, FeedPage::Gap { position: 3 });
        assert_eq!(follow(3, 10).await, FeedPage::Events(Vec::new()));
    }
}

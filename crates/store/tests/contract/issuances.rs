//! The ledger: what is written in groups, who wins a race, and what is remembered.

use std::collections::HashMap;

use countersign_domain::time::UnixTime;
use countersign_store::{Issuance, ReplayEntry, StoreError};

use crate::world::{NOW, World};

fn issuance(id: i64, key: u64) -> Issuance {
    let mut replay_key = [7; 16];
    replay_key[..8].copy_from_slice(&key.to_be_bytes());
    Issuance {
        id,
        tenant: [1; 16],
        configuration: [2; 16],
        jti: [3; 16],
        replay_key,
        single_use: true,
        issued_at: NOW,
        expires_at: NOW.plus(600),
        remember_until: NOW.plus(335),
    }
}

async fn remembered(world: &World, oldest: UnixTime) -> Vec<[u8; 16]> {
    let mut keys = Vec::new();
    let remember = |entry: ReplayEntry| keys.push(entry.replay_key);
    world.store.replay_memory(oldest, remember).await.unwrap();
    keys
}

/// Forgets what may be forgotten, `limit` rows at a time; the steps that it took.
async fn forget_all(world: &World, limit: u32) -> Vec<u64> {
    let mut steps = Vec::new();
    loop {
        let before = NOW.plus(-100);
        match world
            .store
            .forget_issuances(before, NOW, limit)
            .await
            .unwrap()
        {
            0 => return steps,
            gone => steps.push(gone),
        }
    }
}

/// An issuance that may be forgotten.
fn lapsed(id: i64) -> Issuance {
    Issuance {
        issued_at: NOW.plus(-1000),
        expires_at: NOW.plus(-400),
        remember_until: NOW.plus(-600),
        ..issuance(id, id.unsigned_abs())
    }
}

/// Writes rows, each at its own time by the database's clock, which shows [`NOW`] again afterwards.
async fn append_at_their_time(world: &World, rows: &[Issuance]) {
    for of_a_moment in rows.chunk_by(|one, next| one.issued_at == next.issued_at) {
        world.set_clock(of_a_moment[0].issued_at).await;
        for group in of_a_moment.chunks(2000) {
            world.store.append_issuances(group).await.unwrap();
        }
    }
    world.set_clock(NOW).await;
}

on_both_databases! {
    async fn an_issuance_comes_back_as_it_was_written(world: World) {
        let rows: Vec<_> = (1..=100).map(|n| issuance(n, n.unsigned_abs())).collect();
        assert_eq!(world.store.append_issuances(&rows).await.unwrap(), vec![true; 100]);
        for row in &rows {
            assert_eq!(world.store.issuance(row.id).await.unwrap().as_ref(), Some(row));
        }
        assert_eq!(world.store.issuance(101).await.unwrap(), None);
        assert_eq!(world.store.append_issuances(&[]).await.unwrap(), Vec::<bool>::new());
    }

    /// A node whose clock is not that of the database that it shares records nothing, whatever it says the time is.
    async fn f8_a_row_of_another_time_than_the_databases_is_not_kept(world: World) {
        let at = |id: i64, apart: i64| Issuance { issued_at: NOW.plus(apart), ..issuance(id, id.unsigned_abs()) };
        if !world.is_postgres() {
            assert_eq!(world.read().await.database_time().await.unwrap(), None);
            return;
        }
        assert_eq!(world.read().await.database_time().await.unwrap(), Some(NOW));
        for (id, apart) in [(1, 31), (2, -31), (3, 400), (4, -86_400)] {
            let refused = world.store.append_issuances(&[at(9, 0), at(id, apart)]).await;
            assert!(matches!(refused, Err(StoreError::ClockApart { seconds }) if seconds == apart), "{refused:?}");
        }
        for what in ["SELECT COUNT(*) AS count FROM issuances", "SELECT COUNT(*) AS count FROM replay_keys"] {
            assert_eq!(world.count(what).await, 0, "{what}");
        }
        let rows = [at(5, 30), at(6, -30)];
        assert_eq!(world.store.append_issuances(&rows).await.unwrap(), [true, true]);
    }

    /// Of rows with the same key in one group one stands. On the embedded database the one writer has decided before.
    async fn of_duplicates_within_a_group_one_stands(world: World) {
        let rows = [issuance(1, 5), issuance(2, 6), issuance(3, 5), issuance(4, 5)];
        let stands = world.store.append_issuances(&rows).await.unwrap();
        if world.is_postgres() {
            assert!(stands[1]);
            assert_eq!([stands[0], stands[2], stands[3]].iter().filter(|stands| **stands).count(), 1);
        } else {
            assert_eq!(stands, [true; 4]);
        }
        let recorded = world.count("SELECT COUNT(*) AS count FROM issuances").await;
        assert_eq!(usize::try_from(recorded).unwrap(), stands.iter().filter(|stands| **stands).count());
    }

    async fn a_key_of_an_earlier_group_does_not_stand_again(world: World) {
        if !world.is_postgres() {
            return;
        }
        assert_eq!(world.store.append_issuances(&[issuance(1, 5)]).await.unwrap(), [true]);
        let second = world.store.append_issuances(&[issuance(2, 5), issuance(3, 6)]).await.unwrap();
        assert_eq!(second, [false, true]);
        assert_eq!(world.store.issuance(2).await.unwrap(), None);
    }

    /// An assertion that may be reused leaves a record each time and burns nothing.
    async fn reusable_rows_always_stand(world: World) {
        let reusable = |id| Issuance { single_use: false, ..issuance(id, 5) };
        let rows = [reusable(1), reusable(2)];
        assert_eq!(world.store.append_issuances(&rows).await.unwrap(), [true, true]);
        let mixed = [reusable(3), issuance(4, 5), issuance(5, 6)];
        assert_eq!(world.store.append_issuances(&mixed).await.unwrap(), [true; 3]);
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM issuances").await, 5);
    }

    /// Many nodes, overlapping groups, keys in every order: each key is won exactly once, and nobody deadlocks.
    async fn each_key_is_won_once_under_concurrency(world: World) {
        if !world.is_postgres() {
            return;
        }
        let mut nodes = Vec::new();
        for node in 0..8_i64 {
            let store = world.store.clone();
            nodes.push(tokio::spawn(async move {
                let mut won = Vec::new();
                for round in 0..10_i64 {
                    let keys = (0..40_u64).map(|n| (n * (2 * node.unsigned_abs() + 1)) % 41);
                    let rows: Vec<_> = keys
                        .zip(node * 1000 + round * 40..)
                        .map(|(key, id)| issuance(id, key + 100 * round.unsigned_abs()))
                        .collect();
                    let stands = store.append_issuances(&rows).await.unwrap();
                    won.extend(rows.iter().zip(stands).filter(|(_, stands)| *stands).map(|(row, _)| row.replay_key));
                }
                won
            }));
        }
        let mut winners: HashMap<[u8; 16], u32> = HashMap::new();
        for node in nodes {
            for key in node.await.unwrap() {
                *winners.entry(key).or_default() += 1;
            }
        }
        assert!(winners.len() >= 400);
        assert!(winners.values().all(|count| *count == 1), "{winners:?}");
        let recorded = world.count("SELECT COUNT(*) AS count FROM issuances").await;
        assert_eq!(usize::try_from(recorded).unwrap(), winners.len());
    }

    /// A group that is refused leaves none of its rows.
    async fn a_refused_group_leaves_nothing(world: World) {
        world.store.append_issuances(&[issuance(70, 1)]).await.unwrap();
        let rows: Vec<_> = (1..=70).map(|n| issuance(n, 100 + n.unsigned_abs())).collect();
        world.store.append_issuances(&rows).await.unwrap_err();
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM issuances").await, 1);
        let again: Vec<_> = (71..=140).map(|n| issuance(n, 30 + n.unsigned_abs())).collect();
        assert_eq!(world.store.append_issuances(&again).await.unwrap(), vec![true; 70]);
    }

    async fn places_are_never_handed_out_twice(world: World) {
        let (first, count) = world.store.reserve_issuance_ids().await.unwrap();
        assert!(first > 0 && count > 0);
        world.store.append_issuances(&[issuance(first, 1)]).await.unwrap();
        let (second, _) = world.store.reserve_issuance_ids().await.unwrap();
        if world.is_postgres() {
            assert!(second >= first + count);
        } else {
            assert_eq!(second, first + 1);
        }
    }

    /// Reading backwards ends at the first row too old to matter, whatever the size of the record.
    async fn the_replay_memory_is_rebuilt_from_the_rows_that_still_matter(world: World) {
        assert_eq!(remembered(&world, NOW).await, Vec::<[u8; 16]>::new());
        assert_eq!(world.store.latest_issuance().await.unwrap(), None);
        let mut rows = Vec::new();
        for n in 0..20_100_i64 {
            let age = if n < 50 { 8000 } else { 10 };
            rows.push(Issuance { issued_at: NOW.plus(-age), ..issuance(n + 1, n.unsigned_abs()) });
        }
        append_at_their_time(&world, &rows).await;
        let mut keys = remembered(&world, NOW.plus(-7200)).await;
        assert_eq!(world.store.latest_issuance().await.unwrap(), Some(NOW.plus(-10)));
        keys.sort_unstable();
        let expected: Vec<_> = rows[50..].iter().map(|row| row.replay_key).collect();
        assert_eq!(keys, expected);
        assert_eq!(remembered(&world, NOW.plus(-9000)).await.len(), 20_100);
    }

    /// Only what is old, has lapsed and has ended is forgotten, a bounded number at a time.
    async fn only_what_has_lapsed_is_forgotten_in_bounded_steps(world: World) {
        let mut rows: Vec<_> = (1..=10).map(lapsed).collect();
        rows.push(Issuance { expires_at: NOW.plus(1), ..lapsed(11) });
        rows.push(Issuance { remember_until: NOW.plus(1), ..lapsed(12) });
        rows.push(issuance(13, 13));
        append_at_their_time(&world, &rows).await;
        let steps = forget_all(&world, 3).await;
        let (keys, most) = if world.is_postgres() { (11, 6) } else { (0, 3) };
        assert_eq!(steps.iter().sum::<u64>(), 10 + keys);
        assert!(steps.iter().all(|gone| *gone <= most), "{steps:?}");
        for id in 11..=13 {
            assert!(world.store.issuance(id).await.unwrap().is_some(), "{id}");
        }
        if world.is_postgres() {
            let keys = world.count("SELECT COUNT(*) AS count FROM replay_keys").await;
            assert_eq!(keys, 2, "the keys that have not lapsed stay");
        }
    }

    /// A quiet node has a low block of ids, and writes into it when blocks above have been filled long ago.
    async fn a_young_row_in_a_low_block_keeps_nothing_above_it(world: World) {
        if !world.is_postgres() {
            return;
        }
        let (quiet, _) = world.store.reserve_issuance_ids().await.unwrap();
        let (busy, _) = world.store.reserve_issuance_ids().await.unwrap();
        let rows: Vec<_> = (busy..busy + 40).map(lapsed).collect();
        append_at_their_time(&world, &rows).await;
        world.store.append_issuances(&[issuance(quiet, 0)]).await.unwrap();
        assert_eq!(world.store.latest_issuance().await.unwrap(), Some(NOW), "the highest id is not the newest");
        let steps = forget_all(&world, 15).await;
        assert_eq!(steps, [30, 30, 20], "rows and their keys, in bounded steps");
        assert!(world.store.issuance(quiet).await.unwrap().is_some());
        assert_eq!(world.count("SELECT COUNT(*) AS count FROM issuances").await, 1);
    }

    /// Nodes that tidy up at the same time do not stand in each other's way.
    async fn nodes_forget_side_by_side(world: World) {
        let rows: Vec<_> = (1..=400).map(lapsed).collect();
        append_at_their_time(&world, &rows).await;
        let (one, other) = tokio::join!(forget_all(&world, 10), forget_all(&world, 10));
        let gone: u64 = one.iter().chain(&other).sum();
        assert_eq!(gone, if world.is_postgres() { 800 } else { 400 });
    }
}

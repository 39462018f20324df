//! Part 3, attacks 7 and 21, with several nodes: each has a clock of its own, and their database has one, too.

use countersign_testkit::store::Arg;
use countersign_testkit::{TestServer, World};

use crate::support::{assert_verdict, eventually, on_postgres};

/// A node whose clock is ahead, after it has tidied up once.
async fn node_that_has_tidied(world: &World, ahead: i64) -> TestServer {
    let lapsed = "INSERT INTO replay_keys (replay_key, remember_until) VALUES ('\\x00', 0)";
    world.server.database().tamper(lapsed, Vec::new()).await;
    let node = world.server.node_with_clock(ahead).await;
    eventually(async || {
        let left =
            "SELECT CAST(COUNT(*) AS TEXT) AS found FROM replay_keys WHERE remember_until = 0";
        let left = world.server.database().read_text(left, Vec::new(), "found");
        left.await == "0"
    })
    .await;
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_21_a_node_whose_clock_is_ahead_brings_no_used_assertion_back() {
    let test = "attack_21_a_node_whose_clock_is_ahead_brings_no_used_assertion_back";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let used = world.assertion().sign();
    let first = world.server.token(&world.acme, &used).await;
    assert_eq!(first.status, 200, "{}", first.text());
    for ahead in [400, 100_000] {
        let _ahead = node_that_has_tidied(&world, ahead).await;
        let again = world.server.token(&world.acme, &used).await;
        assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_21_a_node_whose_clock_is_ahead_holds_up_no_other_node() {
    let test = "attack_21_a_node_whose_clock_is_ahead_holds_up_no_other_node";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let _ahead = node_that_has_tidied(&world, 400).await;
    let world = world.restarted().await;
    assert_eq!(world.server.get("/readyz").await.status, 200);
    let answer = world
        .server
        .token(&world.acme, world.assertion().sign())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_node_more_than_thirty_seconds_from_its_database_issues_nothing() {
    let test = "f8_a_node_more_than_thirty_seconds_from_its_database_issues_nothing";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    for (ahead, status) in [(31, 503), (-31, 503), (30, 200), (-30, 200), (7200, 503)] {
        let node = world.server.node_with_clock(ahead).await;
        assert_eq!(node.get("/readyz").await.status, status, "{ahead}");
        let answer = node.token(&world.acme, world.assertion().sign()).await;
        assert_eq!(answer.status, status, "{ahead}: {}", answer.text());
        if status == 503 {
            assert_verdict(&answer, 503, "temporarily_unavailable");
            assert!(answer.header("retry-after").is_some());
        }
    }
}

/// The database notices by itself, in the statement that records, before anybody has compared clocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_clock_that_leaps_between_two_comparisons_issues_nothing_either() {
    let test = "f8_a_clock_that_leaps_between_two_comparisons_issues_nothing_either";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    world.server.clock.advance(40);
    let assertion = world.assertion().sign();
    let refused = world.server.token(&world.acme, &assertion).await;
    assert_verdict(&refused, 503, "temporarily_unavailable");
    world.server.database().set_clock(world.server.now()).await;
    assert_eq!(world.server.get("/readyz").await.status, 200);
    // Nothing was burned for a token that never was.
    let accepted = world.server.token(&world.acme, &assertion).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
}

/// Revoked stays revoked: what is forgotten goes by the database's time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_21_a_node_whose_clock_is_ahead_forgets_no_revocation() {
    let test = "attack_21_a_node_whose_clock_is_ahead_forgets_no_revocation";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let insert = "INSERT INTO revoked_tokens (tenant_id, jti, expires_at, revoked_at) VALUES ($1, 'one', $2, 0)";
    let end = world.server.now() + 600;
    let args = vec![Arg::from(world.acme.id.to_string()), Arg::from(end)];
    world.server.database().tamper(insert, args).await;
    let _ahead = node_that_has_tidied(&world, 100_000).await;
    eventually(async || {
        let fact = "SELECT value FROM instance WHERE name = 'clock_high_water'";
        let known = world.server.database().read_text(fact, Vec::new(), "value");
        known.await == world.server.now().to_string()
    })
    .await;
    let known = "UPDATE revoked_tokens SET expires_at = expires_at WHERE jti = 'one'";
    assert_eq!(world.server.database().tamper(known, Vec::new()).await, 1);
}

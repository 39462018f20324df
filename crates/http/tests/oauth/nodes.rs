//! Several nodes on one PostgreSQL database.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use countersign_domain::api_tokens::ApiRole;
use countersign_service::{Caller, StatusChange, new_correlation_id};
use countersign_testkit::{Assertion, FORM};
use tower::ServiceExt as _;

use crate::support::on_postgres;

/// Does the same at once, several times.
async fn at_once<F: Future<Output: Send + 'static> + Send + 'static>(
    times: usize,
    act: impl Fn(usize) -> F,
) -> Vec<F::Output> {
    let running: Vec<_> = (0..times).map(|n| tokio::spawn(act(n))).collect();
    let mut done = Vec::new();
    for act in running {
        done.push(act.await.unwrap());
    }
    done
}

/// Programs that revoke at the same moment, at several nodes, are all heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_that_collide_are_tried_again() {
    let Some(world) = on_postgres("revocations_that_collide_are_tried_again").await else {
        return;
    };
    let other = world.server.second_node().await;
    let admin = world
        .server
        .api_token(Some(&world.acme), ApiRole::Admin)
        .await;
    let mut tokens = Vec::new();
    for _ in 0..16 {
        let answer = world.server.token(&world.acme, world.assertion().sign());
        tokens.push(answer.await.access_token());
    }
    let (nodes, path) = ([&world.server, &other], world.acme.path("revoke"));
    let asked = at_once(16, |n| {
        let request = Request::post(&path)
            .header("content-type", FORM)
            .header("authorization", format!("Bearer {admin}"))
            .body(Body::from(format!("token={}", tokens[n])))
            .unwrap();
        nodes[n % 2].front().oneshot(request)
    });
    for answer in asked.await {
        assert_eq!(answer.unwrap().status(), 200);
    }
}

/// Transactions of several nodes collide; each is tried again, whatever the use case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn use_cases_that_collide_are_tried_again() {
    let test = "use_cases_that_collide_are_tried_again";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let other = world.server.second_node().await;
    let services = [world.server.service(), other.service()].map(Arc::clone);
    let confirmed = at_once(16, |n| {
        let service = Arc::clone(&services[n % 2]);
        async move {
            service
                .confirm_restore(&Caller::operator(), new_correlation_id())
                .await
        }
    });
    let tokens = at_once(4, |n| {
        let service = Arc::clone(&services[n % 2]);
        async move { service.first_platform_token(|_| Ok(())).await }
    });
    let change = async {
        world
            .server
            .change_status(&world.a1, StatusChange::Suspend)
            .await;
        other.change_status(&world.b1, StatusChange::Suspend).await;
    };
    let (confirmed, tokens, ()) = tokio::join!(confirmed, tokens, change);
    for confirmed in confirmed {
        assert!(confirmed.is_ok(), "{confirmed:?}");
    }
    let made = tokens.into_iter().map(|token| token.unwrap());
    assert_eq!(made.flatten().count(), 1, "there is one first token");
}

/// Part 3 no. 20: a restore is confirmed once, at whatever node; every other one issues again within the bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_20_a_restore_that_was_confirmed_is_confirmed_at_every_node() {
    let test = "attack_20_a_restore_that_was_confirmed_is_confirmed_at_every_node";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    world.server.mark_restored().await;
    let nodes = [
        world.server.second_node().await,
        world.server.second_node().await,
    ];
    for node in &nodes {
        assert_eq!(node.get("/readyz").await.status, 503);
    }
    let operator = Caller::operator();
    let confirmed = nodes[0]
        .service()
        .confirm_restore(&operator, new_correlation_id());
    confirmed.await.unwrap();
    let bound = Duration::from_secs(countersign_service::STALENESS_BOUND);
    tokio::time::sleep(bound).await;
    // What was signed until then may have been used: half a minute later nothing that callers sign is.
    let later = nodes[0].now() + 31;
    world.server.database().set_clock(later).await;
    for node in &nodes {
        node.clock.advance(31);
        assert_eq!(node.get("/readyz").await.status, 200);
        let assertion = Assertion::new(&world.a1, node.now()).sign();
        let answer = node.token(&world.acme, assertion).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

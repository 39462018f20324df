//! Section F: one assertion, one token.

use countersign_domain::configurations::{ConfigurationEdit, ReplayProtection};
use countersign_testkit::{Answer, NewClient, Tenant, TestServer, World};

use crate::support::assert_verdict;

/// Posts one assertion many times at once, over several nodes, and counts what came of it.
pub(crate) async fn post_at_once(
    nodes: &[&TestServer],
    tenant: &Tenant,
    assertion: &str,
    times: usize,
) -> Vec<Answer> {
    let mut tasks = Vec::new();
    for time in 0..times {
        let front = nodes[time % nodes.len()].front();
        let path = tenant.path("token");
        let body =
            format!("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={assertion}");
        tasks.push(tokio::spawn(async move {
            use tower::ServiceExt as _;
            let request = axum::http::Request::post(path)
                .header("content-type", countersign_testkit::FORM)
                .body(axum::body::Body::from(body))
                .unwrap();
            Answer::read(front.oneshot(request).await.unwrap()).await
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// Exactly one answer is a token; every other is a replay.
pub(crate) fn assert_one_token(answers: &[Answer]) {
    let issued = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(issued.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_verdict(answer, 400, "invalid_grant");
        assert_eq!(answer.reason().as_deref(), Some("assertion_replayed"));
    }
}

#[tokio::test]
async fn f1_a_client_assertion_serves_once() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    assert_eq!(
        world.server.token(&world.acme, &assertion).await.status,
        200
    );
    for _ in 0..3 {
        let again = world.server.token(&world.acme, &assertion).await;
        assert_verdict(&again, 401, "invalid_client");
        assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f1_of_a_hundred_parallel_posts_exactly_one_gets_a_token() {
    let world = World::start().await;
    for assertion in [world.assertion(), world.assertion().without("jti")] {
        let answers = post_at_once(&[&world.server], &world.acme, &assertion.sign(), 100).await;
        assert_one_token(&answers);
    }
}

#[tokio::test]
async fn f2_a_grant_serves_once() {
    let world = World::start().await;
    for assertion in [world.assertion(), world.assertion().without("jti")] {
        let assertion = assertion.sign();
        assert_eq!(
            world.server.grant(&world.acme, &assertion).await.status,
            200
        );
        let again = world.server.grant(&world.acme, &assertion).await;
        assert_verdict(&again, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn f3_the_ways_to_ask_share_their_memory() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    assert_eq!(
        world.server.token(&world.acme, &assertion).await.status,
        200
    );
    let again = world.server.grant(&world.acme, &assertion).await;
    assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
    let assertion = world
        .assertion()
        .claim("tenant_id", world.acme.id.to_string())
        .sign();
    assert_eq!(
        world.server.grant(&world.acme, &assertion).await.status,
        200
    );
    let again = world.server.token(&world.acme, &assertion).await;
    assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
    let again = world.server.passport(&assertion).await;
    assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
}

#[tokio::test]
async fn f4_a_jti_belongs_to_its_configuration() {
    let world = World::start().await;
    let first = world.assertion().claim("jti", "one").sign();
    assert_eq!(world.server.grant(&world.acme, &first).await.status, 200);
    let other_payload = world
        .assertion()
        .claim("jti", "one")
        .claim("uid", "7")
        .sign();
    let answer = world.server.grant(&world.acme, &other_payload).await;
    assert_eq!(answer.reason().as_deref(), Some("assertion_replayed"));
    for (tenant, client) in [(&world.acme, &world.a2), (&world.bob, &world.b1)] {
        let same_name = world.assertion_of(client).claim("jti", "one").sign();
        assert_eq!(world.server.grant(tenant, &same_name).await.status, 200);
    }
}

#[tokio::test]
async fn f5_another_form_of_the_same_assertion_is_a_replay() {
    let world = World::start().await;
    let assertion = world.assertion();
    assert_eq!(
        world
            .server
            .grant(&world.acme, &assertion.sign())
            .await
            .status,
        200
    );
    let spaced = assertion.header_text().replace(',', " , ");
    let payload = assertion.payload_text().replace(':', " :");
    for twin in [
        assertion.clone().raw_header(spaced),
        assertion
            .clone()
            .raw_payload(payload.replace("https :", "https:")),
        assertion.clone().header("typ", "JWT"),
        assertion.clone(),
    ] {
        let answer = world.server.grant(&world.acme, &twin.sign()).await;
        assert_eq!(answer.reason().as_deref(), Some("assertion_replayed"));
    }
}

#[tokio::test]
async fn f6_a_used_assertion_stays_used_when_the_process_is_killed() {
    let world = World::start().await;
    let (named, nameless) = (
        world.assertion().sign(),
        world.assertion().without("jti").sign(),
    );
    let fresh = world.assertion().sign();
    for assertion in [&named, &nameless] {
        assert_eq!(world.server.grant(&world.acme, assertion).await.status, 200);
    }
    let world = world.restarted().await;
    for assertion in [&named, &nameless] {
        let again = world.server.grant(&world.acme, assertion).await;
        assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
    }
    assert_eq!(world.server.grant(&world.acme, &fresh).await.status, 200);
}

#[tokio::test]
async fn f7_without_a_place_to_write_there_is_no_token() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let warm = world.server.grant(&world.acme, world.assertion().sign());
    assert_eq!(warm.await.status, 200);
    world.server.database().open().close().await;
    for answer in [
        world.server.token(&world.acme, &assertion).await,
        world.server.grant(&world.acme, &assertion).await,
    ] {
        assert_verdict(&answer, 503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn f7_an_assertion_is_used_up_only_by_a_token() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let parameters = [
        ("grant_type", countersign_testkit::JWT_BEARER),
        ("assertion", assertion.as_str()),
        ("scope", "nothing"),
    ];
    let path = world.acme.path("token");
    let refused = world.server.post_form(&path, &parameters);
    assert_verdict(&refused.await, 400, "invalid_scope");
    let elsewhere = world.server.grant(&world.bob, &assertion).await;
    assert_verdict(&elsewhere, 400, "invalid_grant");
    assert_eq!(
        world.server.grant(&world.acme, &assertion).await.status,
        200
    );
}

#[tokio::test]
async fn f8_a_replay_is_remembered_for_longer_than_the_assertion_lives() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    assert_eq!(
        world.server.grant(&world.acme, &assertion).await.status,
        200
    );
    for moment in [59, 1, 4, 1, 30, 3600] {
        world.server.clock.advance(moment);
        // Any later use also sweeps, as far as anything does.
        let other = world.server.grant(&world.acme, world.assertion().sign());
        assert_eq!(other.await.status, 200);
        let again = world.server.grant(&world.acme, &assertion).await;
        assert_verdict(&again, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn f9_a_flood_of_one_organization_forgets_nothing_of_another() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    assert_eq!(
        world.server.grant(&world.acme, &assertion).await.status,
        200
    );
    for _ in 0..500 {
        let flood = world.assertion_of(&world.b1).sign();
        assert_eq!(world.server.grant(&world.bob, &flood).await.status, 200);
    }
    let again = world.server.grant(&world.acme, &assertion).await;
    assert_eq!(again.reason().as_deref(), Some("assertion_replayed"));
}

#[tokio::test]
async fn a_configuration_may_choose_that_assertions_are_reused_until_they_expire() {
    let mut world = World::start().await;
    let new = NewClient::with_fields(ConfigurationEdit {
        replay_protection: Some(ReplayProtection::ReuseUntilExpiry),
        ..ConfigurationEdit::default()
    });
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    let assertion = world.assertion().sign();
    let first = world.server.grant(&world.acme, &assertion).await;
    let second = world.server.grant(&world.acme, &assertion).await;
    assert_ne!(first.claims()["jti"], second.claims()["jti"]);
    world.server.clock.advance(66);
    let late = world.server.grant(&world.acme, &assertion).await;
    assert_eq!(late.reason().as_deref(), Some("assertion_expired"));
}

//! Part 3, attacks 24 and 25, as far as the router decides them.

use std::time::{Duration, Instant};

use axum::http::Method;
use countersign_domain::api_tokens::ApiRole;
use countersign_testkit::{Setup, World};

#[tokio::test]
async fn attack_24_expensive_input_is_refused_cheaply() {
    let world = World::start().await;
    let brackets = "[".repeat(10_000);
    let members: String = (0..1000).map(|n| format!("\"{n}\":{n},")).collect();
    let hostile = [
        world.assertion().raw_payload(brackets.as_str()).sign(),
        world
            .assertion()
            .raw_payload(format!("{{{members}\"x\":1}}"))
            .sign(),
        world
            .assertion()
            .raw_payload(format!("{{\"exp\":{}}}", "9".repeat(10_000)))
            .sign(),
        world.assertion().raw_header("[".repeat(3000)).sign(),
        world.assertion().header("kid", "k".repeat(3000)).sign(),
        world.assertion().signature(vec![0xff; 1024]).sign(),
        "A".repeat(60_000),
        ".".repeat(60_000),
    ];
    // The quickest of many: what else the machine does only adds to it.
    let cost = async |text: &str| {
        let mut least = Duration::MAX;
        for _ in 0..25 {
            let started = Instant::now();
            let answer = world.server.grant(&world.acme, text).await;
            least = least.min(started.elapsed());
            assert_eq!(answer.status, 400);
        }
        least
    };
    let forged = world.assertion().signature(vec![1; 64]).sign();
    let ordinary = cost(&forged).await;
    for text in &hostile {
        // Linear in its length, also where nothing is optimized: what grows with the square costs far more.
        let bound = ordinary * 10 + Duration::from_nanos(200) * u32::try_from(text.len()).unwrap();
        let spent = cost(text).await;
        let start = &text[..text.len().min(40)];
        assert!(spent < bound, "{start}…: {spent:?}, at most {bound:?}");
    }
    // A storm of unknown names asks nobody and leaves everything as it was.
    for n in 0..200 {
        let unknown = world
            .assertion()
            .header("kid", format!("unknown-{n}"))
            .sign();
        assert_eq!(world.server.grant(&world.acme, &unknown).await.status, 400);
    }
    let good = world.server.grant(&world.acme, world.assertion().sign());
    assert_eq!(good.await.status, 200);
}

#[tokio::test]
async fn attack_25_a_flooding_organization_is_refused_and_the_other_is_not() {
    let world = World::with(Setup {
        requests_per_second: Some(2),
        ..Setup::default()
    })
    .await;
    let (mut issued, mut refused) = (0, 0);
    for n in 0..60 {
        let flood = if n % 2 == 0 {
            world.assertion().sign()
        } else {
            "a.b.c".to_owned()
        };
        let answer = world.server.grant(&world.acme, &flood).await;
        match answer.status.as_u16() {
            429 => {
                refused += 1;
                assert_eq!(answer.verdict().1, "temporarily_unavailable");
                let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=2).contains(&seconds));
            }
            200 => issued += 1,
            other => assert_eq!(other, 400),
        }
    }
    assert!(refused >= 20, "{refused} of 60 were slowed down");
    assert!(issued >= 1);
    for _ in 0..2 {
        let assertion = world.assertion_of(&world.b1).sign();
        let answer = world.server.grant(&world.bob, &assertion).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // Questions have a budget of their own, and are slowed down as well.
    let program = world
        .server
        .api_token(Some(&world.acme), ApiRole::Admin)
        .await;
    let mut asked = Vec::new();
    for _ in 0..20 {
        let answer = world.server.introspect(&world.acme, &program, "x").await;
        asked.push(answer.status.as_u16());
    }
    assert_eq!(asked[0], 200, "{asked:?}");
    assert!(asked.contains(&429), "{asked:?}");
    let path = format!("/api/v1/organizations/{}/explain", world.acme.id);
    let body = serde_json::json!({"assertion": "a.b.c"});
    let answer = world
        .server
        .api(Method::POST, &path, &program, Some(body))
        .await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.json()["code"], "rate_limited");
    assert!(answer.header("retry-after").is_some());
    // The public documents are not counted.
    for _ in 0..10 {
        assert_eq!(world.server.get(&world.acme.path("jwks")).await.status, 200);
    }
}

/// What the other organization's callers are told is found in its activity, whatever happens next door.
#[tokio::test]
async fn attack_25_a_flood_of_refusals_leaves_the_activity_of_others_complete() {
    let world = World::start().await;
    let mut refused = Vec::new();
    for n in 0..6_000 {
        world.server.grant(&world.acme, "a.b.c").await;
        if n % 200 == 0 {
            refused.push(world.server.grant(&world.bob, "x.y.z").await);
        }
    }
    assert_eq!(refused.len(), 30);
    for answer in &refused {
        let reason = world.server.recorded_reason(&world.bob, answer).await;
        assert_eq!(reason, "assertion_malformed");
    }
}

#[tokio::test]
async fn attack_25_a_flood_that_names_no_organization_is_slowed_down() {
    let world = World::with(Setup {
        requests_per_second: Some(2),
        ..Setup::default()
    })
    .await;
    let unknown = "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7";
    for flood in [
        "a.b.c".to_owned(),
        world.assertion().sign(),
        world.assertion().claim("tenant_id", unknown).sign(),
    ] {
        let mut statuses = Vec::new();
        for _ in 0..10 {
            statuses.push(world.server.passport(&flood).await.status.as_u16());
        }
        assert!(statuses.ends_with(&[429]), "{statuses:?}");
    }
    let own = world
        .assertion()
        .claim("tenant_id", world.acme.id.to_string());
    assert_eq!(world.server.passport(own.sign()).await.status, 201);
}

/// Outsiders who send what nobody has signed use up nothing of those who sign.
#[tokio::test]
async fn attack_25_outsiders_use_up_no_budget_of_those_who_prove_who_they_are() {
    let world = World::with(Setup {
        requests_per_second: Some(2),
        ..Setup::default()
    })
    .await;
    let floods = [
        "x.y.z".to_owned(),
        world.assertion().signature(vec![7; 64]).sign(),
        world.assertion().claim("iss", "nobody").sign(),
        world.assertion().header("kid", "unknown").sign(),
    ];
    let mut statuses = Vec::new();
    for n in 0..40 {
        let flood = &floods[n % floods.len()];
        statuses.push(world.server.grant(&world.acme, flood).await.status.as_u16());
    }
    assert!(statuses.contains(&400), "{statuses:?}");
    assert!(statuses.ends_with(&[429; 20]), "{statuses:?}");
    for _ in 0..3 {
        let answer = world.server.grant(&world.acme, world.assertion().sign());
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // Those who prove who they are have a limit, too, whatever becomes of what they ask.
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let late = world.assertion().claim("exp", world.server.now() - 60);
        let late = world.server.grant(&world.acme, late.sign()).await;
        statuses.push(late.status.as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

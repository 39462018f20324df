//! Part 3, attacks 1 to 6: callers who pretend.

use countersign_service::{RefusedKind, ServiceError, SigningAlgorithm};
use countersign_testkit::crypto::Algorithm;
use countersign_testkit::{Answer, Assertion, NewClient, TestKey, World, hmac_sha256, segments};
use serde_json::json;

use crate::support::{assert_refused, assert_text_refused};

#[tokio::test]
async fn attack_01_key_of_tenant_a_never_signs_for_tenant_b() {
    let world = World::start().await;
    // The second time, a key of A even bears the name of B's key.
    let namesake = NewClient {
        kid: Some(world.b1.kid.clone()),
        ..NewClient::with_key(&TestKey::es256())
    };
    let namesake = world
        .server
        .create_client(&world.acme, namesake)
        .await
        .unwrap();
    for thief in [&world.a1, &namesake] {
        for kid in [Some(thief.kid.as_str()), Some(world.b1.kid.as_str()), None] {
            let forged = world.assertion_of(&world.b1).signed_by(&thief.key);
            let forged = match kid {
                Some(kid) => forged.header("kid", kid),
                None => forged.without_header("kid"),
            };
            let forged = forged.sign();
            for tenant in [&world.acme, &world.bob] {
                let answer = world.server.token(tenant, &forged).await;
                assert_eq!(answer.verdict(), (401, "invalid_client".to_owned()));
                assert_eq!(answer.reason(), None);
                let answer = world.server.grant(tenant, &forged).await;
                assert_eq!(answer.verdict(), (400, "invalid_grant".to_owned()));
                let recorded = world.server.recorded_reason(tenant, &answer).await;
                let own = tenant.id == world.bob.id;
                let known = kid == Some(world.b1.kid.as_str()) || kid.is_none();
                let expected = match (own, known) {
                    (false, _) => "issuer_unknown",
                    (true, true) => "signature_invalid",
                    (true, false) => "key_unknown",
                };
                assert_eq!(recorded, expected);
            }
        }
    }
    let honest = world.assertion_of(&world.b1).sign();
    assert_eq!(world.server.token(&world.bob, &honest).await.status, 200);
}

#[tokio::test]
async fn attack_02_an_audience_that_is_not_exactly_the_issuer_buys_nothing() {
    let world = World::start().await;
    let (a, b) = (world.acme.issuer.clone(), world.bob.issuer.clone());
    for audience in [
        json!(b),
        json!([a, b]),
        json!([b, a]),
        json!(format!("{a}/token")),
        json!(format!("{a}/")),
        json!(a.to_uppercase()),
        json!(a.replace("/t/", "/T/")),
        json!("https://auth.example.com"),
        json!("https://attacker.example"),
    ] {
        let assertion = world.assertion().claim("aud", audience.clone()).sign();
        for tenant in [&world.acme, &world.bob] {
            assert_eq!(
                world.server.token(tenant, &assertion).await.status,
                401,
                "{audience}"
            );
            assert_eq!(
                world.server.grant(tenant, &assertion).await.status,
                400,
                "{audience}"
            );
        }
    }
    // A token of A is worth nothing where B is trusted.
    let token = world.server.token(&world.acme, world.assertion().sign());
    let token = token.await.access_token();
    let audience = format!("{b}/api");
    assert!(
        world
            .server
            .verify_offline(&world.bob, &token, &audience)
            .await
            .is_err()
    );
}

/// Registers the public key of another client.
async fn copycat(
    world: &World,
    of: &TestKey,
    tenant: &countersign_testkit::Tenant,
) -> ServiceError {
    let new = NewClient::with_key(of);
    world.server.create_client(tenant, new).await.unwrap_err()
}

#[tokio::test]
async fn attack_03_a_key_is_registered_once_and_nobody_learns_whose_it_is() {
    let world = World::start().await;
    let mut refusals = Vec::new();
    for (key, tenant) in [
        (&world.b1.key, &world.acme),
        (&world.a2.key, &world.acme),
        (&world.a1.key, &world.bob),
    ] {
        let ServiceError::Refused(refused) = copycat(&world, key, tenant).await else {
            panic!("the key of another configuration was not refused as such");
        };
        assert_eq!(refused.kind, RefusedKind::Conflict);
        assert_eq!(refused.code, "key_already_registered");
        refusals.push(refused);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    // An assertion of B that is sent to A is refused there, and not used up at B.
    let assertion = world.assertion_of(&world.b1).sign();
    assert_eq!(
        world.server.grant(&world.acme, &assertion).await.status,
        400
    );
    assert_eq!(world.server.grant(&world.bob, &assertion).await.status, 200);
}

#[tokio::test]
async fn k15_a_key_of_another_configuration_is_refused_without_an_oracle() {
    let world = World::start().await;
    let token = world.server.api_token(
        Some(&world.acme),
        countersign_domain::api_tokens::ApiRole::Admin,
    );
    let token = token.await;
    let path = format!("/api/v1/organizations/{}/configurations", world.acme.id);
    let register = async |key: &TestKey| -> Answer {
        let body = json!({"public_key": key.public_key()});
        world
            .server
            .api(axum::http::Method::POST, &path, &token, Some(body))
            .await
    };
    let own = register(&world.a2.key).await;
    let foreign = register(&world.b1.key).await;
    assert_eq!(own.status, 409);
    assert_eq!(own.status, foreign.status);
    assert_eq!(
        own.text_without_correlation(),
        foreign.text_without_correlation()
    );
    for id in [&world.a2.id, &world.b1.id] {
        assert!(!foreign.text().contains(&id.to_string()));
    }
    assert_eq!(register(&TestKey::es256()).await.status, 201);
}

#[tokio::test]
async fn attack_04_one_kid_everywhere_still_finds_only_the_own_key() {
    let mut world = World::start().await;
    let tenants = [&world.acme, &world.acme, &world.bob];
    let mut clients = Vec::new();
    for tenant in tenants {
        let new = NewClient {
            kid: Some("1".to_owned()),
            ..NewClient::with_key(&TestKey::es256())
        };
        clients.push(world.server.create_client(tenant, new).await.unwrap());
    }
    for own in &clients {
        for other in &clients {
            let assertion = world.assertion_of(own).signed_by(&other.key).sign();
            let answer = world.server.token(&own.tenant, &assertion).await;
            let expected = if own.id == other.id { 200 } else { 401 };
            assert_eq!(answer.status, expected);
        }
    }
    // A rotation cannot give the old name to the new key; and after one, the old name still means the old key.
    world.a1 = clients[0].clone();
    let rotate = |key: TestKey, kid: &'static str| {
        let world = &world;
        async move {
            world
                .server
                .rotate(&world.a1, &key, Some(kid), Some(60))
                .await
        }
    };
    assert!(rotate(TestKey::es256(), "1").await.is_err());
    let new = TestKey::es256();
    rotate(new.clone(), "2").await.unwrap();
    assert_refused(
        &world,
        &world.assertion().signed_by(&new),
        "signature_invalid",
    )
    .await;
    let renamed = world.assertion().header("kid", "2");
    assert_refused(&world, &renamed, "signature_invalid").await;
    assert_eq!(
        world
            .server
            .grant(&world.acme, world.assertion().sign())
            .await
            .status,
        200
    );
    let current = renamed.signed_by(&new).sign();
    assert_eq!(world.server.grant(&world.acme, &current).await.status, 200);
    world.server.clock.advance(60);
    assert_refused(&world, &world.assertion(), "key_retired").await;
}

#[tokio::test]
async fn attack_05_confusion_of_algorithm_or_type_never_buys_a_token() {
    let world = World::start().await;
    let token = world.server.token(&world.acme, world.assertion().sign());
    let token = token.await.access_token();
    let edwards = TestKey::generate(Algorithm::EdDsa);
    let input = |assertion: &Assertion| assertion.signing_input().into_bytes();
    let hmac = world.assertion().header("alg", "HS256");
    let secret = world.a1.key.public_key().as_bytes().to_vec();
    let signature = hmac_sha256(&secret, &input(&hmac));
    let attempts = [
        world
            .assertion()
            .header("alg", "none")
            .signature(Vec::new()),
        hmac.signature(signature),
        world.assertion().header("alg", "EdDSA"),
        world.assertion().header("alg", "EdDSA").signed_by(&edwards),
        world
            .assertion()
            .signed_by(&edwards)
            .header("jwk", edwards.parsed().to_jwk("x", None)),
        world.assertion().header("alg", "RS256"),
        world.assertion().header("typ", "at+jwt"),
        world.assertion().header("typ", "dpop+jwt"),
        world.assertion().header("typ", "token-introspection+jwt"),
        world.assertion().header("crit", json!(["exp"])),
        world.assertion().header("zip", "DEF"),
        world.assertion().header("cty", "JWT"),
    ];
    for attempt in attempts {
        let attempt = attempt.sign();
        for answer in [
            world.server.token(&world.acme, &attempt).await,
            world.server.grant(&world.acme, &attempt).await,
            world.server.passport(&attempt).await,
        ] {
            assert!(
                answer.status.is_client_error(),
                "{attempt}: {}",
                answer.text()
            );
        }
    }
    assert_text_refused(&world, &token, "header_unacceptable").await;
    let client_only = world
        .assertion()
        .header("typ", "client-authentication+jwt")
        .sign();
    assert_eq!(
        world.server.grant(&world.acme, &client_only).await.status,
        400
    );
    assert_eq!(world.server.passport(&client_only).await.status, 400);
}

#[tokio::test]
async fn attack_06_nothing_that_is_not_signed_decides() {
    let mut world = World::start().await;
    let key = TestKey::generate(Algorithm::Ps256);
    world.a1 = world
        .server
        .create_client(&world.acme, NewClient::with_key(&key))
        .await
        .unwrap();
    // The header promises PS256; the signature is RS256.
    let lying = world
        .assertion()
        .signed_by(&key.rebound(SigningAlgorithm::Rs256));
    assert_refused(&world, &lying, "signature_invalid").await;
    let header = format!(
        r#"{{"alg":"PS256","alg":"RS256","kid":"{}"}}"#,
        world.a1.kid
    );
    let twice = world.assertion().raw_header(header);
    assert_refused(&world, &twice, "header_unacceptable").await;
    // A fake assertion beside another mechanism.
    let path = world.acme.path("token");
    let fake = world.assertion().signature([0; 256]).sign();
    let body =
        format!("grant_type=client_credentials&client_assertion={fake}&client_assertion_type=x");
    let headers = [
        ("content-type", countersign_testkit::FORM),
        ("authorization", "Basic YTpi"),
    ];
    let answer = world.server.post(&path, &headers, body).await;
    assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()));
    // A swapped payload under a good signature.
    let (mine, wanted) = (
        world.assertion().sign(),
        world.assertion().claim("uid", "admin").sign(),
    );
    let (mine, wanted) = (segments(&mine), segments(&wanted));
    let spliced = format!("{}.{}.{}", mine[0], wanted[1], mine[2]);
    assert_text_refused(&world, &spliced, "signature_invalid").await;
}

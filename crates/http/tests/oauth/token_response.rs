//! Section G: the answer and the access token in it.

use std::collections::HashSet;
use std::time::Duration;

use countersign_domain::api_tokens::ApiRole;
use countersign_domain::configurations::ConfigurationEdit;
use countersign_domain::time::UnixTime;
use countersign_service::{RotateSigningKeys, SigningAlgorithm, StatusChange};
use countersign_testkit::{
    Answer, NewClient, TestKey, World, base64url, decode_base64url, segments,
};
use serde_json::{Map, Value, json};

use crate::support::{assert_refused, assert_text_refused};

async fn issue(world: &World) -> Answer {
    let answer = world.server.token(&world.acme, world.assertion().sign());
    answer.await
}

fn header(token: &str) -> Map<String, Value> {
    serde_json::from_slice(&decode_base64url(segments(token)[0])).unwrap()
}

#[tokio::test]
async fn g1_the_answer_has_the_four_members_and_no_refresh_token() {
    let world = World::start().await;
    for answer in [
        issue(&world).await,
        world
            .server
            .grant(&world.acme, world.assertion().sign())
            .await,
    ] {
        let body = answer.json();
        let names: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["access_token", "expires_in", "scope", "token_type"]);
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 600);
    }
}

#[tokio::test]
async fn g1_the_compatibility_route_answers_as_the_reference_product_does() {
    let world = World::start().await;
    let assertion = world
        .assertion()
        .claim("tenant_id", world.acme.id.to_string())
        .claim("pismo", json!({"group": "cards-v1:cards:rw"}));
    let answer = world.server.passport(&assertion.sign()).await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["access_token", "expires_in"]);
    assert_eq!(body["expires_in"], "600");
    assert_eq!(answer.claims()["scope"], "cards-v1:cards:rw");
    let bare = world
        .assertion()
        .claim("tenant_id", world.acme.id.to_string());
    let bare = bare.claim("pismo", "payments-v1:accounts:r").sign();
    let answer = world.server.passport(&bare).await;
    assert_eq!(answer.claims()["scope"], "payments-v1:accounts:r");
    let elsewhere = world
        .assertion()
        .claim("tenant_id", world.bob.id.to_string())
        .sign();
    assert_eq!(world.server.passport(&elsewhere).await.status, 400);
    assert_eq!(
        world.server.passport(world.assertion().sign()).await.status,
        400
    );
}

#[tokio::test]
async fn g2_the_header_names_type_algorithm_and_a_published_key() {
    let world = World::start().await;
    let token = issue(&world).await.access_token();
    let header = header(&token);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header.len(), 3);
    let audience = format!("{}/api", world.acme.issuer);
    let verified = world.server.verify_offline(&world.acme, &token, &audience);
    assert_eq!(
        verified.await.unwrap()["tenant_id"],
        world.acme.id.to_string()
    );
}

#[tokio::test]
async fn g2_each_selectable_algorithm_is_verified_by_another_library() {
    let world = World::start().await;
    for algorithm in SigningAlgorithm::ALL {
        let act = countersign_service::CreateOrganization {
            name: format!("Signs with {algorithm}"),
            fields: countersign_domain::organizations::OrganizationEdit {
                signing_algorithm: Some(algorithm),
                ..Default::default()
            },
        };
        let created = world.server.execute(&act).await.unwrap();
        let issuer = world
            .acme
            .issuer
            .replace(&world.acme.id.to_string(), &created.tenant_id.to_string());
        let tenant = countersign_testkit::Tenant {
            id: created.tenant_id,
            issuer,
        };
        let client = world
            .server
            .create_client(&tenant, NewClient::with_key(&TestKey::es256()));
        let assertion = world.assertion_of(&client.await.unwrap()).sign();
        let token = world.server.token(&tenant, &assertion).await.access_token();
        assert_eq!(header(&token)["alg"], algorithm.as_str());
        let audience = format!("{}/api", tenant.issuer);
        world
            .server
            .verify_offline(&tenant, &token, &audience)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn g3_the_claims_of_rfc_9068_are_all_there_and_no_others() {
    let world = World::start().await;
    let claims = issue(&world).await.claims();
    let names: Vec<&String> = claims.keys().collect();
    let expected = [
        "aud",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "scope",
        "sub",
        "tenant_id",
    ];
    assert_eq!(names, expected);
    let now = world.server.now();
    assert_eq!(claims["iss"], world.acme.issuer.as_str());
    assert_eq!(claims["sub"], world.a1.id.to_string());
    assert_eq!(claims["client_id"], world.a1.id.to_string());
    assert_eq!(claims["tenant_id"], world.acme.id.to_string());
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(now), &json!(now + 600))
    );
}

#[tokio::test]
async fn g3_issuer_and_audience_are_those_of_the_configuration() {
    let mut world = World::start().await;
    let new = NewClient::with_fields(ConfigurationEdit {
        signer_issuer: Some("https://id.acme.example".to_owned()),
        signer_audience: Some("https://api.acme.example".to_owned()),
        verifier_issuer: Some("svc".to_owned()),
        verifier_subject: Some("svc".to_owned()),
        ..ConfigurationEdit::default()
    });
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    let claims = issue(&world).await.claims();
    assert_eq!(claims["iss"], "https://id.acme.example");
    assert_eq!(claims["aud"], "https://api.acme.example");
    assert_eq!(claims["sub"], "svc");
    assert_eq!(claims["client_id"], world.a1.id.to_string());
    let path = world.acme.path(".well-known/openid-configuration");
    let document = world.server.get(&path);
    assert_eq!(document.await.json()["issuer"], world.acme.issuer.as_str());
}

#[tokio::test]
async fn g4_the_audience_is_the_api_and_never_the_server_itself() {
    let world = World::start().await;
    let audience = issue(&world).await.claims()["aud"].clone();
    assert_eq!(audience, format!("{}/api", world.acme.issuer));
    assert_ne!(audience, world.acme.issuer.as_str());
    let token = issue(&world).await.access_token();
    let elsewhere = format!("{}/api", world.bob.issuer);
    let verified = world.server.verify_offline(&world.acme, &token, &elsewhere);
    assert!(verified.await.is_err());
    assert!(
        world
            .server
            .verify_offline(&world.bob, &token, &elsewhere)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn g5_a_token_outlives_neither_its_configuration_nor_its_key() {
    let mut world = World::start().await;
    let now = world.server.now();
    let key = TestKey::es256();
    // 2027-01-16T00:00:00Z, sixteen hours after the test's now.
    let midnight = now + 57_600;
    let certified = NewClient {
        public_key: Some(key.certificate((2027, 1, 16))),
        ..NewClient::with_key(&key)
    };
    let ending = NewClient::with_fields(ConfigurationEdit {
        expires_at: Some(Some(UnixTime::from_seconds(midnight))),
        ..ConfigurationEdit::default()
    });
    let hour = NewClient::with_fields(ConfigurationEdit {
        access_token_lifetime: Some(3600),
        ..ConfigurationEdit::default()
    });
    let mut clients = Vec::new();
    for new in [certified, ending, hour] {
        clients.push(world.server.create_client(&world.acme, new).await.unwrap());
    }
    world.a1 = clients[2].clone();
    assert_eq!(issue(&world).await.json()["expires_in"], 3600);
    world.server.clock.set(midnight - 100);
    for (client, lifetime) in clients.into_iter().zip([100, 100, 3600]) {
        world.a1 = client;
        let answer = issue(&world).await;
        let left = answer.json()["expires_in"].as_i64().unwrap();
        assert!((lifetime - 1..=lifetime).contains(&left), "{left}");
        assert_eq!(answer.claims()["exp"], world.server.now() + left);
    }
}

#[tokio::test]
async fn g6_a_jti_has_at_least_128_random_bits_and_tells_no_order() {
    let world = World::start().await;
    let mut seen = HashSet::new();
    let mut ones = [0u32; 192];
    for _ in 0..300 {
        let jti = issue(&world).await.claims()["jti"]
            .as_str()
            .unwrap()
            .to_owned();
        let octets = decode_base64url(&jti);
        assert_eq!(octets.len(), 24);
        for (bit, count) in ones.iter_mut().enumerate() {
            *count += u32::from(octets[bit / 8] >> (bit % 8) & 1);
        }
        assert!(seen.insert(octets));
    }
    // A fair coin shows 150 ± 8.7 heads in 300; eight times that is never seen.
    assert!(
        ones.iter().all(|count| (80..=220).contains(count)),
        "{ones:?}"
    );
}

#[tokio::test]
async fn g7_an_access_token_is_no_assertion_and_an_assertion_no_access_token() {
    let world = World::start().await;
    let token = issue(&world).await.access_token();
    assert_text_refused(&world, &token, "header_unacceptable").await;
    let audience = world.acme.issuer.clone();
    let assertion = world.assertion().header("typ", "JWT").sign();
    let verified = world
        .server
        .verify_offline(&world.acme, &assertion, &audience);
    assert!(verified.await.is_err());
    let program = world
        .server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    let answer = world
        .server
        .introspect(&world.acme, &program, &assertion)
        .await;
    assert_eq!(answer.text(), r#"{"active":false}"#);
}

#[tokio::test]
async fn g8_a_token_of_the_old_key_is_active_until_it_ends_and_none_has_anything_secret() {
    let mut world = World::start().await;
    let before = issue(&world).await.access_token();
    let old = header(&before)["kid"].clone();
    let act = RotateSigningKeys {
        tenant_id: world.acme.id,
        emergency: false,
    };
    world.server.execute(&act).await.unwrap();
    world.server.clock.advance(3500);
    let last = issue(&world).await.access_token();
    assert_eq!(
        header(&last)["kid"],
        old,
        "a key is published before it is used"
    );
    world.server.clock.advance(100);
    world = world.restarted().await;
    // The next key takes over in the background.
    let takes_over = async {
        loop {
            let token = issue(&world).await.access_token();
            if header(&token)["kid"] != old {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let new = tokio::time::timeout(Duration::from_secs(10), takes_over)
        .await
        .expect("the next key takes over when its time has come");
    let program = world
        .server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    for token in [&last, &new] {
        let answer = world.server.introspect(&world.acme, &program, token).await;
        assert_eq!(answer.json()["active"], true);
        let audience = format!("{}/api", world.acme.issuer);
        world
            .server
            .verify_offline(&world.acme, token, &audience)
            .await
            .unwrap();
    }
    let ended = world
        .server
        .introspect(&world.acme, &program, &before)
        .await;
    assert_eq!(ended.text(), r#"{"active":false}"#);
    let secret = world
        .assertion()
        .claim("email", "canary@acme.example")
        .sign();
    let answer = world.server.grant(&world.acme, &secret).await;
    assert!(
        !Value::Object(answer.claims())
            .to_string()
            .contains("canary")
    );
    assert!(!answer.access_token().contains(&base64url("canary")));
}

#[tokio::test]
async fn g9_issuance_stops_at_once() {
    let world = World::start().await;
    for (change, reason) in [
        (StatusChange::Suspend, "configuration_suspended"),
        (StatusChange::Deactivate, "configuration_deactivated"),
    ] {
        assert_eq!(issue(&world).await.status, 200);
        world.server.change_status(&world.a1, change).await;
        assert_refused(&world, &world.assertion(), reason).await;
        let other = world.assertion_of(&world.a2).sign();
        assert_eq!(world.server.token(&world.acme, &other).await.status, 200);
        if change == StatusChange::Suspend {
            world
                .server
                .change_status(&world.a1, StatusChange::Restore)
                .await;
        }
    }
    world.server.change_organization(&world.acme, true).await;
    let other = world.assertion_of(&world.a2);
    assert_refused(&world, &other, "organization_suspended").await;
    let bob = world.assertion_of(&world.b1).sign();
    assert_eq!(world.server.token(&world.bob, &bob).await.status, 200);
    world.server.change_organization(&world.acme, false).await;
    assert_eq!(
        world.server.token(&world.acme, &other.sign()).await.status,
        200
    );
}

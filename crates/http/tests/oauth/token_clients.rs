//! Section B, second half: how a client proves who it is.

use countersign_testkit::{Answer, CLIENT_CREDENTIALS, FORM, JWT_BEARER, PRIVATE_KEY_JWT, World};

use crate::support::{assert_recorded, assert_verdict};

async fn post(world: &World, parameters: &[(&str, &str)]) -> Answer {
    world
        .server
        .post_form(&world.acme.path("token"), parameters)
        .await
}

#[tokio::test]
async fn b3_every_configuration_may_use_both_grants() {
    let world = World::start().await;
    let token = world.server.token(&world.acme, world.assertion().sign());
    assert_eq!(token.await.status, 200);
    let grant = world.server.grant(&world.acme, world.assertion().sign());
    assert_eq!(grant.await.status, 200);
}

#[tokio::test]
async fn b4_client_credentials_without_authentication_is_invalid_client() {
    let world = World::start().await;
    for more in [vec![], vec![("client_id", "x")], vec![("client_id", "")]] {
        let parameters = [&[("grant_type", CLIENT_CREDENTIALS)][..], &more].concat();
        let answer = post(&world, &parameters).await;
        assert_verdict(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").is_some());
    }
}

#[tokio::test]
async fn b5_half_a_pair_is_an_invalid_request_and_another_type_an_invalid_client() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let grant = ("grant_type", CLIENT_CREDENTIALS);
    let own = ("client_assertion", assertion.as_str());
    assert_verdict(&post(&world, &[grant, own]).await, 400, "invalid_request");
    let only_type = [grant, ("client_assertion_type", PRIVATE_KEY_JWT)];
    assert_verdict(&post(&world, &only_type).await, 400, "invalid_request");
    for other in [
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        "urn:ietf:params:oauth:client-assertion-type:JWT-BEARER",
        "jwt-bearer",
    ] {
        let answer = post(&world, &[grant, own, ("client_assertion_type", other)]).await;
        assert_verdict(&answer, 401, "invalid_client");
    }
}

#[tokio::test]
async fn b6_more_than_one_mechanism_is_an_invalid_request() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let valid = [
        ("grant_type", CLIENT_CREDENTIALS),
        ("client_assertion_type", PRIVATE_KEY_JWT),
        ("client_assertion", assertion.as_str()),
    ];
    let with_secret = [&valid[..], &[("client_secret", "s")]].concat();
    assert_verdict(&post(&world, &with_secret).await, 400, "invalid_request");
    for basic in ["Basic YTpi", "Basic YTo="] {
        let body = format!(
            "grant_type=client_credentials&client_assertion_type={}&client_assertion={assertion}",
            PRIVATE_KEY_JWT.replace(':', "%3A")
        );
        let headers = [("content-type", FORM), ("authorization", basic)];
        let path = world.acme.path("token");
        let answer = world.server.post(&path, &headers, body).await;
        assert_verdict(&answer, 400, "invalid_request");
    }
    // None of these requests has used the assertion up.
    assert_eq!(post(&world, &valid).await.status, 200);
}

#[tokio::test]
async fn b7_a_client_id_must_be_the_subject_of_the_assertion() {
    let world = World::start().await;
    let ask = async |client_id: &str| {
        let assertion = world.assertion().sign();
        let parameters = [
            ("grant_type", CLIENT_CREDENTIALS),
            ("client_assertion_type", PRIVATE_KEY_JWT),
            ("client_assertion", assertion.as_str()),
            ("client_id", client_id),
        ];
        post(&world, &parameters).await
    };
    assert_eq!(ask(&world.a1.subject).await.status, 200);
    for other in [world.a2.subject.as_str(), &world.b1.subject, "x"] {
        let answer = ask(other).await;
        assert_verdict(&answer, 401, "invalid_client");
        assert_eq!(answer.reason(), None);
        assert_recorded(&world, &world.acme, &answer, "client_id_mismatch").await;
    }
    let upper = world.a1.subject.to_ascii_uppercase();
    assert_verdict(&ask(&upper).await, 401, "invalid_client");
}

#[tokio::test]
async fn b11_two_assertions_at_once_are_refused_and_neither_is_used_up() {
    let world = World::start().await;
    let (grant, client) = (world.assertion().sign(), world.assertion().sign());
    let bad = world.assertion().signature([1; 64]).sign();
    for client in [client.as_str(), &bad] {
        let parameters = [
            ("grant_type", JWT_BEARER),
            ("assertion", grant.as_str()),
            ("client_assertion_type", PRIVATE_KEY_JWT),
            ("client_assertion", client),
        ];
        assert_verdict(&post(&world, &parameters).await, 400, "invalid_request");
    }
    let with_id = [
        ("grant_type", JWT_BEARER),
        ("assertion", grant.as_str()),
        ("client_id", world.a1.subject.as_str()),
    ];
    assert_eq!(post(&world, &with_id).await.status, 200);
    assert_eq!(world.server.token(&world.acme, &client).await.status, 200);
}

#[tokio::test]
async fn b12_a_grant_of_another_client_is_refused() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let parameters = [
        ("grant_type", JWT_BEARER),
        ("assertion", assertion.as_str()),
        ("client_id", world.a2.subject.as_str()),
    ];
    let answer = post(&world, &parameters).await;
    assert_verdict(&answer, 400, "invalid_grant");
    assert_recorded(&world, &world.acme, &answer, "client_id_mismatch").await;
}

#[tokio::test]
async fn b18_one_assertion_serves_one_endpoint_once() {
    let world = World::start().await;
    let token = world.server.token(&world.acme, world.assertion().sign());
    let token = token.await.access_token();
    let present = async |endpoint: &str, assertion: &str| {
        let parameters = [
            ("token", token.as_str()),
            ("client_assertion_type", PRIVATE_KEY_JWT),
            ("client_assertion", assertion),
        ];
        let path = world.acme.path(endpoint);
        world.server.post_form(&path, &parameters).await
    };
    let assertion = world.assertion().sign();
    assert_eq!(
        world.server.token(&world.acme, &assertion).await.status,
        200
    );
    for endpoint in ["introspect", "revoke"] {
        assert_verdict(&present(endpoint, &assertion).await, 401, "invalid_client");
    }
    let assertion = world.assertion().sign();
    let answer = present("introspect", &assertion).await;
    assert_eq!(answer.json()["active"], true);
    let again = world.server.token(&world.acme, &assertion).await;
    assert_verdict(&again, 401, "invalid_client");
    // The audience is the issuer here, too: the endpoint's own address is nobody's.
    let endpoint = format!("{}/introspect", world.acme.issuer);
    let elsewhere = world.assertion().claim("aud", endpoint).sign();
    let answer = present("introspect", &elsewhere).await;
    assert_verdict(&answer, 401, "invalid_client");
    assert_recorded(&world, &world.acme, &answer, "audience_mismatch").await;
}

//! Section B, first half: the grant and its parameters.

use countersign_domain::configurations::{AuthType, ConfigurationEdit};
use countersign_testkit::{
    Answer, CLIENT_CREDENTIALS, JWT_BEARER, NewClient, PRIVATE_KEY_JWT, World,
};

use crate::support::{assert_recorded, assert_text_refused, assert_verdict};

async fn post(world: &World, parameters: &[(&str, &str)]) -> Answer {
    world
        .server
        .post_form(&world.acme.path("token"), parameters)
        .await
}

async fn post_with_assertion(world: &World, more: &[(&str, &str)]) -> Answer {
    let assertion = world.assertion().sign();
    let mut parameters = vec![
        ("grant_type", CLIENT_CREDENTIALS),
        ("client_assertion_type", PRIVATE_KEY_JWT),
        ("client_assertion", assertion.as_str()),
    ];
    parameters.extend_from_slice(more);
    post(world, &parameters).await
}

#[tokio::test]
async fn b1_a_missing_grant_type_is_invalid_and_an_unknown_one_unsupported() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let with = |grant_type| {
        let mut parameters = vec![
            ("client_assertion_type", PRIVATE_KEY_JWT),
            ("client_assertion", assertion.as_str()),
        ];
        parameters.extend(grant_type);
        parameters
    };
    assert_verdict(&post(&world, &with(None)).await, 400, "invalid_request");
    for other in [
        "foo",
        "Client_Credentials",
        "client_credentials ",
        "CLIENT_CREDENTIALS",
        "urn:ietf:params:oauth:grant-type:JWT-bearer",
    ] {
        let answer = post(&world, &with(Some(("grant_type", other)))).await;
        assert_verdict(&answer, 400, "unsupported_grant_type");
    }
}

#[tokio::test]
async fn b2_grants_of_people_and_of_the_past_are_unsupported() {
    let world = World::start().await;
    for grant_type in [
        "password",
        "authorization_code",
        "implicit",
        "refresh_token",
        "assertion",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
    ] {
        let assertion = world.assertion().sign();
        let parameters = [
            ("grant_type", grant_type),
            ("client_assertion_type", PRIVATE_KEY_JWT),
            ("client_assertion", assertion.as_str()),
            ("username", "a"),
            ("password", "b"),
            ("code", "c"),
        ];
        let answer = post(&world, &parameters).await;
        assert_verdict(&answer, 400, "unsupported_grant_type");
    }
}

#[tokio::test]
async fn b9_a_missing_grant_is_an_invalid_request_and_a_bad_one_an_invalid_grant() {
    let world = World::start().await;
    let answer = post(&world, &[("grant_type", JWT_BEARER)]).await;
    assert_verdict(&answer, 400, "invalid_request");
    for assertion in [
        world.assertion().signature([0; 64]),
        world.assertion().claim("iss", "nobody"),
        world.assertion().claim("aud", "elsewhere"),
        world.assertion().claim("exp", 1),
        world.assertion().claim("nbf", world.server.now() + 300),
    ] {
        let answer = world.server.grant(&world.acme, &assertion.sign()).await;
        assert_verdict(&answer, 400, "invalid_grant");
    }
    let used = world.assertion().sign();
    assert_eq!(world.server.grant(&world.acme, &used).await.status, 200);
    let again = world.server.grant(&world.acme, &used).await;
    assert_verdict(&again, 400, "invalid_grant");
}

#[tokio::test]
async fn b10_a_grant_that_is_not_exactly_one_compact_jwt_is_refused() {
    let world = World::start().await;
    let (one, two) = (world.assertion().sign(), world.assertion().sign());
    for text in [
        format!("{one} {two}"),
        format!("{one},{two}"),
        format!("{one}\n{two}"),
        format!("{one}{two}"),
        format!(" {one}"),
        format!("{one} "),
        format!("[\"{one}\"]"),
        "not a jwt".to_owned(),
    ] {
        assert_text_refused(&world, &text, "assertion_malformed").await;
    }
}

#[tokio::test]
async fn b13_a_scope_that_is_malformed_or_not_granted_is_refused_and_never_narrowed() {
    let world = World::start().await;
    for (scope, reason) in [
        (
            "cards-v1:cards:rw  payments-v1:accounts:r",
            "scope_malformed",
        ),
        (" cards-v1:cards:rw", "scope_malformed"),
        ("cards-v1:cards:rw ", "scope_malformed"),
        ("\"cards-v1:cards:rw\"", "scope_malformed"),
        ("cards-v1\\:cards:rw", "scope_malformed"),
        ("cards-v1:cards:rw\tx", "scope_malformed"),
        ("cards-v1:cards:rw\r\n", "scope_malformed"),
        ("é", "scope_malformed"),
        ("cards-v1:cards:r", "scope_unknown"),
        ("CARDS-V1:CARDS:RW", "scope_unknown"),
        ("cards-v1:cards:rw nothing", "scope_unknown"),
    ] {
        let answer = post_with_assertion(&world, &[("scope", scope)]).await;
        assert_verdict(&answer, 400, "invalid_scope");
        assert_eq!(answer.reason().as_deref(), Some(reason), "{scope:?}");
        assert_recorded(&world, &world.acme, &answer, reason).await;
    }
    let all = post_with_assertion(&world, &[]).await;
    assert_eq!(all.json()["scope"], World::GROUPS.join(" "));
}

#[tokio::test]
async fn b13_a_third_party_never_gets_more_than_it_was_granted() {
    let world = World::start().await;
    let new = NewClient::with_fields(ConfigurationEdit {
        auth_type: Some(AuthType::ThirdParty),
        permission_groups: Some(vec!["payments-v1:accounts:r".to_owned()]),
        ..ConfigurationEdit::default()
    });
    let partner = world.server.create_client(&world.acme, new).await.unwrap();
    let ask = async |scope: &str| {
        let assertion = world.assertion_of(&partner).sign();
        let parameters = [
            ("grant_type", JWT_BEARER),
            ("assertion", assertion.as_str()),
            ("scope", scope),
        ];
        post(&world, &parameters).await
    };
    let answer = ask("").await;
    assert_eq!(answer.json()["scope"], "payments-v1:accounts:r");
    let answer = ask("payments-v1:accounts:r").await;
    assert_eq!(answer.claims()["scope"], "payments-v1:accounts:r");
    for wider in [
        "payments-v1:accounts:rw",
        "payments-v1:accounts:r cards-v1:cards:rw",
    ] {
        let answer = ask(wider).await;
        assert_verdict(&answer, 400, "invalid_scope");
        assert_eq!(answer.reason().as_deref(), Some("scope_not_granted"));
    }
}

#[tokio::test]
async fn b14_the_answer_names_the_granted_scope() {
    let world = World::start().await;
    for (asked, granted) in [
        ("cards-v1:cards:rw", "cards-v1:cards:rw"),
        ("cards-v1:cards:rw cards-v1:cards:rw", "cards-v1:cards:rw"),
        (
            "payments-v1:accounts:r cards-v1:cards:rw",
            "cards-v1:cards:rw payments-v1:accounts:r",
        ),
    ] {
        let answer = post_with_assertion(&world, &[("scope", asked)]).await;
        assert_eq!(answer.json()["scope"], granted);
        assert_eq!(answer.claims()["scope"], granted);
    }
}

#[tokio::test]
async fn b14_a_scope_claim_bounds_the_scope_parameter() {
    let world = World::start().await;
    let ask = async |scope: &str| {
        let claim = "cards-v1:cards:rw payments-v1:accounts:r";
        let assertion = world.assertion().claim("scope", claim).sign();
        let parameters = [
            ("grant_type", JWT_BEARER),
            ("assertion", assertion.as_str()),
            ("scope", scope),
        ];
        post(&world, &parameters).await
    };
    let answer = ask("").await;
    assert_eq!(
        answer.json()["scope"],
        "cards-v1:cards:rw payments-v1:accounts:r"
    );
    let answer = ask("cards-v1:cards:rw").await;
    assert_eq!(answer.json()["scope"], "cards-v1:cards:rw");
    let answer = ask("payments-v1:accounts:rw").await;
    assert_verdict(&answer, 400, "invalid_scope");
}

#[tokio::test]
async fn b15_a_resource_other_than_the_audience_is_an_invalid_target() {
    let world = World::start().await;
    let own = format!("{}/api", world.acme.issuer);
    let answer = post_with_assertion(&world, &[("resource", &own)]).await;
    assert_eq!(answer.claims()["aud"], own.as_str());
    let other = format!("{}/api", world.bob.issuer);
    let fragment = format!("{own}#x");
    for resource in [
        "api",
        "/api",
        fragment.as_str(),
        "https://unknown.example",
        other.as_str(),
    ] {
        let answer = post_with_assertion(&world, &[("resource", resource)]).await;
        assert_verdict(&answer, 400, "invalid_target");
        let mixed = [("resource", own.as_str()), ("resource", resource)];
        let answer = post_with_assertion(&world, &mixed).await;
        assert_verdict(&answer, 400, "invalid_target");
    }
}

#[tokio::test]
async fn b16_the_audience_parameter_widens_nothing() {
    let world = World::start().await;
    let answer = post_with_assertion(&world, &[("audience", "https://evil.example")]).await;
    assert_eq!(answer.claims()["aud"], format!("{}/api", world.acme.issuer));
}

#[tokio::test]
async fn b17_names_are_decoded_once() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let send = async |assertion_type: &str| {
        let body = format!(
            "grant_type=client_credentials&client_assertion_type={assertion_type}&client_assertion={assertion}"
        );
        let headers = [("content-type", countersign_testkit::FORM)];
        let path = world.acme.path("token");
        world.server.post(&path, &headers, body).await
    };
    let twice = PRIVATE_KEY_JWT.replace(':', "%253A");
    assert_verdict(&send(&twice).await, 401, "invalid_client");
    assert_eq!(send(&PRIVATE_KEY_JWT.replace(':', "%3a")).await.status, 200);
}

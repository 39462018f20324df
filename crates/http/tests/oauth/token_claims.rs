//! Section E: what an assertion says. The clock stands still, so every bound is tried to the second.

use countersign_domain::configurations::ConfigurationEdit;
use countersign_testkit::{NewClient, World};
use serde_json::{Value, json};

use crate::support::{assert_accepted, assert_recorded, assert_refused, assert_refused_as};

/// Values that are no text.
fn no_texts() -> [Value; 6] {
    [
        json!(1),
        json!(null),
        json!(true),
        json!({}),
        json!([]),
        json!(["x"]),
    ]
}

#[tokio::test]
async fn e1_issuer_is_one_text_and_equals_the_subject_in_client_authentication() {
    let world = World::start().await;
    assert_refused(
        &world,
        &world.assertion().without("iss"),
        "claims_malformed",
    )
    .await;
    for value in no_texts() {
        let assertion = world.assertion().claim("iss", value);
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
    for issuer in ["", "x", &world.a2.issuer, &world.b1.issuer] {
        let assertion = world.assertion().claim("iss", issuer);
        let known = issuer == world.a2.issuer;
        let as_grant = if known {
            "subject_mismatch"
        } else {
            "issuer_unknown"
        };
        assert_refused_as(&world, &assertion, ["subject_mismatch", as_grant]).await;
    }
    let new = NewClient::with_fields(ConfigurationEdit {
        verifier_issuer: Some("https://idp.acme.example".to_owned()),
        verifier_subject: Some("payments".to_owned()),
        ..ConfigurationEdit::default()
    });
    let split = world.server.create_client(&world.acme, new).await.unwrap();
    let assertion = world.assertion_of(&split).sign();
    let answer = world.server.token(&world.acme, &assertion).await;
    assert_eq!(answer.status, 401);
    assert_recorded(&world, &world.acme, &answer, "subject_mismatch").await;
    assert_eq!(
        world.server.grant(&world.acme, &assertion).await.status,
        200
    );
}

#[tokio::test]
async fn e2_subject_is_required() {
    let world = World::start().await;
    assert_refused(
        &world,
        &world.assertion().without("sub"),
        "claims_malformed",
    )
    .await;
    for value in no_texts() {
        let assertion = world.assertion().claim("sub", value);
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
    let other = world.assertion().claim("sub", world.a2.subject.as_str());
    assert_refused(&world, &other, "subject_mismatch").await;
}

#[tokio::test]
async fn e3_audience_is_compared_as_a_plain_text() {
    let world = World::start().await;
    assert_refused(
        &world,
        &world.assertion().without("aud"),
        "claims_malformed",
    )
    .await;
    let own = world.acme.issuer.as_str();
    let id = world.acme.id.to_string();
    for audience in [
        world.bob.issuer.clone(),
        own[..own.len() - 1].to_owned(),
        format!("{own}x"),
        format!("{own}/"),
        format!(" {own}"),
        own.replace("/t/", "/T/"),
        own.replace(&id, &id.to_lowercase()),
        own.replace("https", "http"),
        own.replace("https", "HTTPS"),
        own.replace("example.com", "example.com:443"),
        own.replace("example.com", "EXAMPLE.com"),
        own.replace("/t/", "/%74/"),
        own.replace("/t/", "//t/"),
        own.replace("example", "exаmple"),
        own.replace("auth.example.com", "auth.example.com.evil.example"),
        format!("{own}?"),
        format!("{own}#"),
        String::new(),
    ] {
        let assertion = world.assertion().claim("aud", audience.as_str());
        assert_refused(&world, &assertion, "audience_mismatch").await;
    }
}

#[tokio::test]
async fn e4_the_address_of_an_endpoint_is_no_audience() {
    let world = World::start().await;
    for endpoint in ["token", "introspect", "revoke", "jwks"] {
        let audience = format!("{}/{endpoint}", world.acme.issuer);
        let assertion = world.assertion().claim("aud", audience);
        assert_refused(&world, &assertion, "audience_mismatch").await;
    }
}

#[tokio::test]
async fn e5_an_audience_of_several_values_is_refused_and_of_one_accepted() {
    let world = World::start().await;
    let own = world.acme.issuer.clone();
    assert_accepted(&world, || world.assertion().claim("aud", json!([own]))).await;
    for audience in [
        json!([own, "https://evil.example"]),
        json!([own, own]),
        json!([]),
        json!([[own]]),
        json!([1]),
        json!(1),
        json!({"aud": own}),
        json!(null),
    ] {
        let assertion = world.assertion().claim("aud", audience);
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
    let other = world
        .assertion()
        .claim("aud", json!(["https://evil.example"]));
    assert_refused(&world, &other, "audience_mismatch").await;
}

#[tokio::test]
async fn e6_expiry_is_required_and_in_the_future() {
    let world = World::start().await;
    let now = world.server.now();
    assert_refused(
        &world,
        &world.assertion().without("exp"),
        "claims_malformed",
    )
    .await;
    for expiry in [now - 300, now - 6, 1, 0] {
        let assertion = world.assertion().without("iat").claim("exp", expiry);
        assert_refused(&world, &assertion, "assertion_expired").await;
    }
}

#[tokio::test]
async fn e7_the_grace_after_expiry_is_five_seconds() {
    let world = World::start().await;
    let now = world.server.now();
    for (age, accepted) in [(0, true), (4, true), (5, false), (6, false), (30, false)] {
        let make = || {
            world
                .assertion()
                .claim("iat", now - 60)
                .claim("exp", now - age)
        };
        if accepted {
            assert_accepted(&world, make).await;
        } else {
            assert_refused(&world, &make(), "assertion_expired").await;
        }
    }
}

#[tokio::test]
async fn e8_the_callers_clock_may_run_thirty_seconds_ahead() {
    let world = World::start().await;
    let now = world.server.now();
    for (name, reason) in [("iat", "issued_in_future"), ("nbf", "not_yet_valid")] {
        for ahead in [0, 1, 10, 30] {
            assert_accepted(&world, || world.assertion().claim(name, now + ahead)).await;
        }
        for ahead in [31, 60, 61, 3600] {
            let assertion = world.assertion().claim("exp", now + 3600);
            let assertion = assertion.claim("iat", now).claim(name, now + ahead);
            assert_refused(&world, &assertion, reason).await;
        }
    }
}

#[tokio::test]
async fn e9_without_iat_the_expiry_must_be_near_and_an_old_iat_is_refused() {
    let world = World::start().await;
    let now = world.server.now();
    assert_accepted(&world, || world.assertion().without("iat")).await;
    assert_accepted(&world, || {
        world.assertion().without("iat").claim("exp", now + 3600)
    })
    .await;
    let far = world.assertion().without("iat").claim("exp", now + 3601);
    assert_refused(&world, &far, "lifetime_too_long").await;
    let old = world.assertion().claim("iat", now - 3541);
    assert_refused(&world, &old, "lifetime_too_long").await;
    assert_accepted(&world, || world.assertion().claim("iat", now - 3540)).await;
}

#[tokio::test]
async fn e10_the_lifetime_is_bounded_by_the_configuration() {
    let mut world = World::start().await;
    let now = world.server.now();
    let new = NewClient::with_fields(ConfigurationEdit {
        max_assertion_lifetime: Some(300),
        ..ConfigurationEdit::default()
    });
    let own = world.a1.clone();
    let strict = world.server.create_client(&world.acme, new).await.unwrap();
    for (client, longest) in [(own, 3600), (strict, 300)] {
        world.a1 = client;
        assert_accepted(&world, || world.assertion().claim("exp", now + longest)).await;
        let long = world.assertion().claim("exp", now + longest + 1);
        assert_refused(&world, &long, "lifetime_too_long").await;
        let ahead = world
            .assertion()
            .claim("iat", now + 30)
            .claim("exp", now + 31 + longest);
        assert_refused(&world, &ahead, "lifetime_too_long").await;
    }
    // An expiry of the year 9999 and one before the issuance do not overflow anything.
    let endless = world.assertion().claim("exp", 253_402_300_799_i64);
    assert_refused(&world, &endless, "lifetime_too_long").await;
}

#[tokio::test]
async fn e11_a_time_is_a_number_of_seconds_in_range() {
    let world = World::start().await;
    let now = world.server.now();
    let fraction = 0.5 + 1_800_000_030.0;
    assert_accepted(&world, || world.assertion().claim("exp", fraction)).await;
    assert_accepted(&world, || {
        let payload = world.assertion().payload_text();
        let exponent = payload.replace(&format!("\"exp\":{}", now + 60), "\"exp\":1.80000003e9");
        assert_ne!(exponent, payload);
        world.assertion().raw_payload(exponent)
    })
    .await;
    for name in ["exp", "iat", "nbf"] {
        for value in [
            json!(now.to_string()),
            json!(-1),
            json!(-0.5),
            json!(u64::MAX),
            json!(1u64 << 63),
            json!(1e300),
            json!(now * 1000),
            json!(null),
            json!([now]),
            json!(true),
        ] {
            let assertion = world.assertion().claim(name, value);
            assert_refused(&world, &assertion, "claims_malformed").await;
        }
    }
    let payload = world.assertion().payload_text();
    for bad in ["NaN", "Infinity", "+1", "01", "0x7F", "1e400"] {
        let text = payload.replace(&(now + 60).to_string(), bad);
        let assertion = world.assertion().raw_payload(text);
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
}

#[tokio::test]
async fn e12_a_jti_is_required_of_a_client_assertion_and_is_a_text_of_1_to_255_bytes() {
    let world = World::start().await;
    let nameless = world.assertion().without("jti").sign();
    let answer = world.server.token(&world.acme, &nameless).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.reason().as_deref(), Some("claims_malformed"));
    // `tokens.md`: the jwt-bearer grant may do without; the signing input stands in for it.
    assert_eq!(world.server.grant(&world.acme, &nameless).await.status, 200);
    for value in [
        json!(""),
        json!(1),
        json!(null),
        json!(["x"]),
        json!("x".repeat(256)),
        json!("é".repeat(128)),
    ] {
        let assertion = world.assertion().claim("jti", value);
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
    for (place, value) in ["x".repeat(255), "é".repeat(127), "\u{0}".to_owned()]
        .iter()
        .enumerate()
    {
        let assertion = world.assertion().claim("jti", value.as_str()).sign();
        let answer = world.server.token(&world.acme, &assertion).await;
        assert_eq!(answer.status, 200, "{place}: {}", answer.text());
    }
}

#[tokio::test]
async fn e13_a_subject_that_names_something_else_is_refused() {
    let world = World::start().await;
    for subject in [
        world.acme.id.to_string(),
        world.a2.subject.clone(),
        "admin".to_owned(),
        "*".to_owned(),
    ] {
        let assertion = world
            .assertion()
            .claim("iss", subject.as_str())
            .claim("sub", subject.as_str());
        let known = subject == world.a2.subject;
        let reason = if known {
            "key_unknown"
        } else {
            "issuer_unknown"
        };
        assert_refused(&world, &assertion, reason).await;
    }
}

#[tokio::test]
async fn e14_unknown_claims_are_ignored_and_copied_only_where_the_configuration_says_so() {
    let mut world = World::start().await;
    let new = NewClient::with_fields(ConfigurationEdit {
        copied_claims: Some(vec!["department".to_owned()]),
        ..ConfigurationEdit::default()
    });
    let ask = async |world: &World| {
        let assertion = world
            .assertion()
            .claim("department", json!({"no": 7}))
            .claim("secret", "canary");
        let answer = world.server.grant(&world.acme, &assertion.sign()).await;
        answer.claims()
    };
    let claims = ask(&world).await;
    assert!(!claims.contains_key("custom") && !claims.contains_key("department"));
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    let claims = ask(&world).await;
    assert_eq!(claims["custom"], json!({"department": {"no": 7}}));
    assert!(!Value::Object(claims).to_string().contains("canary"));
}

#[tokio::test]
async fn e15_no_claim_of_an_assertion_overrides_one_of_ours() {
    let world = World::start().await;
    for name in [
        "act",
        "aud",
        "cnf",
        "client_id",
        "custom",
        "exp",
        "iss",
        "jti",
        "roles",
        "scope",
        "sub",
        "tenant_id",
        "uid",
    ] {
        let new = NewClient::with_fields(ConfigurationEdit {
            copied_claims: Some(vec![name.to_owned()]),
            ..ConfigurationEdit::default()
        });
        let refused = world.server.create_client(&world.acme, new).await;
        assert!(refused.is_err(), "{name}");
    }
    let plain = world.server.grant(&world.acme, world.assertion().sign());
    let plain = plain.await.claims();
    let assertion = [
        "act",
        "cnf",
        "client_id",
        "custom",
        "roles",
        "client",
        "tenant",
    ]
    .iter()
    .fold(world.assertion(), |assertion, name| {
        assertion.claim(name, "evil")
    });
    let claims = world
        .server
        .grant(&world.acme, &assertion.sign())
        .await
        .claims();
    let names =
        |claims: &serde_json::Map<String, Value>| claims.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&claims), names(&plain));
    assert!(!Value::Object(claims).to_string().contains("evil"));
    let foreign = world
        .assertion()
        .claim("tenant_id", world.bob.id.to_string());
    assert_refused(&world, &foreign, "tenant_mismatch").await;
}

#[tokio::test]
async fn an_account_binding_is_one_printable_text() {
    let world = World::start().await;
    for name in ["uid", "external_account_id"] {
        let bound = world.assertion().claim(name, "4711").sign();
        let answer = world.server.grant(&world.acme, &bound).await;
        assert_eq!(answer.claims()[name], "4711");
        for value in [
            json!(""),
            json!(4711),
            json!(null),
            json!("a b"),
            json!("é"),
            json!("x".repeat(129)),
        ] {
            let assertion = world.assertion().claim(name, value);
            assert_refused(&world, &assertion, "account_binding_malformed").await;
        }
    }
}

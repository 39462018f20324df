//! Section I: introspection and revocation look at the state of things, whatever the token says.

use countersign_domain::api_tokens::ApiRole;
use countersign_domain::configurations::{AuthType, ConfigurationEdit};
use countersign_domain::time::UnixTime;
use countersign_service::{RevokeToken, RotateSigningKeys, StatusChange};
use countersign_testkit::{
    Answer, Client, FORM, NewClient, PRIVATE_KEY_JWT, StolenKey, Tenant, World,
};
use serde_json::{Value, json};

use crate::support::assert_verdict;

const INACTIVE: &str = r#"{"active":false}"#;

/// A world with an access token of the first client and programs that may introspect.
struct Stage {
    world: World,
    token: String,
    program: String,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let token = world.server.token(&world.acme, world.assertion().sign());
        let token = token.await.access_token();
        let program = world
            .server
            .api_token(Some(&world.acme), ApiRole::Introspector)
            .await;
        Self {
            world,
            token,
            program,
        }
    }

    async fn look_at(&self, token: &str) -> Answer {
        self.world
            .server
            .introspect(&self.world.acme, &self.program, token)
            .await
    }

    async fn is_active(&self) -> bool {
        let answer = self.look_at(&self.token).await;
        let active = answer.json()["active"] == true;
        assert!(active || answer.text() == INACTIVE);
        active
    }

    /// Asks an endpoint as a client with an assertion.
    async fn ask_as(&self, client: &Client, endpoint: &str, more: &[(&str, &str)]) -> Answer {
        let assertion = self.world.assertion_of(client).sign();
        let mut parameters = vec![
            ("client_assertion_type", PRIVATE_KEY_JWT),
            ("client_assertion", assertion.as_str()),
        ];
        parameters.extend_from_slice(more);
        let path = client.tenant.path(endpoint);
        self.world.server.post_form(&path, &parameters).await
    }
}

#[tokio::test]
async fn i1_introspection_is_a_form_post_of_somebody_known() {
    let Stage {
        world,
        token,
        program,
    } = Stage::set().await;
    let path = world.acme.path("introspect");
    let anonymous = world.server.post_form(&path, &[("token", &token)]).await;
    assert_verdict(&anonymous, 401, "invalid_client");
    assert!(
        anonymous
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer")
    );
    for secret in ["cst_wrong", "", &token] {
        let answer = world.server.introspect(&world.acme, secret, &token).await;
        assert_verdict(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").is_some());
    }
    let get = world.server.get(&format!("{path}?token={token}")).await;
    assert_eq!(
        (get.status.as_u16(), get.header("allow")),
        (405, Some("POST"))
    );
    let authorization = format!("Bearer {program}");
    let json = [
        ("content-type", "application/json"),
        ("authorization", authorization.as_str()),
    ];
    let body = json!({"token": token}).to_string();
    assert_verdict(
        &world.server.post(&path, &json, body).await,
        400,
        "invalid_request",
    );
}

#[tokio::test]
async fn i2_another_organization_learns_nothing() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let answer = stage
        .ask_as(&world.b1, "introspect", &[("token", &stage.token)])
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.text().as_str()),
        (200, INACTIVE)
    );
    let bobs = world
        .server
        .api_token(Some(&world.bob), ApiRole::Admin)
        .await;
    let answer = world
        .server
        .introspect(&world.bob, &bobs, &stage.token)
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.text().as_str()),
        (200, INACTIVE)
    );
    // Its API token is worth nothing at the other organization's endpoint, whatever is asked.
    for token in [stage.token.as_str(), "garbage"] {
        let answer = world.server.introspect(&world.acme, &bobs, token).await;
        assert_verdict(&answer, 401, "invalid_client");
    }
    // And again, now that the token is remembered as verified.
    assert!(stage.is_active().await);
    let answer = world
        .server
        .introspect(&world.bob, &bobs, &stage.token)
        .await;
    assert_eq!(answer.text(), INACTIVE);
}

#[tokio::test]
async fn i3_whatever_is_not_a_token_of_ours_is_inactive_and_nothing_more() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let bobs = world
        .server
        .token(&world.bob, world.assertion_of(&world.b1).sign());
    let (head, signature) = stage.token.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for other in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        format!("{}x", stage.token),
        format!("{head}.{flipped}{}", &signature[1..]),
        format!("{payload}.{header}.{signature}"),
        format!("{head}."),
        world.assertion().sign(),
        world.assertion().header("typ", "at+jwt").sign(),
        bobs.await.access_token(),
        stage.program.clone(),
        "x".repeat(20_000),
    ] {
        let answer = stage.look_at(&other).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (200, INACTIVE),
            "{other}"
        );
    }
    world.server.clock.advance(599);
    assert!(stage.is_active().await);
    world.server.clock.advance(1);
    assert!(!stage.is_active().await);
}

#[tokio::test]
async fn i4_an_active_token_shows_its_claims() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let now = world.server.now();
    let answer = stage.look_at(&stage.token).await;
    let mut shown = answer.json();
    let jti = shown.as_object_mut().unwrap().remove("jti").unwrap();
    assert!(jti.is_string());
    let id = world.a1.id.to_string();
    let expected = json!({
        "active": true,
        "token_type": "Bearer",
        "iss": world.acme.issuer,
        "aud": format!("{}/api", world.acme.issuer),
        "sub": id,
        "client_id": id,
        "tenant_id": world.acme.id.to_string(),
        "scope": World::GROUPS.join(" "),
        "iat": now,
        "exp": now + 600,
    });
    assert_eq!(shown, expected);
    let own = stage
        .ask_as(&world.a1, "introspect", &[("token", &stage.token)])
        .await;
    assert_eq!(own.json()["active"], true);
}

#[tokio::test]
async fn i4_a_third_party_sees_only_its_own_tokens() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let new = NewClient::with_fields(ConfigurationEdit {
        auth_type: Some(AuthType::ThirdParty),
        ..ConfigurationEdit::default()
    });
    let partner = world.server.create_client(&world.acme, new).await.unwrap();
    let answer = stage
        .ask_as(&partner, "introspect", &[("token", &stage.token)])
        .await;
    assert_eq!(answer.text(), INACTIVE);
    let own = world
        .server
        .grant(&world.acme, world.assertion_of(&partner).sign());
    let own = own.await.access_token();
    let answer = stage
        .ask_as(&partner, "introspect", &[("token", &own)])
        .await;
    assert_eq!(answer.json()["active"], true);
}

#[tokio::test]
async fn i5_a_suspension_bites_on_tokens_already_issued_and_a_restoration_revives_none() {
    let stage = Stage::set().await;
    let world = &stage.world;
    assert!(stage.is_active().await);
    world
        .server
        .change_status(&world.a1, StatusChange::Suspend)
        .await;
    assert!(!stage.is_active().await);
    world
        .server
        .change_status(&world.a1, StatusChange::Restore)
        .await;
    assert!(!stage.is_active().await);
    world.server.clock.advance(1);
    let fresh = world.server.grant(&world.acme, world.assertion().sign());
    let fresh = fresh.await.access_token();
    assert_eq!(stage.look_at(&fresh).await.json()["active"], true);
    world
        .server
        .change_status(&world.a1, StatusChange::Deactivate)
        .await;
    assert_eq!(stage.look_at(&fresh).await.text(), INACTIVE);
}

#[tokio::test]
async fn i5_organization_expiry_and_emergency_rotation_bite_too() {
    let stage = Stage::set().await;
    stage
        .world
        .server
        .change_organization(&stage.world.acme, true)
        .await;
    assert!(!stage.is_active().await);
    stage
        .world
        .server
        .change_organization(&stage.world.acme, false)
        .await;
    assert!(!stage.is_active().await);

    let stage = Stage::set().await;
    assert!(stage.is_active().await);
    let emergency = RotateSigningKeys {
        tenant_id: stage.world.acme.id,
        emergency: true,
    };
    stage.world.server.execute(&emergency).await.unwrap();
    assert!(!stage.is_active().await);

    let stage = Stage::set().await;
    let fields = ConfigurationEdit {
        expires_at: Some(Some(UnixTime::from_seconds(stage.world.server.now() + 60))),
        ..ConfigurationEdit::default()
    };
    let act = countersign_service::EditConfiguration {
        tenant_id: stage.world.acme.id,
        id: stage.world.a1.id,
        expected_version: None,
        fields,
    };
    stage.world.server.execute(&act).await.unwrap();
    assert!(stage.is_active().await);
    stage.world.server.clock.advance(60);
    assert!(!stage.is_active().await);
}

#[tokio::test]
async fn i6_a_missing_token_is_an_invalid_request_and_the_hint_is_only_a_hint() {
    let stage = Stage::set().await;
    let world = &stage.world;
    for endpoint in ["introspect", "revoke"] {
        let answer = stage.ask_as(&world.a1, endpoint, &[]).await;
        assert_verdict(&answer, 400, "invalid_request");
        let answer = stage.ask_as(&world.a1, endpoint, &[("token", "")]).await;
        assert_verdict(&answer, 400, "invalid_request");
    }
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let more = [("token", stage.token.as_str()), ("token_type_hint", hint)];
        let answer = stage.ask_as(&world.a1, "introspect", &more).await;
        assert_eq!(answer.json()["active"], true, "{hint}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn i9_a_revoked_token_is_inactive_and_an_unknown_one_is_revoked_in_silence() {
    let stage = Stage::set().await;
    let world = &stage.world;
    for unknown in ["garbage", "a.b.c"] {
        let answer = stage
            .ask_as(&world.a1, "revoke", &[("token", unknown)])
            .await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    }
    let others = stage
        .ask_as(&world.a2, "revoke", &[("token", &stage.token)])
        .await;
    assert_verdict(&others, 400, "invalid_request");
    let foreign = stage
        .ask_as(&world.b1, "revoke", &[("token", &stage.token)])
        .await;
    assert_eq!((foreign.status.as_u16(), foreign.body.len()), (200, 0));
    assert!(stage.is_active().await);
    for _ in 0..2 {
        let more = [
            ("token", stage.token.as_str()),
            ("token_type_hint", "refresh_token"),
        ];
        let answer = stage.ask_as(&world.a1, "revoke", &more).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert!(!stage.is_active().await);
    }
    let program = stage.program.clone();
    let token = stage.token.clone();
    let world = stage.world.restarted().await;
    let answer = world.server.introspect(&world.acme, &program, &token).await;
    assert_eq!(answer.text(), INACTIVE);
}

#[tokio::test]
async fn i9_an_administrator_revokes_by_jti() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let claims = stage.look_at(&stage.token).await.json();
    let act = RevokeToken {
        tenant_id: world.acme.id,
        jti: claims["jti"].as_str().unwrap().to_owned(),
        expires_at: UnixTime::from_seconds(claims["exp"].as_i64().unwrap()),
    };
    world.server.execute(&act).await.unwrap();
    assert!(!stage.is_active().await);
}

#[tokio::test]
async fn i9_an_unavailable_store_is_an_error_and_never_an_answer() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let unseen = world.server.grant(&world.acme, world.assertion().sign());
    let unseen = unseen.await.access_token();
    assert!(stage.is_active().await);
    world.server.database().open().close().await;
    for answer in [
        stage.look_at(&unseen).await,
        stage
            .ask_as(&world.a1, "introspect", &[("token", &stage.token)])
            .await,
        stage
            .ask_as(&world.a1, "revoke", &[("token", &stage.token)])
            .await,
    ] {
        assert_verdict(&answer, 503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn i10_revocation_needs_authentication_and_takes_no_callback() {
    let Stage {
        world,
        token,
        program,
    } = Stage::set().await;
    let path = world.acme.path("revoke");
    let anonymous = world.server.post_form(&path, &[("token", &token)]).await;
    assert_verdict(&anonymous, 401, "invalid_client");
    let get = world
        .server
        .get(&format!("{path}?token={token}&callback=f"))
        .await;
    assert_eq!(get.status, 405);
    assert!(!get.text().contains("f("));
    let authorization = format!("Bearer {program}");
    let headers = [
        ("content-type", FORM),
        ("authorization", authorization.as_str()),
    ];
    let body = format!("token={token}");
    let introspector = world.server.post(&path, &headers, body).await;
    assert_verdict(&introspector, 401, "invalid_client");
    let answer = world.server.introspect(&world.acme, &program, &token).await;
    assert_eq!(answer.json()["active"], true);
}

#[tokio::test]
async fn i10_two_ways_to_authenticate_are_one_too_many() {
    let Stage {
        world,
        token,
        program,
    } = Stage::set().await;
    let authorization = format!("Bearer {program}");
    let headers = [
        ("content-type", FORM),
        ("authorization", authorization.as_str()),
    ];
    let assertion = world.assertion().sign();
    let pair = format!(
        "client_assertion_type={}&client_assertion={assertion}",
        PRIVATE_KEY_JWT.replace(':', "%3A")
    );
    for endpoint in ["introspect", "revoke"] {
        let body = format!("token={token}&{pair}");
        let answer = world
            .server
            .post(&world.acme.path(endpoint), &headers, body)
            .await;
        assert_verdict(&answer, 400, "invalid_request");
    }
}

/// Claims as the server writes them, for a token that it never issued.
pub(crate) fn forged_claims(tenant: &Tenant, client: &Client, now: i64) -> Value {
    json!({
        "iss": tenant.issuer,
        "aud": format!("{}/api", tenant.issuer),
        "sub": client.subject,
        "client_id": client.id.to_string(),
        "tenant_id": tenant.id.to_string(),
        "scope": World::GROUPS.join(" "),
        "iat": now,
        "exp": now + 600,
        "jti": countersign_testkit::base64url([7; 24]),
    })
}

#[tokio::test]
async fn i3_a_token_forged_with_the_real_key_is_inactive_without_an_issuance_record() {
    let stage = Stage::set().await;
    let world = &stage.world;
    let stolen = StolenKey::of(&world.server, &world.acme).await;
    let now = world.server.now();
    let forged = stolen.forge(&forged_claims(&world.acme, &world.a1, now));
    let audience = format!("{}/api", world.acme.issuer);
    world
        .server
        .verify_offline(&world.acme, &forged, &audience)
        .await
        .unwrap();
    assert_eq!(stage.look_at(&forged).await.text(), INACTIVE);
    // With the jti of a real token it must also be that token's.
    let real = stage.look_at(&stage.token).await.json();
    for (name, value) in [
        ("exp", json!(now + 601)),
        ("client_id", json!(world.a2.id.to_string())),
        ("tenant_id", json!(world.bob.id.to_string())),
    ] {
        let mut claims = forged_claims(&world.acme, &world.a1, now);
        claims["jti"] = real["jti"].clone();
        claims[name] = value;
        let answer = stage.look_at(&stolen.forge(&claims)).await;
        assert_eq!(answer.text(), INACTIVE, "{name}");
    }
}

/// `product.md`: an operator reads no organization's tokens. The answer is that of another organization's program.
#[tokio::test]
async fn i2_the_platform_introspects_no_organizations_tokens() {
    let world = World::start().await;
    let server = &world.server;
    let token = server.token(&world.acme, world.assertion().sign()).await;
    let token = token.access_token();
    let bobs = server
        .api_token(Some(&world.bob), ApiRole::Introspector)
        .await;
    let other = server.introspect(&world.acme, &bobs, &token).await;
    assert_verdict(&other, 401, "invalid_client");
    for role in [ApiRole::Admin, ApiRole::Auditor, ApiRole::Introspector] {
        let operators = server.api_token(None, role).await;
        let answer = server.introspect(&world.acme, &operators, &token).await;
        assert_verdict(&answer, 401, "invalid_client");
        assert_eq!(
            answer.json()["error_description"],
            other.json()["error_description"]
        );
    }
}

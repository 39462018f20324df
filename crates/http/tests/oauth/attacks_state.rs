//! Part 3, attacks 7, 8, 11, 20, 21 and 22: state that is old, gone, or moved.

use axum::http::Method;
use countersign_domain::api_tokens::ApiRole;
use countersign_domain::configurations::ConfigurationEdit;
use countersign_domain::time::UnixTime;
use countersign_service::{Caller, RotateSigningKeys, StatusChange, new_correlation_id};
use countersign_testkit::{
    DatabaseKind, MIDNIGHT, NOW, NewClient, Setup, StolenKey, TestKey, World, postgres_url,
};
use serde_json::json;

use crate::introspection_state::forged_claims;
use crate::support::{assert_refused, assert_verdict, eventually};
use crate::token_replay::{assert_one_token, post_at_once};

const INACTIVE: &str = r#"{"active":false}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_07_a_replay_is_refused_in_parallel_and_after_a_kill() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    let answers = post_at_once(&[&world.server], &world.acme, &assertion, 50).await;
    assert_one_token(&answers);
    let world = world.restarted().await;
    let answers = post_at_once(&[&world.server], &world.acme, &assertion, 10).await;
    assert!(answers.iter().all(|answer| answer.status == 400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_07_two_nodes_on_one_database_issue_one_token() {
    if postgres_url().is_none() {
        println!("skipped: COUNTERSIGN_TEST_POSTGRES names no server");
        return;
    }
    let world = World::with(Setup {
        database: DatabaseKind::Postgres,
        ..Setup::default()
    })
    .await;
    let other = world.server.second_node().await;
    for assertion in [world.assertion(), world.assertion().without("jti")] {
        let nodes = [&world.server, &other];
        let answers = post_at_once(&nodes, &world.acme, &assertion.sign(), 50).await;
        assert_one_token(&answers);
    }
    // What one node has suspended, the other refuses within the bound.
    world
        .server
        .change_status(&world.a1, StatusChange::Suspend)
        .await;
    let bound = tokio::time::Duration::from_secs(countersign_service::STALENESS_BOUND);
    tokio::time::sleep(bound).await;
    let answer = other.token(&world.acme, world.assertion().sign()).await;
    assert_verdict(&answer, 401, "invalid_client");
}

/// A node that was cut off for longer than changes are announced has missed some of them for good. It notices, and knows
/// nothing of what it knew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_08_a_node_that_was_away_for_too_long_loads_everything_anew() {
    let kinds = match postgres_url() {
        Some(_) => vec![DatabaseKind::Sqlite, DatabaseKind::Postgres],
        None => vec![DatabaseKind::Sqlite],
    };
    for database in kinds {
        let world = World::with(Setup {
            database,
            ..Setup::default()
        })
        .await;
        let other = world.server.second_node().await;
        let program = world
            .server
            .api_token(Some(&world.acme), ApiRole::Introspector)
            .await;
        let token = other.token(&world.acme, world.assertion().sign()).await;
        let (jti, token) = (token.claims()["jti"].clone(), token.access_token());
        let seen = other.introspect(&world.acme, &program, &token).await;
        assert_ne!(seen.text(), INACTIVE);
        // Revoked and forgotten in one transaction: no node ever finds the announcement.
        let now = UnixTime::from_seconds(world.server.now());
        let mut unit = world.server.store().write().await.unwrap();
        unit.revoke_token(world.acme.id, jti.as_str().unwrap(), now.plus(600), now)
            .await
            .unwrap();
        unit.forget_feed(now.plus(1)).await.unwrap();
        unit.commit().await.unwrap();
        eventually(async || {
            let seen = other.introspect(&world.acme, &program, &token).await;
            seen.text() == INACTIVE
        })
        .await;
        let fresh = other.token(&world.acme, world.assertion().sign()).await;
        assert_eq!(fresh.status, 200, "{}", fresh.text());
    }
}

/// A way to end trust in the first client of a world.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Certificate,
    Configuration(StatusChange),
    Expiry,
    Key,
    Organization,
    SigningKey,
}

/// A world whose first client has a certificate until midnight, and an expiry a moment later.
async fn world_that_ends() -> World {
    let mut world = World::start().await;
    let new = NewClient {
        fields: ConfigurationEdit {
            expires_at: Some(Some(UnixTime::from_seconds(MIDNIGHT - 100))),
            ..ConfigurationEdit::default()
        },
        ..NewClient::with_certificate()
    };
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    world
}

async fn end(world: &World, end: End) {
    let server = &world.server;
    match end {
        End::Configuration(change) => server.change_status(&world.a1, change).await,
        End::Organization => server.change_organization(&world.acme, true).await,
        End::Expiry => server.clock.set(MIDNIGHT - 100),
        End::Certificate => server.clock.set(MIDNIGHT),
        End::SigningKey => {
            let act = RotateSigningKeys {
                tenant_id: world.acme.id,
                emergency: true,
            };
            server.execute(&act).await.unwrap();
        }
        End::Key => {
            let new = TestKey::es256();
            server.rotate(&world.a1, &new, None, Some(0)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn attack_08_what_is_ended_neither_issues_nor_is_accepted_on_any_path() {
    for (what, reason, still_active) in [
        (
            End::Configuration(StatusChange::Suspend),
            "configuration_suspended",
            false,
        ),
        (
            End::Configuration(StatusChange::Deactivate),
            "configuration_deactivated",
            false,
        ),
        (End::Expiry, "configuration_expired", false),
        (End::Organization, "organization_suspended", false),
        // A key that is rotated out ends no token; a suspension does (`tokens.md`, live state).
        (End::Key, "key_retired", true),
        (End::SigningKey, "", false),
    ] {
        let mut world = world_that_ends().await;
        let program = world
            .server
            .api_token(Some(&world.acme), ApiRole::Introspector)
            .await;
        if what == End::Expiry {
            world.server.clock.set(MIDNIGHT - 150);
        }
        let token = world.server.token(&world.acme, world.assertion().sign());
        let token = token.await.access_token();
        let warm = world.server.introspect(&world.acme, &program, &token).await;
        assert_eq!(warm.json()["active"], true, "{what:?}");
        end(&world, what).await;
        for _ in 0..2 {
            if !reason.is_empty() {
                assert_refused(&world, &world.assertion(), reason).await;
                let passport = world
                    .assertion()
                    .claim("tenant_id", world.acme.id.to_string());
                assert_eq!(world.server.passport(&passport.sign()).await.status, 400);
            }
            let answer = world.server.introspect(&world.acme, &program, &token).await;
            assert_eq!(answer.json()["active"], still_active, "{what:?}");
            let other = world.assertion_of(&world.b1).sign();
            assert_eq!(world.server.token(&world.bob, &other).await.status, 200);
            // The same holds after a restart, which fills every cache anew.
            world = world.restarted().await;
        }
    }
}

#[tokio::test]
async fn attack_08_a_certificate_ends_its_key_to_the_second() {
    let mut world = World::start().await;
    let new = NewClient::with_certificate();
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    world.server.clock.set(MIDNIGHT - 1);
    let last = world.server.token(&world.acme, world.assertion().sign());
    assert_eq!(last.await.json()["expires_in"], 1);
    end(&world, End::Certificate).await;
    assert_refused(&world, &world.assertion(), "key_expired").await;
}

#[tokio::test]
async fn attack_11_a_change_of_what_has_moved_meanwhile_is_refused() {
    let world = World::start().await;
    let admin = world
        .server
        .api_token(Some(&world.acme), ApiRole::Admin)
        .await;
    let path = format!(
        "/api/v1/organizations/{}/configurations/{}",
        world.acme.id, world.a1.id
    );
    let seen = world.server.api(Method::GET, &path, &admin, None).await;
    let tag = seen.header("etag").unwrap().to_owned();
    let edit = async |tag: &str, name: &str| {
        let body = Some(json!({"name": name}));
        let headers = [("if-match", tag)];
        world
            .server
            .api_with(Method::PATCH, &path, &headers, (&admin, body))
            .await
    };
    assert_eq!(edit(&tag, "second").await.status, 200);
    let stale = edit(&tag, "first").await;
    assert_eq!(stale.status, 412);
    let now = world.server.api(Method::GET, &path, &admin, None).await;
    assert_eq!(now.json()["name"], "second");
    assert_eq!(now.json()["version"], 2);
}

/// A world that was restored from a backup ten seconds after its start, with what was signed before.
async fn restored() -> (World, Vec<String>) {
    let world = World::start().await;
    let before = vec![
        world.assertion().sign(),
        world.assertion().without("iat").sign(),
    ];
    world.server.clock.advance(10);
    world.server.mark_restored().await;
    (world.restarted().await, before)
}

#[tokio::test]
async fn attack_20_a_restored_instance_issues_nothing_until_somebody_has_looked() {
    let world = World::start().await;
    let old = world
        .server
        .api_token(Some(&world.acme), ApiRole::Admin)
        .await;
    world.server.mark_restored().await;
    let world = world.restarted().await;
    let held = world
        .server
        .token(&world.acme, world.assertion().sign())
        .await;
    assert_verdict(&held, 503, "temporarily_unavailable");
    assert!(held.header("retry-after").is_some());
    assert_eq!(world.server.get("/readyz").await.status, 503);
    // No API token of the backup can be the one who says so, nor one of an organization.
    let organization = format!("/api/v1/organizations/{}", world.acme.id);
    let dead = world
        .server
        .api(Method::GET, &organization, &old, None)
        .await;
    assert_eq!(dead.status, 401);
    let path = "/api/v1/instance/confirm-restore";
    let tenants = world
        .server
        .api_token(Some(&world.acme), ApiRole::Admin)
        .await;
    let refused = world.server.api(Method::POST, path, &tenants, None).await;
    assert_eq!(refused.status, 403);
    let operator = world.server.api_token(None, ApiRole::Admin).await;
    let instance = world
        .server
        .api(Method::GET, "/api/v1/instance", &operator, None)
        .await;
    assert_eq!(instance.json()["restore_epoch"], 1);
    assert_eq!(instance.json()["issuance_held"], true);
    let confirmed = world.server.api(Method::POST, path, &operator, None).await;
    assert_eq!(confirmed.json()["issuance_held"], false);
    assert_eq!(world.server.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn attack_20_what_was_signed_before_a_restore_may_have_been_used_and_is_refused() {
    let (world, before) = restored().await;
    confirm(&world).await;
    let confirmed_at = world.server.now();
    for old in &before {
        assert_predates(&world, old).await;
    }
    let at = |moment: i64| world.assertion().claim("iat", moment).sign();
    // A caller whose clock is ahead may have used it elsewhere already, up to the moment of the confirmation.
    for moment in [confirmed_at, confirmed_at + 30] {
        assert_predates(&world, &at(moment)).await;
    }
    world.server.clock.advance(1);
    let answer = world.server.grant(&world.acme, at(confirmed_at + 31)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The epoch survives a restart, and the wait is over for good. To confirm again moves nothing.
    let last = at(confirmed_at + 30);
    let world = world.restarted().await;
    confirm(&world).await;
    assert_predates(&world, &last).await;
    world.server.clock.advance(30);
    let answer = world
        .server
        .grant(&world.acme, world.assertion().sign())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The instance that is replaced goes on until the switch-over, long after the backup was read.
#[tokio::test]
async fn attack_20_what_the_old_instance_accepted_until_the_switch_over_is_refused() {
    let (world, _) = restored().await;
    world.server.clock.advance(1800);
    let late = world.assertion().sign();
    let by_a_clock_ahead = world.assertion().claim("iat", world.server.now() + 30);
    let by_a_clock_ahead = by_a_clock_ahead.sign();
    world.server.clock.advance(2);
    confirm(&world).await;
    for used in [&late, &by_a_clock_ahead] {
        assert_predates(&world, used).await;
    }
}

async fn confirm(world: &World) {
    let service = world.server.service();
    service
        .confirm_restore(&Caller::operator(), new_correlation_id())
        .await
        .unwrap();
}

async fn assert_predates(world: &World, assertion: &str) {
    let answer = world.server.grant(&world.acme, assertion).await;
    let reason = answer.reason();
    assert_eq!(reason.as_deref(), Some("assertion_predates_restore"));
}

#[tokio::test]
async fn attack_21_a_clock_that_is_set_back_brings_no_used_assertion_back() {
    let mut world = World::start().await;
    let used = world.assertion().sign();
    assert_eq!(world.server.grant(&world.acme, &used).await.status, 200);
    // Later, when the used one has long lapsed and is forgotten …
    world.server.clock.advance(7200);
    assert_eq!(
        world
            .server
            .grant(&world.acme, world.assertion().sign())
            .await
            .status,
        200
    );
    let good = world.assertion().sign();
    // … the clock is an hour back, and then where the old assertion would be good again.
    for back in [31, 3600, 7200 - 10] {
        world.server.clock.set(NOW + 7200 - back);
        for _ in 0..2 {
            for assertion in [&used, &good] {
                let answer = world.server.grant(&world.acme, assertion).await;
                assert_verdict(&answer, 503, "temporarily_unavailable");
            }
            assert_eq!(world.server.get("/readyz").await.status, 503);
            world = world.restarted().await;
        }
    }
    // A step of up to thirty seconds is tolerated: time stands still meanwhile.
    world.server.clock.set(NOW + 7200 - 30);
    let answer = world.server.grant(&world.acme, &good).await;
    assert_eq!(answer.claims()["iat"], NOW + 7200);
    let answer = world.server.grant(&world.acme, &used).await;
    assert_eq!(answer.reason().as_deref(), Some("assertion_expired"));
}

#[tokio::test]
async fn attack_21_a_clock_that_leaps_forward_gives_no_strange_lifetimes() {
    let world = World::start().await;
    let before = world.assertion().sign();
    for moment in [
        2_147_483_647_i64,
        2_147_483_648,
        4_294_967_296,
        253_402_000_000,
    ] {
        world.server.clock.set(moment);
        let answer = world.server.grant(&world.acme, world.assertion().sign());
        let answer = answer.await;
        assert_eq!(answer.json()["expires_in"], 600, "{moment}");
        assert_eq!(answer.claims()["exp"], moment + 600);
        let old = world.server.grant(&world.acme, &before).await;
        assert_eq!(old.reason().as_deref(), Some("assertion_expired"));
        let again = world.assertion().sign();
        assert_eq!(world.server.grant(&world.acme, &again).await.status, 200);
        let replayed = world.server.grant(&world.acme, &again).await;
        assert_eq!(
            replayed.reason().as_deref(),
            Some("assertion_replayed"),
            "{moment}"
        );
    }
}

#[tokio::test]
async fn attack_22_a_token_forged_with_the_real_key_is_inactive_without_an_issuance_record() {
    let world = World::start().await;
    let introspector = ApiRole::Introspector;
    let program = world
        .server
        .api_token(Some(&world.acme), introspector)
        .await;
    let bobs = world.server.api_token(Some(&world.bob), introspector).await;
    let stolen = StolenKey::of(&world.server, &world.acme).await;
    let now = world.server.now();
    let mut far = forged_claims(&world.acme, &world.a1, now);
    far["exp"] = json!(now + 360_000_000);
    for claims in [
        forged_claims(&world.acme, &world.a1, now),
        forged_claims(&world.bob, &world.b1, now),
        far,
    ] {
        let forged = stolen.forge(&claims);
        for (tenant, program) in [(&world.acme, &program), (&world.bob, &bobs)] {
            let answer = world.server.introspect(tenant, program, &forged).await;
            assert_eq!(answer.text(), INACTIVE);
        }
    }
}

#[tokio::test]
async fn attack_22_a_forged_token_cannot_borrow_the_record_of_a_real_one() {
    let world = World::start().await;
    let server = &world.server;
    let program = server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    let stolen = StolenKey::of(server, &world.acme).await;
    let real = server
        .token(&world.acme, world.assertion().sign())
        .await
        .access_token();
    let answer = server.introspect(&world.acme, &program, &real).await;
    assert_eq!(answer.json()["active"], true);

    let mut claims = answer.json();
    let members = claims.as_object_mut().unwrap();
    members.remove("active");
    members.remove("token_type");
    let jti = members.remove("jti").unwrap();
    members.insert("uid".to_owned(), json!("somebody-else"));
    // As the server writes it: the jti last.
    let text = claims.to_string();
    let text = format!("{},\"jti\":{jti}}}", text.strip_suffix('}').unwrap());
    let forged = stolen.forge_text(&text);
    let answer = server.introspect(&world.acme, &program, &forged).await;
    assert_eq!(answer.text(), INACTIVE);
}

#[tokio::test]
async fn attack_22_an_emergency_rotation_ends_at_once_whatever_the_key_has_signed() {
    let world = World::start().await;
    let server = &world.server;
    let program = server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    let stolen = StolenKey::of(server, &world.acme).await;
    let audience = format!("{}/api", world.acme.issuer);
    let real = server
        .token(&world.acme, world.assertion().sign())
        .await
        .access_token();
    server
        .verify_offline(&world.acme, &real, &audience)
        .await
        .unwrap();

    let admin = server.api_token(Some(&world.acme), ApiRole::Admin).await;
    let path = format!(
        "/api/v1/organizations/{}/signing-keys/rotate",
        world.acme.id
    );
    let body = Some(json!({"emergency": true}));
    let rotated = server.api(Method::POST, &path, &admin, body).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());

    let published = server.get(&world.acme.path("jwks")).await.text();
    assert!(!published.contains(stolen.kid()));
    let forged = stolen.forge(&forged_claims(&world.acme, &world.a1, server.now()));
    for token in [real, forged] {
        let verified = server.verify_offline(&world.acme, &token, &audience).await;
        assert!(verified.is_err());
        let answer = server.introspect(&world.acme, &program, &token).await;
        assert_eq!(answer.text(), INACTIVE);
    }
    let fresh = server
        .token(&world.acme, world.assertion().sign())
        .await
        .access_token();
    server
        .verify_offline(&world.acme, &fresh, &audience)
        .await
        .unwrap();
    let mut unit = server.store().read().await.unwrap();
    let keys = unit.signing_keys(world.acme.id).await.unwrap();
    let old = keys.iter().find(|key| key.kid == stolen.kid()).unwrap();
    assert!(old.sealed.is_none(), "the leaked key is erased");
}

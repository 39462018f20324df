//! Part 3, attack 19: somebody writes into the database past the program.

use axum::http::Method;
use countersign_domain::api_tokens::{ApiRole, ApiTokenSecret};
use countersign_domain::ids::ApiTokenId;
use countersign_service::StatusChange;
use countersign_store::Arg;
use countersign_testkit::{Client, TestKey, World};

use crate::support::{assert_verdict, eventually};

/// The client gets no token, and everybody else does.
async fn assert_only_refused(world: &World, refused: &Client) {
    let assertion = world.assertion_of(refused).sign();
    let answer = world.server.token(&refused.tenant, &assertion).await;
    assert_verdict(&answer, 401, "invalid_client");
    for client in [&world.a1, &world.a2, &world.b1] {
        if client.id != refused.id {
            let assertion = world.assertion_of(client).sign();
            let answer = world.server.token(&client.tenant, &assertion).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn attack_19_a_swapped_public_key_is_refused_and_the_others_are_served() {
    let mut world = World::start().await;
    let (own, thief) = (world.a1.clone(), TestKey::es256());
    let (old, new) = (own.key.parsed(), thief.parsed());
    let pem = |key: &TestKey| {
        let text = serde_json::to_string(key.public_key()).unwrap();
        text.trim_matches('"').to_owned()
    };
    world
        .server
        .tamper_with(&own, &pem(&own.key), &pem(&thief))
        .await;
    let (old, new) = (old.fingerprint().to_string(), new.fingerprint().to_string());
    world.server.tamper_with(&own, &old, &new).await;
    let world_kid = own.kid.clone();
    world = world.restarted().await;
    let forged = world
        .assertion()
        .signed_by(&thief)
        .header("kid", world_kid)
        .sign();
    let answer = world.server.token(&world.acme, &forged).await;
    assert_verdict(&answer, 401, "invalid_client");
    assert_only_refused(&world, &own).await;
}

#[tokio::test]
async fn attack_19_a_status_flipped_by_hand_is_refused() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    world
        .server
        .change_status(&own, StatusChange::Suspend)
        .await;
    world.server.tamper_with(&own, "SUSPENDED", "ACTIVE").await;
    let args = vec![Arg::from(own.id.to_string())];
    let sql = "UPDATE configurations SET status = 'ACTIVE' WHERE id = $1";
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    world = world.restarted().await;
    assert_only_refused(&world, &own).await;
}

#[tokio::test]
async fn attack_19_a_row_moved_to_another_organization_is_refused() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    let args = vec![
        Arg::from(world.bob.id.to_string()),
        Arg::from(own.id.to_string()),
    ];
    let sql = "UPDATE configurations SET tenant_id = $1 WHERE id = $2";
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    world = world.restarted().await;
    let assertion = world.assertion().sign();
    for tenant in [&world.acme, &world.bob] {
        let answer = world.server.token(tenant, &assertion).await;
        assert_verdict(&answer, 401, "invalid_client");
    }
    assert_only_refused(&world, &own).await;
}

#[tokio::test]
async fn attack_19_an_older_version_put_back_is_refused() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    let read = async |column| {
        let sql = match column {
            "state" => "SELECT state AS value FROM configurations WHERE id = $1",
            _ => "SELECT hex(mac) AS value FROM configurations WHERE id = $1",
        };
        let args = vec![Arg::from(own.id.to_string())];
        world.server.database().read_text(sql, args, "value").await
    };
    let (state, mac) = (read("state").await, read("mac").await);
    world
        .server
        .change_status(&own, StatusChange::Suspend)
        .await;
    let octets = |hex: &str| -> Vec<u8> {
        let digit = |octet: u8| char::from(octet).to_digit(16).unwrap();
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).unwrap())
            .collect()
    };
    let args = vec![
        Arg::from(state),
        Arg::from(octets(&mac)),
        Arg::from(own.id.to_string()),
    ];
    let sql = "UPDATE configurations SET state = $1, mac = $2 WHERE id = $3";
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    world = world.restarted().await;
    assert_only_refused(&world, &own).await;
}

#[tokio::test]
async fn attack_19_a_sealed_signing_key_opens_only_in_its_place() {
    let mut world = World::start().await;
    let args = vec![
        Arg::from(world.acme.id.to_string()),
        Arg::from(world.bob.id.to_string()),
    ];
    let sql = "UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys WHERE tenant_id = $1) \
               WHERE tenant_id = $2";
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    world = world.restarted().await;
    let bob = world.assertion_of(&world.b1).sign();
    let answer = world.server.token(&world.bob, &bob).await;
    assert_verdict(&answer, 503, "temporarily_unavailable");
    let acme = world.server.token(&world.acme, world.assertion().sign());
    assert_eq!(acme.await.status, 200);
}

#[tokio::test]
async fn attack_19_an_organization_edited_by_hand_is_not_served() {
    let mut world = World::start().await;
    let id = vec![Arg::from(world.acme.id.to_string())];
    let read = "SELECT state FROM organizations WHERE tenant_id = $1";
    let state = world.server.database().read_text(read, id, "state").await;
    let wider = state.replace("payments-v1:accounts:r\"", "payments-v1:everything:rw\"");
    assert_ne!(state, wider);
    let args = vec![Arg::from(wider), Arg::from(world.acme.id.to_string())];
    let write = "UPDATE organizations SET state = $1 WHERE tenant_id = $2";
    assert_eq!(world.server.database().tamper(write, args).await, 1);
    world = world.restarted().await;
    let answer = world.server.token(&world.acme, world.assertion().sign());
    assert_verdict(&answer.await, 503, "temporarily_unavailable");
    let bob = world.assertion_of(&world.b1).sign();
    assert_eq!(world.server.token(&world.bob, &bob).await.status, 200);
}

#[tokio::test]
async fn attack_19_a_tampered_issuance_record_makes_its_token_inactive() {
    let world = World::start().await;
    let program = world
        .server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    let token = world.server.token(&world.acme, world.assertion().sign());
    let token = token.await.access_token();
    let sql = "UPDATE issuances SET expires_at = expires_at + 1";
    assert_eq!(world.server.database().tamper(sql, Vec::new()).await, 1);
    let answer = world.server.introspect(&world.acme, &program, &token).await;
    assert_eq!(answer.text(), r#"{"active":false}"#);
}

/// All columns at once: the row is one that this program wrote, and it is not the newest.
#[tokio::test]
async fn attack_19_a_whole_older_row_put_back_is_refused() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    put_back_after(&world, &own, StatusChange::Suspend).await;
    world = world.restarted().await;
    assert_only_refused(&world, &own).await;
}

/// With its newer versions taken away the row fits. What was applied no longer adds up, and nobody can say what is
/// missing: the organization is not served.
#[tokio::test]
async fn attack_19_an_older_row_without_its_newer_versions_ends_the_service_of_its_organization() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    put_back_after(&world, &own, StatusChange::Suspend).await;
    let args = vec![Arg::from(own.id.to_string())];
    let sql = "DELETE FROM versions WHERE target = $1 AND version = 2";
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    world = world.restarted().await;
    for client in [&world.a1, &world.a2] {
        let assertion = world.assertion_of(client).sign();
        let answer = world.server.token(&client.tenant, &assertion).await;
        assert_verdict(&answer, 503, "temporarily_unavailable");
    }
    let bob = world.assertion_of(&world.b1).sign();
    assert_eq!(world.server.token(&world.bob, &bob).await.status, 200);
}

/// Keeps the row of a configuration, changes it, and puts the whole row back.
async fn put_back_after(world: &World, own: &Client, change: StatusChange) {
    let database = world.server.database();
    let keep = "CREATE TABLE kept AS SELECT * FROM configurations";
    database.tamper(keep, Vec::new()).await;
    world.server.change_status(own, change).await;
    let args = || vec![Arg::from(own.id.to_string())];
    let delete = "DELETE FROM configurations WHERE id = $1";
    assert_eq!(database.tamper(delete, args()).await, 1);
    let insert = "INSERT INTO configurations SELECT * FROM kept WHERE id = $1";
    assert_eq!(database.tamper(insert, args()).await, 1);
}

#[tokio::test]
async fn attack_19_an_api_token_written_by_hand_is_nobodys() {
    let world = World::start().await;
    let real = world
        .server
        .api_token(Some(&world.acme), ApiRole::Auditor)
        .await;
    let forged = ApiTokenSecret::generate();
    let insert =
        "INSERT INTO api_tokens (id, digest, name, tenant_id, role, created_at, expires_at, mac)
                  SELECT $1, $2, name, NULL, 'admin', created_at, expires_at, mac FROM api_tokens";
    let args = vec![
        Arg::from(ApiTokenId::from_random([7; 16]).to_string()),
        Arg::from(forged.digest().to_string()),
    ];
    assert_eq!(world.server.database().tamper(insert, args).await, 1);
    let ask = async |token: &str| {
        let path = format!("/api/v1/organizations/{}", world.acme.id);
        world
            .server
            .api(Method::GET, &path, token, None)
            .await
            .status
    };
    assert_eq!(ask(forged.reveal()).await, 401);
    assert_eq!(ask(&real).await, 200);
    let raise = "UPDATE api_tokens SET role = 'admin', tenant_id = NULL";
    assert_eq!(world.server.database().tamper(raise, Vec::new()).await, 2);
    let world = world.restarted().await;
    let path = format!("/api/v1/organizations/{}", world.acme.id);
    let answer = world.server.api(Method::GET, &path, &real, None).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn attack_19_a_signing_key_written_by_hand_is_not_published() {
    let mut world = World::start().await;
    let thief = TestKey::es256();
    let insert = "INSERT INTO signing_keys (tenant_id, kid, algorithm, state, since, public_key, created_at, mac)
                  SELECT tenant_id, $1, algorithm, 'next', since, $2, created_at, mac FROM signing_keys
                  WHERE tenant_id = $3";
    let args = vec![
        Arg::from(thief.thumbprint()),
        Arg::from(thief.public_key()),
        Arg::from(world.acme.id.to_string()),
    ];
    assert_eq!(world.server.database().tamper(insert, args).await, 1);
    world = world.restarted().await;
    let keys = world.server.get(&world.acme.path("jwks")).await;
    assert!(
        !keys.text().contains(&thief.thumbprint()),
        "{}",
        keys.text()
    );
    assert_ne!(keys.status, 200);
    let bob = world.assertion_of(&world.b1).sign();
    assert_eq!(world.server.token(&world.bob, &bob).await.status, 200);
}

/// A change of an organization whose rows cannot be believed does not hold up the changes of others.
#[tokio::test]
async fn attack_19_a_forged_row_holds_up_no_other_organization() {
    let world = World::start().await;
    let assertion = world.assertion().sign();
    assert_eq!(
        world.server.token(&world.acme, &assertion).await.status,
        200
    );
    let second = world.server.second_node().await;
    for client in [&world.a1, &world.b1] {
        let assertion = world.assertion_of(client).sign();
        assert_eq!(second.token(&client.tenant, &assertion).await.status, 200);
    }
    let sql =
        "UPDATE organizations SET state = replace(state, 'Acme', 'Evil') WHERE tenant_id = $1";
    let args = vec![Arg::from(world.acme.id.to_string())];
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    let mut transaction = world.server.store().database().write().await.unwrap();
    let forward = "UPDATE feed_head SET position = position + 1";
    transaction.execute(forward, Vec::new()).await.unwrap();
    let announce = "INSERT INTO feed (position, tenant_id, topic, subject, at)
                    SELECT position, $1, 'organization', $1, 2000000000 FROM feed_head";
    let args = vec![Arg::from(world.acme.id.to_string())];
    transaction.execute(announce, args).await.unwrap();
    transaction.commit().await.unwrap();
    world
        .server
        .change_status(&world.b1, StatusChange::Suspend)
        .await;
    eventually(async || {
        let bob = world.assertion_of(&world.b1).sign();
        second.token(&world.bob, &bob).await.status == 401
    })
    .await;
    let acme = second.token(&world.acme, world.assertion().sign()).await;
    assert_verdict(&acme, 503, "temporarily_unavailable");
}

/// No start gives a row its keyed digest: a row written by hand waits in vain, whatever is taken away or put back of
/// what ties the database to the master key.
#[tokio::test]
async fn attack_19_no_start_gives_a_forged_row_its_digest() {
    let mut world = World::start().await;
    let real = world.server.api_token(None, ApiRole::Auditor).await;
    let forged = ApiTokenSecret::generate();
    let insert = "INSERT INTO api_tokens (id, digest, name, role, created_at, expires_at, mac)
                  VALUES ($1, $2, 'n', 'admin', 0, 4000000000, '')";
    let args = vec![
        Arg::from(ApiTokenId::from_random([7; 16]).to_string()),
        Arg::from(forged.digest().to_string()),
    ];
    world.server.database().tamper(insert, args).await;
    for prepare in [
        "DELETE FROM instance WHERE name = 'master_key_check'",
        "UPDATE signing_keys SET mac = ''",
        "DELETE FROM version_heads",
    ] {
        world.server.database().tamper(prepare, Vec::new()).await;
        world = world.restarted().await;
        for (token, status) in [(forged.reveal(), 401), (real.as_str(), 200)] {
            let path = "/api/v1/instance";
            let answer = world.server.api(Method::GET, path, token, None).await;
            assert_eq!(answer.status, status, "{prepare}");
        }
    }
}

/// On SQLite a column takes a value of any type: the row is one that this program did not write, and nobody else's.
#[tokio::test]
async fn attack_19_a_value_of_another_type_is_refused_and_the_others_are_served() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    let args = vec![Arg::from(own.id.to_string())];
    let sql = "UPDATE configurations SET updated_at = 'yesterday' WHERE id = $1";
    assert_eq!(world.server.database().tamper(sql, args).await, 1);
    world = world.restarted().await;
    assert_only_refused(&world, &own).await;
}

/// An entry of the feed that cannot be read does not keep other nodes from what comes after it.
#[tokio::test]
async fn attack_19_a_forged_entry_of_the_feed_holds_up_nobody() {
    let world = World::start().await;
    let second = world.server.second_node().await;
    let ask = async || {
        let assertion = world.assertion_of(&world.b1).sign();
        second.token(&world.bob, &assertion).await.status
    };
    assert_eq!(ask().await, 200);
    let mut transaction = world.server.store().database().write().await.unwrap();
    let forward = "UPDATE feed_head SET position = position + 1";
    transaction.execute(forward, Vec::new()).await.unwrap();
    let announce = "INSERT INTO feed (position, tenant_id, topic, subject, at)
                    SELECT position, 'nobody', 'nothing', '', 2000000000 FROM feed_head";
    transaction.execute(announce, Vec::new()).await.unwrap();
    transaction.commit().await.unwrap();
    world
        .server
        .change_status(&world.b1, StatusChange::Suspend)
        .await;
    eventually(async || ask().await == 401).await;
}

//! Part 3, attack 19: somebody writes into the database past the program.

use countersign_domain::api_tokens::ApiRole;
use countersign_service::StatusChange;
use countersign_store::Arg;
use countersign_testkit::{Client, TestKey, World};

use crate::support::assert_verdict;

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

//! A request that waits for its place in the record while what it was judged by ends.

use countersign_domain::api_tokens::ApiRole;
use countersign_domain::configurations::ConfigurationEdit;
use countersign_service::{EditConfiguration, RotateSigningKeys, StatusChange};
use countersign_testkit::{Answer, PRIVATE_KEY_JWT, World};

use crate::support::{assert_recorded, assert_verdict, eventually, on_postgres};

/// Does something while a request waits for the record, and lets it go on then.
async fn meanwhile(
    world: &World,
    request: impl Future<Output = Answer>,
    act: impl Future<Output = ()>,
) -> Answer {
    let database = world.server.store().database();
    let mut lock = database.write().await.unwrap();
    let take = "LOCK TABLE replay_keys IN ACCESS EXCLUSIVE MODE";
    lock.execute(take, Vec::new()).await.unwrap();
    let act = async {
        eventually(async || {
            let waiting = "SELECT CAST(COUNT(*) AS TEXT) AS found FROM pg_locks
                           WHERE NOT granted AND relation = CAST('replay_keys' AS regclass)";
            let waiting = world
                .server
                .database()
                .read_text(waiting, Vec::new(), "found");
            waiting.await != "0"
        })
        .await;
        act.await;
        lock.commit().await.unwrap();
    };
    tokio::join!(request, act).0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_a_request_that_waited_while_its_configuration_ended_gets_no_token() {
    let test = "g9_a_request_that_waited_while_its_configuration_ended_gets_no_token";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let server = &world.server;
    for (client, change, reason) in [
        (&world.a1, StatusChange::Suspend, "configuration_suspended"),
        (
            &world.a2,
            StatusChange::Deactivate,
            "configuration_deactivated",
        ),
    ] {
        let assertion = world.assertion_of(client).sign();
        let request = server.token(&world.acme, &assertion);
        let act = server.change_status(client, change);
        let answer = meanwhile(&world, request, act).await;
        assert_verdict(&answer, 401, "invalid_client");
        assert_recorded(&world, &world.acme, &answer, reason).await;
    }
    let assertion = world.assertion_of(&world.b1).sign();
    let request = server.token(&world.bob, &assertion);
    let act = server.change_organization(&world.bob, true);
    let answer = meanwhile(&world, request, act).await;
    assert_verdict(&answer, 401, "invalid_client");
    assert_recorded(&world, &world.bob, &answer, "organization_suspended").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_a_request_that_waited_gets_no_token_by_what_has_changed() {
    let test = "g9_a_request_that_waited_gets_no_token_by_what_has_changed";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let server = &world.server;
    let edit = EditConfiguration {
        tenant_id: world.acme.id,
        id: world.a1.id,
        expected_version: None,
        fields: ConfigurationEdit {
            signer_audience: Some("https://api.example".to_owned()),
            ..ConfigurationEdit::default()
        },
    };
    let assertion = world.assertion().sign();
    let request = server.token(&world.acme, &assertion);
    let act = async { drop(server.execute(&edit).await.unwrap()) };
    let answer = meanwhile(&world, request, act).await;
    assert_verdict(&answer, 503, "temporarily_unavailable");
    let after = server.token(&world.acme, world.assertion().sign()).await;
    assert_eq!(after.claims()["aud"], "https://api.example");
    // A change of another configuration of the organization is none of its.
    let assertion = world.assertion().sign();
    let request = server.token(&world.acme, &assertion);
    let act = server.change_status(&world.a2, StatusChange::Suspend);
    let answer = meanwhile(&world, request, act).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// An emergency rotation ends the key at once: whoever waited is given a token of the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_a_request_that_waited_is_signed_with_the_key_of_now() {
    let test = "g9_a_request_that_waited_is_signed_with_the_key_of_now";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let server = &world.server;
    let introspector = ApiRole::Introspector;
    let program = server.api_token(Some(&world.acme), introspector).await;
    let rotate = RotateSigningKeys {
        tenant_id: world.acme.id,
        emergency: true,
    };
    let assertion = world.assertion().sign();
    let request = server.token(&world.acme, &assertion);
    let act = async { drop(server.execute(&rotate).await.unwrap()) };
    let answer = meanwhile(&world, request, act).await;
    let token = answer.access_token();
    let seen = server.introspect(&world.acme, &program, &token).await;
    assert_eq!(seen.json()["active"], true, "{}", seen.text());
}

/// The same holds where an assertion only proves who its sender is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_a_client_that_waited_while_it_was_suspended_is_told_nothing() {
    let test = "g9_a_client_that_waited_while_it_was_suspended_is_told_nothing";
    let Some(world) = on_postgres(test).await else {
        return;
    };
    let server = &world.server;
    let token = server.token(&world.acme, world.assertion().sign()).await;
    let token = token.access_token();
    let assertion = world.assertion_of(&world.a2).sign();
    let form = [
        ("token", token.as_str()),
        ("client_assertion_type", PRIVATE_KEY_JWT),
        ("client_assertion", assertion.as_str()),
    ];
    let path = world.acme.path("introspect");
    let request = server.post_form(&path, &form);
    let act = server.change_status(&world.a2, StatusChange::Suspend);
    let answer = meanwhile(&world, request, act).await;
    assert_verdict(&answer, 401, "invalid_client");
}

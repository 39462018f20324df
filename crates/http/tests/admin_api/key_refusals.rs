//! `conformance.md` K through the API: every rule has its code, its status and the member to blame.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::keys::{refused, shared_prime};
use crate::support::{Api, assert_blames};

#[tokio::test]
async fn k1_to_k11_every_unsound_key_is_refused_with_its_code_wherever_it_is_given() {
    let api = Api::start().await;
    let preview = format!("{}/keys/preview", api.acme());
    let rotate = format!("{}/rotate", api.a1());
    let mut rules = BTreeSet::new();
    for (rule, what, key, code) in refused() {
        for path in [&api.configurations(), &preview, &rotate] {
            let answer = api.post(path, json!({"public_key": key})).await;
            let found = answer.json()["code"].clone();
            assert_eq!(found, code.as_str(), "{rule} {what}: {}", answer.text());
            assert_eq!(answer.status, 422, "{rule} {what}");
            assert_blames(&answer, &code, "/public_key");
        }
        rules.insert(rule);
    }
    for number in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] {
        assert!(
            rules.contains(&format!("K{number}")),
            "no key breaks K{number}"
        );
    }
    let stored = api.get(api.configurations()).await.json();
    assert_eq!(
        stored["items"].as_array().map(Vec::len),
        Some(2),
        "a refused key was stored"
    );
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let api = Api::start().await;
    for (rule, what, key, _) in refused() {
        let answer = api
            .post(api.configurations(), json!({"public_key": key}))
            .await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(':') || detail.contains("; "),
            "{rule} {what}: {detail}"
        );
    }
}

#[tokio::test]
async fn k3_a_key_that_shares_a_prime_with_a_registered_one_is_refused_without_naming_it() {
    let api = Api::start().await;
    let [first, second] = shared_prime();
    let answer = api
        .post(
            format!("{}/configurations", api.bob()),
            json!({"public_key": first}),
        )
        .await;
    assert_eq!(answer.status, 201);
    let answer = api.create(json!({"public_key": second})).await;
    assert_blames(&answer, "rsa_shared_factor", "/public_key");
    assert!(!answer.text().contains(&api.world.bob.id.to_string()));
}

/// The comparison is made before the transaction; what another one registers in between is compared within it.
#[tokio::test]
async fn k3_of_two_keys_with_one_prime_that_come_together_one_is_refused() {
    let api = Api::start().await;
    let [first, second] = shared_prime();
    let path = format!("{}/configurations", api.bob());
    let (one, other) = tokio::join!(
        api.post(&path, json!({"public_key": first})),
        api.create(json!({"public_key": second})),
    );
    let refused = match (one.status.as_u16(), other.status.as_u16()) {
        (201, _) => other,
        (_, 201) => one,
        _ => panic!("{} {}", one.text(), other.text()),
    };
    assert_blames(&refused, "rsa_shared_factor", "/public_key");
}

#[tokio::test]
async fn the_worst_key_costs_less_than_the_patience_of_a_caller() {
    let api = Api::start().await;
    for (rule, what, key, _) in refused() {
        let started = Instant::now();
        api.post(
            format!("{}/keys/preview", api.acme()),
            json!({"public_key": key}),
        )
        .await;
        // Generous: the tests of the import measure this with optimisation.
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{rule} {what}: {:?}",
            started.elapsed()
        );
    }
}

#[tokio::test]
async fn a_key_of_the_wrong_json_type_is_refused_and_not_repeated() {
    let api = Api::start().await;
    for key in [json!(7), json!(true), json!(["canary"]), json!(null)] {
        let answer = api
            .post(api.configurations(), json!({"public_key": key}))
            .await;
        assert_blames(&answer, "body_invalid", "/public_key");
        assert!(!answer.text().contains("canary"));
    }
    let answer = api.post(api.configurations(), json!({})).await;
    assert_blames(&answer, "body_invalid", "/public_key");
}

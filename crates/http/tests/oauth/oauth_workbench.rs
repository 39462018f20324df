//! The workbench and the token endpoint never disagree: what `explain` says of an assertion is what happens to it.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::Method;
use countersign_domain::api_tokens::ApiRole;
use countersign_testkit::{Answer, Assertion, Client, TestKey, World};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// How many mutated assertions are tried.
const CASES: u32 = 2_400;

/// How many of them in one world.
const PER_WORLD: usize = 600;

/// One thing that is changed.
#[derive(Clone, Debug)]
enum Mutation {
    Claim(&'static str, Value),
    Header(&'static str, Value),
    KeyOf(u8),
    RawPayload(String),
    Splice(usize, u8),
    Without(&'static str),
    WithoutHeader(&'static str),
}

/// A time relative to now, most often close to a bound.
fn moment() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(-61),
        Just(-6),
        Just(-5),
        Just(-4),
        Just(0),
        Just(29),
        Just(30),
        Just(31),
        Just(32),
        Just(3599),
        Just(3600),
        Just(3601),
        Just(3630),
        Just(3631),
        -4000..4000_i64,
    ]
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        Just(json!(null)),
        Just(json!(7)),
        Just(json!(1.5)),
        Just(json!([])),
        Just(json!(["x"])),
        Just(json!({})),
        Just(json!("x".repeat(256))),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let claim = prop_oneof![
        Just("iss"),
        Just("sub"),
        Just("aud"),
        Just("jti"),
        Just("tenant_id"),
        Just("uid"),
        Just("scope"),
        Just("external_account_id"),
        Just("exp"),
        Just("iat"),
        Just("nbf"),
        Just("pismo"),
    ];
    let time = prop_oneof![Just("exp"), Just("iat"), Just("nbf")];
    let header = prop_oneof![
        Just("alg"),
        Just("kid"),
        Just("typ"),
        Just("crit"),
        Just("cty"),
        Just("x")
    ];
    let scope = prop_oneof![
        Just("cards-v1:cards:rw"),
        Just("payments-v1:accounts:r cards-v1:cards:rw"),
        Just("cards-v1:cards:w"),
        Just("a  b"),
        Just(""),
    ];
    let value = prop_oneof![
        Just("JWT"),
        Just("at+jwt"),
        Just("client-authentication+jwt"),
        Just("ES256"),
        Just("EdDSA"),
        Just("RS256"),
        Just("none"),
        Just("HS256"),
    ];
    prop_oneof![
        4 => (time, moment()).prop_map(|(name, moment)| Mutation::Claim(name, json!(countersign_testkit::NOW + moment))),
        3 => (claim.clone(), text()).prop_map(|(name, value)| Mutation::Claim(name, value)),
        2 => scope.prop_map(|scope| Mutation::Claim("scope", json!(scope))),
        2 => claim.prop_map(Mutation::Without),
        2 => (header.clone(), value).prop_map(|(name, value)| Mutation::Header(name, json!(value))),
        1 => (header, text()).prop_map(|(name, value)| Mutation::Header(name, value)),
        1 => prop_oneof![Just("kid"), Just("alg")].prop_map(Mutation::WithoutHeader),
        2 => (0..4_u8).prop_map(Mutation::KeyOf),
        1 => "[\\[\\]{}\":,a-z0-9]{0,40}".prop_map(Mutation::RawPayload),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(place, octet)| Mutation::Splice(place, octet)),
    ]
}

/// A case: who asks, how, and what is changed.
#[derive(Clone, Debug)]
struct Case {
    client: u8,
    as_grant: bool,
    used_before: bool,
    mutations: Vec<Mutation>,
}

fn case() -> impl Strategy<Value = Case> {
    let mutations = proptest::collection::vec(mutation(), 0..3);
    (
        0..3_u8,
        any::<bool>(),
        proptest::bool::weighted(0.1),
        mutations,
    )
        .prop_map(|(client, as_grant, used_before, mutations)| Case {
            client,
            as_grant,
            used_before,
            mutations,
        })
}

fn apply(world: &World, clients: &[&Client; 3], stranger: &TestKey, case: &Case) -> String {
    let mut assertion: Assertion = world.assertion_of(clients[usize::from(case.client)]);
    let (mut splices, mut raw) = (Vec::new(), None);
    for mutation in &case.mutations {
        assertion = match mutation.clone() {
            Mutation::Claim(name, value) => assertion.claim(name, value),
            Mutation::Header(name, value) => assertion.header(name, value),
            Mutation::Without(name) => assertion.without(name),
            Mutation::WithoutHeader(name) => assertion.without_header(name),
            Mutation::KeyOf(3) => assertion.signed_by(stranger),
            Mutation::KeyOf(other) => assertion.signed_by(&clients[usize::from(other)].key),
            Mutation::RawPayload(text) => {
                raw = Some(text);
                assertion
            }
            Mutation::Splice(place, octet) => {
                splices.push((place, octet));
                assertion
            }
        };
    }
    if let Some(raw) = raw {
        assertion = assertion.raw_payload(raw);
    }
    let mut text = assertion.sign().into_bytes();
    for (place, octet) in splices {
        let place = place % text.len();
        // Printable, so that it is a text; what is not is the form parser's to refuse.
        text[place] = 0x21 + octet % 0x5e;
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn the_workbench_takes_what_the_token_endpoint_takes_beside_the_assertion() {
    let world = World::start().await;
    let token = world
        .server
        .api_token(Some(&world.acme), ApiRole::Admin)
        .await;
    let path = format!("/api/v1/organizations/{}/explain", world.acme.id);
    let assertion = world.assertion().sign();
    for (member, value, reason) in [
        (
            "resource",
            json!(["https://elsewhere"]),
            "resource_not_served",
        ),
        ("client_id", json!("somebody"), "client_id_mismatch"),
        ("scope", json!("payments-v1:nothing:r"), "scope_unknown"),
    ] {
        let body = json!({"assertion": assertion, member: value});
        let answer = world
            .server
            .api(Method::POST, &path, &token, Some(body))
            .await;
        assert_eq!(answer.json()["reason"], reason, "{}", answer.text());
    }
}

/// What the workbench says: the reason, or the scope that would be granted.
async fn explain(
    world: &World,
    token: &str,
    (assertion, as_grant): (&str, bool),
) -> Result<String, String> {
    let path = format!("/api/v1/organizations/{}/explain", world.acme.id);
    let flow = if as_grant {
        "jwt_bearer"
    } else {
        "client_assertion"
    };
    let body = json!({"assertion": assertion, "flow": flow});
    let answer = world
        .server
        .api(Method::POST, &path, token, Some(body))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    let failed: Vec<&Value> = said["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] == "failed")
        .collect();
    match said["outcome"].as_str() {
        Some("accepted") => {
            assert!(failed.is_empty());
            Ok(said["grant"]["scope"].as_str().unwrap().to_owned())
        }
        _ => {
            assert_eq!(failed.len(), 1, "{said}");
            assert_eq!(failed[0]["reason"], said["reason"]);
            Err(said["reason"].as_str().unwrap().to_owned())
        }
    }
}

async fn ask(world: &World, assertion: &str, as_grant: bool) -> Answer {
    if as_grant {
        world.server.grant(&world.acme, assertion).await
    } else {
        world.server.token(&world.acme, assertion).await
    }
}

/// Every refusal that the organization's activity has, by correlation ID, once there are as many as expected.
async fn recorded(world: &World, token: &str, expected: usize) -> HashMap<String, String> {
    loop {
        let mut found = HashMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!(
                "/api/v1/organizations/{}/activity?limit=100&kind=token.refused{cursor}",
                world.acme.id
            );
            let page = world
                .server
                .api(Method::GET, &path, token, None)
                .await
                .json();
            for entry in page["items"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                found.insert(
                    text(&entry["correlation_id"]),
                    text(&entry["detail"]["reason"]),
                );
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if found.len() >= expected {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Tries some cases in one world; says how often each outcome arose.
async fn agree(cases: &[Case], outcomes: &mut HashMap<String, usize>) {
    let world = World::start().await;
    let clients = [&world.a1, &world.a2, &world.b1];
    let stranger = TestKey::es256();
    let token = world
        .server
        .api_token(Some(&world.acme), ApiRole::Auditor)
        .await;
    let mut refused = Vec::new();
    let mut refusals = 0;
    for case in cases {
        let assertion = apply(&world, &clients, &stranger, case);
        if case.used_before {
            let first = ask(&world, &assertion, case.as_grant).await;
            refusals += usize::from(first.status != 200);
        }
        let said = explain(&world, &token, (&assertion, case.as_grant)).await;
        let answer = ask(&world, &assertion, case.as_grant).await;
        match said {
            Ok(scope) => {
                assert_eq!(answer.status, 200, "{case:?}: {}", answer.text());
                assert_eq!(answer.json()["scope"].as_str().unwrap_or_default(), scope);
                *outcomes.entry("accepted".to_owned()).or_default() += 1;
            }
            Err(reason) => {
                assert!(
                    answer.status.is_client_error(),
                    "{case:?}: {}",
                    answer.text()
                );
                refusals += 1;
                refused.push((answer.correlation_id(), reason, case));
            }
        }
    }
    let recorded = recorded(&world, &token, refusals);
    let recorded = tokio::time::timeout(Duration::from_secs(30), recorded)
        .await
        .expect("every refusal reaches the activity");
    for (correlation_id, said, case) in refused {
        assert_eq!(recorded[&correlation_id], said, "{case:?}");
        *outcomes.entry(said).or_default() += 1;
    }
}

#[tokio::test]
async fn the_workbench_and_the_token_endpoint_agree_on_thousands_of_mutated_assertions() {
    let mut runner = TestRunner::new(Config::default());
    let cases: Vec<Case> = (0..CASES)
        .map(|_| case().new_tree(&mut runner).unwrap().current())
        .collect();
    let mut outcomes = HashMap::new();
    for part in cases.chunks(PER_WORLD) {
        agree(part, &mut outcomes).await;
    }
    assert_eq!(outcomes.values().sum::<usize>(), cases.len());
    // The mutations reach far and wide, or the agreement would say little.
    for outcome in [
        "accepted",
        "algorithm_not_allowed",
        "assertion_expired",
        "assertion_malformed",
        "assertion_replayed",
        "audience_mismatch",
        "claims_malformed",
        "header_unacceptable",
        "issued_in_future",
        "issuer_unknown",
        "key_unknown",
        "lifetime_too_long",
        "not_yet_valid",
        "scope_unknown",
        "signature_invalid",
        "subject_mismatch",
        "tenant_mismatch",
    ] {
        assert!(
            outcomes.contains_key(outcome),
            "{outcome} never arose: {outcomes:?}"
        );
    }
}

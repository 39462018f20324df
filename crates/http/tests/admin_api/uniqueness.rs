//! What may exist once only: verifier values, a third party's audience, a public key.

use countersign_domain::api_tokens::ApiRole;
use serde_json::json;

use crate::support::{Api, assert_blames, assert_problem, comparable, fresh_key};

#[tokio::test]
async fn issuer_subject_and_audience_select_one_configuration() {
    let api = Api::start().await;
    let values =
        json!({"verifier_issuer": "i", "verifier_subject": "s", "verifier_audience": "urn:a"});
    let (path, _) = api.created(values.clone()).await;
    assert_problem(
        &api.create(values.clone()).await,
        409,
        "verifier_values_taken",
    );
    for (field, value) in [
        ("verifier_issuer", "j"),
        ("verifier_subject", "t"),
        ("verifier_audience", "urn:b"),
    ] {
        let mut other = values.clone();
        other[field] = json!(value);
        let (other, _) = api.created(other).await;
        let back = api.patch(&other, 1, json!({field: values[field]})).await;
        assert_problem(&back, 409, "verifier_values_taken");
    }
    // A suspended one still holds its values; another organization has its own.
    api.post(format!("{path}/suspend"), json!({})).await;
    assert_problem(
        &api.create(values.clone()).await,
        409,
        "verifier_values_taken",
    );
    let mut theirs = values;
    theirs["public_key"] = json!(fresh_key());
    assert_eq!(
        api.post(format!("{}/configurations", api.bob()), theirs)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_third_party_shares_its_audience_with_nobody_in_either_direction() {
    let api = Api::start().await;
    let third = |audience: &str| json!({"auth_type": "THIRD_PARTY", "verifier_audience": audience});
    let refused = |answer| assert_blames(&answer, "audience_not_exclusive", "/verifier_audience");
    let (partner, _) = api.created(third("urn:partner")).await;
    refused(api.create(third("urn:partner")).await);
    refused(
        api.create(json!({"verifier_audience": "urn:partner"}))
            .await,
    );
    let (standard, _) = api
        .created(json!({"verifier_audience": "urn:standard"}))
        .await;
    refused(api.create(third("urn:standard")).await);
    refused(
        api.patch(&partner, 1, json!({"verifier_audience": "urn:standard"}))
            .await,
    );
    refused(
        api.patch(&standard, 1, json!({"verifier_audience": "urn:partner"}))
            .await,
    );
    let (other, _) = api
        .created(json!({"verifier_audience": "urn:standard"}))
        .await;
    refused(
        api.patch(&other, 1, json!({"auth_type": "THIRD_PARTY"}))
            .await,
    );
    // The organization's own issuer is the audience of every standard configuration.
    refused(api.create(third(&api.world.acme.issuer)).await);
    refused(
        api.patch(api.a1(), 1, json!({"auth_type": "THIRD_PARTY"}))
            .await,
    );
}

#[tokio::test]
async fn a_third_party_gets_an_audience_of_its_own_when_none_is_named() {
    let api = Api::start().await;
    let (_, one) = api.created(json!({"auth_type": "THIRD_PARTY"})).await;
    let expected = format!("{}/{}", api.world.acme.issuer, one["id"].as_str().unwrap());
    assert_eq!(one["verifier_audience"], expected.as_str());
    assert_eq!(
        api.create(json!({"auth_type": "THIRD_PARTY"})).await.status,
        201
    );
}

#[tokio::test]
async fn an_audience_is_free_again_when_its_third_party_is_deactivated() {
    let api = Api::start().await;
    let third = json!({"auth_type": "THIRD_PARTY", "verifier_audience": "urn:partner"});
    let (partner, _) = api.created(third.clone()).await;
    api.post(format!("{partner}/deactivate"), json!({})).await;
    assert_eq!(api.create(third).await.status, 201);
}

#[tokio::test]
async fn k15_refusing_a_known_key_tells_another_organization_nothing() {
    let api = Api::start().await;
    let (acme, bob) = (&api.world.acme, &api.world.bob);
    let ours = api.token(acme, ApiRole::Admin).await;
    let theirs = api.token(bob, ApiRole::Admin).await;
    let body = json!({"public_key": api.world.a1.key.public_key()});
    let in_acme = api
        .ask("POST", api.configurations())
        .by(&ours)
        .json(&body)
        .send()
        .await;
    let in_bob = api
        .ask("POST", format!("{}/configurations", api.bob()))
        .by(&theirs)
        .json(&body)
        .send()
        .await;
    assert_eq!(in_acme.status, 409);
    assert_blames(&in_acme, "key_already_registered", "/public_key");
    assert_eq!(comparable(&in_acme), comparable(&in_bob));
    let b1 = format!("{}/configurations/{}/rotate", api.bob(), api.world.b1.id);
    let rotated = api.ask("POST", b1).by(&theirs).json(&body).send().await;
    assert_eq!(comparable(&in_acme), comparable(&rotated));
    // Whatever form the key comes in, and whoever holds it in whatever state.
    api.post(format!("{}/deactivate", api.a1()), json!({}))
        .await;
    let again = api
        .ask("POST", format!("{}/configurations", api.bob()))
        .by(&theirs)
        .json(&body)
        .send()
        .await;
    assert_eq!(comparable(&in_acme), comparable(&again));
}

#[tokio::test]
async fn a_key_that_another_organization_previews_is_shown_as_any_other() {
    let api = Api::start().await;
    let theirs = api.token(&api.world.bob, ApiRole::Admin).await;
    let body = json!({"public_key": api.world.a1.key.public_key()});
    let path = format!("{}/keys/preview", api.bob());
    assert_eq!(
        api.ask("POST", path)
            .by(&theirs)
            .json(&body)
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_refused_creation_leaves_nothing_behind() {
    let api = Api::start().await;
    let before = api
        .get(format!("{}/change-requests", api.acme()))
        .await
        .json();
    let jwk =
        |name: &str| serde_json::from_str::<serde_json::Value>(crate::keys::good(name)).unwrap();
    api.created(json!({"public_key": jwk("rsa_jwk")})).await;
    // The second key of the set is known: the first one is not registered either.
    let set = json!({"keys": [jwk("p256_jwk"), jwk("rsa_jwk")]});
    assert_problem(
        &api.create(json!({"public_key": set})).await,
        409,
        "key_already_registered",
    );
    api.created(json!({"public_key": jwk("p256_jwk")})).await;
    let after = api
        .get(format!("{}/change-requests", api.acme()))
        .await
        .json();
    let count = |list: &serde_json::Value| list["items"].as_array().unwrap().len();
    assert_eq!(count(&after), count(&before) + 2);
}

//! The contract that programs are written against: addresses, field names, defaults.

use countersign_testkit::NOW;
use serde_json::json;

use crate::support::{Api, ORGANIZATIONS, fresh_key};

const BEGINNING: &str = "2027-01-15T08:00:00Z";

#[tokio::test]
async fn an_organization_is_created_with_its_name_alone() {
    let api = Api::start().await;
    let answer = api.post(ORGANIZATIONS, json!({"name": "Acme Bank"})).await;
    assert_eq!(answer.status, 201);
    let resource = answer.json();
    let tenant_id = resource["tenant_id"].as_str().unwrap();
    let issuer = format!("https://auth.example.com/t/{tenant_id}");
    let expected = json!({
        "tenant_id": tenant_id, "name": "Acme Bank", "status": "ACTIVE", "issuer": issuer,
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
        "signing_algorithm": "ES256", "permission_groups": [],
        "created_at": BEGINNING, "updated_at": BEGINNING, "version": 1, "change_request": 1,
    });
    assert_eq!(resource, expected);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(tenant_id.len(), 39);
    assert_eq!(tenant_id[3..], tenant_id[3..].to_ascii_uppercase());
    let shown = api.get(format!("{ORGANIZATIONS}/{tenant_id}")).await;
    assert_eq!(shown.json(), expected);
}

#[tokio::test]
async fn a_configuration_needs_its_key_and_nothing_else() {
    let api = Api::start().await;
    let key = fresh_key();
    let answer = api
        .post(api.configurations(), json!({"public_key": key}))
        .await;
    assert_eq!(answer.status, 201);
    let resource = answer.json();
    let id = resource["id"].as_str().unwrap().to_owned();
    let issuer = &api.world.acme.issuer;
    let expected = json!({
        "tenant_id": api.world.acme.id.to_string(), "id": id, "name": format!("Configuration {}", &id[3..11]),
        "auth_type": "STANDARD", "status": "ACTIVE",
        "verifier_issuer": id, "verifier_subject": id, "verifier_audience": issuer,
        "signer_issuer": issuer, "signer_audience": format!("{issuer}/api"),
        "max_assertion_lifetime": 3600, "access_token_lifetime": 600, "replay_protection": "single_use",
        "copied_claims": [], "permission_groups": [], "expires_at": null, "owner": null, "notes": null,
        "keys": [{
            "kid": resource["keys"][0]["kid"], "algorithm": "ES256", "key_type": "EC P-256",
            "fingerprint_sha256": resource["keys"][0]["fingerprint_sha256"], "state": "current",
            "retires_at": null, "expires_at": null, "added_at": BEGINNING, "public_key": key,
        }],
        "repairs": [], "created_at": BEGINNING, "updated_at": BEGINNING, "version": 1,
        "change_request": resource["change_request"],
    });
    assert_eq!(resource, expected);
    let fingerprint = resource["keys"][0]["fingerprint_sha256"].as_str().unwrap();
    assert!(fingerprint.len() == 64 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let shown = api.get(format!("{}/{id}", api.configurations())).await;
    assert_eq!(shown.json(), expected);
    assert_eq!(shown.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn every_field_is_taken_on_creation_and_shown_as_it_was_given() {
    let api = Api::start().await;
    let given = json!({
        "name": "partner", "auth_type": "THIRD_PARTY", "verifier_issuer": "https://partner.example/",
        "verifier_subject": "svc@partner", "verifier_audience": "urn:example:partner",
        "signer_issuer": "https://gateway.example", "signer_audience": "https://api.example/v1",
        "max_assertion_lifetime": 300, "access_token_lifetime": 120, "replay_protection": "reuse_until_expiry",
        "copied_claims": ["order", "region"], "permission_groups": ["payments-v1:accounts:r"],
        "expires_at": "2027-06-01T00:00:00Z", "owner": "Team Payments", "notes": "Two\nlines",
    });
    let (path, resource) = api.created(given.clone()).await;
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(&resource[name], value, "{name}");
    }
    assert_eq!(api.get(path).await.json(), resource);
}

#[tokio::test]
async fn kid_and_algorithm_may_be_given_with_the_key() {
    let api = Api::start().await;
    let key = crate::keys::good("rsa_spki");
    let answer = api
        .create(json!({"public_key": key, "kid": "mine", "algorithm": "PS256"}))
        .await;
    let stored = answer.json()["keys"][0].clone();
    assert_eq!(
        (&stored["kid"], &stored["algorithm"]),
        (&json!("mine"), &json!("PS256"))
    );
    assert_eq!(stored["key_type"], "RSA");
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_null_clears() {
    let api = Api::start().await;
    let (path, before) = api
        .created(json!({"owner": "me", "notes": "n", "expires_at": "2027-06-01T00:00:00Z"}))
        .await;
    api.world.server.clock.advance(60);
    let edit = json!({"name": "new name", "owner": null, "notes": null, "expires_at": null, "access_token_lifetime": 60});
    let answer = api.patch(&path, 1, edit).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut expected = before;
    for (name, value) in [
        ("name", json!("new name")),
        ("owner", json!(null)),
        ("notes", json!(null)),
        ("expires_at", json!(null)),
        ("access_token_lifetime", json!(60)),
        ("version", json!(2)),
        ("updated_at", json!("2027-01-15T08:01:00Z")),
        ("change_request", answer.json()["change_request"].clone()),
    ] {
        expected[name] = value;
    }
    assert_eq!(answer.json(), expected);
    assert_eq!(api.get(&path).await.json(), expected);
}

#[tokio::test]
async fn every_version_is_kept_with_the_change_request_that_made_it() {
    let api = Api::start().await;
    let (path, resource) = api.created(json!({"name": "first"})).await;
    let edited = api.patch(&path, 1, json!({"name": "second"})).await.json();
    let versions = api.get(format!("{path}/versions")).await.json();
    let items = versions["items"].as_array().unwrap();
    let names: Vec<_> = items
        .iter()
        .map(|item| item["state"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["second", "first"]);
    assert_eq!(items[0]["change_request"], edited["change_request"]);
    assert_eq!(items[1]["change_request"], resource["change_request"]);
    for (item, kind) in items.iter().zip(["oidc_config.edit", "oidc_config.create"]) {
        let number = item["change_request"].as_u64().unwrap();
        let request = api
            .get(format!("{}/change-requests/{number}", api.acme()))
            .await
            .json();
        assert_eq!(
            (&request["state"], &request["kind"]),
            (&json!("applied"), &json!(kind))
        );
        assert_eq!(
            request["envelope"]["after"], item["state"],
            "what was asked for is what was applied"
        );
    }
}

#[tokio::test]
async fn a_configuration_that_has_passed_its_end_gets_no_tokens() {
    let api = Api::start().await;
    let server = &api.world.server;
    let end = json!({"expires_at": "2027-01-15T08:10:00Z"});
    assert_eq!(api.patch(api.a1(), 1, end).await.status, 200);
    server.clock.set(NOW + 599);
    let token = server
        .token(&api.world.acme, &api.world.assertion().sign())
        .await;
    assert_eq!(token.status, 200, "{}", token.text());
    server.clock.set(NOW + 600);
    let token = server
        .token(&api.world.acme, &api.world.assertion().sign())
        .await;
    assert_eq!(token.status, 401);
    assert_eq!(
        server.recorded_reason(&api.world.acme, &token).await,
        "configuration_expired"
    );
}

#[tokio::test]
async fn fields_out_of_their_range_are_refused_with_the_member_to_blame() {
    let api = Api::start().await;
    for (field, value, code) in [
        (
            "max_assertion_lifetime",
            json!(29),
            "assertion_lifetime_out_of_range",
        ),
        (
            "max_assertion_lifetime",
            json!(3601),
            "assertion_lifetime_out_of_range",
        ),
        (
            "access_token_lifetime",
            json!(59),
            "access_token_lifetime_out_of_range",
        ),
        (
            "access_token_lifetime",
            json!(3601),
            "access_token_lifetime_out_of_range",
        ),
        (
            "expires_at",
            json!("2027-01-15T08:00:00Z"),
            "expiry_in_past",
        ),
        ("copied_claims", json!(["sub"]), "copied_claim_not_allowed"),
        (
            "copied_claims",
            (0..21).map(|n| json!(format!("claim{n}"))).collect(),
            "too_many_copied_claims",
        ),
        (
            "copied_claims",
            json!(["tenant_id"]),
            "copied_claim_not_allowed",
        ),
        (
            "permission_groups",
            json!(["payments-v1:accounts:r"]),
            "permission_groups_on_standard",
        ),
        (
            "permission_groups",
            json!(["nonsense"]),
            "permission_group_malformed",
        ),
        ("verifier_issuer", json!(""), "identifier_malformed"),
        ("verifier_subject", json!("a b"), "identifier_malformed"),
        ("verifier_audience", json!("1:x"), "identifier_malformed"),
        ("signer_audience", json!("é"), "identifier_malformed"),
        ("kid", json!("a b"), "kid_malformed"),
        ("algorithm", json!("RS256"), "algorithm_does_not_fit"),
    ] {
        let answer = api.create(json!({field: value})).await;
        crate::support::assert_blames(&answer, code, &format!("/{field}"));
        assert_eq!(answer.status, 422);
    }
    let third = json!({"auth_type": "THIRD_PARTY", "permission_groups": ["other-v1:x:r"]});
    let answer = api.create(third).await;
    crate::support::assert_blames(
        &answer,
        "permission_group_not_entitled",
        "/permission_groups",
    );
}

/// `conformance.md` E13 and G4: a configuration's tokens name nobody else, and neither does what its callers sign.
#[tokio::test]
async fn e13_a_name_that_is_another_configurations_id_is_refused_for_every_kind_of_configuration() {
    let api = Api::start().await;
    let a2 = api.world.a2.id.to_string();
    let elsewhere = api.world.b1.id.to_string();
    let unknown = "ac-0f6e1a52-a789-42a2-8b0e-2052d05577d7".to_owned();
    let code = "identifier_of_another_configuration";
    for id in [a2.clone(), elsewhere, unknown, a2.to_uppercase()] {
        for field in ["verifier_issuer", "verifier_subject"] {
            for auth_type in ["STANDARD", "THIRD_PARTY"] {
                let body = json!({field: id, "auth_type": auth_type});
                let answer = api.create(body).await;
                crate::support::assert_blames(&answer, code, &format!("/{field}"));
            }
            let edit = api.ask("PATCH", api.a1()).json(&json!({field: id}));
            let answer = edit.if_match(1).send().await;
            crate::support::assert_blames(&answer, code, &format!("/{field}"));
        }
    }
    let own = api.world.a1.id.to_string();
    let body = json!({"name": "own", "verifier_subject": own});
    let edit = api.ask("PATCH", api.a1()).json(&body).if_match(1);
    assert_eq!(edit.send().await.status, 200);
}

#[tokio::test]
async fn g4_no_configuration_may_sign_for_this_server_or_another_organization() {
    let api = Api::start().await;
    let (own, other) = (&api.world.acme.issuer, &api.world.bob.issuer);
    let organizations = own.rsplit_once('/').unwrap().0;
    for audience in [
        own.clone(),
        format!("{own}/"),
        own.to_ascii_uppercase(),
        other.clone(),
        format!("{other}/api"),
        format!("{}/API", other.to_ascii_uppercase()),
        format!("{organizations}/tn-nobody/api"),
        format!("{own}x"),
        organizations.to_owned(),
    ] {
        let body = json!({"signer_audience": audience});
        for auth_type in ["STANDARD", "THIRD_PARTY"] {
            let mut body = body.clone();
            body["auth_type"] = auth_type.into();
            let answer = api.create(body).await;
            let code = "signer_audience_not_allowed";
            crate::support::assert_blames(&answer, code, "/signer_audience");
        }
        let edit = api.ask("PATCH", api.a1()).json(&body).if_match(1);
        assert_eq!(edit.send().await.status, 422, "{audience}");
    }
    for audience in [
        format!("{own}/payments"),
        "https://api.example".to_owned(),
        "payments".to_owned(),
    ] {
        let answer = api.create(json!({"signer_audience": audience})).await;
        assert_eq!(answer.status, 201, "{audience}: {}", answer.text());
    }
}

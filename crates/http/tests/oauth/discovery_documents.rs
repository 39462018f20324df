//! Section H: the public documents of an organization.

use axum::body::Body;
use axum::http::Request;
use countersign_domain::api_tokens::ApiRole;
use countersign_service::RotateSigningKeys;
use countersign_testkit::{Answer, Tenant, World};
use serde_json::{Value, json};

/// The two places of the metadata.
fn documents(tenant: &Tenant) -> [String; 2] {
    [
        format!("/.well-known/oauth-authorization-server/t/{}", tenant.id),
        tenant.path(".well-known/openid-configuration"),
    ]
}

async fn send(world: &World, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    world
        .server
        .send(request.body(Body::empty()).unwrap())
        .await
}

fn kids(jwks: &Value) -> Vec<String> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn h1_both_forms_name_the_issuer_and_the_wrong_form_does_not_exist() {
    let world = World::start().await;
    for path in documents(&world.acme) {
        let answer = world.server.get(&path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json()["issuer"], world.acme.issuer.as_str());
    }
    let id = world.acme.id;
    for wrong in [
        format!("/t/{id}/.well-known/oauth-authorization-server"),
        format!("/.well-known/openid-configuration/t/{id}"),
        format!("/.well-known/oauth-authorization-server/{id}"),
        "/.well-known/oauth-authorization-server".to_owned(),
        "/.well-known/openid-configuration".to_owned(),
    ] {
        assert_eq!(world.server.get(&wrong).await.status, 404, "{wrong}");
    }
}

#[tokio::test]
async fn h2_every_address_is_https_and_below_the_issuer_and_an_unknown_organization_is_a_constant_404()
 {
    let world = World::start().await;
    for path in documents(&world.acme) {
        let document = world.server.get(&path).await.json();
        assert!(world.acme.issuer.starts_with("https://"));
        assert!(!world.acme.issuer.contains(['?', '#']));
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name.ends_with("_uri") {
                let inside = format!("{}/", world.acme.issuer);
                assert!(
                    value.as_str().unwrap().starts_with(&inside),
                    "{name}: {value}"
                );
            }
        }
    }
    let mut texts = Vec::new();
    for id in [
        "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
        "acme",
        "tn-",
        "tn-%00",
    ] {
        for path in [
            format!("/t/{id}/.well-known/openid-configuration"),
            format!("/.well-known/oauth-authorization-server/t/{id}"),
            format!("/t/{id}/jwks"),
        ] {
            let answer = world.server.get(&path).await;
            assert_eq!(answer.status, 404, "{path}");
            texts.push(answer.text_without_correlation());
        }
    }
    texts.push(
        world
            .server
            .get("/nowhere")
            .await
            .text_without_correlation(),
    );
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn h3_the_metadata_says_exactly_what_works() {
    let world = World::start().await;
    let issuer = &world.acme.issuer;
    let algorithms = json!([
        "ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"
    ]);
    let mut expected = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/token"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/jwks"),
        "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "scopes_supported": World::GROUPS,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
    });
    let [oauth, openid] = documents(&world.acme);
    assert_eq!(world.server.get(&oauth).await.json(), expected);
    expected["response_types_supported"] = json!(["none"]);
    expected["subject_types_supported"] = json!(["public"]);
    expected["id_token_signing_alg_values_supported"] = json!(["ES256"]);
    assert_eq!(world.server.get(&openid).await.json(), expected);
    let bare = world.server.create_organization("No groups", &[]).await;
    let document = world.server.get(&documents(&bare)[0]).await.json();
    assert!(document.get("scopes_supported").is_none());
    assert!(!document.to_string().contains("[]"));
}

#[tokio::test]
async fn h4_documents_are_read_only_cacheable_for_a_while_and_open_to_every_origin() {
    let world = World::start().await;
    let [oauth, openid] = documents(&world.acme);
    for path in [oauth, openid, world.acme.path("jwks")] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = send(&world, method, &path).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.header("allow").unwrap().contains("GET"));
        }
        let head = send(&world, "HEAD", &path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        let answer = world.server.get(&path).await;
        let cache = answer.header("cache-control").unwrap();
        let age: u32 = cache
            .strip_prefix("public, max-age=")
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=900).contains(&age), "{cache}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn h5_the_key_set_has_public_members_only() {
    let world = World::start().await;
    let act = RotateSigningKeys {
        tenant_id: world.acme.id,
        emergency: false,
    };
    world.server.execute(&act).await.unwrap();
    let answer = world.server.get(&world.acme.path("jwks")).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/jwk-set+json")
    );
    let jwks = answer.json();
    let names = kids(&jwks);
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1]);
    for key in jwks["keys"].as_array().unwrap() {
        let members: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("ES256")));
    }
}

#[tokio::test]
async fn h6_a_key_is_published_before_use_and_an_emergency_takes_every_old_one_away() {
    let world = World::start().await;
    let path = world.acme.path("jwks");
    let before = kids(&world.server.get(&path).await.json());
    let rotate = |emergency| RotateSigningKeys {
        tenant_id: world.acme.id,
        emergency,
    };
    world.server.execute(&rotate(false)).await.unwrap();
    let overlap = kids(&world.server.get(&path).await.json());
    assert!(overlap.len() == 2 && overlap.contains(&before[0]));
    let token = world.server.token(&world.acme, world.assertion().sign());
    let token = token.await.access_token();
    let audience = format!("{}/api", world.acme.issuer);
    world
        .server
        .verify_offline(&world.acme, &token, &audience)
        .await
        .unwrap();
    world.server.execute(&rotate(true)).await.unwrap();
    let after = kids(&world.server.get(&path).await.json());
    assert!(after.len() == 1 && !overlap.contains(&after[0]));
    let verified = world.server.verify_offline(&world.acme, &token, &audience);
    assert_eq!(verified.await.unwrap_err(), "kid is not published");
    let program = world
        .server
        .api_token(Some(&world.acme), ApiRole::Introspector)
        .await;
    let answer = world.server.introspect(&world.acme, &program, &token).await;
    assert_eq!(answer.text(), r#"{"active":false}"#);
}

#[tokio::test]
async fn h7_organizations_share_no_key() {
    let world = World::start().await;
    let acme = kids(&world.server.get(&world.acme.path("jwks")).await.json());
    let bob = kids(&world.server.get(&world.bob.path("jwks")).await.json());
    assert!(!acme.is_empty() && !bob.is_empty());
    assert!(acme.iter().all(|kid| !bob.contains(kid)));
}

#[tokio::test]
async fn h8_no_other_spelling_of_a_path_leads_to_an_organization() {
    let world = World::start().await;
    let (id, other) = (world.acme.id.to_string(), world.bob.id.to_string());
    for path in [
        format!("/t/{}/jwks", id.to_lowercase()),
        format!("/t/{}/jwks", id.replace("tn-", "TN-")),
        format!("/T/{id}/jwks"),
        format!("/t/{id}/"),
        format!("/t/{id}"),
        format!("/t/{id}/jwks/"),
        format!("/t//{id}/jwks"),
        format!("//t/{id}/jwks"),
        format!("/t/{id}//jwks"),
        format!("/t/{id}/JWKS"),
        format!("/t/{id}%2Fjwks"),
        format!("/t/{id}%2F..%2F{other}/jwks"),
        format!("/t/{id}/../{other}/jwks"),
        format!("/t/{id}/..;/{other}/jwks"),
        format!("/t/{id};x=y/jwks"),
        format!("/t/{id}%00/jwks"),
        format!("/t/{id}%20/jwks"),
        format!("/t/./{id}/jwks"),
        format!("/t/{id}/.well-known/../jwks"),
    ] {
        let answer = world.server.get(&path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("keys"), "{path}");
    }
}

#[tokio::test]
async fn a_suspended_organization_publishes_no_key() {
    let world = World::start().await;
    world.server.change_organization(&world.acme, true).await;
    let answer = world.server.get(&world.acme.path("jwks")).await;
    assert_eq!(answer.text(), r#"{"keys":[]}"#);
}

//! A public key in whatever form people have it.

use serde_json::{Value, json};

use crate::keys::good;
use crate::support::{Api, assert_blames, fresh_key};

/// Damages a key, given as PEM and as its bare base64.
type Damage = fn(&str, &str) -> String;

/// Creates a configuration with the key, and says its kind and what was repaired.
async fn registered(api: &Api, key: Value) -> (Value, Vec<String>) {
    let answer = api.create(json!({"public_key": key})).await;
    assert_eq!(answer.status, 201, "{key}: {}", answer.text());
    let resource = answer.json();
    let repairs = resource["repairs"].as_array().unwrap().iter();
    let repairs = repairs
        .map(|repair| repair["code"].as_str().unwrap().to_owned())
        .collect();
    (resource["keys"].clone(), repairs)
}

#[tokio::test]
async fn every_format_gives_the_key_that_it_holds() {
    let api = Api::start().await;
    for (name, kind, algorithm) in [
        ("certificate", "EC P-256", "ES256"),
        ("rsa_pkcs1", "RSA", "RS256"),
        ("ed25519_ssh", "Ed25519", "EdDSA"),
        ("p256_spki", "EC P-256", "ES256"),
        ("p384_spki", "EC P-384", "ES384"),
        ("p521_spki", "EC P-521", "ES512"),
    ] {
        let (keys, repairs) = registered(&api, json!(good(name))).await;
        assert_eq!(
            (&keys[0]["key_type"], &keys[0]["algorithm"]),
            (&json!(kind), &json!(algorithm)),
            "{name}"
        );
        assert_eq!(repairs, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn one_key_has_one_fingerprint_in_every_format() {
    for names in [
        &["rsa_spki", "rsa_pkcs1", "rsa_ssh", "rsa_jwk"][..],
        &["ed25519_spki", "ed25519_ssh"],
    ] {
        let mut fingerprints = Vec::new();
        for name in names {
            // A world of its own: a key is registered once.
            let api = Api::start().await;
            let (keys, _) = registered(&api, json!(good(name))).await;
            fingerprints.push(keys[0]["fingerprint_sha256"].clone());
        }
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), 1, "{names:?}");
    }
}

#[tokio::test]
async fn a_jwk_is_taken_as_an_object_and_as_a_text_and_a_jwks_too() {
    let jwk: Value = serde_json::from_str(good("rsa_jwk")).unwrap();
    for key in [
        jwk.clone(),
        json!(jwk.to_string()),
        json!({"keys": [jwk]}),
        json!(json!({"keys": [jwk]}).to_string()),
    ] {
        let api = Api::start().await;
        let (keys, repairs) = registered(&api, key).await;
        assert_eq!(keys.as_array().map(Vec::len), Some(1));
        assert_eq!(repairs, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_jwk_brings_its_kid_and_its_algorithm_along() {
    let api = Api::start().await;
    let mut jwk: Value = serde_json::from_str(good("rsa_jwk")).unwrap();
    jwk["kid"] = json!("from-the-jwk");
    jwk["alg"] = json!("PS384");
    let (keys, _) = registered(&api, jwk).await;
    assert_eq!(
        (&keys[0]["kid"], &keys[0]["algorithm"]),
        (&json!("from-the-jwk"), &json!("PS384"))
    );
}

#[tokio::test]
async fn a_certificate_ends_its_key() {
    let api = Api::start().await;
    let (keys, _) = registered(&api, json!(good("certificate"))).await;
    assert_eq!(keys[0]["expires_at"], "2028-01-01T00:00:00Z");
}

#[tokio::test]
async fn what_mail_and_shells_do_to_a_key_is_repaired_and_reported() {
    let api = Api::start().await;
    let body = |key: &str| {
        key.lines()
            .filter(|line| !line.starts_with("-----"))
            .collect::<String>()
    };
    let cases: [(Damage, &[&str]); 9] = [
        (|key, _| key.replace('\n', "\r\n"), &["line_endings"]),
        (|key, _| key.replace('\n', "\n    "), &["indentation"]),
        (|key, _| key.replace('\n', "\\n"), &["escaped_newlines"]),
        (|_, body| body.to_owned(), &["missing_armour"]),
        (|key, _| format!("\"{}\"", key.trim()), &["quotes"]),
        (|key, _| format!("\u{feff}{key}"), &["byte_order_mark"]),
        (|key, _| format!("\n  {key}\n\n"), &["surrounding_space"]),
        (
            |key, _| format!("Here is our key:\n{key}Regards"),
            &["surrounding_text"],
        ),
        (|key, _| key.trim().replace('\n', " "), &["line_breaks"]),
    ];
    for (damage, expected) in cases {
        let key = fresh_key();
        let damaged = damage(&key, &body(&key));
        let (keys, repairs) = registered(&api, json!(damaged)).await;
        assert_eq!(keys[0]["public_key"], key, "{expected:?}");
        for code in expected {
            assert!(
                repairs.iter().any(|repair| repair == code),
                "{expected:?}: {repairs:?}"
            );
        }
    }
}

#[tokio::test]
async fn repairs_are_of_the_request_and_not_of_the_resource() {
    let api = Api::start().await;
    let (path, resource) = api
        .created(json!({"public_key": fresh_key().replace('\n', "\r\n")}))
        .await;
    assert_eq!(resource["repairs"][0]["code"], "line_endings");
    assert!(
        !resource["repairs"][0]["detail"]
            .as_str()
            .unwrap()
            .is_empty()
    );
    assert_eq!(api.get(path).await.json()["repairs"], json!([]));
}

/// What is meant for one key is not applied to some of several, nor left out in silence.
#[tokio::test]
async fn a_kid_or_algorithm_for_several_keys_or_none_is_refused() {
    let api = Api::start().await;
    let jwk = |key: &str| serde_json::from_str::<Value>(good(key)).unwrap();
    let several = json!({"keys": [jwk("rsa_jwk"), jwk("p256_jwk")]});
    for (member, value) in [("kid", "mine"), ("algorithm", "RS256")] {
        let pointer = format!("/{member}");
        let answer = api
            .create(json!({"public_key": several, member: value}))
            .await;
        assert_blames(&answer, "not_a_single_key", &pointer);
        let path = format!("{}/rotate", api.a1());
        let answer = api
            .post(&path, json!({"public_key": several, member: value}))
            .await;
        assert_blames(&answer, "not_a_single_key", &pointer);
        let waiting = json!({"public_key": crate::support::fresh_key(), "as_next": true});
        assert_eq!(api.post(&path, waiting).await.status, 200);
        let answer = api.post(&path, json!({member: value})).await;
        assert_blames(&answer, "not_a_single_key", &pointer);
    }
    let single = json!({"keys": [jwk("rsa_jwk")]});
    let answer = api
        .create(json!({"public_key": single, "kid": "mine", "algorithm": "PS256"}))
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let key = &answer.json()["keys"][0];
    assert_eq!(
        (&key["kid"], &key["algorithm"]),
        (&json!("mine"), &json!("PS256"))
    );
}

#[tokio::test]
async fn several_keys_are_registered_at_once_the_first_as_the_current_one() {
    let api = Api::start().await;
    let jwk = |kid: &str, key: &str| {
        let mut jwk: Value = serde_json::from_str(key).unwrap();
        jwk["kid"] = json!(kid);
        jwk
    };
    let unknown = json!({"kty": "XYZ", "kid": "left out"});
    let keys =
        json!({"keys": [jwk("one", good("rsa_jwk")), unknown, jwk("two", good("p256_jwk"))]});
    let (keys, repairs) = registered(&api, keys).await;
    let shown: Vec<_> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (&key["kid"], &key["state"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("one"), &json!("current")),
            (&json!("two"), &json!("next"))
        ]
    );
    assert_eq!(repairs, ["ignored_unknown_key_type"]);
}

#[tokio::test]
async fn a_preview_tells_what_would_be_registered_and_registers_nothing() {
    let api = Api::start().await;
    let path = format!("{}/keys/preview", api.acme());
    let key = good("certificate").replace('\n', "\r\n");
    let answer = api.post(&path, json!({"public_key": key})).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let found = &body["keys"][0];
    let expected = json!({
        "format": "certificate_pem", "key_type": found["key_type"], "algorithms": ["ES256"], "kid": null,
        "thumbprint": found["thumbprint"], "fingerprint_sha256": found["fingerprint_sha256"],
        "expires_at": "2028-01-01T00:00:00Z", "certificate_subject": "CN=payments.acme.example",
    });
    assert_eq!(*found, expected);
    assert_eq!(body["repairs"][0]["code"], "line_endings");
    let created = api.create(json!({"public_key": key})).await;
    assert_eq!(
        created.status,
        201,
        "the preview has registered it: {}",
        created.text()
    );
    assert_eq!(created.json()["keys"][0]["kid"], found["thumbprint"]);
}

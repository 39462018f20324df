//! Whatever is issued is readable where it was issued: it introspects as active and can be revoked.

use countersign_domain::api_tokens::ApiRole;
use countersign_domain::configurations::{AuthType, ConfigurationEdit};
use countersign_testkit::{Assertion, Client, NewClient, Tenant, TestServer};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// How many tokens are tried.
const CASES: usize = 200;

/// Claims that the configuration copies.
const COPIED: [&str; 4] = ["a", "b", "c", "d"];

/// A value of a claim, small or at a limit of what an assertion may have.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(1e15)),
        Just(json!(1.797_693_134_862_315_7e308)),
        Just(json!(-2.225_073_858_507_201_4e-308)),
        Just(json!([0.000_012_345_678_901_234_567, 1e20, 1e16])),
        "\\PC{0,40}".prop_map(Value::from),
        "[\\x00-\\x1f\"\\\\]{0,40}".prop_map(Value::from),
        (0..4096_usize).prop_map(|length| json!("x".repeat(length))),
        (0..600_usize).prop_map(|length| json!("\u{1}".repeat(length))),
        (0..700_usize).prop_map(|length| json!(vec![1e15; length])),
        (0..60_usize).prop_map(|members| {
            let members = (0..members).map(|n| (format!("m{n}"), json!(n)));
            Value::Object(members.collect())
        }),
    ];
    (leaf, 0..16_u32).prop_map(|(leaf, depth)| {
        (0..depth.saturating_sub(2)).fold(leaf, |inner, level| match level % 2 {
            0 => json!([inner]),
            _ => json!({ "deeper": inner }),
        })
    })
}

struct Asked {
    server: TestServer,
    tenant: Tenant,
    program: String,
}

impl Asked {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let tenant = server.create_organization("Acme", &[]).await;
        let program = server.api_token(Some(&tenant), ApiRole::Admin).await;
        Self {
            server,
            tenant,
            program,
        }
    }

    /// Gets a token, and makes sure that it is active until it is revoked. `false`: it was refused as too large.
    async fn is_issued_and_readable(&self, assertion: &Assertion) -> bool {
        let answer = self.server.token(&self.tenant, assertion.sign()).await;
        if answer.status != 200 {
            // Without a reason it is the assertion itself that is beyond its limits.
            if let Some(told) = answer.reason() {
                assert_eq!(told, "token_too_large", "{}", answer.text());
                assert_eq!(answer.json()["error"], "invalid_scope");
            }
            return false;
        }
        let token = answer.access_token();
        let server = &self.server;
        let seen = server.introspect(&self.tenant, &self.program, &token).await;
        assert_eq!(seen.json()["active"], true, "{:?}", answer.claims());
        assert_eq!(seen.json().get("custom"), answer.claims().get("custom"));
        let authorization = format!("Bearer {}", self.program);
        let headers = [
            ("content-type", countersign_testkit::FORM),
            ("authorization", authorization.as_str()),
        ];
        let path = self.tenant.path("revoke");
        let revoked = server.post(&path, &headers, format!("token={token}")).await;
        assert_eq!(revoked.status, 200);
        let seen = server.introspect(&self.tenant, &self.program, &token).await;
        assert_eq!(seen.json()["active"], false, "{:?}", answer.claims());
        true
    }

    async fn client(&self, fields: ConfigurationEdit) -> Client {
        let new = NewClient::with_fields(fields);
        self.server.create_client(&self.tenant, new).await.unwrap()
    }
}

#[tokio::test]
async fn i3_whatever_is_issued_is_active_and_can_be_revoked() {
    let asked = Asked::new().await;
    let client = asked
        .client(ConfigurationEdit {
            copied_claims: Some(COPIED.map(str::to_owned).to_vec()),
            ..ConfigurationEdit::default()
        })
        .await;
    let mut runner = TestRunner::new(Config::default());
    let values = proptest::collection::vec(value(), 1..COPIED.len());
    let mut issued = 0;
    for _ in 0..CASES {
        let values = values.new_tree(&mut runner).unwrap().current();
        let plain = Assertion::new(&client, asked.server.now());
        let assertion = COPIED.into_iter().zip(values);
        let assertion = assertion.fold(plain, |made, (name, value)| made.claim(name, value));
        if assertion.sign().len() <= 16 * 1024 {
            issued += usize::from(asked.is_issued_and_readable(&assertion).await);
        }
    }
    assert!(issued > CASES / 4, "{issued}");
}

#[tokio::test]
async fn i3_the_deepest_and_the_widest_copied_claims_are_readable() {
    let asked = Asked::new().await;
    let client = asked
        .client(ConfigurationEdit {
            copied_claims: Some(COPIED.map(str::to_owned).to_vec()),
            ..ConfigurationEdit::default()
        })
        .await;
    let plain = || Assertion::new(&client, asked.server.now());
    let deepest = (0..15).fold(json!(1), |inner, _| json!([inner]));
    assert!(
        asked
            .is_issued_and_readable(&plain().claim("a", deepest))
            .await
    );
    for (octets, issued) in [(2040, true), (2050, false)] {
        let long = COPIED
            .into_iter()
            .fold(plain(), |made, name| made.claim(name, "x".repeat(octets)));
        assert_eq!(
            asked.is_issued_and_readable(&long).await,
            issued,
            "{octets}"
        );
    }
}

/// An organization with as many permission groups as there may be.
#[tokio::test]
async fn i3_a_token_with_every_permission_group_is_readable_or_not_issued() {
    let mut asked = Asked::new().await;
    for (length, issued) in [(20, true), (38, true), (120, false)] {
        let groups: Vec<String> = (0..200)
            .map(|n| format!("payments-v1:{}{n:03}:rw", "a".repeat(length - 18)))
            .collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        asked.tenant = asked.server.create_organization("Acme", &groups).await;
        let admin = ApiRole::Admin;
        asked.program = asked.server.api_token(Some(&asked.tenant), admin).await;
        let client = asked.client(ConfigurationEdit::default()).await;
        let all = Assertion::new(&client, asked.server.now());
        assert_eq!(asked.is_issued_and_readable(&all).await, issued, "{length}");
        // Whoever asks for less gets it.
        let less = Assertion::new(&client, asked.server.now()).claim("scope", groups[0]);
        assert!(asked.is_issued_and_readable(&less).await);
        let partner = ConfigurationEdit {
            auth_type: Some(AuthType::ThirdParty),
            permission_groups: Some(groups[..40].iter().map(|g| (*g).to_owned()).collect()),
            ..ConfigurationEdit::default()
        };
        let partner = asked.client(partner).await;
        let granted = Assertion::new(&partner, asked.server.now());
        assert!(asked.is_issued_and_readable(&granted).await);
    }
}

//! Part 3, attack 23: how many signature checks come before a refusal depends on nothing that an outsider does not know.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::cell::Cell;

use countersign_crypto::import::{ImportOptions, import_keys};
use countersign_crypto::{Algorithm, PublicKey, SigningAlgorithm, SigningKey, VerifyingKey, b64};
use countersign_domain::assertion::{
    Flow, OrganizationStanding, Reason, Trace, UnverifiedAssertion,
};
use countersign_domain::configurations::{Configuration, ConfigurationEdit, NewConfiguration};
use countersign_domain::directory::Directory;
use countersign_domain::identifier::Identifier;
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::organizations::{
    OrganizationEdit, OrganizationState, OrganizationStatus, PublicUrl,
};
use countersign_domain::time::UnixTime;
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn tenant_id() -> TenantId {
    TenantId::from_random([1; 16])
}

/// The issuer of the organization.
fn issuer() -> Identifier {
    let url = PublicUrl::parse("https://auth.example.com").unwrap();
    url.issuer(tenant_id())
}

/// Configurations of one organization, each with some keys of one algorithm.
fn directory(numbers_of_keys: &[usize], algorithm: SigningAlgorithm) -> Directory {
    let tenant_id = tenant_id();
    let organization = OrganizationState::new("Acme", OrganizationEdit::default()).unwrap();
    let mut directory = Directory::default();
    for number in numbers_of_keys {
        let id = ConfigurationId::from_random([u8::try_from(*number).unwrap(); 16]);
        let keys: Vec<Value> = (0..*number)
            .map(|_| {
                let key = SigningKey::generate(algorithm);
                let key = key.public_key();
                let document = key.to_jwk(&key.thumbprint(), Some(algorithm.algorithm()));
                serde_json::to_value(document).unwrap()
            })
            .collect();
        let keys = json!({ "keys": keys }).to_string();
        let options = ImportOptions { now: NOW.seconds() };
        let new = NewConfiguration {
            id,
            fields: ConfigurationEdit {
                verifier_issuer: Some(format!("client-{number}")),
                verifier_subject: Some("client".to_owned()),
                ..ConfigurationEdit::default()
            },
            keys: import_keys(keys.as_bytes(), options).unwrap().keys,
            algorithm: None,
            kid: None,
        };
        let state = new.into_state(&organization, &issuer(), NOW);
        directory.put(Configuration {
            tenant_id,
            id,
            version: 1,
            change_request: 1,
            state: state.unwrap(),
            created_at: NOW,
            updated_at: NOW,
        });
    }
    directory
}

/// Refuses an assertion, and says for which reason and how many checks were made with keys that are nobody's.
fn refuse(
    directory: &Directory,
    (header, issuer): (&Value, &str),
    octets: usize,
) -> (Reason, usize) {
    let claims = json!({"iss": issuer, "sub": "client", "aud": self::issuer().as_str()});
    let [header, claims] = [header, &claims].map(|part| b64::encode(part.to_string()));
    let text = format!("{header}.{claims}.{}", b64::encode(vec![1; octets]));
    let trace = &mut Trace::off();
    let unverified = UnverifiedAssertion::parse(&text, Flow::AuthorizationGrant, trace).unwrap();
    let standing = OrganizationStanding {
        status: OrganizationStatus::Active,
        directory,
    };
    let checks = Cell::new(0);
    let nobodys = key_of_nobody();
    let decoys = |_: Algorithm, length: usize| {
        assert_eq!(length, octets);
        checks.set(checks.get() + 1);
        &nobodys
    };
    let refusal = match unverified.select(standing, None, NOW, trace) {
        Ok(candidate) => candidate.verify(&decoys, trace).unwrap_err(),
        Err(nothing) => nothing.refusal(&decoys),
    };
    (refusal.reason, checks.get())
}

fn key_of_nobody() -> VerifyingKey {
    let mut modulus = vec![0x55; 256];
    modulus[0] = 0xff;
    let key = PublicKey::from_rsa_components(&modulus, &[1, 0, 1]).unwrap();
    VerifyingKey::new(key, Algorithm::Rs256).unwrap()
}

#[test]
fn attack_23_every_refusal_comes_after_as_many_signature_checks() {
    let directory = directory(&[1, 2, 3, 4, 6], SigningAlgorithm::Es256);
    let without = json!({"alg": "ES256"});
    for (issuer, own) in [
        ("client-1", 1),
        ("client-2", 2),
        ("client-3", 3),
        ("client-4", 4),
        ("client-6", 4),
    ] {
        let (reason, nobodys) = refuse(&directory, (&without, issuer), 64);
        assert_eq!(
            (reason, own + nobodys),
            (Reason::SignatureInvalid, 4),
            "{issuer}"
        );
        // No key could have made it, so none of them takes any time.
        let refused = refuse(&directory, (&without, issuer), 65);
        assert_eq!(refused, (Reason::SignatureInvalid, 4), "{issuer}");
    }
    let refused = refuse(&directory, (&without, "nobody"), 64);
    assert_eq!(refused, (Reason::IssuerUnknown, 4));
    let other = json!({"alg": "RS256"});
    assert_eq!(
        refuse(&directory, (&other, "client-1"), 256),
        (Reason::KeyUnknown, 4)
    );
    let unknown = json!({"alg": "ES256", "kid": "unknown"});
    assert_eq!(
        refuse(&directory, (&unknown, "client-2"), 64),
        (Reason::KeyUnknown, 1)
    );
    assert_eq!(
        refuse(&directory, (&unknown, "nobody"), 64),
        (Reason::IssuerUnknown, 1)
    );
}

#[test]
fn attack_23_a_signature_of_another_length_is_checked_with_a_decoy() {
    let directory = directory(&[1], SigningAlgorithm::Rs256);
    let trusted = directory.iter().next().unwrap();
    let kid = trusted.configuration().state.keys[0].kid.as_str();
    let header = json!({"alg": "RS256", "kid": kid});
    for (octets, nobodys) in [(256, 0), (255, 1), (257, 1), (512, 1), (1024, 1)] {
        let refused = refuse(&directory, (&header, "client-1"), octets);
        assert_eq!(refused, (Reason::SignatureInvalid, nobodys), "{octets}");
        let refused = refuse(&directory, (&header, "nobody"), octets);
        assert_eq!(refused, (Reason::IssuerUnknown, 1), "{octets}");
    }
}

//! Every reason of refusal, provoked for real at every way to ask; what callers see of it is a golden table.

use std::fmt::Write as _;

use countersign_domain::assertion::{Check, Reason};
use countersign_domain::configurations::{AuthType, ConfigurationEdit};
use countersign_domain::time::UnixTime;
use countersign_service::{Caller, StatusChange, new_correlation_id};
use countersign_testkit::{
    Answer, Assertion, JWT_BEARER, MIDNIGHT, NOW, NewClient, PRIVATE_KEY_JWT, TestKey, World,
};

/// What provokes a reason: an assertion, and parameters beside it.
struct Provocation {
    assertion: String,
    more: Vec<(&'static str, String)>,
}

impl From<Assertion> for Provocation {
    fn from(assertion: Assertion) -> Self {
        Self {
            assertion: assertion.sign(),
            more: Vec::new(),
        }
    }
}

impl Provocation {
    fn with(assertion: Assertion, name: &'static str, value: &str) -> Self {
        Self {
            more: vec![(name, value.to_owned())],
            ..Self::from(assertion)
        }
    }
}

/// A world whose first client is this one.
async fn world_with(new: NewClient) -> World {
    let mut world = World::start().await;
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    world
}

/// A world that has what the reason needs.
async fn stage(reason: Reason) -> World {
    let fields = match reason {
        Reason::ConfigurationExpired => ConfigurationEdit {
            expires_at: Some(Some(UnixTime::from_seconds(NOW + 60))),
            ..ConfigurationEdit::default()
        },
        Reason::ScopeNotGranted => ConfigurationEdit {
            auth_type: Some(AuthType::ThirdParty),
            ..ConfigurationEdit::default()
        },
        Reason::TokenTooLarge => ConfigurationEdit {
            copied_claims: Some(["a", "b", "c"].map(str::to_owned).to_vec()),
            ..ConfigurationEdit::default()
        },
        _ => ConfigurationEdit::default(),
    };
    let world = match reason {
        Reason::KeyExpired => world_with(NewClient::with_certificate()).await,
        _ => world_with(NewClient::with_fields(fields)).await,
    };
    let server = &world.server;
    match reason {
        Reason::AssertionPredatesRestore => {
            server.mark_restored().await;
            let world = world.restarted().await;
            let service = world.server.service();
            service
                .confirm_restore(&Caller::operator(), new_correlation_id())
                .await
                .unwrap();
            return world;
        }
        Reason::ConfigurationDeactivated => {
            server
                .change_status(&world.a1, StatusChange::Deactivate)
                .await;
        }
        Reason::ConfigurationExpired => server.clock.advance(60),
        Reason::ConfigurationSuspended => {
            server.change_status(&world.a1, StatusChange::Suspend).await;
        }
        Reason::KeyExpired => server.clock.set(MIDNIGHT),
        Reason::KeyRetired => {
            let new = TestKey::es256();
            server.rotate(&world.a1, &new, None, Some(0)).await.unwrap();
        }
        Reason::OrganizationSuspended => server.change_organization(&world.acme, true).await,
        _ => {}
    }
    world
}

/// The request that is refused for this reason, and for no other.
fn provoke(world: &World, reason: Reason) -> Provocation {
    let now = world.server.now();
    // The compatibility route finds the organization by this claim.
    let good = world
        .assertion()
        .claim("tenant_id", world.acme.id.to_string());
    match reason {
        Reason::AccountBindingMalformed => good.claim("uid", 7).into(),
        Reason::AlgorithmNotAllowed => good.header("alg", "HS256").into(),
        Reason::AssertionExpired => good.claim("iat", now - 60).claim("exp", now - 30).into(),
        Reason::AssertionMalformed => Provocation {
            assertion: "garbage".to_owned(),
            more: Vec::new(),
        },
        Reason::AudienceMismatch => good.claim("aud", "https://elsewhere.example").into(),
        Reason::ClaimsMalformed => good.claim("exp", "soon").into(),
        Reason::ClientIdMismatch => Provocation::with(good, "client_id", "somebody-else"),
        Reason::HeaderUnacceptable => good.header("crit", serde_json::json!(["x"])).into(),
        Reason::IssuedInFuture => good.claim("iat", now + 31).into(),
        Reason::IssuerUnknown => good.claim("iss", "nobody").claim("sub", "nobody").into(),
        Reason::KeyUnknown => good.header("kid", "unknown").into(),
        Reason::LifetimeTooLong => good.claim("exp", now + 3601).into(),
        Reason::NotYetValid => good.claim("nbf", now + 31).into(),
        Reason::ResourceNotServed => {
            Provocation::with(good, "resource", "https://elsewhere.example")
        }
        Reason::ScopeMalformed => Provocation::with(good.claim("pismo", "a  b"), "scope", "a  b"),
        Reason::ScopeNotGranted => {
            let group = World::GROUPS[0];
            Provocation::with(good.claim("pismo", group), "scope", group)
        }
        Reason::ScopeUnknown => Provocation::with(good.claim("pismo", "x"), "scope", "x"),
        Reason::SignatureInvalid => good.signed_by(&world.a2.key).into(),
        Reason::SubjectMismatch => good.claim("sub", "somebody-else").into(),
        Reason::TenantMismatch => good.claim("tenant_id", world.bob.id.to_string()).into(),
        Reason::TokenTooLarge => ["a", "b", "c"]
            .into_iter()
            .fold(good, |long, claim| long.claim(claim, "x".repeat(3000)))
            .into(),
        Reason::AssertionPredatesRestore
        | Reason::AssertionReplayed
        | Reason::ConfigurationDeactivated
        | Reason::ConfigurationExpired
        | Reason::ConfigurationSuspended
        | Reason::KeyExpired
        | Reason::KeyRetired
        | Reason::OrganizationSuspended
        | Reason::UnknownOrganization => good.into(),
    }
}

/// Sends a provocation all three ways.
async fn send(world: &World, reason: Reason, provocation: &Provocation) -> [Answer; 3] {
    let Provocation { assertion, more } = provocation;
    let more: Vec<(&str, &str)> = more
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let path = match reason {
        Reason::UnknownOrganization => {
            "/t/tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7/token".to_owned()
        }
        _ => world.acme.path("token"),
    };
    let client = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", PRIVATE_KEY_JWT),
        ("client_assertion", assertion.as_str()),
    ];
    let grant = [
        ("grant_type", JWT_BEARER),
        ("assertion", assertion.as_str()),
    ];
    let client = world
        .server
        .post_form(&path, &[&client[..], &more].concat())
        .await;
    let grant = world
        .server
        .post_form(&path, &[&grant[..], &more].concat())
        .await;
    let passport = match reason {
        // There, an organization is unknown when the assertion names none.
        Reason::UnknownOrganization => world.server.passport(world.assertion().sign()).await,
        _ => world.server.passport(assertion).await,
    };
    [client, grant, passport]
}

/// What the caller sees: status, error, and the reason if it is told.
fn seen(answer: &Answer) -> String {
    let (status, error) = answer.verdict();
    let error = if error.is_empty() { "problem" } else { &error };
    let told = if answer.reason().is_some() {
        ", reason told"
    } else {
        ""
    };
    format!("{status} {error}{told}")
}

#[tokio::test]
async fn every_reason_is_provoked_and_shows_what_the_golden_table_says() {
    let mut table = format!(
        "{:<28} {:>5}  {:<36} {:<36} {}\n",
        "reason", "check", "client_assertion", "assertion (jwt-bearer)", "compatibility"
    );
    for reason in Reason::ALL {
        let world = stage(*reason).await;
        let provocation = provoke(&world, *reason);
        if *reason == Reason::AssertionReplayed {
            let first = world
                .server
                .grant(&world.acme, &provocation.assertion)
                .await;
            assert_eq!(first.status, 200, "{}", first.text());
        }
        let answers = send(&world, *reason, &provocation).await;
        let compatible = !matches!(
            reason,
            Reason::ClientIdMismatch | Reason::ResourceNotServed | Reason::TenantMismatch
        );
        for (place, answer) in answers.iter().enumerate() {
            // The compatibility route has no such parameter; and until it has read the claim that names the
            // organization, nobody's activity could have the reason.
            let has_organization = place < 2 || reason.check() > Check::Header;
            let arises = place < 2 || compatible;
            if *reason != Reason::UnknownOrganization && arises && has_organization {
                let recorded = world.server.recorded_reason(&world.acme, answer).await;
                assert_eq!(recorded, reason.code(), "{place}: {}", answer.text());
            }
        }
        let [client, grant, passport] = answers.map(|answer| seen(&answer));
        let passport = if compatible {
            passport
        } else {
            "does not arise".to_owned()
        };
        let (code, check) = (reason.code(), reason.check().number());
        writeln!(
            table,
            "{code:<28} {check:>5}  {client:<36} {grant:<36} {passport}"
        )
        .unwrap();
    }
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("reasons", table);
    });
}

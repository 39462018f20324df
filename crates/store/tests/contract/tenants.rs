//! No method shows or touches anything of another organization.

use countersign_crypto::random_bytes;
use countersign_domain::api_tokens::ApiScope;
use countersign_domain::change::{Base, ChangeKind};
use countersign_domain::configurations::AuthType;
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::signing_keys::SigningKeyState;
use countersign_store::{ActivityEntry, ActivityFilter, StoreError};

use crate::world::{NOW, Wish, World, all, configuration_state, renamed, submit, wish};

/// Every method that takes an organization, and the test below that proves it.
const PROVEN: [&str; 18] = [
    "activity",
    "api_tokens",
    "audience_is_taken",
    "base_of",
    "believable_configurations",
    "change",
    "changes",
    "configuration",
    "configurations",
    "move_signing_key",
    "next_change_number",
    "organization",
    "revoke_api_token",
    "revoke_token",
    "revoked_tokens",
    "signing_keys",
    "trim_refusals",
    "triple_is_taken",
];

on_both_databases! {
    /// base_of, change, changes, next_change_number, configuration, configurations, believable_configurations,
    /// organization: an organization that does not exist and one that is another's look the same.
    async fn governed_data_of_another_organization_does_not_exist(world: World) {
        let victim = world.organization().await;
        let id = world.configuration(victim).await;
        for stranger in [world.organization().await, TenantId::from_random([9; 16])] {
            let mut unit = world.read().await;
            assert_eq!(unit.base_of(stranger, &id.to_string()).await.unwrap(), Base::NOTHING);
            assert_eq!(unit.base_of(stranger, &victim.to_string()).await.unwrap(), Base::NOTHING);
            assert!(unit.versions(stranger, &id.to_string(), &all()).await.unwrap().is_empty());
            assert!(unit.change(stranger, 2).await.unwrap().is_none());
            assert!(unit.changes(stranger, &all()).await.unwrap().len() <= 1);
            assert!(unit.next_change_number(stranger).await.unwrap() <= 2);
            assert!(unit.configuration(stranger, id).await.unwrap().is_none());
            assert!(unit.configurations(stranger, None, &all()).await.unwrap().is_empty());
            let believed = unit.believable_configurations(stranger, |found| panic!("{found:?}")).await;
            assert!(believed.is_ok_and(|refused| refused.is_empty()) == (stranger != TenantId::from_random([9; 16])));
            let found = unit.organization(stranger).await.unwrap();
            assert!(found.is_none_or(|found| found.tenant_id == stranger));
        }
    }

    /// triple_is_taken, audience_is_taken: what another organization has registered stands in nobody's way.
    async fn triples_and_audiences_of_another_organization_are_free(world: World) {
        let (victim, stranger) = (world.organization().await, world.organization().await);
        let id = world.configuration(victim).await;
        let other = ConfigurationId::from_random(random_bytes());
        let mut state = world.state_of(victim, id).await;
        state.auth_type = AuthType::ThirdParty;
        let mut unit = world.read().await;
        assert!(unit.triple_is_taken(victim, other, &state).await.unwrap());
        assert!(unit.audience_is_taken(victim, other, &state).await.unwrap());
        assert!(!unit.triple_is_taken(stranger, other, &state).await.unwrap());
        assert!(!unit.audience_is_taken(stranger, other, &state).await.unwrap());
        drop(unit);
        let mut same = configuration_state(stranger, other);
        same.verifier_issuer = state.verifier_issuer;
        same.verifier_subject = state.verifier_subject;
        same.verifier_audience = state.verifier_audience;
        world.put(stranger, other, ChangeKind::ConfigurationCreate, &same).await.unwrap();
    }

    /// apply: an application in one organization neither changes nor supersedes anything in another.
    async fn an_application_stays_in_its_organization(world: World) {
        let (victim, stranger) = (world.organization().await, world.organization().await);
        let id = world.configuration(victim).await;
        let after = serde_json::to_value(renamed(world.state_of(victim, id).await, "waits")).unwrap();
        let mut unit = world.write().await;
        let waits = Wish { quorum: 1, ..wish(victim, ChangeKind::ConfigurationEdit, &id.to_string(), after) };
        let open = submit(&mut unit, waits).await.unwrap();
        unit.commit().await.unwrap();
        let mut same_name = configuration_state(stranger, id);
        same_name.name = renamed(same_name.clone(), "mine").name;
        world.put(stranger, id, ChangeKind::ConfigurationCreate, &same_name).await.unwrap();
        let mut unit = world.read().await;
        assert!(!unit.change(victim, open.number).await.unwrap().unwrap().state.is_terminal());
        let kept = unit.configuration(victim, id).await.unwrap().unwrap();
        assert_eq!(kept.version, 1);
        assert_ne!(kept.state.name.as_str(), "mine");
    }

    /// signing_keys, move_signing_key.
    async fn signing_keys_of_another_organization_are_out_of_reach(world: World) {
        let (victim, stranger) = (TenantId::from_random([1; 16]), TenantId::from_random([2; 16]));
        let mut unit = world.write().await;
        let key = crate::signing_keys::key(victim, "kid", SigningKeyState::Current);
        unit.insert_signing_key(&key, NOW).await.unwrap();
        assert!(unit.signing_keys(stranger).await.unwrap().is_empty());
        let moved = unit
            .move_signing_key((stranger, "kid"), SigningKeyState::Current, SigningKeyState::Retired, NOW)
            .await;
        assert!(matches!(moved, Err(StoreError::Collision)), "{moved:?}");
        assert_eq!(unit.signing_keys(victim).await.unwrap()[0].state, SigningKeyState::Current);
    }

    /// revoke_token, revoked_tokens.
    async fn revocations_count_in_one_organization(world: World) {
        let (victim, stranger) = (TenantId::from_random([1; 16]), TenantId::from_random([2; 16]));
        let mut unit = world.write().await;
        unit.revoke_token(stranger, "jti", NOW.plus(60), NOW).await.unwrap();
        assert!(unit.revoked_tokens(victim, NOW).await.unwrap().is_empty());
        unit.revoke_token(victim, "jti", NOW.plus(90), NOW).await.unwrap();
        assert_eq!(unit.revoked_tokens(victim, NOW).await.unwrap(), [("jti".to_owned(), NOW.plus(90))]);
    }

    /// api_tokens, revoke_api_token: neither another organization's tokens nor the platform's.
    async fn api_tokens_of_others_are_out_of_reach(world: World) {
        let (victim, stranger) = (TenantId::from_random([1; 16]), TenantId::from_random([2; 16]));
        for scope in [ApiScope::Organization(victim), ApiScope::Platform] {
            let token = crate::api_tokens::token(scope);
            let secret = crate::api_tokens::insert(&world, &token).await;
            let mut unit = world.write().await;
            assert!(unit.api_tokens(Some(stranger), &all()).await.unwrap().is_empty());
            assert_eq!(unit.revoke_api_token(Some(stranger), token.id, NOW).await.unwrap(), None);
            assert!(unit.api_token_by_digest(secret.digest(), NOW).await.unwrap().is_some());
        }
    }

    /// activity, trim_refusals.
    async fn activity_of_another_organization_is_out_of_reach(world: World) {
        let (victim, stranger) = (TenantId::from_random([1; 16]), TenantId::from_random([2; 16]));
        let mut unit = world.write().await;
        let entry = ActivityEntry {
            tenant_id: Some(victim),
            at: NOW,
            kind: "token.refused".to_owned(),
            correlation_id: "co-1".to_owned(),
            actor: "caller".to_owned(),
            detail: serde_json::Value::Null,
        };
        unit.append_activity(&entry).await.unwrap();
        let filter = ActivityFilter { correlation_id: Some("co-1".to_owned()), kind: None };
        for filter in [ActivityFilter::default(), filter] {
            assert!(unit.activity(stranger, &filter, &all()).await.unwrap().is_empty());
        }
        assert_eq!(unit.trim_refusals(stranger, 0).await.unwrap(), 0);
        assert_eq!(unit.activity(victim, &ActivityFilter::default(), &all()).await.unwrap().len(), 1);
    }
}

/// `style.md` 24: a method of the store that takes an organization and is not proven here fails.
#[test]
fn every_method_that_takes_an_organization_is_proven() {
    let sources = [
        include_str!("../../src/activity.rs"),
        include_str!("../../src/api_tokens.rs"),
        include_str!("../../src/changes.rs"),
        include_str!("../../src/configurations.rs"),
        include_str!("../../src/feed.rs"),
        include_str!("../../src/idempotency.rs"),
        include_str!("../../src/instance.rs"),
        include_str!("../../src/issuances.rs"),
        include_str!("../../src/organizations.rs"),
        include_str!("../../src/registered_keys.rs"),
        include_str!("../../src/revocations.rs"),
        include_str!("../../src/signing_keys.rs"),
        include_str!("../../src/versions.rs"),
    ];
    let mut found = Vec::new();
    for source in sources {
        for method in source.split("pub async fn ").skip(1) {
            let (name, rest) = method.split_once('(').unwrap();
            let (parameters, _) = rest.split_once("->").unwrap();
            if parameters.contains("tenant_id") && name != "versions" {
                found.push(name);
            }
        }
    }
    found.sort_unstable();
    assert_eq!(found, PROVEN);
}

//! No method shows or touches anything of another organization.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::Pin;

use countersign_crypto::{Digest32, random_bytes};
use countersign_domain::api_tokens::ApiScope;
use countersign_domain::change::{Base, ChangeKind};
use countersign_domain::configurations::{AuthType, ConfigurationState};
use countersign_domain::ids::{ApiTokenId, ConfigurationId, TenantId};
use countersign_domain::signing_keys::SigningKeyState;
use countersign_store::{ActivityEntry, ActivityFilter, IdempotencyKey, StoreError, Unit};

use crate::world::{
    NOW, Wish, World, all, apply, configuration_state, organization_state, renamed, submit, wish,
};

/// Everything that an organization can have, and who must not get at it.
struct Scene {
    victim: TenantId,
    configuration: ConfigurationId,
    state: ConfigurationState,
    open_request: u64,
    api_tokens: [(ApiTokenId, Digest32); 2],
    /// An organization that exists and has nothing but itself.
    neighbour: TenantId,
}

impl Scene {
    async fn set(world: &World) -> Self {
        let (victim, neighbour) = (world.organization().await, world.organization().await);
        let configuration = world.configuration(victim).await;
        let mut state = world.state_of(victim, configuration).await;
        let platform = crate::api_tokens::token(ApiScope::Platform);
        let own = crate::api_tokens::token(ApiScope::Organization(victim));
        let digests = [
            crate::api_tokens::insert(world, &platform).await.digest(),
            crate::api_tokens::insert(world, &own).await.digest(),
        ];
        let mut unit = world.write().await;
        let after = serde_json::to_value(renamed(state.clone(), "waits")).unwrap();
        let target = configuration.to_string();
        let waits = Wish {
            quorum: 1,
            ..wish(victim, ChangeKind::ConfigurationEdit, &target, after)
        };
        let open_request = submit(&mut unit, waits).await.unwrap().number;
        let key = crate::signing_keys::key(victim, "kid", SigningKeyState::Current);
        unit.insert_signing_key(&key, NOW).await.unwrap();
        unit.revoke_token(victim, "jti", NOW.plus(90), NOW)
            .await
            .unwrap();
        unit.append_activity(&entry(victim)).await.unwrap();
        unit.keep_answer(&answer_key("at-victim"), "{}", NOW)
            .await
            .unwrap();
        unit.commit().await.unwrap();
        // Asked for by somebody who would share the audience with nobody.
        state.auth_type = AuthType::ThirdParty;
        Self {
            victim,
            configuration,
            state,
            open_request,
            api_tokens: [(platform.id, digests[0]), (own.id, digests[1])],
            neighbour,
        }
    }

    /// How many change requests and versions an organization has that the scene gave nothing.
    fn own_changes(&self, other: TenantId) -> u64 {
        u64::from(other == self.neighbour)
    }

    /// Everything of the victim, and the tokens of the platform, as they stand.
    async fn portrait(&self, unit: &mut Unit) -> String {
        let victim = self.victim;
        let target = self.configuration.to_string();
        let mut believed = Vec::new();
        let refused = unit
            .believable_configurations(victim, |found| believed.push(format!("{found:?}")))
            .await;
        let mut events = unit.feed_after(0, 1000).await.unwrap();
        events.retain(|event| event.tenant_id == victim);
        let mut tokens = Vec::new();
        for (_, digest) in self.api_tokens {
            tokens.push(unit.api_token_by_digest(digest, NOW).await.unwrap());
        }
        format!(
            "{:?}\n{:?}\n{believed:?} {refused:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{events:?}\n{tokens:?}",
            unit.organization(victim).await,
            unit.configurations(victim, None, &all()).await,
            unit.versions(victim, &target, &all()).await,
            unit.changes(victim, &all()).await,
            unit.signing_keys(victim).await,
            unit.revoked_tokens(victim, NOW).await,
            unit.api_tokens(Some(victim), &all()).await,
            unit.activity(victim, &ActivityFilter::default(), &all())
                .await,
        )
    }
}

fn entry(tenant_id: TenantId) -> ActivityEntry {
    ActivityEntry {
        tenant_id: Some(tenant_id),
        at: NOW,
        kind: "token.refused".to_owned(),
        correlation_id: "co-1".to_owned(),
        actor: "caller".to_owned(),
        detail: serde_json::Value::Null,
    }
}

fn answer_key(caller: &str) -> IdempotencyKey {
    IdempotencyKey {
        caller: caller.to_owned(),
        key: "k".to_owned(),
        request_digest: "d".to_owned(),
    }
}

/// Calls a method for another organization, and fails if it finds anything of the victim.
type Proof =
    for<'a> fn(&'a mut Unit, &'a Scene, TenantId) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

macro_rules! proofs {
    ($($method:ident($unit:ident, $scene:ident, $other:ident) $body:block)*) => {
        /// Every method that reaches what belongs to an organization, called for another one.
        const PROOFS: &[(&str, Proof)] = &[$((
            stringify!($method),
            |$unit, $scene, $other| Box::pin(async move { $body }),
        )),*];
    };
}

proofs! {
    activity(unit, _scene, other) {
        let by_id = ActivityFilter { correlation_id: Some("co-1".to_owned()), kind: None };
        for filter in [ActivityFilter::default(), by_id] {
            assert_eq!(unit.activity(other, &filter, &all()).await.unwrap(), []);
        }
    }

    api_tokens(unit, _scene, other) {
        assert!(unit.api_tokens(Some(other), &all()).await.unwrap().is_empty());
    }

    append_activity(unit, _scene, other) {
        unit.append_activity(&entry(other)).await.unwrap();
    }

    apply(unit, scene, other) {
        let own = configuration_state(other, scene.configuration);
        let after = serde_json::to_value(renamed(own, "mine")).unwrap();
        let target = scene.configuration.to_string();
        let applied = apply(unit, wish(other, ChangeKind::ConfigurationCreate, &target, after)).await;
        assert_eq!(applied.is_ok(), other == scene.neighbour, "{applied:?}");
    }

    audience_is_taken(unit, scene, other) {
        let id = ConfigurationId::from_random(random_bytes());
        assert!(unit.audience_is_taken(scene.victim, id, &scene.state).await.unwrap());
        assert!(!unit.audience_is_taken(other, id, &scene.state).await.unwrap());
    }

    base_of(unit, scene, other) {
        for target in [scene.configuration.to_string(), scene.victim.to_string()] {
            assert_eq!(unit.base_of(other, &target).await.unwrap(), Base::NOTHING);
        }
    }

    believable_configurations(unit, scene, other) {
        let refused = unit.believable_configurations(other, |found| panic!("{found:?}")).await;
        match refused {
            Ok(refused) => assert_eq!((refused, other), (Vec::new(), scene.neighbour)),
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }) && other != scene.neighbour),
        }
    }

    change(unit, scene, other) {
        assert!(unit.change(scene.victim, scene.open_request).await.unwrap().is_some());
        assert_eq!(unit.change(other, scene.open_request).await.unwrap(), None);
    }

    changes(unit, scene, other) {
        let found = unit.changes(other, &all()).await.unwrap();
        assert_eq!(found.len() as u64, scene.own_changes(other));
        assert!(found.iter().all(|request| request.change.envelope().tenant_id == other));
    }

    configuration(unit, scene, other) {
        assert!(unit.configuration(other, scene.configuration).await.unwrap().is_none());
    }

    configurations(unit, _scene, other) {
        assert!(unit.configurations(other, None, &all()).await.unwrap().is_empty());
    }

    insert_api_token(unit, _scene, other) {
        let token = crate::api_tokens::token(ApiScope::Organization(other));
        let secret = countersign_domain::api_tokens::ApiTokenSecret::from_random(random_bytes());
        unit.insert_api_token(&token, secret.digest()).await.unwrap();
    }

    insert_change(unit, scene, other) {
        let after = serde_json::to_value(organization_state("Mine")).unwrap();
        let target = scene.configuration.to_string();
        submit(unit, wish(other, ChangeKind::ConfigurationEdit, &target, after)).await.unwrap();
    }

    insert_signing_key(unit, _scene, other) {
        let key = crate::signing_keys::key(other, "kid", SigningKeyState::Current);
        unit.insert_signing_key(&key, NOW).await.unwrap();
    }

    keep_answer(unit, scene, other) {
        unit.keep_answer(&answer_key(&other.to_string()), "mine", NOW).await.unwrap();
        let kept = unit.kept_answer(&answer_key("at-victim"), NOW).await.unwrap();
        assert_eq!(kept.unwrap().answer, "{}", "{}", scene.victim);
    }

    kept_answer(unit, _scene, other) {
        assert_eq!(unit.kept_answer(&answer_key(&other.to_string()), NOW).await.unwrap(), None);
    }

    move_signing_key(unit, _scene, other) {
        let (from, to) = (SigningKeyState::Current, SigningKeyState::Retired);
        let moved = unit.move_signing_key((other, "kid"), from, to, NOW).await;
        assert!(matches!(moved, Err(StoreError::Collision)), "{moved:?}");
    }

    next_change_number(unit, scene, other) {
        assert_eq!(unit.next_change_number(other).await.unwrap(), 1 + scene.own_changes(other));
    }

    organization(unit, scene, other) {
        let found = unit.organization(other).await.unwrap().map(|found| found.tenant_id);
        assert_eq!(found, (other == scene.neighbour).then_some(other));
    }

    revoke_api_token(unit, scene, other) {
        for (id, _) in scene.api_tokens {
            assert_eq!(unit.revoke_api_token(Some(other), id, NOW).await.unwrap(), None);
        }
    }

    revoke_token(unit, _scene, other) {
        unit.revoke_token(other, "jti", NOW.plus(60), NOW).await.unwrap();
        unit.revoke_token(other, "jti-2", NOW.plus(60), NOW).await.unwrap();
    }

    revoked_tokens(unit, _scene, other) {
        assert_eq!(unit.revoked_tokens(other, NOW).await.unwrap(), []);
    }

    signing_keys(unit, _scene, other) {
        assert!(unit.signing_keys(other).await.unwrap().is_empty());
    }

    triple_is_taken(unit, scene, other) {
        let id = ConfigurationId::from_random(random_bytes());
        assert!(unit.triple_is_taken(scene.victim, id, &scene.state).await.unwrap());
        assert!(!unit.triple_is_taken(other, id, &scene.state).await.unwrap());
    }

    trim_refusals(unit, _scene, other) {
        assert_eq!(unit.trim_refusals(other, 0).await.unwrap(), 0);
    }

    versions(unit, scene, other) {
        for target in [scene.configuration.to_string(), scene.victim.to_string()] {
            assert_eq!(unit.versions(other, &target, &all()).await.unwrap(), []);
        }
    }
}

/// Methods that are not called for one organization, and why that is right.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "api_token_by_digest",
        "the secret itself is the right to it; the token says whose it is",
    ),
    (
        "append_issuances",
        "the ledger of all; each row names its organization",
    ),
    ("clock_high_water", "the instance as a whole"),
    ("commit", "reaches no data"),
    (
        "feed_after",
        "read by nodes, which serve every organization; shown to nobody",
    ),
    ("feed_position", "a number of the whole instance"),
    ("follow_feed", "as feed_after"),
    ("forget_answers", "by age alone"),
    ("forget_feed", "by age alone"),
    ("forget_issuances", "by age alone"),
    ("forget_revocations", "by age alone"),
    ("instance_fact", "the instance as a whole"),
    (
        "issuance",
        "found by its place in a token with a good signature; introspection compares the organization",
    ),
    ("database_time", "the clock of the database"),
    (
        "key_is_registered",
        "one key, one configuration on the whole platform; says only whether",
    ),
    (
        "organization_count",
        "a number for the operator of the machine",
    ),
    (
        "latest_issuance",
        "a time of the whole instance, for its clock",
    ),
    ("organization_ids", "for the background work of the node"),
    ("organizations", "the list of the platform's callers"),
    ("raise_clock", "the instance as a whole"),
    ("read", "reaches no data"),
    ("read_backup", "the whole instance, for its operator"),
    (
        "registered_moduli",
        "public keys of the whole platform, to find shared factors; shown to nobody",
    ),
    ("remove_instance_fact", "the instance as a whole"),
    (
        "replay_memory",
        "digests without organizations, for the memory of the node",
    ),
    ("reserve_issuance_ids", "numbers of the whole instance"),
    (
        "revoke_all_api_tokens",
        "after a restore, by the operator of the machine",
    ),
    ("set_instance_fact", "the instance as a whole"),
    ("write", "reaches no data"),
    ("write_backup", "the whole instance, for its operator"),
];

on_both_databases! {
    /// An organization that exists and one that does not look the same from another, and no call for them leaves a
    /// trace.
    async fn no_method_reaches_what_belongs_to_another_organization(world: World) {
        let scene = Scene::set(&world).await;
        for other in [scene.neighbour, TenantId::from_random([9; 16])] {
            for (method, proof) in PROOFS {
                let mut unit = world.write().await;
                let before = scene.portrait(&mut unit).await;
                proof(&mut unit, &scene, other).await;
                assert_eq!(scene.portrait(&mut unit).await, before, "{method} for {other}");
            }
        }
    }

    /// What another organization has registered stands in nobody's way.
    async fn triples_of_another_organization_are_free(world: World) {
        let (victim, stranger) = (world.organization().await, world.organization().await);
        let id = world.configuration(victim).await;
        let state = world.state_of(victim, id).await;
        let other = ConfigurationId::from_random(random_bytes());
        let mut same = configuration_state(stranger, other);
        same.verifier_issuer = state.verifier_issuer;
        same.verifier_subject = state.verifier_subject;
        same.verifier_audience = state.verifier_audience;
        world.put(stranger, other, ChangeKind::ConfigurationCreate, &same).await.unwrap();
    }
}

/// The names of the public methods in a folder of sources.
fn methods(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // `database` opens and closes; its transactions do not leave the crate.
            if !path.ends_with("database") {
                methods(&path, found);
            }
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for method in source.split("pub async fn ").skip(1) {
            let end = method.find(['(', '<']).unwrap();
            found.insert(method[..end].to_owned());
        }
    }
}

/// `style.md` 24: a method of the store that is neither proven here nor excepted with a reason fails.
#[test]
fn every_method_is_proven_or_excepted_with_a_reason() {
    let mut found = BTreeSet::new();
    methods(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    let listed: Vec<&str> = PROOFS
        .iter()
        .map(|(name, _)| *name)
        .chain(EXCEPTIONS.iter().map(|(name, _)| *name))
        .collect();
    let distinct: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(distinct.len(), listed.len(), "a method is listed twice");
    assert_eq!(distinct, found);
}

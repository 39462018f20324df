//! C11: recovery, for when nobody is left to decide.

use countersign_crypto::ssh::{PersonKey, SshSignatureRequest};
use countersign_crypto::{SigningAlgorithm, SigningKey};
use serde_json::json;

use super::world::*;
use crate::approval::{
    Containments, Decision, Intent, Nonce, SSH_NAMESPACE, Session, Signature, SignatureRefusal,
    Signer, SignerRole, Statement,
};
use crate::change::{Ballot, ChangeKind, Maker, Matter, Unauthorized, terms};
use crate::ids::RecoveryHolderId;
use crate::roster::{
    DEFAULT_RECOVERY_TIMELOCK, Group, RecoveryHolder, RecoveryState, Role, UserState, UserStatus,
};

fn holder(number: u8) -> RecoveryHolderId {
    RecoveryHolderId::from_random([number; 16])
}

/// Three holders, two of whom must agree, and their keys.
fn kit() -> (RecoveryState, Vec<SigningKey>) {
    let keys: Vec<_> = (0..3)
        .map(|_| SigningKey::generate(SigningAlgorithm::EdDsa))
        .collect();
    let one = |(number, key): (u8, &SigningKey)| RecoveryHolder {
        id: holder(number),
        public_key: line(key),
        user: None,
    };
    let state = RecoveryState {
        holders: (1..).zip(&keys).map(one).collect(),
        threshold: 2,
        timelock: DEFAULT_RECOVERY_TIMELOCK,
    };
    (state, keys)
}

fn line(key: &SigningKey) -> String {
    PersonKey::from_ed25519(key.public_key())
        .unwrap()
        .to_string()
}

/// With a kit, put in place by two people and after its wait.
fn with_kit() -> (World, Vec<SigningKey>) {
    let mut world = World::new(1);
    let (kit, keys) = kit();
    let kit = serde_json::to_value(kit).unwrap();
    let number = world
        .submit(&by(ana()), ChangeKind::RecoveryChange, "recovery", kit)
        .unwrap();
    assert_eq!(world.approve(bo(), number), Ok("approved"));
    world.pass(DAY);
    assert_eq!(world.state(number), "applied");
    (world, keys)
}

/// Both who decide are gone.
fn lose_everybody(world: &mut World) {
    for lost in [bo(), cy()] {
        let state = UserState {
            status: UserStatus::Removed,
            ..world.user_state(lost)
        };
        world.roster = world.roster.with_user_state(lost, state).unwrap();
    }
}

/// The decision of a holder, signed offline.
fn holders_vote(world: &World, number: u64, (id, key): (u8, &SigningKey)) -> Ballot {
    let intent = Intent {
        signer: Signer::Holder(holder(id)),
        credential: line(key)
            .parse::<PersonKey>()
            .unwrap()
            .fingerprint()
            .parse()
            .unwrap(),
        role: SignerRole::Recovery,
        decision: Decision::Approve,
    };
    let (change, nonce) = (
        &world.entry(number).request.change,
        Nonce::from_random([id; 32]),
    );
    let statement = Statement::new(change, intent, nonce, None, world.now);
    let challenge = statement.challenge().unwrap().to_string();
    let request = SshSignatureRequest::new(SSH_NAMESPACE, challenge.as_bytes()).unwrap();
    let signature = Signature::PersonKey {
        credential_id: statement.credential.clone(),
        signature: request.sign(key).unwrap(),
    };
    let signed = statement.verify(signature, world.verifier()).unwrap();
    let mut ballot = world.ballot(signed, Some("Nobody else is left"));
    ballot.session = Session::Program;
    ballot
}

fn appoint(world: &mut World, maker: u8) -> u64 {
    let state = UserState {
        roles: [Role::ApiKeysApprover, Role::PolicyApprover, Role::Viewer].into(),
        ..world.user_state(dee())
    };
    let after = serde_json::to_value(state).unwrap();
    let maker = Maker::RecoveryHolder { id: holder(maker) };
    world
        .submit(&maker, ChangeKind::RecoveryAppoint, &target(dee()), after)
        .unwrap()
}

#[test]
fn c11_two_of_three_holders_name_an_approver_who_decides_after_the_wait() {
    let (mut world, keys) = with_kit();
    lose_everybody(&mut world);
    let number = appoint(&mut world, 1);
    let ballot = holders_vote(&world, number, (1, &keys[0]));
    assert_eq!(
        world.cast(number, ballot),
        Ok("pending"),
        "whoever proposes counts once"
    );
    let again = holders_vote(&world, number, (1, &keys[0]));
    assert_eq!(world.cast(number, again), Ok("pending"));
    let ballot = holders_vote(&world, number, (3, &keys[2]));
    assert_eq!(world.cast(number, ballot), Ok("approved"));
    world.pass(DEFAULT_RECOVERY_TIMELOCK - 1);
    assert_eq!(world.state(number), "approved");
    world.pass(1);
    assert_eq!(world.state(number), "applied");
    let edit = world.edit(ana(), "two").unwrap();
    assert_eq!(
        world.approve(dee(), edit),
        Ok("applied"),
        "seasoning is waived"
    );
}

#[test]
fn c11_recovery_is_vetoed_by_an_admin_who_is_left() {
    let (mut world, keys) = with_kit();
    lose_everybody(&mut world);
    let number = appoint(&mut world, 1);
    for at in [0, 1] {
        let ballot = holders_vote(&world, number, (at + 1, &keys[usize::from(at)]));
        world.cast(number, ballot).unwrap();
    }
    assert_eq!(world.decide(ana(), number, Decision::Veto), Ok("rejected"));
}

#[test]
fn c11_a_holder_decides_on_nothing_else_and_a_foreign_key_is_no_holders() {
    let (mut world, keys) = with_kit();
    let edit = world.edit(ana(), "two").unwrap();
    let ballot = holders_vote(&world, edit, (1, &keys[0]));
    let refused = world.cast(edit, ballot).unwrap_err();
    assert_eq!(refused.code(), "role_missing");
    let ballot = holders_vote(&world, edit, (1, &keys[0]));
    let (mut statement, signature) = (
        ballot.signed.statement().clone(),
        ballot.signed.signature().clone(),
    );
    statement.user = Signer::Holder(holder(2));
    let refused = statement
        .clone()
        .verify(signature.clone(), world.verifier());
    assert_eq!(refused, Err(SignatureRefusal::CredentialUnknown));
    statement.user = Signer::User(bo());
    let refused = statement.verify(signature, world.verifier());
    assert_eq!(refused, Err(SignatureRefusal::RoleMismatch));
}

#[test]
fn c3_holders_change_with_approval_and_a_wait_even_where_the_rule_asks_for_nobody() {
    let mut policy = crate::roster::PolicyState::standard(true, 1);
    policy.rules.policy.all_of = crate::approval::Need::NOBODY;
    let mut world = World::founded(&members(), &policy);
    let kit = serde_json::to_value(kit().0).unwrap();
    let number = world
        .submit(&by(ana()), ChangeKind::RecoveryChange, "recovery", kit)
        .unwrap();
    assert_eq!(world.state(number), "pending");
    assert_eq!(world.approve(bo(), number), Ok("approved"));
}

#[test]
fn c11_recovery_is_for_lost_quorum_only_and_for_its_holders_only() {
    let (mut world, _) = with_kit();
    let after = |world: &World| {
        serde_json::to_value(UserState {
            roles: [Role::PolicyApprover, Role::Viewer].into(),
            ..world.user_state(dee())
        })
        .unwrap()
    };
    let kind = ChangeKind::RecoveryAppoint;
    let by_holder = Maker::RecoveryHolder { id: holder(1) };
    let state = after(&world);
    let refused = world.submit(&by_holder, kind, &target(dee()), state.clone());
    assert_eq!(
        refused,
        Err(Unauthorized::MakerLostAuthority("recovery_not_needed"))
    );
    lose_everybody(&mut world);
    let refused = world.submit(&by(ana()), kind, &target(dee()), state.clone());
    assert_eq!(
        refused,
        Err(Unauthorized::MakerLostAuthority("role_not_allowed"))
    );
    let refused = world.submit(&Maker::Operator, kind, &target(dee()), state.clone());
    assert_eq!(
        refused,
        Err(Unauthorized::MakerLostAuthority("person_required"))
    );
    let stranger = Maker::RecoveryHolder { id: holder(9) };
    let refused = world.submit(&stranger, kind, &target(dee()), state.clone());
    assert_eq!(
        refused,
        Err(Unauthorized::MakerLostAuthority("role_not_allowed"))
    );
    let number = world
        .submit(&by_holder, kind, &target(dee()), state)
        .unwrap();
    let rule = world
        .entry(number)
        .request
        .change
        .envelope()
        .policy
        .rule()
        .clone();
    assert_eq!(
        rule.all_of,
        crate::approval::Need::of(Group::RecoveryHolders, 2)
    );
    assert_eq!(rule.timelock, DEFAULT_RECOVERY_TIMELOCK);
}

#[test]
fn c11_recovery_names_approvers_and_nothing_else() {
    let (mut world, _) = with_kit();
    lose_everybody(&mut world);
    let maker = Maker::RecoveryHolder { id: holder(1) };
    let mut admin = world.user_state(dee());
    admin.roles.insert(Role::Admin);
    let origin = crate::roster::Origin {
        at: world.now,
        by: maker.clone(),
        change: 1,
        how: crate::roster::How::Recovery,
    };
    let after = serde_json::to_value(&admin).unwrap();
    let target = crate::roster::RosterTarget::User(dee());
    let refused = world
        .roster
        .after(ChangeKind::RecoveryAppoint, &target, &after, &origin);
    assert_eq!(refused.unwrap_err().code(), "not_of_this_kind");
    let refused = world.submit(
        &maker,
        ChangeKind::ConfigurationEdit,
        CONFIGURATION,
        json!({}),
    );
    assert_eq!(
        refused,
        Err(Unauthorized::MakerLostAuthority("role_not_allowed"))
    );
}

#[test]
fn c11_without_a_kit_nobody_can_agree() {
    let world = World::new(1);
    let after = json!({});
    let maker = Maker::RecoveryHolder { id: holder(1) };
    let matter = Matter {
        kind: ChangeKind::RecoveryAppoint,
        target: "us-x",
        after: &after,
        maker: &maker,
    };
    let rule = terms(&world.roster, &matter, &Containments::default(), world.now);
    assert!(rule.quorum() >= 20);
}

#[test]
fn c11_a_kit_that_cannot_work_is_refused() {
    let mut world = World::new(1);
    let mut twice = kit().0;
    twice.holders[1].public_key = twice.holders[0].public_key.clone();
    let mut commented = kit().0;
    commented.holders[0].public_key.push_str(" me@home");
    let few = RecoveryState {
        threshold: 4,
        ..kit().0
    };
    let hasty = RecoveryState {
        timelock: 3600,
        ..kit().0
    };
    for (kit, code) in [
        (twice, "recovery_holder_duplicate"),
        (commented, "recovery_key_unusable"),
        (few, "recovery_threshold_out_of_range"),
        (hasty, "recovery_timelock_out_of_range"),
    ] {
        let kit = serde_json::to_value(kit).unwrap();
        let refused = world.submit(&by(ana()), ChangeKind::RecoveryChange, "recovery", kit);
        assert_eq!(refused, Err(Unauthorized::AfterRefused(code)));
    }
}

//! C11: recovery, for when nobody is left to decide.

use serde_json::json;

use super::world::*;
use crate::approval::Containments;
use crate::change::{ChangeKind, Maker, Matter, Unauthorized, terms};
use crate::ids::RecoveryHolderId;
use crate::roster::{
    DEFAULT_RECOVERY_TIMELOCK, Group, RecoveryHolder, RecoveryState, Role, UserState,
};

fn holder(number: u8) -> RecoveryHolderId {
    RecoveryHolderId::from_random([number; 16])
}

fn kit() -> RecoveryState {
    let one = |number: u8| RecoveryHolder {
        id: holder(number),
        public_key: format!("ssh-ed25519 key-{number}"),
        user: None,
    };
    RecoveryState {
        holders: [1, 2, 3].map(one).to_vec(),
        threshold: 2,
        timelock: DEFAULT_RECOVERY_TIMELOCK,
    }
}

/// With a kit, put in place by two people and after its wait.
fn with_kit() -> World {
    let mut world = World::new(1);
    let kit = serde_json::to_value(kit()).unwrap();
    let number = world
        .submit(&by(ana()), ChangeKind::RecoveryChange, "recovery", kit)
        .unwrap();
    assert_eq!(world.approve(bo(), number), Ok("approved"));
    world.pass(DAY);
    assert_eq!(world.state(number), "applied");
    world
}

#[test]
fn c3_holders_change_with_approval_and_a_wait_even_where_the_rule_asks_for_nobody() {
    let mut policy = crate::roster::PolicyState::standard(true, 1);
    policy.rules.policy.all_of = crate::approval::Need::NOBODY;
    let mut world = World::founded(&members(), &policy);
    let kit = serde_json::to_value(kit()).unwrap();
    let number = world
        .submit(&by(ana()), ChangeKind::RecoveryChange, "recovery", kit)
        .unwrap();
    assert_eq!(world.state(number), "pending");
    assert_eq!(world.approve(bo(), number), Ok("approved"));
}

#[test]
fn c11_recovery_is_for_lost_quorum_only_and_for_its_holders_only() {
    let mut world = with_kit();
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
    for lost in [bo(), cy()] {
        let state = UserState {
            status: crate::roster::UserStatus::Removed,
            ..world.user_state(lost)
        };
        world.roster = world.roster.with_user_state(lost, state).unwrap();
    }
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
    let mut world = with_kit();
    for lost in [bo(), cy()] {
        let state = UserState {
            status: crate::roster::UserStatus::Removed,
            ..world.user_state(lost)
        };
        world.roster = world.roster.with_user_state(lost, state).unwrap();
    }
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
    let mut twice = kit();
    twice.holders[1].public_key = "ssh-ed25519 key-1".to_owned();
    let few = RecoveryState {
        threshold: 4,
        ..kit()
    };
    let hasty = RecoveryState {
        timelock: 3600,
        ..kit()
    };
    for (kit, code) in [
        (twice, "recovery_holder_duplicate"),
        (few, "recovery_threshold_out_of_range"),
        (hasty, "recovery_timelock_out_of_range"),
    ] {
        let kit = serde_json::to_value(kit).unwrap();
        let refused = world.submit(&by(ana()), ChangeKind::RecoveryChange, "recovery", kit);
        assert_eq!(refused, Err(Unauthorized::AfterRefused(code)));
    }
}

//! C10: the numbered cases that the rules decide.

use serde_json::json;

use super::passkey::Passkey;
use super::world::*;
use crate::approval::{Decision, suspended};
use crate::change::{ChangeKind, DecisionRefused, Maker, Unauthorized};
use crate::roster::{Blocked, Health, PolicyState, Role, UserState, UserStatus, health};

fn ineligible(result: Result<&'static str, DecisionRefused>) -> &'static str {
    match result {
        Err(DecisionRefused::Ineligible(refusal)) => refusal.code(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn c10_01_a_sock_puppet_needs_an_existing_checker_and_then_waits() {
    let mut world = World::new(1);
    let puppet = UserState::new(person(20), [Role::ApiKeysApprover].into());
    let kind = ChangeKind::UserCreate;
    let number = world.change_user(ana(), kind, (user(20), &puppet)).unwrap();
    assert_eq!(world.state(number), "pending");
    let plain = UserState::new(person(21), [Role::Viewer].into());
    world.change_user(ana(), kind, (user(21), &plain)).unwrap();
    let passkey = Passkey::new();
    let state = serde_json::to_value(world.passkey_state(&passkey, user(21))).unwrap();
    let target = format!("au-{}", passkey.credential);
    world
        .submit(&by(ana()), ChangeKind::AuthenticatorReset, &target, state)
        .unwrap();
    world.passkeys.insert(user(21), passkey);
    let roles = [Role::ApiKeysApprover, Role::Viewer];
    let grant = world
        .roles(ana(), ChangeKind::RoleGrant, (user(21), &roles))
        .unwrap();
    assert_eq!(world.approve(bo(), grant), Ok("applied"), "Bo was fooled");
    let edit = world.edit(ana(), "two").unwrap();
    assert_eq!(ineligible(world.approve(user(21), edit)), "role_unseasoned");
    world.pass(2 * DAY);
    assert_eq!(ineligible(world.approve(user(21), edit)), "not_independent");
}

#[test]
fn c10_02_an_admin_who_approves_checks_others_never_themselves() {
    let mut world = World::new(1);
    let own = world.edit(cy(), "two").unwrap();
    assert_eq!(ineligible(world.approve(cy(), own)), "own_request");
    assert_eq!(world.approve(bo(), own), Ok("applied"));
    let of_ana = world.edit(ana(), "three").unwrap();
    assert_eq!(world.approve(cy(), of_ana), Ok("applied"));
}

#[test]
fn c10_03_an_approver_is_not_taken_over_by_a_reset() {
    let mut world = World::new(1);
    let passkey = Passkey::new();
    let state = serde_json::to_value(world.passkey_state(&passkey, bo())).unwrap();
    let target = format!("au-{}", passkey.credential);
    let number = world
        .submit(&by(ana()), ChangeKind::AuthenticatorReset, &target, state)
        .unwrap();
    assert_eq!(world.state(number), "pending");
    assert_eq!(
        ineligible(world.approve(bo(), number)),
        "subject_of_the_change"
    );
    assert_eq!(world.approve(cy(), number), Ok("applied"));
    world.passkeys.insert(bo(), passkey);
    let edit = world.edit(ana(), "two").unwrap();
    assert_eq!(
        ineligible(world.approve(bo(), edit)),
        "authenticator_unseasoned"
    );
}

#[test]
fn c10_05_a_vote_is_voided_with_a_cause_when_its_voter_is_demoted() {
    let mut people = members();
    people[3].1 = APPROVERS.to_vec();
    let mut policy = PolicyState::standard(true, 2);
    policy.rules.roster.all_of = crate::approval::Need::of("policy_approver".parse().unwrap(), 1);
    let mut world = World::founded(&people, &policy);
    let number = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(bo(), number), Ok("pending"));
    world.suspend(cy(), bo()).unwrap();
    let vote = &world.entry(number).votes[0];
    assert_eq!(vote.voided().unwrap().cause, "account_inactive");
    assert_eq!(world.approve(cy(), number), Ok("pending"), "one of two");
    assert_eq!(world.approve(dee(), number), Ok("applied"));
}

#[test]
fn c10_06_what_was_applied_stays_when_its_checker_leaves() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    world.approve(bo(), number).unwrap();
    world.suspend(cy(), bo()).unwrap();
    assert_eq!(world.state(number), "applied");
    assert!(
        world.entry(number).votes[0].voided().is_none(),
        "it counted then"
    );
}

#[test]
fn c10_07_a_request_is_canceled_when_its_maker_may_no_longer_ask() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    world.suspend(cy(), ana()).unwrap();
    assert_eq!(world.state(number), "canceled");
    let reason = world.entry(number).request.state.close_reason();
    assert_eq!(reason, Some("maker_lost_authority"));
}

#[test]
fn c10_08_a_maker_who_becomes_an_approver_is_still_the_maker() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let roles = [Role::Admin, Role::ApiKeysApprover];
    let grant = world
        .roles(cy(), ChangeKind::RoleGrant, (ana(), &roles))
        .unwrap();
    world.approve(bo(), grant).unwrap();
    world.pass(2 * DAY);
    assert_eq!(ineligible(world.approve(ana(), number)), "own_request");
}

#[test]
fn c10_10_26_what_is_applied_supersedes_what_was_open() {
    let mut policy = PolicyState::standard(true, 1);
    policy.rules.configurations.timelock = DAY;
    let mut world = World::founded(&members(), &policy);
    let scheduled = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(bo(), scheduled), Ok("approved"));
    let after = json!({"name": "one", "status": "SUSPENDED"});
    let kind = ChangeKind::ConfigurationSuspend;
    world.submit(&by(cy()), kind, CONFIGURATION, after).unwrap();
    assert_eq!(world.state(scheduled), "superseded");
}

#[test]
fn c10_11_25_a_state_that_became_unacceptable_fails_and_is_not_tried_again() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    world.after = Err("triple_taken");
    assert_eq!(world.approve(bo(), number), Ok("failed"));
    world.after = Ok(());
    assert!(matches!(
        world.approve(cy(), number),
        Err(DecisionRefused::Closed(_))
    ));
    let refused = World {
        after: Err("triple_taken"),
        ..World::new(1)
    }
    .edit(ana(), "two");
    assert_eq!(refused, Err(Unauthorized::AfterRefused("triple_taken")));
}

#[test]
fn c10_13_a_policy_that_is_raised_holds_for_what_is_pending() {
    let mut people = members().to_vec();
    people.push((5, vec![Role::PolicyApprover, Role::ApiKeysApprover]));
    let mut world = World::founded(&people, &PolicyState::standard(true, 1));
    let edit = world.edit(ana(), "two").unwrap();
    let raised = PolicyState::standard(true, 2);
    let number = world.change_policy(ana(), &raised).unwrap();
    assert_eq!(
        world.approve(bo(), number),
        Ok("applied"),
        "raising does not wait"
    );
    assert_eq!(world.approve(bo(), edit), Ok("pending"));
    assert_eq!(world.approve(cy(), edit), Ok("applied"));
}

#[test]
fn c10_14_15_16_switching_off_waits_and_old_requests_keep_the_old_bar() {
    let mut policy = PolicyState::standard(true, 1);
    policy.rules.configurations.ttl = 10 * DAY;
    let mut world = World::founded(&members(), &policy);
    let edit = world.edit(ana(), "two").unwrap();
    policy.enabled = false;
    let number = world.change_policy(ana(), &policy).unwrap();
    assert_eq!(
        world.approve(bo(), number),
        Ok("approved"),
        "24 hours with a veto"
    );
    world.pass(DAY - 1);
    assert!(world.policy().enabled);
    world.pass(1);
    assert!(!world.policy().enabled);
    assert_eq!(world.state(edit), "pending", "the old bar stays");
    assert_eq!(world.approve(bo(), edit), Ok("applied"));
    let number = world.edit(ana(), "three").unwrap();
    assert_eq!(
        world.state(number),
        "applied",
        "and with it off, nobody is asked"
    );
}

#[test]
fn c10_16_any_approver_or_admin_vetoes_but_the_maker() {
    for veto in [cy(), bo()] {
        let mut world = World::new(1);
        let number = world
            .change_policy(ana(), &PolicyState::standard(false, 1))
            .unwrap();
        let approver = if veto == bo() { cy() } else { bo() };
        world.approve(approver, number).unwrap();
        assert_eq!(
            ineligible(world.decide(dee(), number, Decision::Veto)),
            "role_missing"
        );
        assert_eq!(
            ineligible(world.decide(ana(), number, Decision::Veto)),
            "own_request"
        );
        assert_eq!(world.decide(veto, number, Decision::Veto), Ok("rejected"));
        world.pass(2 * DAY);
        assert!(world.policy().enabled);
    }
}

#[test]
fn c10_17_a_quorum_that_nobody_can_reach_is_refused_by_name() {
    let mut world = World::new(1);
    let refused = world.change_policy(ana(), &PolicyState::standard(true, 2));
    let Err(Unauthorized::FloorBroken(named)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        named
            .iter()
            .all(|one| matches!(one, Blocked::Admin { user, .. } if *user == cy()))
    );
}

#[test]
fn c10_18_the_last_checker_leaves_when_another_one_is_seasoned() {
    let mut world = World::new(1);
    let roles = [Role::ApiKeysApprover, Role::PolicyApprover, Role::Viewer];
    let grant = world
        .roles(ana(), ChangeKind::RoleGrant, (dee(), &roles))
        .unwrap();
    world.approve(bo(), grant).unwrap();
    let leaves = |world: &mut World| world.roles(ana(), ChangeKind::RoleRevoke, (bo(), &[]));
    assert!(
        matches!(leaves(&mut world), Err(Unauthorized::FloorBroken(_))),
        "Cy would have nobody"
    );
    world.pass(DAY);
    let number = leaves(&mut world).unwrap();
    assert_eq!(world.approve(cy(), number), Ok("applied"));
}

#[test]
fn c10_19_20_two_people_check_each_other_and_losing_one_blocks() {
    let all = vec![Role::Admin, Role::ApiKeysApprover, Role::PolicyApprover];
    let people = [(1, all.clone()), (2, all)];
    let mut world = World::founded(&people, &PolicyState::standard(true, 1));
    for (maker, checker) in [(ana(), bo()), (bo(), ana())] {
        let number = world.edit(maker, &maker.to_string()).unwrap();
        assert_eq!(world.approve(checker, number), Ok("applied"));
    }
    let state = UserState {
        status: UserStatus::Suspended,
        ..world.user_state(bo())
    };
    world.roster = world.roster.with_user_state(bo(), state).unwrap();
    assert!(matches!(
        health(&world.roster, START),
        Health::Blocked { .. }
    ));
}

#[test]
fn c10_21_what_is_rejected_first_is_not_applied_and_the_other_way_round() {
    let mut world = World::new(1);
    let first = world.edit(ana(), "two").unwrap();
    assert_eq!(world.decide(bo(), first, Decision::Reject), Ok("rejected"));
    assert!(matches!(
        world.approve(cy(), first),
        Err(DecisionRefused::Closed(_))
    ));
    let second = world.edit(ana(), "three").unwrap();
    assert_eq!(world.approve(bo(), second), Ok("applied"));
    assert!(matches!(
        world.decide(cy(), second, Decision::Reject),
        Err(DecisionRefused::Closed(_))
    ));
}

#[test]
fn c10_24_a_change_that_changes_nothing_is_refused() {
    let mut world = World::new(1);
    let same = world.policy();
    let refused = world.change_policy(ana(), &same);
    assert_eq!(
        refused,
        Err(Unauthorized::AfterRefused("nothing_to_change"))
    );
}

#[test]
fn c10_32_the_operator_approves_nothing() {
    let mut world = World::new(1);
    let number = world
        .submit(
            &Maker::Operator,
            ChangeKind::ConfigurationEdit,
            CONFIGURATION,
            json!({"name": "x"}),
        )
        .unwrap();
    assert_eq!(
        world.state(number),
        "pending",
        "nor is it served without approval"
    );
}

#[test]
fn c10_41_a_checker_is_suspended_at_once_and_it_lapses_where_it_leaves_too_few() {
    let mut world = World::new(1);
    let edit = world.edit(ana(), "two").unwrap();
    world.suspend(ana(), bo()).unwrap();
    assert!(!world.user_state(bo()).is_active(world.now));
    assert_eq!(
        world.user_state(bo()).suspended_until,
        Some(START.plus(DAY))
    );
    assert_eq!(ineligible(world.approve(bo(), edit)), "account_inactive");
    world.pass(DAY - 1);
    assert!(!world.user_state(bo()).is_active(world.now));
    world.pass(1);
    assert!(world.user_state(bo()).is_active(world.now));
    assert_eq!(world.approve(bo(), edit), Ok("applied"));
}

#[test]
fn c10_41_another_person_confirms_a_suspension_and_the_same_does_not() {
    let mut world = World::new(1);
    world.suspend(ana(), bo()).unwrap();
    world.pass(3600);
    let number = world.suspend(ana(), bo()).unwrap();
    assert_eq!(
        world.state(number),
        "pending",
        "a second one within a day needs approval"
    );
    let number = world.suspend(cy(), bo()).unwrap();
    assert_eq!(world.state(number), "applied");
    assert_eq!(world.user_state(bo()).suspended_until, None);
    world.pass(2 * DAY);
    assert!(!world.user_state(bo()).is_active(world.now));
}

#[test]
fn c10_41_the_roster_cannot_be_emptied_by_suspending_one_after_another() {
    let mut world = World::new(1);
    world.suspend(ana(), bo()).unwrap();
    let number = world.suspend(ana(), cy()).unwrap();
    assert_eq!(world.state(number), "pending");
    let mut forever = suspended(&world.roster, bo(), &by(dee()), START).unwrap();
    forever.suspended_until = None;
    let mut other = World::new(1);
    let refused = other.change_user(ana(), ChangeKind::UserSuspend, (bo(), &forever));
    assert_eq!(
        refused,
        Err(Unauthorized::AfterRefused("suspension_must_lapse"))
    );
}

#[test]
fn c11_one_person_contains_five_times_a_day_and_another_still_can() {
    let mut world = World::new(1);
    let kind = ChangeKind::ConfigurationSuspend;
    let mut contain = |maker, at: u8| {
        let after = json!({"status": "SUSPENDED", "at": at});
        world.submit(&by(maker), kind, &format!("ac-{at}"), after)
    };
    for at in 0..5 {
        assert!(contain(bo(), at).is_ok());
    }
    let refused = Err(Unauthorized::MakerLostAuthority("containment_limit"));
    assert_eq!(contain(bo(), 5), refused);
    assert!(contain(cy(), 5).is_ok());
    world.pass(DAY);
    let after = json!({"status": "SUSPENDED"});
    assert!(world.submit(&by(bo()), kind, "ac-9", after).is_ok());
}

#[test]
fn c9_a_request_under_a_quorum_says_why() {
    let mut world = World::new(1);
    let mut change = |justification: Option<&str>| {
        let proposal = crate::change::Proposal {
            tenant_id: world.roster.tenant_id(),
            kind: ChangeKind::ConfigurationEdit,
            target: CONFIGURATION.to_owned(),
            base: world.base(CONFIGURATION),
            after: json!({"name": "two"}),
            maker: by(ana()),
            contributors: Vec::new(),
            justification: justification.map(str::to_owned),
        };
        let change = world.fix(proposal);
        world.submit_change(change)
    };
    assert_eq!(change(None), Err(Unauthorized::ReasonMissing));
    assert_eq!(
        change(Some(" because   ")),
        Err(Unauthorized::ReasonMissing)
    );
    assert!(change(Some("It is needed")).is_ok());
}

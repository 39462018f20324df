//! C7: each guard of `apply` by itself, and that removing it is noticed.

use serde_json::json;

use super::world::*;
use crate::approval::{Decision, SignerRole};
use crate::change::{ChangeKind, ChangeState, Maker, Unauthorized, authorize};
use crate::guard::{Guard, without};
use crate::ids::ApiTokenId;
use crate::roster::{PolicyState, Role};

/// A request that one approval from Bo would apply.
fn approved_but_for(change: impl FnOnce(&mut World, u64)) -> (World, u64) {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let fixed = world.entry(number).request.change.clone();
    let signed = world.sign(bo(), &fixed, SignerRole::Checker, Decision::Approve);
    let vote = crate::approval::Vote::new(signed, None, None).unwrap();
    world.entry_mut(number).votes.push(vote);
    change(&mut world, number);
    (world, number)
}

/// The first guard that refuses; `None` when the request may be applied.
fn refusal((world, number): &(World, u64)) -> Option<Unauthorized> {
    world.with_situation(*number, authorize).err()
}

/// The guard alone refuses, and without it the change would be applied.
fn stands_alone(guard: Guard, prepared: &(World, u64), expected: &Unauthorized) {
    assert_eq!(refusal(prepared).as_ref(), Some(expected));
    assert_eq!(
        without(guard, || refusal(prepared)),
        None,
        "{guard:?} is needed"
    );
}

fn missing(need: u32, have: u32) -> impl Fn(&Option<Unauthorized>) -> bool {
    move |refusal| match refusal {
        Some(Unauthorized::QuorumMissing(progress)) => {
            (progress.need(), progress.have()) == (need, have)
        }
        _ => false,
    }
}

#[test]
fn c7_with_every_guard_satisfied_the_version_moves_by_one() {
    let (world, number) = approved_but_for(|_, _| {});
    let authorized = world.with_situation(number, authorize).unwrap();
    assert_eq!((authorized.version(), authorized.at()), (2, START));
    assert!(
        authorized.item().is_none(),
        "a configuration is no item of the roster"
    );
}

#[test]
fn c7_a_closed_request_is_never_applied() {
    let reason = || "closed".to_owned();
    let at = START;
    for closed in [
        ChangeState::Applied { at },
        ChangeState::Canceled {
            at,
            reason: reason(),
        },
        ChangeState::Expired { at },
        ChangeState::Failed {
            at,
            reason: reason(),
        },
        ChangeState::Rejected {
            at,
            reason: reason(),
        },
        ChangeState::Superseded { at, by: None },
    ] {
        let prepared = approved_but_for(|world, number| {
            world.entry_mut(number).request.state = closed.clone();
        });
        stands_alone(Guard::Terminal, &prepared, &Unauthorized::Closed);
    }
}

#[test]
fn c7_a_request_lapses_at_its_deadline_to_the_second() {
    let (mut world, number) = approved_but_for(|_, _| {});
    world.now = world
        .entry(number)
        .request
        .change
        .envelope()
        .expires_at
        .plus(-1);
    assert!(world.with_situation(number, authorize).is_ok());
    world.now = world.now.plus(1);
    let refused = world.with_situation(number, authorize).unwrap_err();
    assert_eq!(refused, Unauthorized::Expired);
}

#[test]
fn c7_a_delayed_change_waits_to_the_second() {
    let mut policy = PolicyState::standard(true, 1);
    policy.rules.configurations.timelock = 3600;
    let mut world = World::founded(&members(), &policy);
    let number = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(bo(), number), Ok("approved"));
    world.pass(3599);
    assert_eq!(world.state(number), "approved");
    world.pass(1);
    assert_eq!(world.state(number), "applied");
}

#[test]
fn c7_a_maker_who_may_no_longer_ask_is_not_served() {
    let prepared = approved_but_for(|world, _| {
        let state = crate::roster::UserState {
            roles: [Role::Viewer].into(),
            ..world.user_state(ana())
        };
        world.roster = world.roster.with_user_state(ana(), state).unwrap();
    });
    stands_alone(
        Guard::Maker,
        &prepared,
        &Unauthorized::MakerLostAuthority("role_not_allowed"),
    );
}

#[test]
fn c7_a_token_that_is_revoked_is_not_served() {
    let mut world = World::new(1);
    let token = Maker::ApiToken {
        id: ApiTokenId::from_random([5; 16]),
    };
    let after = json!({"name": "two"});
    let number = world
        .submit(&token, ChangeKind::ConfigurationEdit, CONFIGURATION, after)
        .unwrap();
    world.token_stands = false;
    assert!(world.approve(bo(), number).is_ok());
    assert_eq!(world.state(number), "canceled");
}

#[test]
fn c12_a_request_that_its_maker_did_not_sign_is_not_applied() {
    let unsigned = approved_but_for(|world, number| world.entry_mut(number).maker_statement = None);
    assert_eq!(refusal(&unsigned), Some(Unauthorized::MakerUnsigned));
    let other = approved_but_for(|world, number| {
        let change = world.change(
            &by(ana()),
            ChangeKind::ConfigurationEdit,
            CONFIGURATION,
            json!({}),
        );
        let signed = world.sign(ana(), &change, SignerRole::Maker, Decision::Request);
        world.entry_mut(number).maker_statement = Some(signed);
    });
    assert_eq!(refusal(&other), Some(Unauthorized::MakerUnsigned));
    let by_another = approved_but_for(|world, number| {
        let change = world.entry(number).request.change.clone();
        let signed = world.sign(cy(), &change, SignerRole::Maker, Decision::Request);
        world.entry_mut(number).maker_statement = Some(signed);
    });
    assert_eq!(refusal(&by_another), Some(Unauthorized::MakerUnsigned));
}

#[test]
fn c7_a_moved_base_is_never_applied_over() {
    let newer = approved_but_for(|world, _| {
        world
            .targets
            .insert(CONFIGURATION.to_owned(), (2, json!({"name": "one"})));
    });
    stands_alone(Guard::Base, &newer, &Unauthorized::BaseMoved);
    let rewritten = approved_but_for(|world, _| {
        world
            .targets
            .insert(CONFIGURATION.to_owned(), (1, json!({"name": "other"})));
    });
    stands_alone(Guard::Base, &rewritten, &Unauthorized::BaseMoved);
}

#[test]
fn c7_votes_are_counted_when_they_are_used_not_when_they_were_given() {
    let prepared = approved_but_for(|world, _| {
        let state = crate::roster::UserState {
            status: crate::roster::UserStatus::Suspended,
            ..world.user_state(bo())
        };
        world.roster = world.roster.with_user_state(bo(), state).unwrap();
    });
    assert!(missing(1, 0)(&refusal(&prepared)));
    assert_eq!(without(Guard::Recount, || refusal(&prepared)), None);
}

#[test]
fn c7_the_stricter_of_old_and_new_policy_holds() {
    let raised = approved_but_for(|world, _| {
        *world = replace_policy(world, &PolicyState::standard(true, 2));
    });
    assert!(missing(2, 1)(&refusal(&raised)));
    assert_eq!(without(Guard::Stricter, || refusal(&raised)), None);
    let mut world = World::new(2);
    let number = world.edit(ana(), "two").unwrap();
    let off = PolicyState::standard(false, 1);
    let mut world = replace_policy(&mut world, &off);
    assert_eq!(
        world.approve(bo(), number),
        Ok("pending"),
        "the old bar stays"
    );
    assert_eq!(world.approve(cy(), number), Ok("applied"));
}

/// People enough for any of these policies.
fn crowd() -> [(u8, Vec<Role>); 4] {
    let mut people = members();
    people[3].1 = APPROVERS.to_vec();
    people
}

/// The same world under another policy, as if it had been changed.
fn replace_policy(world: &mut World, policy: &PolicyState) -> World {
    let mut other = World::new(2);
    other.roster = World::founded(&crowd(), policy).roster;
    other.roster = {
        let kept = world
            .roster
            .items()
            .filter(|item| item.target().to_string() != "policy");
        let new = other
            .roster
            .items()
            .filter(|item| item.target().to_string() == "policy");
        crate::roster::Roster::from_items(world.roster.tenant_id(), kept.chain(new)).unwrap()
    };
    other.passkeys = std::mem::take(&mut world.passkeys);
    other.targets = std::mem::take(&mut world.targets);
    other.requests = std::mem::take(&mut world.requests);
    other
}

#[test]
fn c12_a_vote_about_other_bytes_does_not_count() {
    let prepared = approved_but_for(|world, number| {
        let after = json!({"name": "three"});
        let mut rewritten = world.change(
            &by(ana()),
            ChangeKind::ConfigurationEdit,
            CONFIGURATION,
            after,
        );
        std::mem::swap(&mut world.entry_mut(number).request.change, &mut rewritten);
        let change = world.entry(number).request.change.clone();
        let signed = world.sign(ana(), &change, SignerRole::Maker, Decision::Request);
        world.entry_mut(number).maker_statement = Some(signed);
    });
    assert!(missing(1, 0)(&refusal(&prepared)));
    assert_eq!(without(Guard::Immutable, || refusal(&prepared)), None);
}

#[test]
fn e3_a_vote_of_the_maker_does_not_count() {
    let mut world = World::new(1);
    let number = world.edit(cy(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(cy(), &change, SignerRole::Checker, Decision::Approve);
    let vote = crate::approval::Vote::new(signed, None, None).unwrap();
    world.entry_mut(number).votes.push(vote);
    let prepared = (world, number);
    assert!(missing(1, 0)(&refusal(&prepared)));
    assert_eq!(without(Guard::OwnRequest, || refusal(&prepared)), None);
}

#[test]
fn i1_two_votes_of_one_person_are_one() {
    let mut world = World::new(2);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    for _ in 0..2 {
        let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
        let vote = crate::approval::Vote::new(signed, None, None).unwrap();
        world.entry_mut(number).votes.push(vote);
    }
    let prepared = (world, number);
    assert!(missing(2, 1)(&refusal(&prepared)));
    assert_eq!(without(Guard::OneVote, || refusal(&prepared)), None);
}

#[test]
fn c7_a_state_that_is_no_longer_acceptable_fails() {
    let mut prepared = approved_but_for(|_, _| {});
    prepared.0.after = Err("key_already_registered");
    let expected = Unauthorized::AfterRefused("key_already_registered");
    assert_eq!(refusal(&prepared), Some(expected));
    prepared.0.settle(prepared.1);
    let state = &prepared.0.entry(prepared.1).request.state;
    assert_eq!(state.close_reason(), Some("key_already_registered"));
    assert_eq!(state.as_str(), "failed");
}

#[test]
fn c7_i6_a_change_below_the_floor_fails() {
    let mut world = World::new(1);
    let revoke = |world: &mut World| world.roles(ana(), ChangeKind::RoleRevoke, (bo(), &[]));
    let number = without(Guard::Floor, || revoke(&mut world)).unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(cy(), &change, SignerRole::Checker, Decision::Approve);
    let vote = crate::approval::Vote::new(signed, None, None).unwrap();
    world.entry_mut(number).votes.push(vote);
    let prepared = (world, number);
    assert!(
        matches!(refusal(&prepared), Some(Unauthorized::FloorBroken(blocked)) if blocked.len() == 5)
    );
    assert_eq!(without(Guard::Floor, || refusal(&prepared)), None);
}

#[test]
fn p5_policy_and_roles_are_behind_the_gate() {
    let off = PolicyState::standard(false, 1);
    let switched_off = || {
        let mut world = World::new(1);
        let number = world.change_policy(ana(), &off).unwrap();
        world.state(number)
    };
    assert_eq!(switched_off(), "pending");
    assert_eq!(without(Guard::PolicyGoverned, switched_off), "applied");
    let roles = [Role::Viewer, Role::PolicyApprover];
    let granted = || {
        let mut world = World::new(1);
        let number = world
            .roles(ana(), ChangeKind::RoleGrant, (dee(), &roles))
            .unwrap();
        world.state(number)
    };
    assert_eq!(granted(), "pending");
    assert_eq!(without(Guard::RolesGoverned, granted), "applied");
}

#[test]
fn c11_containment_never_waits_for_a_quorum() {
    let mut world = World::new(2);
    let after = json!({"name": "one", "status": "SUSPENDED"});
    let kind = ChangeKind::ConfigurationSuspend;
    let number = world.submit(&by(bo()), kind, CONFIGURATION, after).unwrap();
    assert_eq!(world.state(number), "applied");
}

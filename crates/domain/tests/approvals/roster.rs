//! The roster: what its items are, what does not make one, the floor, health and readiness.

use serde_json::json;

use super::passkey::Passkey;
use super::world::*;
use crate::change::{ChangeKind, Unauthorized};
use crate::roster::{
    Blocked, Health, InconsistentRoster, NotReady, PolicyState, Preparation, Role, Roster,
    RosterItem, RosterTarget, RuleName, UserState, UserStatus, blocked, health, lockout_floor,
    readiness,
};

fn inconsistent(edit: impl FnOnce(&mut Vec<RosterItem>)) -> InconsistentRoster {
    let world = World::new(1);
    let mut items: Vec<_> = world.roster.items().collect();
    edit(&mut items);
    Roster::from_items(world.roster.tenant_id(), items).unwrap_err()
}

fn a_user(items: &[RosterItem]) -> crate::roster::User {
    let user = items.iter().find_map(|item| match item {
        RosterItem::User(user) => Some(user.clone()),
        _ => None,
    });
    user.unwrap()
}

#[test]
fn items_that_no_sequence_of_changes_leads_to_make_no_roster() {
    let twice = inconsistent(|items| items.push(items[0].clone()));
    assert_eq!(twice, InconsistentRoster::ItemTwice);
    let second_account = inconsistent(|items| {
        let mut copy = a_user(items);
        copy.id = user(50);
        items.push(RosterItem::User(copy));
    });
    assert_eq!(second_account, InconsistentRoster::PersonTwice);
    let orphan =
        inconsistent(|items| items.retain(|item| item.target() != RosterTarget::User(dee())));
    assert_eq!(orphan, InconsistentRoster::AuthenticatorWithoutUser);
    let role_from_nowhere = inconsistent(|items| {
        for item in items {
            if let RosterItem::User(user) = item {
                user.state.roles.insert(Role::Auditor);
            }
        }
    });
    assert_eq!(role_from_nowhere, InconsistentRoster::Incoherent);
    let unknown_member = inconsistent(|items| {
        for item in items {
            if let RosterItem::Policy(policy) = item {
                policy
                    .state
                    .groups
                    .insert("security".parse().unwrap(), [user(77)].into());
            }
        }
    });
    assert_eq!(unknown_member, InconsistentRoster::UserUnknown);
}

#[test]
fn every_item_is_read_back_as_it_was_written_and_nothing_else_is() {
    let world = World::new(1);
    for item in world.roster.items() {
        let state = countersign_crypto::canonical_json(&item.state().unwrap()).unwrap();
        let state = String::from_utf8(state).unwrap();
        let (target, origins) = (item.target(), item.origins().unwrap());
        let again = RosterItem::read(&target, item.version(), &state, &origins);
        assert_eq!(again.as_ref(), Ok(&item));
        let address = target.to_string();
        assert_eq!(address.parse::<RosterTarget>(), Ok(target.clone()));
        for tampered in [
            state.replacen('{', "{\"x\":1,", 1),
            state.replacen('{', "{ ", 1),
            "{}".to_owned(),
        ] {
            assert!(RosterItem::read(&target, 1, &tampered, &origins).is_err());
        }
        let other = RosterTarget::User(user(60));
        assert_ne!(
            RosterItem::read(&other, item.version(), &state, &origins),
            Ok(item)
        );
    }
}

#[test]
fn a_change_does_what_its_kind_says_and_nothing_else() {
    let mut world = World::new(1);
    let refusal = |result: Result<u64, Unauthorized>| match result {
        Err(Unauthorized::AfterRefused(code)) => code,
        other => panic!("{other:?}"),
    };
    let kind = ChangeKind::RoleGrant;
    assert_eq!(
        refusal(world.roles(ana(), kind, (bo(), &[]))),
        "not_of_this_kind"
    );
    assert_eq!(
        refusal(world.roles(ana(), kind, (bo(), &APPROVERS))),
        "nothing_to_change"
    );
    let everything = [Role::Admin, Role::ApiKeysApprover, Role::PolicyApprover];
    let revoke = ChangeKind::RoleRevoke;
    assert_eq!(
        refusal(world.roles(ana(), revoke, (bo(), &everything))),
        "not_of_this_kind"
    );
    let other_person = UserState {
        person: person(40),
        roles: everything.into(),
        ..world.user_state(bo())
    };
    assert_eq!(
        refusal(world.change_user(ana(), kind, (bo(), &other_person))),
        "not_of_this_kind"
    );
    let removed = UserState {
        status: UserStatus::Removed,
        ..world.user_state(dee())
    };
    let number = world
        .change_user(ana(), ChangeKind::UserRemove, (dee(), &removed))
        .unwrap();
    assert_eq!(
        world.state(number),
        "applied",
        "a viewer is removed by one admin"
    );
    let back = UserState {
        status: UserStatus::Active,
        ..removed
    };
    let back = world.change_user(ana(), ChangeKind::UserReactivate, (dee(), &back));
    assert_eq!(refusal(back), "final");
    let malformed = world.submit(
        &by(ana()),
        ChangeKind::PolicyChange,
        "policy",
        json!({"enabled": true}),
    );
    assert_eq!(refusal(malformed), "state_malformed");
    let mut extra = serde_json::to_value(PolicyState::standard(true, 2)).unwrap();
    extra["backdoor"] = json!(true);
    let extra = world.submit(&by(ana()), ChangeKind::PolicyChange, "policy", extra);
    assert_eq!(refusal(extra), "state_malformed");
}

#[test]
fn the_founding_ceremony_is_closed_by_the_policy() {
    let mut world = World::new(1);
    let state = serde_json::to_value(UserState::new(person(30), [Role::Admin].into())).unwrap();
    let kind = ChangeKind::OrganizationFound;
    let late = world.submit(
        &crate::change::Maker::Operator,
        kind,
        &target(user(30)),
        state,
    );
    assert_eq!(
        late,
        Err(Unauthorized::AfterRefused("organization_founded"))
    );
}

#[test]
fn i6_the_floor_holds_where_the_policy_closes_the_ceremony() {
    let mut world = World::unfounded(World::new(1).roster.tenant_id());
    let alone = UserState::new(person(1), [Role::Admin, Role::PolicyApprover].into());
    let alone = serde_json::to_value(alone).unwrap();
    let kind = ChangeKind::OrganizationFound;
    let operator = crate::change::Maker::Operator;
    world
        .submit(&operator, kind, &target(ana()), alone)
        .unwrap();
    let on = serde_json::to_value(PolicyState::standard(true, 1)).unwrap();
    let refused = world.submit(&operator, kind, "policy", on);
    assert!(matches!(refused, Err(Unauthorized::FloorBroken(_))));
    let off = serde_json::to_value(PolicyState::standard(false, 1)).unwrap();
    assert!(world.submit(&operator, kind, "policy", off).is_ok());
}

#[test]
fn c9_health_is_healthy_thin_or_blocked_by_name() {
    let admins = |numbers: &[u8]| -> Vec<(u8, Vec<Role>)> {
        let all = vec![Role::Admin, Role::ApiKeysApprover, Role::PolicyApprover];
        numbers
            .iter()
            .map(|number| (*number, all.clone()))
            .collect()
    };
    let policy = PolicyState::standard(true, 1);
    let three = World::founded(&admins(&[1, 2, 3]), &policy);
    assert_eq!(health(&three.roster, START), Health::Healthy);
    let two = World::founded(&admins(&[1, 2]), &policy);
    let people = vec![person(1), person(2)];
    assert_eq!(health(&two.roster, START), Health::Thin { people });
    let state = UserState {
        status: UserStatus::Suspended,
        ..two.user_state(bo())
    };
    let one = two.roster.with_user_state(bo(), state).unwrap();
    let named = RuleName::ALL.map(|rule| Blocked::Admin { user: ana(), rule });
    let expected = Health::Blocked {
        blocked: named.to_vec(),
    };
    assert_eq!(health(&one, START), expected);
    assert_eq!(
        lockout_floor(&two.roster, &one, START).unwrap_err().blocked,
        named
    );
    assert_eq!(
        lockout_floor(&one, &one, START),
        Ok(()),
        "nobody is blocked anew"
    );
}

#[test]
fn c9_dual_approval_is_not_switched_on_before_it_can_work() {
    let ready = Preparation {
        recovery_tested: true,
        route_confirmed: true,
    };
    let mut world = World::founded(&members(), &PolicyState::standard(false, 1));
    let on = PolicyState::standard(true, 1);
    let missing = readiness(&world.roster, &on, ready, START);
    assert_eq!(missing, [NotReady::RecoveryUntested], "there is no kit");
    let nothing = Preparation {
        recovery_tested: false,
        route_confirmed: false,
    };
    let missing = readiness(&world.roster, &on, nothing, START);
    assert_eq!(
        missing,
        [NotReady::RecoveryUntested, NotReady::RouteUnconfirmed]
    );
    let steep = PolicyState::standard(true, 3);
    let missing = readiness(&world.roster, &steep, ready, START);
    assert!(
        missing
            .iter()
            .any(|one| matches!(one, NotReady::Blocked(_)))
    );
    let refused = world.change_policy(ana(), &steep);
    assert!(
        matches!(refused, Err(Unauthorized::FloorBroken(_))),
        "the floor refuses the change too"
    );
    assert!(blocked(&world.roster, START).is_empty());
    world.passkeys.insert(user(9), Passkey::new());
}

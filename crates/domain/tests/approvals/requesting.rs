//! Who may ask for what: the whole table, and what it means for people and programs.

use serde_json::json;

use super::passkey::Passkey;
use super::world::*;
use crate::approval::{NotEntitled, Permission, permission};
use crate::change::{ChangeKind, Maker, Unauthorized};
use crate::ids::{ApiTokenId, UserId};
use crate::roster::{PolicyState, Role, UserState};

/// Role by kind: `+` everything, `u` about people without governed roles, `o` about oneself, `-` nothing.
const TABLE: &str = "\
                          admin  api_keys_approver  auditor  policy_approver  user_manager  viewer
authenticator.enroll        o            o             o            o              o           o
authenticator.reset         +            -             -            -              u           -
authenticator.revoke        +            o             o            o              u           o
notification_route.change   +            -             -            -              -           -
oidc_config.create          +            -             -            -              -           -
oidc_config.deactivate      +            -             -            -              -           -
oidc_config.edit            +            -             -            -              -           -
oidc_config.restore         +            -             -            -              -           -
oidc_config.rotate_key      +            -             -            -              -           -
oidc_config.suspend         +            +             -            +              -           -
organization.create         -            -             -            -              -           -
organization.edit           -            -             -            -              -           -
organization.found          -            -             -            -              -           -
organization.restore        -            -             -            -              -           -
organization.suspend        -            -             -            -              -           -
policy.change               +            -             -            -              -           -
recovery.appoint            -            -             -            -              -           -
recovery.change             +            -             -            -              -           -
recovery.enroll             -            -             -            -              -           -
role.grant                  +            -             -            -              u           -
role.revoke                 +            -             -            -              u           -
signing_key.rotate          +            -             -            -              -           -
user.create                 +            -             -            -              u           -
user.reactivate             +            -             -            -              -           -
user.remove                 +            -             -            -              u           -
user.suspend                +            +             -            +              -           -
";

#[test]
fn the_table_of_role_and_kind_is_what_the_rules_say() {
    let mut lines = TABLE.lines();
    let roles: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(roles, Role::ALL.map(Role::as_str));
    for (kind, line) in ChangeKind::ALL.iter().zip(lines.by_ref()) {
        let said = Role::ALL.map(|role| match permission(role, *kind) {
            Permission::Every => "+",
            Permission::Ungoverned => "u",
            Permission::Own => "o",
            Permission::No => "-",
        });
        let mut written = line.split_whitespace();
        assert_eq!(written.next(), Some(kind.as_str()));
        assert_eq!(written.collect::<Vec<_>>(), said, "{kind}");
    }
    assert_eq!(lines.next(), None);
}

fn refused(result: Result<u64, Unauthorized>) -> &'static str {
    match result {
        Err(Unauthorized::MakerLostAuthority(code)) => code,
        other => panic!("{other:?}"),
    }
}

fn enrolment(world: &World, owner: UserId) -> (String, serde_json::Value) {
    let passkey = Passkey::new();
    let state = serde_json::to_value(world.passkey_state(&passkey, owner)).unwrap();
    (format!("au-{}", passkey.credential), state)
}

#[test]
fn whoever_has_no_role_for_it_may_not_ask() {
    let mut world = World::new(1);
    assert_eq!(refused(world.edit(bo(), "two")), "role_not_allowed");
    assert_eq!(refused(world.edit(dee(), "two")), "role_not_allowed");
    assert_eq!(refused(world.suspend(dee(), bo())), "role_not_allowed");
    assert_eq!(refused(world.edit(user(99), "two")), "account_inactive");
}

#[test]
fn a_user_manager_governs_nobody_who_decides_or_asks() {
    let mut people = members().to_vec();
    people.push((5, vec![Role::UserManager]));
    let mut world = World::founded(&people, &PolicyState::standard(true, 1));
    let eve = user(5);
    let viewer = UserState::new(person(6), [Role::Viewer].into());
    let number = world
        .change_user(eve, ChangeKind::UserCreate, (user(6), &viewer))
        .unwrap();
    assert_eq!(world.state(number), "applied");
    let admin = UserState::new(person(7), [Role::Admin].into());
    let created = world.change_user(eve, ChangeKind::UserCreate, (user(7), &admin));
    assert_eq!(refused(created), "role_not_allowed");
    let grant = [Role::Viewer, Role::PolicyApprover];
    assert_eq!(
        refused(world.roles(eve, ChangeKind::RoleGrant, (user(6), &grant))),
        "role_not_allowed"
    );
    assert_eq!(
        refused(world.roles(eve, ChangeKind::RoleRevoke, (bo(), &[]))),
        "role_not_allowed"
    );
    let (target, state) = enrolment(&world, bo());
    let reset = world.submit(&by(eve), ChangeKind::AuthenticatorReset, &target, state);
    assert_eq!(refused(reset), "role_not_allowed");
}

#[test]
fn an_authenticator_of_ones_own_needs_approval_only_with_an_approver_role() {
    let mut world = World::new(1);
    let kind = ChangeKind::AuthenticatorEnroll;
    for (owner, expected) in [(dee(), "applied"), (ana(), "applied"), (bo(), "pending")] {
        let (target, state) = enrolment(&world, owner);
        let number = world.submit(&by(owner), kind, &target, state).unwrap();
        assert_eq!(world.state(number), expected, "{owner}");
    }
    let (target, state) = enrolment(&world, bo());
    let for_another = world.submit(&by(ana()), kind, &target, state);
    assert_eq!(refused(for_another), "other_kind_of_enrolment");
}

#[test]
fn ones_own_authenticator_is_ended_at_once_but_not_below_the_floor() {
    let end = |world: &mut World, maker: UserId, owner: UserId| {
        let credential = world.passkeys[&owner].credential.clone();
        let one = world
            .roster
            .authenticator(&credential)
            .unwrap()
            .state
            .clone();
        let revoked = serde_json::to_value(one.revoked(world.now)).unwrap();
        let kind = ChangeKind::AuthenticatorRevoke;
        world.submit(&by(maker), kind, &format!("au-{credential}"), revoked)
    };
    let mut world = World::new(1);
    let below = end(&mut world, bo(), bo());
    assert!(
        matches!(below, Err(Unauthorized::FloorBroken(_))),
        "Cy would have nobody"
    );
    let number = end(&mut world, cy(), cy()).unwrap();
    assert_eq!(world.state(number), "applied");
    let mut people = members();
    people[3].1 = APPROVERS.to_vec();
    let mut world = World::founded(&people, &PolicyState::standard(true, 1));
    let number = end(&mut world, ana(), dee()).unwrap();
    assert_eq!(
        world.state(number),
        "pending",
        "that of another approver is not"
    );
}

#[test]
fn t4_the_authenticator_of_an_admin_is_not_reset_by_one_person() {
    let mut world = World::new(1);
    let (target, state) = enrolment(&world, ana());
    let kind = ChangeKind::AuthenticatorReset;
    let number = world.submit(&by(cy()), kind, &target, state).unwrap();
    assert_eq!(world.state(number), "pending");
    assert_eq!(world.approve(bo(), number), Ok("applied"));
}

#[test]
fn programs_ask_for_changes_but_not_for_what_a_person_must_do() {
    let mut world = World::new(1);
    let token = Maker::ApiToken {
        id: ApiTokenId::from_random([5; 16]),
    };
    let after = json!({"name": "two"});
    let kind = ChangeKind::ConfigurationEdit;
    assert!(world.submit(&token, kind, CONFIGURATION, after).is_ok());
    let suspended = crate::approval::suspended(&world.roster, bo(), &token, START).unwrap();
    let after = serde_json::to_value(suspended).unwrap();
    let refused_code = refused(world.submit(&token, ChangeKind::UserSuspend, &target(bo()), after));
    assert_eq!(refused_code, NotEntitled::PersonRequired.code());
    let mut new = World::unfounded(world.roster.tenant_id());
    let state = serde_json::to_value(UserState::new(person(1), [Role::Admin].into())).unwrap();
    let founding = new.submit(&token, ChangeKind::OrganizationFound, &target(ana()), state);
    assert_eq!(refused(founding), "person_required");
}

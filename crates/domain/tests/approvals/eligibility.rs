//! C6: who may decide, E1 to E10, through the decision itself.

use countersign_crypto::ssh::{PersonKey, SshSignatureRequest};
use countersign_crypto::{SigningAlgorithm, SigningKey};
use serde_json::json;

use super::passkey::Passkey;
use super::world::*;
use crate::approval::{
    Decision, INDEPENDENCE, Ineligible, MAX_SESSION_AGE, SSH_NAMESPACE, Session, Signature,
    SignatureRefusal, Signer, SignerRole, Statement, Verdict,
};
use crate::change::{ChangeKind, DecisionRefused, Maker, Proposal, Unauthorized};
use crate::ids::{ApiTokenId, TenantId, UserId};
use crate::roster::{
    AuthenticatorKey, AuthenticatorState, PolicyState, Role, RosterTarget, UserState,
};

fn refused(result: Result<&'static str, DecisionRefused>) -> &'static str {
    match result {
        Err(DecisionRefused::Ineligible(refusal)) => refusal.code(),
        other => panic!("{other:?}"),
    }
}

/// Grants a role, with the approval of somebody.
fn grant(world: &mut World, (maker, approver): (UserId, UserId), target: UserId, role: Role) {
    let mut roles: Vec<_> = world.user_state(target).roles.into_iter().collect();
    roles.push(role);
    let number = world
        .roles(maker, ChangeKind::RoleGrant, (target, &roles))
        .unwrap();
    if world.state(number) == "pending" {
        world.approve(approver, number).unwrap();
    }
    assert_eq!(world.state(number), "applied");
}

/// Enrols another passkey, signed for from now on.
fn enrol(world: &mut World, kind: ChangeKind, maker: UserId, owner: UserId) -> u64 {
    let passkey = Passkey::new();
    let state = serde_json::to_value(world.passkey_state(&passkey, owner)).unwrap();
    let target = format!("au-{}", passkey.credential);
    let number = world.submit(&by(maker), kind, &target, state).unwrap();
    world.passkeys.insert(owner, passkey);
    number
}

#[test]
fn e1_an_account_that_is_not_active_does_not_decide() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    world.suspend(cy(), bo()).unwrap();
    assert_eq!(refused(world.approve(bo(), number)), "account_inactive");
}

#[test]
fn e1_i8_a_signature_of_another_organization_does_not_count() {
    let (mut here, mut there) = (World::new(1), World::new(1));
    let elsewhere = TenantId::from_random([9; 16]);
    let items: Vec<_> = here.roster.items().collect();
    there.roster = crate::roster::Roster::from_items(elsewhere, items).unwrap();
    there.passkeys = here.passkeys.clone();
    let (number, copy) = (
        here.edit(ana(), "two").unwrap(),
        there.edit(ana(), "two").unwrap(),
    );
    let change = there.entry(copy).request.change.clone();
    let signed = there.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
    let statement = signed.statement().clone();
    let replayed = statement.verify(signed.signature().clone(), here.verifier());
    assert_eq!(replayed, Err(SignatureRefusal::TenantMismatch));
    let ballot = here.ballot(signed, None);
    assert_eq!(refused(here.cast(number, ballot)), "another_organization");
}

#[test]
fn e2_only_the_approver_role_of_the_kind_decides() {
    let policy = PolicyState::standard(true, 1);
    let mut people = members();
    people[1].1 = vec![Role::PolicyApprover];
    people[3].1 = vec![Role::ApiKeysApprover];
    let mut world = World::founded(&people, &policy);
    let edit = world.edit(ana(), "two").unwrap();
    assert_eq!(refused(world.approve(bo(), edit)), "role_missing");
    let roles = [Role::ApiKeysApprover, Role::Admin];
    let grant = world
        .roles(ana(), ChangeKind::RoleGrant, (dee(), &roles))
        .unwrap();
    assert_eq!(refused(world.approve(dee(), grant)), "role_missing");
    assert_eq!(world.approve(dee(), edit), Ok("applied"));
    assert_eq!(world.approve(bo(), grant), Ok("applied"));
}

#[test]
fn e3_nobody_decides_on_their_own_request() {
    let mut world = World::new(1);
    let number = world.edit(cy(), "two").unwrap();
    assert_eq!(refused(world.approve(cy(), number)), "own_request");
    assert_eq!(
        refused(world.decide(cy(), number, Decision::Reject)),
        "own_request"
    );
}

#[test]
fn e3_a_person_has_no_second_account() {
    let mut world = World::new(1);
    let state = UserState::new(person(1), [Role::Viewer].into());
    let kind = ChangeKind::UserCreate;
    let refused = world.change_user(ana(), kind, (user(9), &state));
    assert_eq!(refused, Err(Unauthorized::AfterRefused("person_taken")));
}

#[test]
fn e3_c10_28_whoever_had_a_hand_in_it_does_not_decide() {
    let mut world = World::new(1);
    let proposal = Proposal {
        tenant_id: world.roster.tenant_id(),
        kind: ChangeKind::ConfigurationEdit,
        target: CONFIGURATION.to_owned(),
        base: world.base(CONFIGURATION),
        after: json!({"name": "two"}),
        maker: Maker::ApiToken {
            id: ApiTokenId::from_random([5; 16]),
        },
        contributors: vec![bo()],
        justification: Some("The nightly rotation".to_owned()),
    };
    let change = world.fix(proposal);
    let number = world.submit_change(change).unwrap();
    assert_eq!(refused(world.approve(bo(), number)), "contributor");
    assert_eq!(world.approve(cy(), number), Ok("applied"));
}

#[test]
fn e4_c10_29_only_a_person_who_signed_in_lately_decides() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let mut with = |session| {
        let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
        let mut ballot = world.ballot(signed, None);
        ballot.session = session;
        world.cast(number, ballot)
    };
    assert_eq!(refused(with(Session::Program)), "human_approval_required");
    let at = |age: i64| Session::Person {
        authenticated_at: START.plus(-age),
    };
    assert_eq!(refused(with(at(MAX_SESSION_AGE + 1))), "session_stale");
    assert_eq!(with(at(MAX_SESSION_AGE)), Ok("applied"));
}

#[test]
fn e5_nobody_decides_about_themselves() {
    let mut world = World::new(1);
    let roles = [Role::Admin, Role::ApiKeysApprover, Role::PolicyApprover];
    let number = world
        .roles(ana(), ChangeKind::RoleGrant, (bo(), &roles))
        .unwrap();
    assert_eq!(
        refused(world.approve(bo(), number)),
        "subject_of_the_change"
    );
    assert_eq!(world.approve(cy(), number), Ok("applied"));
    let number = enrol(&mut world, ChangeKind::AuthenticatorReset, ana(), cy());
    world.passkeys.insert(dee(), Passkey::new());
    assert_eq!(world.state(number), "pending");
    assert_eq!(world.approve(bo(), number), Ok("applied"));
}

#[test]
fn e6_a_role_counts_after_its_seasoning_to_the_second() {
    let mut world = World::new(1);
    grant(&mut world, (ana(), bo()), dee(), Role::ApiKeysApprover);
    let number = world.edit(ana(), "two").unwrap();
    world.pass(DAY - 1);
    assert_eq!(refused(world.approve(dee(), number)), "role_unseasoned");
    world.pass(1);
    assert_eq!(world.approve(dee(), number), Ok("applied"));
}

#[test]
fn e6_an_authenticator_counts_after_its_seasoning() {
    let mut world = World::new(1);
    let enrolment = enrol(&mut world, ChangeKind::AuthenticatorEnroll, bo(), bo());
    assert_eq!(
        world.state(enrolment),
        "pending",
        "an approver does not enrol alone"
    );
    assert_eq!(world.approve(cy(), enrolment), Ok("applied"));
    let number = world.edit(ana(), "two").unwrap();
    world.pass(DAY - 1);
    assert_eq!(
        refused(world.approve(bo(), number)),
        "authenticator_unseasoned"
    );
    world.pass(1);
    assert_eq!(world.approve(bo(), number), Ok("applied"));
}

#[test]
fn e6_a_role_taken_and_given_back_voids_the_vote_that_was_given_with_it() {
    let mut policy = PolicyState::standard(true, 2);
    policy.rules.roster.all_of = crate::approval::Need::of("policy_approver".parse().unwrap(), 1);
    let mut people = members();
    people[3].1 = APPROVERS.to_vec();
    let mut world = World::founded(&people, &policy);
    let number = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(bo(), number), Ok("pending"));
    let state = UserState {
        roles: [Role::PolicyApprover].into(),
        ..world.user_state(bo())
    };
    let without = world.roster.with_user_state(bo(), state).unwrap();
    let whole = UserState {
        roles: APPROVERS.into(),
        ..without.user(bo()).unwrap().state.clone()
    };
    let target = RosterTarget::User(bo());
    let origin = crate::roster::Origin {
        at: world.now.plus(1),
        by: by(ana()),
        change: 9,
        how: crate::roster::How::Approved,
    };
    let whole = serde_json::to_value(&whole).unwrap();
    world.roster = without
        .after(ChangeKind::RoleGrant, &target, &whole, &origin)
        .unwrap();
    world.pass(DAY * 2);
    assert_eq!(
        world.approve(dee(), number),
        Ok("pending"),
        "one of two counts"
    );
    let vote = &world.entry(number).votes[0];
    assert_eq!(vote.voided().unwrap().cause, "role_unseasoned");
}

#[test]
fn e7_whoever_was_made_by_the_maker_alone_is_not_independent() {
    let mut world = World::founded(&members(), &PolicyState::standard(false, 1));
    grant(&mut world, (ana(), ana()), dee(), Role::ApiKeysApprover);
    let on = PolicyState::standard(true, 1);
    world.change_policy(cy(), &on).unwrap();
    world.pass(2 * DAY);
    let of_ana = world.edit(ana(), "two").unwrap();
    assert_eq!(refused(world.approve(dee(), of_ana)), "not_independent");
    world.approve(bo(), of_ana).unwrap();
    let of_cy = world.edit(cy(), "three").unwrap();
    assert_eq!(
        world.approve(dee(), of_cy),
        Ok("applied"),
        "Cy did not make Dee"
    );
    world.pass(INDEPENDENCE - 2 * DAY);
    let of_ana = world.edit(ana(), "four").unwrap();
    assert_eq!(world.approve(dee(), of_ana), Ok("applied"));
}

#[test]
fn e7_a_third_person_makes_independent() {
    let mut world = World::new(1);
    grant(&mut world, (ana(), bo()), dee(), Role::ApiKeysApprover);
    world.pass(2 * DAY);
    let number = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(dee(), number), Ok("applied"));
}

#[test]
fn e8_an_authenticator_counts_for_its_user_alone() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
    let (signature, mut statement) = (signed.signature().clone(), signed.statement().clone());
    statement.user = Signer::User(cy());
    let borrowed = statement.verify(signature, world.verifier());
    assert_eq!(borrowed, Err(SignatureRefusal::CredentialUnknown));
    let bos = world.passkeys[&bo()].clone();
    let shared = serde_json::to_value(world.passkey_state(&bos, dee())).unwrap();
    let target = format!("au-{}", bos.credential);
    let kind = ChangeKind::AuthenticatorReset;
    let refused = world.submit(&by(ana()), kind, &target, shared);
    assert_eq!(refused, Err(Unauthorized::AfterRefused("already_exists")));
    let copy = AuthenticatorState {
        credential_id: Passkey::new().credential,
        ..world.passkey_state(&bos, dee())
    };
    let target = format!("au-{}", copy.credential_id);
    let refused = world.submit(
        &by(ana()),
        kind,
        &target,
        serde_json::to_value(copy).unwrap(),
    );
    assert_eq!(
        refused,
        Err(Unauthorized::AfterRefused("authenticator_shared"))
    );
}

#[test]
fn e8_a_revoked_authenticator_decides_nothing() {
    let mut world = World::new(2);
    let number = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(bo(), number), Ok("pending"));
    let credential = world.passkeys[&bo()].credential.clone();
    let one = world
        .roster
        .authenticator(&credential)
        .unwrap()
        .state
        .clone();
    let as_of = world.now.plus(1);
    let revoked = serde_json::to_value(one.revoked(as_of)).unwrap();
    let target = RosterTarget::Authenticator(credential);
    let origin = crate::roster::Origin {
        at: as_of,
        by: by(ana()),
        change: 9,
        how: crate::roster::How::Approved,
    };
    let kind = ChangeKind::AuthenticatorRevoke;
    world.roster = world
        .roster
        .after(kind, &target, &revoked, &origin)
        .unwrap();
    world.pass(10);
    assert_eq!(
        world.entry(number).votes[0].voided().unwrap().cause,
        "authenticator_revoked"
    );
    let change = world.entry(number).request.change.clone();
    let intent = crate::approval::Intent {
        signer: Signer::User(bo()),
        credential: world.passkeys[&bo()].credential.clone(),
        role: SignerRole::Checker,
        decision: Decision::Reject,
    };
    let nonce = crate::approval::Nonce::from_random([1; 32]);
    let statement = Statement::new(&change, intent, nonce, None, world.now);
    let signature = world.passkeys[&bo()].sign(statement.challenge().unwrap());
    let refused = statement.verify(signature, world.verifier());
    assert_eq!(refused, Err(SignatureRefusal::CredentialRevoked));
}

#[test]
fn e8_the_policy_says_which_authenticators_count() {
    let mut policy = PolicyState::standard(true, 1);
    policy.hardware_bound_only = true;
    let mut world = World::founded(&members(), &policy);
    let number = world.edit(ana(), "two").unwrap();
    let credential = world.passkeys[&bo()].credential.clone();
    let copied = world.roster.items().map(|item| match item {
        crate::roster::RosterItem::Authenticator(mut one)
            if one.state.credential_id == credential =>
        {
            if let AuthenticatorKey::Passkey {
                backup_eligible, ..
            } = &mut one.state.key
            {
                *backup_eligible = true;
            }
            crate::roster::RosterItem::Authenticator(one)
        }
        other => other,
    });
    let copied = crate::roster::Roster::from_items(world.roster.tenant_id(), copied).unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
    world.roster = copied;
    let ballot = world.ballot(signed, None);
    assert_eq!(
        refused(world.cast(number, ballot)),
        "authenticator_not_allowed"
    );
}

#[test]
fn e9_c10_22_a_person_decides_once_and_the_same_again_is_the_same() {
    let mut world = World::new(2);
    let number = world.edit(ana(), "two").unwrap();
    assert_eq!(world.approve(bo(), number), Ok("pending"));
    assert_eq!(world.approve(bo(), number), Ok("pending"));
    assert_eq!(
        world.entry(number).votes.len(),
        1,
        "a repetition is no second vote"
    );
    let other = world.decide(bo(), number, Decision::Reject);
    let expected = DecisionRefused::Ineligible(Ineligible::AlreadyDecided(Verdict::Approve));
    assert_eq!(other, Err(expected));
}

#[test]
fn e10_a_signature_counts_for_its_change_its_role_and_its_decision() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let other = world.change(
        &by(ana()),
        ChangeKind::ConfigurationEdit,
        CONFIGURATION,
        json!({"name": "x"}),
    );
    for (about, role) in [(&other, SignerRole::Checker), (&change, SignerRole::Maker)] {
        let signed = world.sign(bo(), about, role, Decision::Approve);
        let ballot = world.ballot(signed, None);
        assert_eq!(refused(world.cast(number, ballot)), "statement_mismatch");
    }
    let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Request);
    let ballot = world.ballot(signed, None);
    assert!(matches!(
        world.cast(number, ballot),
        Err(DecisionRefused::NotNow(_))
    ));
}

type Tamper = fn(&mut Statement);

#[test]
fn e10_each_part_of_the_statement_is_covered_by_the_signature() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Reject);
    let good = signed.statement();
    let tampered: [(&str, Tamper); 5] = [
        ("decision", |s| s.decision = Decision::Approve),
        ("role", |s| s.role = SignerRole::Maker),
        ("request", |s| {
            s.request = crate::ids::ChangeRequestId::from_random([8; 16]);
        }),
        ("change", |s| {
            s.change = countersign_crypto::sha256(&[b"other"]);
        }),
        ("nonce", |s| {
            s.nonce = crate::approval::Nonce::from_random([8; 32]);
        }),
    ];
    for (what, tamper) in tampered {
        let mut statement = good.clone();
        tamper(&mut statement);
        let refused = statement.verify(signed.signature().clone(), world.verifier());
        assert_eq!(
            refused.unwrap_err().code(),
            "passkey_challenge_mismatch",
            "{what}"
        );
    }
}

#[test]
fn e10_a_flipped_bit_another_kind_and_another_passkey_are_refused() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
    let verify = |signature| {
        signed
            .statement()
            .clone()
            .verify(signature, world.verifier())
    };
    let mut flipped = signed.signature().clone();
    if let Signature::Passkey { signature, .. } = &mut flipped {
        signature.0[10] ^= 1;
    }
    assert_eq!(
        verify(flipped).unwrap_err().code(),
        "passkey_signature_invalid"
    );
    let credential_id = signed.statement().credential.clone();
    let as_ssh = Signature::PersonKey {
        credential_id,
        signature: String::new(),
    };
    assert_eq!(verify(as_ssh).unwrap_err(), SignatureRefusal::KindMismatch);
    let challenge = signed.statement().challenge().unwrap();
    let of_cy = world.passkeys[&cy()].sign(challenge);
    assert_eq!(
        verify(of_cy).unwrap_err(),
        SignatureRefusal::CredentialMismatch
    );
    assert!(verify(signed.signature().clone()).is_ok());
}

/// A person key signs the same statement, where the policy says that it counts.
#[test]
fn c12_a_person_key_decides_where_the_policy_allows_it() {
    for (allowed, expected) in [
        (true, Ok("applied")),
        (false, Err("authenticator_not_allowed")),
    ] {
        let mut policy = PolicyState::standard(true, 1);
        policy.person_keys_allowed = allowed;
        let mut world = World::founded(&members(), &policy);
        let key = SigningKey::generate(SigningAlgorithm::EdDsa);
        let public = PersonKey::from_ed25519(key.public_key()).unwrap();
        let credential: crate::roster::CredentialId = public.fingerprint().parse().unwrap();
        let of = |public_key: String| {
            AuthenticatorState::new(
                credential.clone(),
                AuthenticatorKey::PersonKey { public_key },
                bo(),
                world.now,
            )
        };
        let (state, commented) = (of(public.to_string()), of(format!("{public} bo@home")));
        let (kind, target) = (ChangeKind::AuthenticatorEnroll, format!("au-{credential}"));
        let twin = world.submit(
            &by(bo()),
            kind,
            &target,
            serde_json::to_value(commented).unwrap(),
        );
        assert_eq!(
            twin,
            Err(Unauthorized::AfterRefused("authenticator_key_unusable"))
        );
        let state = serde_json::to_value(state).unwrap();
        let enrolment = world.submit(&by(bo()), kind, &target, state).unwrap();
        world.approve(cy(), enrolment).unwrap();
        world.pass(2 * DAY);
        let number = world.edit(ana(), "two").unwrap();
        let intent = crate::approval::Intent {
            signer: Signer::User(bo()),
            credential: credential.clone(),
            role: SignerRole::Checker,
            decision: Decision::Approve,
        };
        let nonce = crate::approval::Nonce::from_random([3; 32]);
        let change = &world.entry(number).request.change;
        let statement = Statement::new(change, intent, nonce, None, world.now);
        let challenge = statement.challenge().unwrap().to_string();
        let sign = |namespace| {
            let request = SshSignatureRequest::new(namespace, challenge.as_bytes()).unwrap();
            let (credential_id, signature) = (credential.clone(), request.sign(&key).unwrap());
            Signature::PersonKey {
                credential_id,
                signature,
            }
        };
        let for_a_file = statement.clone().verify(sign("file"), world.verifier());
        assert!(matches!(for_a_file, Err(SignatureRefusal::PersonKey(_))));
        let signed = statement
            .verify(sign(SSH_NAMESPACE), world.verifier())
            .unwrap();
        assert!(!signed.is_user_verified() && !signed.is_backed_up());
        let ballot = world.ballot(signed, None);
        let decided = world.cast(number, ballot).map_err(|refusal| refusal.code());
        assert_eq!(decided, expected);
    }
}

#[test]
fn c10_23_a_signature_that_comes_after_its_deadline_is_refused() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(bo(), &change, SignerRole::Checker, Decision::Approve);
    let (statement, signature) = (signed.statement().clone(), signed.signature().clone());
    world.now = statement.not_after;
    assert!(
        statement
            .clone()
            .verify(signature.clone(), world.verifier())
            .is_ok()
    );
    world.now = world.now.plus(1);
    let late = statement
        .clone()
        .verify(signature.clone(), world.verifier());
    assert_eq!(late, Err(SignatureRefusal::Late));
    world.now = START.plus(-1);
    let long = statement.verify(signature, world.verifier());
    assert_eq!(
        long,
        Err(SignatureRefusal::StatementMalformed),
        "it would live too long"
    );
}

/// Each reason has a code of its own that never changes, and a sentence.
#[test]
fn c6_each_reason_has_its_code_and_a_sentence() {
    let at = START;
    let reasons = [
        (Ineligible::AccountInactive, "account_inactive"),
        (Ineligible::AnotherOrganization, "another_organization"),
        (Ineligible::RoleMissing(Role::Admin), "role_missing"),
        (Ineligible::Maker, "own_request"),
        (Ineligible::Contributor, "contributor"),
        (Ineligible::HumanRequired, "human_approval_required"),
        (Ineligible::SessionStale, "session_stale"),
        (Ineligible::Subject, "subject_of_the_change"),
        (Ineligible::RoleUnseasoned(at), "role_unseasoned"),
        (
            Ineligible::AuthenticatorUnseasoned(at),
            "authenticator_unseasoned",
        ),
        (Ineligible::Dependent, "not_independent"),
        (Ineligible::AuthenticatorUnknown, "authenticator_unknown"),
        (Ineligible::AuthenticatorRevoked, "authenticator_revoked"),
        (
            Ineligible::AuthenticatorNotAllowed,
            "authenticator_not_allowed",
        ),
        (
            Ineligible::AlreadyDecided(Verdict::Approve),
            "already_decided",
        ),
        (Ineligible::StatementMismatch, "statement_mismatch"),
    ];
    for (reason, code) in reasons {
        assert_eq!(reason.code(), code);
        assert!(reason.to_string().ends_with('.'), "{reason}");
    }
}

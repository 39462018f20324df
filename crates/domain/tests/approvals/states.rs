//! C5: what leads from one state to another, and that nothing leads out of a terminal one.

use serde_json::json;

use super::world::*;
use crate::approval::Decision;
use crate::change::{
    APPLY_WINDOW, CancelCause, Change, ChangeKind, ChangeState, DecisionRefused, Maker,
    NotCanonical, PolicySnapshot, WithdrawRefused, state_digest, withdraw,
};
use crate::guard::{Guard, without};
use crate::roster::{PolicyState, Role, Rule};

const AT: crate::time::UnixTime = START;

fn terminal() -> [ChangeState; 6] {
    let reason = || "why".to_owned();
    [
        ChangeState::Applied { at: AT },
        ChangeState::Canceled {
            at: AT,
            reason: reason(),
        },
        ChangeState::Expired { at: AT },
        ChangeState::Failed {
            at: AT,
            reason: reason(),
        },
        ChangeState::Rejected {
            at: AT,
            reason: reason(),
        },
        ChangeState::Superseded {
            at: AT,
            by: Some(2),
        },
    ]
}

#[test]
fn c5_i4_terminal_states_absorb() {
    for state in terminal() {
        assert!(state.is_terminal() && state.closed_at() == Some(AT));
        let never = AT.plus(1_000_000);
        assert!(state.clone().approved(1, AT).is_err());
        assert!(state.clone().canceled(CancelCause::Withdrawn, AT).is_err());
        assert!(state.clone().expired(AT, never).is_err());
        assert!(state.clone().failed("code", AT).is_err());
        assert!(state.clone().rejected("reason", AT).is_err());
        assert!(state.clone().superseded(None, AT).is_err());
        let mut world = World::new(1);
        let number = world.edit(ana(), "two").unwrap();
        world.entry_mut(number).request.state = state.clone();
        assert_eq!(
            world.approve(bo(), number),
            Err(DecisionRefused::Closed(state.clone()))
        );
        let request = &world.entry(number).request;
        let refused = withdraw(request, &by(ana()), AT);
        assert_eq!(refused, Err(WithdrawRefused::Closed(state)));
    }
}

#[test]
fn c5_a_rejection_is_final_and_says_why() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let change = world.entry(number).request.change.clone();
    let signed = world.sign(
        bo(),
        &change,
        crate::approval::SignerRole::Checker,
        Decision::Reject,
    );
    for reason in [None, Some("no")] {
        let ballot = world.ballot(signed.clone(), reason);
        assert_eq!(
            world.cast(number, ballot),
            Err(DecisionRefused::ReasonMissing)
        );
    }
    assert_eq!(world.decide(bo(), number, Decision::Reject), Ok("rejected"));
    assert_eq!(
        world.entry(number).request.state.close_reason(),
        Some("Not like this")
    );
    assert!(matches!(
        world.approve(cy(), number),
        Err(DecisionRefused::Closed(_))
    ));
    let revived = without(Guard::Terminal, || world.approve(cy(), number));
    assert_eq!(revived, Ok("applied"), "the guard is needed");
}

#[test]
fn c5_the_maker_of_another_open_request_may_still_reject() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let other = json!({"name": "other"});
    let kind = ChangeKind::ConfigurationCreate;
    world.submit(&by(cy()), kind, "ac-new", other).unwrap();
    assert_eq!(world.decide(cy(), number, Decision::Reject), Ok("rejected"));
}

#[test]
fn c5_a_request_is_withdrawn_by_its_maker_or_the_operator_alone() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    let request = &world.entry(number).request;
    assert_eq!(
        withdraw(request, &by(bo()), AT),
        Err(WithdrawRefused::NotTheMaker)
    );
    let reason = |maker: &Maker| {
        let state = withdraw(request, maker, AT).unwrap();
        state.close_reason().unwrap().to_owned()
    };
    assert_eq!(reason(&by(ana())), "withdrawn");
    assert_eq!(reason(&Maker::Operator), "canceled_by_operator");
}

#[test]
fn c5_a_pending_request_expires_and_cannot_be_revived_by_the_clock() {
    let mut world = World::new(1);
    let number = world.edit(ana(), "two").unwrap();
    world.pass(3 * DAY);
    assert_eq!(world.state(number), "expired");
    world.now = START;
    assert!(matches!(
        world.approve(bo(), number),
        Err(DecisionRefused::Closed(_))
    ));
    let late = world.edit(ana(), "three").unwrap();
    world.now = START.plus(3 * DAY);
    assert!(
        matches!(world.approve(bo(), late), Err(DecisionRefused::Closed(_))),
        "before the maintenance ran"
    );
}

#[test]
fn c5_what_was_approved_can_be_applied_for_a_while_and_then_expires() {
    let mut policy = PolicyState::standard(true, 1);
    policy.rules.configurations.timelock = DAY;
    let mut world = World::founded(&members(), &policy);
    let number = world.edit(ana(), "two").unwrap();
    world.now = START.plus(3 * DAY - 1);
    assert_eq!(world.approve(bo(), number), Ok("approved"));
    world.now = world.now.plus(DAY + APPLY_WINDOW);
    world.sweep();
    assert_eq!(world.state(number), "expired");
}

#[test]
fn c5_an_approved_request_takes_a_veto_and_no_more_approvals() {
    let mut policy = PolicyState::standard(true, 1);
    policy.rules.configurations.timelock = DAY;
    let mut people = members();
    people[3].1 = APPROVERS.to_vec();
    let mut world = World::founded(&people, &policy);
    let number = world.edit(ana(), "two").unwrap();
    assert!(matches!(
        world.decide(cy(), number, Decision::Veto),
        Err(DecisionRefused::NotNow(_))
    ));
    assert_eq!(world.approve(bo(), number), Ok("approved"));
    assert!(matches!(
        world.approve(cy(), number),
        Err(DecisionRefused::NotNow(_))
    ));
    assert_eq!(world.decide(cy(), number, Decision::Veto), Ok("rejected"));
    let number = world.edit(ana(), "three").unwrap();
    world.approve(bo(), number).unwrap();
    assert_eq!(
        world.decide(dee(), number, Decision::Reject),
        Ok("rejected")
    );
}

#[test]
fn c5_an_approved_request_is_checked_again_before_it_is_applied() {
    let mut policy = PolicyState::standard(true, 1);
    policy.rules.configurations.timelock = DAY;
    let mut world = World::founded(&members(), &policy);
    let number = world.edit(ana(), "two").unwrap();
    world.approve(bo(), number).unwrap();
    world.suspend(cy(), bo()).unwrap();
    world.pass(DAY - 1);
    let lapsed = world.entry(number).votes[0].voided().cloned();
    assert_eq!(lapsed.unwrap().cause, "account_inactive");
    world.pass(2);
    assert_eq!(
        world.state(number),
        "approved",
        "it waits for a vote that counts, until it expires"
    );
    world.pass(4 * DAY);
    assert_eq!(world.state(number), "expired");
}

#[test]
fn c12_a_change_survives_storage_byte_for_byte_and_nothing_else_is_read_back() {
    let world = World::new(1);
    let after = json!({"b": 1, "a": "é"});
    let change = world.change(
        &by(ana()),
        ChangeKind::ConfigurationEdit,
        CONFIGURATION,
        after,
    );
    let bytes = change.canonical_envelope().to_vec();
    assert_eq!(Change::from_canonical(&bytes).unwrap(), change);
    assert_eq!(change.canonical_after(), "{\"a\":\"é\",\"b\":1}".as_bytes());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(&format!("\"requester\":\"{}\"", ana())));
    assert!(text.contains("\"quorum\":1"));
    for (from, to) in [
        ("{", " {"),
        ("\"quorum\":1", "\"quorum\":0"),
        ("\"v\":1", "\"v\":1,\"x\":1"),
        ("\"id\":\"policy\"", "\"id\":\"pol_1\""),
    ] {
        let tampered = text.replacen(from, to, 1);
        assert_eq!(
            Change::from_canonical(tampered.as_bytes()),
            Err(NotCanonical),
            "{to}"
        );
    }
}

#[test]
fn c7_each_respect_of_a_rule_is_the_stricter_one() {
    let lax = Rule {
        reason_required: false,
        seasoning: 0,
        ..Rule::standard(Role::PolicyApprover, 1)
    };
    let strict = Rule {
        timelock: 60,
        ..Rule::standard(Role::PolicyApprover, 2)
    };
    let stricter = PolicySnapshot::new(3, lax).stricter(&PolicySnapshot::new(4, strict));
    assert_eq!((stricter.version(), stricter.quorum()), (3, 2));
    let rule = stricter.rule();
    assert_eq!(
        (rule.timelock, rule.seasoning, rule.reason_required),
        (60, DAY, true)
    );
}

#[test]
fn a_state_digest_is_the_digest_of_its_canonical_bytes() {
    assert_ne!(state_digest(b"{}"), state_digest(b"{ }"));
}

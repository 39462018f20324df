//! Which rule a change falls under, and what it asks for (`approvals.md` C3).

use serde_json::Value;

use super::{ChangeClass, ChangeKind, Envelope, Maker, PolicySnapshot, Proposal};
use crate::approval::{Containments, Need};
use crate::guard::{Guard, kept};
use crate::ids::UserId;
use crate::roster::{
    Group, LOWERING_TIMELOCK, Policy, PolicyState, Role, Roster, RosterTarget, Rule, RuleName,
    UserState,
};
use crate::time::UnixTime;

/// How long a request of the holders of the recovery keys waits for them, in seconds (7 days).
const RECOVERY_TTL: i64 = 7 * 86_400;

/// What of a change decides who may ask for it and who must agree.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// The operation.
    pub kind: ChangeKind,
    /// The ID of what is changed.
    pub target: &'a str,
    /// The whole state that would result.
    pub after: &'a Value,
    /// Who asks.
    pub maker: &'a Maker,
}

impl<'a> From<&'a Proposal> for Matter<'a> {
    fn from(proposal: &'a Proposal) -> Self {
        Self {
            kind: proposal.kind,
            target: &proposal.target,
            after: &proposal.after,
            maker: &proposal.maker,
        }
    }
}

impl<'a> From<&'a Envelope> for Matter<'a> {
    fn from(envelope: &'a Envelope) -> Self {
        Self {
            kind: envelope.kind,
            target: &envelope.target,
            after: &envelope.after,
            maker: &envelope.requester,
        }
    }
}

impl Matter<'_> {
    /// The item of the roster that is changed, if it is one.
    #[must_use]
    pub fn roster_target(&self) -> Option<RosterTarget> {
        let is_of_the_roster = match self.kind.rule() {
            Some(rule) => matches!(rule, RuleName::Policy | RuleName::Roster),
            None => self.kind.is_recovery() || self.kind == ChangeKind::OrganizationFound,
        };
        if is_of_the_roster {
            self.target.parse().ok()
        } else {
            None
        }
    }

    /// The user whom the change is about: their membership, their roles, their authenticator (E5).
    #[must_use]
    pub fn subject(&self, roster: &Roster) -> Option<UserId> {
        match self.roster_target()? {
            RosterTarget::Authenticator(id) => match roster.authenticator(&id) {
                Some(known) => Some(known.state.user),
                None => self.after["user"].as_str()?.parse().ok(),
            },
            RosterTarget::Policy | RosterTarget::Recovery => None,
            RosterTarget::User(user) => Some(user),
        }
    }

    /// Whether an approval can be needed, where the policy asks for one (C3). What is not governed only concerns people
    /// who can neither decide nor ask.
    #[must_use]
    pub fn is_governed(&self, roster: &Roster) -> bool {
        let subject = || self.subject(roster).and_then(|user| roster.user(user));
        match self.kind {
            ChangeKind::AuthenticatorEnroll => {
                subject().is_none_or(|user| user.state.is_approver())
            }
            // Whoever thinks their key is stolen ends it at once; the floor still holds.
            ChangeKind::AuthenticatorRevoke if self.subject(roster) == self.maker.user() => false,
            ChangeKind::AuthenticatorReset
            | ChangeKind::AuthenticatorRevoke
            | ChangeKind::UserRemove => subject().is_none_or(|user| user.state.is_governed()),
            ChangeKind::RoleGrant | ChangeKind::RoleRevoke => {
                let before = subject().map(|user| &user.state.roles);
                let after = self.user_after().map(|state| state.roles);
                match (before, after) {
                    (Some(before), Some(after)) => before
                        .symmetric_difference(&after)
                        .any(|role| role.is_governed()),
                    _ => true,
                }
            }
            ChangeKind::UserCreate => self.user_after().is_none_or(|state| state.is_governed()),
            kind => kind.rule().is_some() && kind.class() == ChangeClass::Edit,
        }
    }

    fn user_after(&self) -> Option<UserState> {
        serde::Deserialize::deserialize(self.after).ok()
    }

    fn policy_after(&self) -> Option<PolicyState> {
        serde::Deserialize::deserialize(self.after).ok()
    }

    /// Whether the change lowers the protection itself: then it waits, and can be vetoed (C3).
    fn is_lowering(&self, policy: &Policy) -> bool {
        match self.kind {
            ChangeKind::PolicyChange => {
                let after = self.policy_after();
                after.is_none_or(|after| policy.state.is_lowered_by(&after))
            }
            ChangeKind::RecoveryChange => true,
            _ => false,
        }
    }
}

/// What the policy in force asks for (C3, C9). `containments` are those of the last day, without this one.
#[must_use]
pub fn terms(
    roster: &Roster,
    matter: &Matter<'_>,
    containments: &Containments,
    now: UnixTime,
) -> PolicySnapshot {
    if matter.kind.is_recovery() {
        return recovery_terms(roster);
    }
    let (Some(name), Some(policy)) = (matter.kind.rule(), roster.enforced()) else {
        let version = roster.policy().map_or(0, |policy| policy.version);
        return PolicySnapshot::new(version, PolicySnapshot::OFF.rule().clone());
    };
    let mut rule = policy.state.rules.rule(name).clone();
    let person = matter.maker.user().and_then(|user| roster.person(user));
    let is_second = matter.kind == ChangeKind::UserSuspend
        && person.is_some_and(|person| containments.has_suspended_a_user(person, now));
    if !matter.is_governed(roster) && !is_second {
        rule.all_of = Need::NOBODY;
        rule.timelock = 0;
    }
    if matter.is_lowering(policy) {
        let one = Need::of(Group::Approvers(Role::PolicyApprover), 1);
        rule.all_of = rule.all_of.stricter(&one);
        rule.timelock = rule.timelock.max(LOWERING_TIMELOCK);
    }
    let is_gate_removed = match name {
        RuleName::Policy => !kept(Guard::PolicyGoverned),
        RuleName::Roster => !kept(Guard::RolesGoverned),
        _ => false,
    };
    if is_gate_removed {
        rule.all_of = Need::NOBODY;
        rule.timelock = 0;
    }
    PolicySnapshot::new(policy.version, rule)
}

/// What recovery asks for: the threshold of its holders, and its wait. Without holders nobody can agree.
fn recovery_terms(roster: &Roster) -> PolicySnapshot {
    let version = roster.policy().map_or(0, |policy| policy.version);
    let state = roster.recovery().map(|recovery| &recovery.state);
    let threshold = state.map_or(crate::approval::MAX_QUORUM, |state| state.threshold);
    let timelock = state.map_or(crate::roster::MAX_RECOVERY_TIMELOCK, |state| state.timelock);
    let rule = Rule {
        all_of: Need::of(Group::RecoveryHolders, threshold),
        reason_required: true,
        seasoning: 0,
        timelock,
        ttl: RECOVERY_TTL,
    };
    PolicySnapshot::new(version, rule)
}

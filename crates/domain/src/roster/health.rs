//! Whether enough people are left to decide: the floor, health and readiness (`approvals.md` C8 I6, C9).

use std::collections::BTreeSet;

use super::{
    AuthenticatorKey, Group, MAX_SEASONING, PolicyState, Role, Roster, RosterItem, RuleName,
    UserStatus,
};
use crate::approval::{Candidate, Case, INDEPENDENCE, may_check};
use crate::change::Maker;
use crate::ids::{PersonId, UserId};
use crate::time::UnixTime;

/// Somebody whose requests nobody can approve, or that nobody is left to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocked {
    /// No admin is active.
    NobodyAdministers,
    /// Too few people can decide on what this admin asks for.
    Admin {
        /// The admin.
        user: UserId,
        /// Under which rule.
        rule: RuleName,
    },
}

/// A change would leave somebody whom too few can check (I6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the change leaves an administrator whose requests too few people could approve")]
pub struct FloorBroken {
    /// Who would be blocked that is not blocked now.
    pub blocked: Vec<Blocked>,
}

/// How safely an organization can go on deciding (C9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nobody is blocked, whoever leaves.
    Healthy,
    /// Losing any one of these people blocks somebody.
    Thin {
        /// The people.
        people: Vec<PersonId>,
    },
    /// Somebody is blocked now.
    Blocked {
        /// Who.
        blocked: Vec<Blocked>,
    },
}

/// Why dual approval cannot be switched on yet (C9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Too few people decide on what this admin asks for.
    #[error("too few people could decide on the requests of an administrator")]
    Blocked(Blocked),
    /// Fewer than two people can sign.
    #[error("fewer than two people have a passkey")]
    FewerThanTwoPeople,
    /// The way back is missing or has not been tried.
    #[error("the recovery kit has not been printed and tested")]
    RecoveryUntested,
    /// Nobody would hear of a request.
    #[error("no notification route has been confirmed")]
    RouteUnconfirmed,
}

/// What of the preparations the roster does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// The recovery kit has been printed and tested.
    pub recovery_tested: bool,
    /// A notification route has been confirmed.
    pub route_confirmed: bool,
}

/// The people who could decide, under a rule, on what somebody asks for at `now`, each with the groups they fill a place
/// of.
#[must_use]
pub fn checkers(
    roster: &Roster,
    maker: UserId,
    rule: RuleName,
    now: UnixTime,
) -> Vec<(UserId, BTreeSet<Group>)> {
    checkers_at(roster, (maker, rule), now, now)
}

/// As [`checkers`], for a decision that those who are active now take at another moment.
fn checkers_at(
    roster: &Roster,
    (maker, rule): (UserId, RuleName),
    at: UnixTime,
    now: UnixTime,
) -> Vec<(UserId, BTreeSet<Group>)> {
    let Some(policy) = roster.enforced().map(|policy| &policy.state) else {
        return Vec::new();
    };
    let case = Case {
        roster,
        approver: rule.approver(),
        maker: &Maker::User { id: maker },
        contributors: &[],
        subject: None,
        seasoning: policy.rules.rule(rule).seasoning,
    };
    let can = |user: UserId| {
        let candidate = Candidate {
            user,
            credential: None,
            at,
        };
        may_check(&case, candidate, now).is_ok()
    };
    roster
        .users()
        .filter(|user| user.state.roles.contains(&rule.approver()) && can(user.id))
        .map(|user| (user.id, policy.groups_of(user.id, rule.approver())))
        .collect()
}

/// Everybody whose requests cannot be approved at `now`; nobody while dual approval is off.
#[must_use]
pub fn blocked(roster: &Roster, now: UnixTime) -> BTreeSet<Blocked> {
    blocked_at(roster, now, now)
}

fn blocked_at(roster: &Roster, at: UnixTime, now: UnixTime) -> BTreeSet<Blocked> {
    let Some(policy) = roster.enforced().map(|policy| &policy.state) else {
        return BTreeSet::new();
    };
    let mut blocked = BTreeSet::new();
    let mut admins = roster
        .active_users(now)
        .filter(|user| user.state.roles.contains(&Role::Admin))
        .peekable();
    if admins.peek().is_none() {
        blocked.insert(Blocked::NobodyAdministers);
    }
    for user in admins.map(|user| user.id) {
        for rule in RuleName::ALL {
            let need = &policy.rules.rule(rule).all_of;
            let able = checkers_at(roster, (user, rule), at, now);
            if !need
                .progress(able.iter().map(|(_, groups)| groups))
                .is_met()
            {
                blocked.insert(Blocked::Admin { user, rule });
            }
        }
    }
    blocked
}

/// The floor (I6): a change blocks nobody who is not blocked already, neither as things are, where only seasoned checkers
/// count (C10 no. 18), nor once everybody is seasoned and independent.
///
/// # Errors
/// [`FloorBroken`] names who would be blocked.
pub fn lockout_floor(before: &Roster, after: &Roster, now: UnixTime) -> Result<(), FloorBroken> {
    for at in [now, now.plus(MAX_SEASONING + INDEPENDENCE)] {
        let after = blocked_at(after, at, now);
        if after.is_empty() {
            continue;
        }
        let blocked: Vec<_> = after
            .difference(&blocked_at(before, at, now))
            .copied()
            .collect();
        if !blocked.is_empty() {
            return Err(FloorBroken { blocked });
        }
    }
    Ok(())
}

/// How safely the organization can go on deciding at `now`.
#[must_use]
pub fn health(roster: &Roster, now: UnixTime) -> Health {
    let blocked_now = blocked(roster, now);
    if !blocked_now.is_empty() {
        let blocked = blocked_now.into_iter().collect();
        return Health::Blocked { blocked };
    }
    let is_needed = |user: UserId| {
        let state = roster.user(user).map(|user| super::UserState {
            status: UserStatus::Removed,
            ..user.state.clone()
        });
        let without = state.and_then(|state| roster.with_user_state(user, state));
        without.is_some_and(|without| !blocked(&without, now).is_empty())
    };
    let people: Vec<_> = roster
        .active_users(now)
        .filter(|user| is_needed(user.id))
        .map(|user| user.state.person)
        .collect();
    if people.is_empty() {
        Health::Healthy
    } else {
        Health::Thin { people }
    }
}

/// What is missing before a policy can be switched on at `now` (C9); nothing when it is empty.
#[must_use]
pub fn readiness(
    roster: &Roster,
    policy: &PolicyState,
    preparation: Preparation,
    now: UnixTime,
) -> Vec<NotReady> {
    let mut missing = Vec::new();
    let has_passkey = |user: UserId| {
        roster.authenticators_of(user).any(|one| {
            one.state.is_active() && matches!(one.state.key, AuthenticatorKey::Passkey { .. })
        })
    };
    let able = roster.active_users(now).filter(|user| has_passkey(user.id));
    if able.count() < 2 {
        missing.push(NotReady::FewerThanTwoPeople);
    }
    if !preparation.recovery_tested || roster.recovery().is_none() {
        missing.push(NotReady::RecoveryUntested);
    }
    if !preparation.route_confirmed {
        missing.push(NotReady::RouteUnconfirmed);
    }
    let blocked = match roster.policy() {
        Some(known) => {
            let mut known = known.clone();
            known.state = policy.clone();
            let mut switched = roster.clone();
            switched.put(RosterItem::Policy(known));
            blocked(&switched, now)
        }
        None => BTreeSet::from([Blocked::NobodyAdministers]),
    };
    missing.extend(blocked.into_iter().map(NotReady::Blocked));
    missing
}

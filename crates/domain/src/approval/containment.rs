//! Containment: what one person may do alone, at once, to remove access; and how often (`approvals.md` C11).

use crate::change::{ChangeKind, Maker};
use crate::ids::{PersonId, UserId};
use crate::roster::{Roster, UserState, UserStatus, lockout_floor};
use crate::time::UnixTime;

/// How often one person may contain something within a day (C11).
pub const DAILY_LIMIT: usize = 5;

/// The day that limits are counted over, and after which a suspension that leaves too few checkers lapses, in seconds.
pub const DAY: i64 = 86_400;

/// One containment that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containment {
    /// By whom.
    pub person: PersonId,
    /// What was suspended.
    pub kind: ChangeKind,
    /// When.
    pub at: UnixTime,
}

/// The containments of an organization within the last day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containments(Vec<Containment>);

impl Containments {
    /// Takes what was contained; older than a day does not count.
    #[must_use]
    pub const fn new(containments: Vec<Containment>) -> Self {
        Self(containments)
    }

    fn of(&self, person: PersonId, now: UnixTime) -> impl Iterator<Item = &Containment> {
        let since = now.plus(-DAY);
        self.0
            .iter()
            .filter(move |one| one.person == person && one.at > since)
    }

    /// Whether the person has used up what one may do alone within a day.
    #[must_use]
    pub fn is_used_up(&self, person: PersonId, now: UnixTime) -> bool {
        self.of(person, now).count() >= DAILY_LIMIT
    }

    /// Whether the person has suspended a user within a day: a second one needs approval (C3).
    #[must_use]
    pub fn has_suspended_a_user(&self, person: PersonId, now: UnixTime) -> bool {
        self.of(person, now)
            .any(|one| one.kind == ChangeKind::UserSuspend)
    }
}

/// The state of a user whom `maker` suspends alone at `now`: with an end where it leaves too few checkers, without one
/// where it does not, and where another person confirms a suspension that would lapse (C3, C10 no. 41). `None` when there
/// is no such user.
#[must_use]
pub fn suspended(roster: &Roster, user: UserId, maker: &Maker, now: UnixTime) -> Option<UserState> {
    let before = roster.user(user)?;
    let for_good = UserState {
        status: UserStatus::Suspended,
        suspended_until: None,
        ..before.state.clone()
    };
    let first = before.origins.suspended.as_ref().map(|origin| &origin.by);
    let is_confirmed = !before.state.is_active(now)
        && first.is_some_and(|first| person_of(roster, first) != person_of(roster, maker));
    let without = roster.with_user_state(user, for_good.clone());
    if is_confirmed || without.is_none_or(|after| lockout_floor(roster, &after, now).is_ok()) {
        return Some(for_good);
    }
    Some(UserState {
        suspended_until: Some(now.plus(DAY)),
        ..for_good
    })
}

/// The person who asks, where it is one.
fn person_of(roster: &Roster, maker: &Maker) -> Option<PersonId> {
    maker.user().and_then(|user| roster.person(user))
}

//! Users: a person's membership in one organization, with the roles it carries.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Origin, Role};
use crate::ids::{PersonId, UserId};
use crate::time::UnixTime;

/// Whether a user may do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UserStatus {
    /// They may, as far as their roles go.
    Active,
    /// They left for good; the ID is never used again.
    Removed,
    /// Contained (C10 no. 41).
    Suspended,
}

/// The governed state of a user: what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// The human. Name and address are no part of this: they can be erased without breaking a proof (C13).
    pub person: PersonId,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// Whether they may do anything.
    pub status: UserStatus,
    /// The end of a suspension that one person ordered alone although it leaves too few checkers (C3): it lapses then,
    /// unless another person confirms it.
    pub suspended_until: Option<UnixTime>,
}

impl UserState {
    /// A new user.
    #[must_use]
    pub const fn new(person: PersonId, roles: BTreeSet<Role>) -> Self {
        Self {
            person,
            roles,
            status: UserStatus::Active,
            suspended_until: None,
        }
    }

    /// Whether the user may do anything at `now`; a suspension that has lapsed is none.
    #[must_use]
    pub fn is_active(&self, now: UnixTime) -> bool {
        match self.status {
            UserStatus::Active => true,
            UserStatus::Removed => false,
            UserStatus::Suspended => self.suspended_until.is_some_and(|until| now >= until),
        }
    }

    /// Whether some role of theirs is granted only behind the gate.
    #[must_use]
    pub fn is_governed(&self) -> bool {
        self.roles.iter().any(|role| role.is_governed())
    }

    /// Whether some role of theirs lets them decide on the requests of others.
    #[must_use]
    pub fn is_approver(&self) -> bool {
        self.roles.iter().any(|role| role.is_approver())
    }
}

/// Where a user's standing comes from; kept beside the signed state, see [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserOrigins {
    /// The invitation.
    pub created: Origin,
    /// Each role that is held: when it became effective, and who granted it.
    pub roles: BTreeMap<Role, Origin>,
    /// The suspension, while there is one.
    pub suspended: Option<Origin>,
}

/// A user as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The ID.
    pub id: UserId,
    /// Counts the changes, beginning with 1.
    pub version: u64,
    /// The governed state.
    pub state: UserState,
    /// Where it comes from.
    pub origins: UserOrigins,
}

impl User {
    /// The user that `state` makes out of `before`, by a change of this origin.
    pub(super) fn changed(
        before: Option<&Self>,
        id: UserId,
        state: UserState,
        origin: &Origin,
    ) -> Self {
        let held = before.map(|user| &user.origins.roles);
        let roles = state.roles.iter().map(|role| {
            let known = held.and_then(|held| held.get(role));
            (*role, known.unwrap_or(origin).clone())
        });
        Self {
            id,
            version: before.map_or(0, |user| user.version) + 1,
            origins: UserOrigins {
                created: before.map_or(origin, |user| &user.origins.created).clone(),
                roles: roles.collect(),
                suspended: (state.status == UserStatus::Suspended).then(|| origin.clone()),
            },
            state,
        }
    }

    /// Whether the signed state and its origins speak of the same.
    pub(super) fn is_coherent(&self) -> bool {
        let is_suspended = self.state.status == UserStatus::Suspended;
        self.state.roles.iter().eq(self.origins.roles.keys())
            && is_suspended == self.origins.suspended.is_some()
            && (is_suspended || self.state.suspended_until.is_none())
    }
}

//! What each kind of change may do to the roster.

use serde_json::Value;

use super::item::exact;
use super::{
    Authenticator, AuthenticatorState, InconsistentRoster, Origin, Policy, PolicyRefusal,
    PolicyState, Recovery, RecoveryRefusal, RecoveryState, Roster, RosterItem, RosterTarget, User,
    UserState, UserStatus,
};
use crate::change::ChangeKind;
use crate::ids::UserId;

/// Why a change of the roster is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterRefusal {
    /// There is one already.
    #[error("It exists already.")]
    AlreadyExists,
    /// Another authenticator has this key: a person must not count twice.
    #[error("Another authenticator has this key; every person needs their own.")]
    AuthenticatorShared,
    /// The founding ceremony is over.
    #[error("The organization has been founded; from now on every change is a change request.")]
    Founded,
    /// The key does not sign, is not in its one form, or the name is not its own.
    #[error("The key of the authenticator cannot be used, or the credential id is not its name.")]
    KeyUnusable,
    /// The state is not one of its kind.
    #[error("The state has members too many or too few, or values out of range.")]
    Malformed,
    /// There is none.
    #[error("It does not exist.")]
    Missing,
    /// The change does something that its kind does not.
    #[error("`{0}` does not change the state in this way.")]
    NotOfThisKind(ChangeKind),
    /// The state is what it was.
    #[error("It is like this already; there is nothing to change.")]
    NothingToChange,
    /// The person is a user already.
    #[error("The person is a user of the organization already.")]
    PersonTaken,
    /// The policy cannot be meant.
    #[error("{0}")]
    Policy(PolicyRefusal),
    /// Recovery cannot work.
    #[error("{0}")]
    Recovery(RecoveryRefusal),
    /// Nothing leads back from there.
    #[error("It is removed or revoked; that is final.")]
    Final,
    /// It names somebody who is not there.
    #[error("It names a user who is not there.")]
    UserUnknown,
}

impl RosterRefusal {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "already_exists",
            Self::AuthenticatorShared => "authenticator_shared",
            Self::Final => "final",
            Self::Founded => "organization_founded",
            Self::KeyUnusable => "authenticator_key_unusable",
            Self::Malformed => "state_malformed",
            Self::Missing => "target_missing",
            Self::NotOfThisKind(_) => "not_of_this_kind",
            Self::NothingToChange => "nothing_to_change",
            Self::PersonTaken => "person_taken",
            Self::Policy(refusal) => refusal.code(),
            Self::Recovery(refusal) => refusal.code(),
            Self::UserUnknown => "user_unknown",
        }
    }
}

impl From<InconsistentRoster> for RosterRefusal {
    fn from(inconsistent: InconsistentRoster) -> Self {
        match inconsistent {
            InconsistentRoster::AuthenticatorShared => Self::AuthenticatorShared,
            InconsistentRoster::AuthenticatorWithoutUser | InconsistentRoster::UserUnknown => {
                Self::UserUnknown
            }
            InconsistentRoster::Incoherent => Self::Malformed,
            InconsistentRoster::ItemTwice => Self::AlreadyExists,
            InconsistentRoster::PersonTwice => Self::PersonTaken,
        }
    }
}

impl Roster {
    /// The roster that a change leads to.
    ///
    /// # Errors
    /// [`RosterRefusal`] when the change is not one of its kind, or leads to no roster.
    pub fn after(
        &self,
        kind: ChangeKind,
        target: &RosterTarget,
        after: &Value,
        origin: &Origin,
    ) -> Result<Self, RosterRefusal> {
        if kind == ChangeKind::OrganizationFound && self.is_founded() {
            return Err(RosterRefusal::Founded);
        }
        let item = match target {
            RosterTarget::Authenticator(id) => {
                let state: AuthenticatorState = read(after)?;
                if state.credential_id != *id {
                    return Err(RosterRefusal::Malformed);
                }
                let before = self.authenticator(id);
                check_authenticator(kind, before.map(|one| &one.state), &state)?;
                RosterItem::Authenticator(Authenticator::changed(before, state, origin))
            }
            RosterTarget::Policy => RosterItem::Policy(self.policy_after(kind, after, origin)?),
            RosterTarget::Recovery => {
                RosterItem::Recovery(self.recovery_after(kind, after, origin)?)
            }
            RosterTarget::User(id) => RosterItem::User(self.user_after(kind, *id, after, origin)?),
        };
        let mut roster = self.clone();
        roster.put(item);
        roster.check()?;
        Ok(roster)
    }

    /// This roster with another state of a user; `None` when there is no such user. For asking what would be.
    pub(crate) fn with_user_state(&self, id: UserId, state: UserState) -> Option<Self> {
        let before = self.user(id)?;
        let user = User::changed(Some(before), id, state, &before.origins.created);
        let mut roster = self.clone();
        roster.put(RosterItem::User(user));
        Some(roster)
    }

    fn user_after(
        &self,
        kind: ChangeKind,
        id: UserId,
        after: &Value,
        origin: &Origin,
    ) -> Result<User, RosterRefusal> {
        let state: UserState = read(after)?;
        let before = self.user(id);
        check_user(kind, before.map(|user| &user.state), &state)?;
        Ok(User::changed(before, id, state, origin))
    }

    fn policy_after(
        &self,
        kind: ChangeKind,
        after: &Value,
        origin: &Origin,
    ) -> Result<Policy, RosterRefusal> {
        let state: PolicyState = read(after)?;
        state.check().map_err(RosterRefusal::Policy)?;
        let before = self.policy();
        match (kind, before) {
            (ChangeKind::OrganizationFound, None) => {}
            (ChangeKind::PolicyChange, Some(policy)) => differs(&policy.state, &state)?,
            (ChangeKind::PolicyChange, None) => return Err(RosterRefusal::Missing),
            _ => return Err(RosterRefusal::NotOfThisKind(kind)),
        }
        Ok(Policy {
            version: before.map_or(0, |policy| policy.version) + 1,
            state,
            changed: origin.clone(),
        })
    }

    fn recovery_after(
        &self,
        kind: ChangeKind,
        after: &Value,
        origin: &Origin,
    ) -> Result<Recovery, RosterRefusal> {
        let state: RecoveryState = read(after)?;
        state.check().map_err(RosterRefusal::Recovery)?;
        let before = self.recovery();
        match (kind, before) {
            (ChangeKind::OrganizationFound | ChangeKind::RecoveryChange, None) => {}
            (ChangeKind::RecoveryChange, Some(recovery)) => differs(&recovery.state, &state)?,
            (ChangeKind::OrganizationFound, Some(_)) => return Err(RosterRefusal::AlreadyExists),
            _ => return Err(RosterRefusal::NotOfThisKind(kind)),
        }
        Ok(Recovery {
            version: before.map_or(0, |recovery| recovery.version) + 1,
            state,
            changed: origin.clone(),
        })
    }
}

fn read<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &Value,
) -> Result<T, RosterRefusal> {
    exact(value).map_err(|_| RosterRefusal::Malformed)
}

fn differs<T: PartialEq>(before: &T, after: &T) -> Result<(), RosterRefusal> {
    if before == after {
        Err(RosterRefusal::NothingToChange)
    } else {
        Ok(())
    }
}

fn check_user(
    kind: ChangeKind,
    before: Option<&UserState>,
    after: &UserState,
) -> Result<(), RosterRefusal> {
    let Some(before) = before else {
        return match kind {
            ChangeKind::UserCreate
            | ChangeKind::OrganizationFound
            | ChangeKind::RecoveryAppoint
                if after.status != UserStatus::Active =>
            {
                Err(RosterRefusal::NotOfThisKind(kind))
            }
            ChangeKind::RecoveryAppoint if !after.roles.iter().all(|role| role.is_approver()) => {
                Err(RosterRefusal::NotOfThisKind(kind))
            }
            ChangeKind::UserCreate
            | ChangeKind::OrganizationFound
            | ChangeKind::RecoveryAppoint => Ok(()),
            _ => Err(RosterRefusal::Missing),
        };
    };
    if kind == ChangeKind::UserCreate || kind == ChangeKind::OrganizationFound {
        return Err(RosterRefusal::AlreadyExists);
    }
    differs(before, after)?;
    if before.status == UserStatus::Removed {
        return Err(RosterRefusal::Final);
    }
    if is_of_kind(kind, before, after) {
        Ok(())
    } else {
        Err(RosterRefusal::NotOfThisKind(kind))
    }
}

/// Whether a kind of change leads from one state of a user to another.
fn is_of_kind(kind: ChangeKind, before: &UserState, after: &UserState) -> bool {
    use UserStatus::{Active, Removed, Suspended};
    let same_roles = before.roles == after.roles;
    let same_status =
        (before.status, before.suspended_until) == (after.status, after.suspended_until);
    let change = (before.status, after.status);
    before.person == after.person
        && match kind {
            ChangeKind::RoleGrant => same_status && before.roles.is_subset(&after.roles),
            ChangeKind::RoleRevoke => same_status && after.roles.is_subset(&before.roles),
            // A suspension that lapses may be ordered anew, or confirmed: then it has no end.
            ChangeKind::UserSuspend => {
                same_roles
                    && (change == (Active, Suspended)
                        || (change == (Suspended, Suspended) && before.suspended_until.is_some()))
            }
            ChangeKind::UserReactivate => same_roles && change == (Suspended, Active),
            ChangeKind::UserRemove => same_roles && after.status == Removed,
            ChangeKind::RecoveryAppoint => {
                let mut granted = after.roles.difference(&before.roles);
                after.status == Active
                    && before.roles.is_subset(&after.roles)
                    && granted.all(|role| role.is_approver())
            }
            _ => false,
        }
}

fn check_authenticator(
    kind: ChangeKind,
    before: Option<&AuthenticatorState>,
    after: &AuthenticatorState,
) -> Result<(), RosterRefusal> {
    let is_enrolment = matches!(
        kind,
        ChangeKind::AuthenticatorEnroll
            | ChangeKind::AuthenticatorReset
            | ChangeKind::OrganizationFound
            | ChangeKind::RecoveryEnroll
    );
    match before {
        None if is_enrolment && !after.key.is_named(&after.credential_id) => {
            Err(RosterRefusal::KeyUnusable)
        }
        None if is_enrolment && after.is_active() => Ok(()),
        None if kind == ChangeKind::AuthenticatorRevoke => Err(RosterRefusal::Missing),
        None => Err(RosterRefusal::NotOfThisKind(kind)),
        Some(_) if is_enrolment => Err(RosterRefusal::AlreadyExists),
        Some(before) if !before.is_active() => Err(RosterRefusal::Final),
        Some(before) if kind == ChangeKind::AuthenticatorRevoke => {
            let revoked = after
                .revoked_as_of
                .map(|as_of| before.clone().revoked(as_of));
            match revoked {
                Some(revoked) if revoked == *after => Ok(()),
                Some(_) => Err(RosterRefusal::NotOfThisKind(kind)),
                None => Err(RosterRefusal::NothingToChange),
            }
        }
        Some(_) => Err(RosterRefusal::NotOfThisKind(kind)),
    }
}

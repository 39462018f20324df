//! Who may ask for which change: one table of role and kind.

use super::containment::Containments;
use crate::change::{ChangeClass, ChangeKind, Maker, Matter};
use crate::ids::UserId;
use crate::roster::{Role, Roster, User, blocked};
use crate::time::UnixTime;

/// What a role lets its holders ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing.
    No,
    /// About themselves.
    Own,
    /// About people who hold no governed role, and get none.
    Ungoverned,
    /// About everybody.
    Every,
}

/// Why somebody may not ask for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEntitled {
    /// The account is not active, or is none of this organization.
    #[error("Your account in this organization is not active.")]
    AccountInactive,
    /// What one may contain alone within a day is used up (C11).
    #[error(
        "You have suspended five times within a day, which is all that one person may do alone; ask another."
    )]
    ContainmentLimit,
    /// The change is about somebody else's authenticator, or one's own, and the kind says otherwise.
    #[error(
        "authenticator.enroll is for your own authenticator, authenticator.reset for somebody else's."
    )]
    OtherKind,
    /// Only a person may ask for it.
    #[error("Only a person may ask for this; a program cannot.")]
    PersonRequired,
    /// There is a way without recovery.
    #[error("Enough people can still decide; recovery is for when they cannot.")]
    RecoveryNotNeeded,
    /// No role of theirs allows it.
    #[error("None of your roles allows to ask for this.")]
    RoleMissing,
}

impl NotEntitled {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccountInactive => "account_inactive",
            Self::ContainmentLimit => "containment_limit",
            Self::OtherKind => "other_kind_of_enrolment",
            Self::PersonRequired => "person_required",
            Self::RecoveryNotNeeded => "recovery_not_needed",
            Self::RoleMissing => "role_not_allowed",
        }
    }
}

/// What a role lets its holders ask for, of each kind.
#[must_use]
pub const fn permission(role: Role, kind: ChangeKind) -> Permission {
    use ChangeKind as Kind;
    match kind {
        // What everybody may: to enrol an authenticator of their own, and to end one.
        Kind::AuthenticatorEnroll => Permission::Own,
        Kind::AuthenticatorRevoke => match role {
            Role::Admin => Permission::Every,
            Role::UserManager => Permission::Ungoverned,
            _ => Permission::Own,
        },
        Kind::AuthenticatorReset
        | Kind::RoleGrant
        | Kind::RoleRevoke
        | Kind::UserCreate
        | Kind::UserRemove => match role {
            Role::Admin => Permission::Every,
            Role::UserManager => Permission::Ungoverned,
            _ => Permission::No,
        },
        // Containment: one admin or one checker (C11).
        Kind::ConfigurationSuspend | Kind::UserSuspend => match role {
            Role::Admin | Role::ApiKeysApprover | Role::PolicyApprover => Permission::Every,
            Role::Auditor | Role::UserManager | Role::Viewer => Permission::No,
        },
        Kind::ConfigurationCreate
        | Kind::ConfigurationDeactivate
        | Kind::ConfigurationEdit
        | Kind::ConfigurationRestore
        | Kind::ConfigurationRotateKey
        | Kind::NotificationRouteChange
        | Kind::PolicyChange
        | Kind::RecoveryChange
        | Kind::SigningKeyRotate
        | Kind::UserReactivate => match role {
            Role::Admin => Permission::Every,
            _ => Permission::No,
        },
        // The operator's, and the recovery holders'.
        Kind::OrganizationCreate
        | Kind::OrganizationEdit
        | Kind::OrganizationFound
        | Kind::OrganizationRestore
        | Kind::OrganizationSuspend
        | Kind::RecoveryAppoint
        | Kind::RecoveryEnroll => Permission::No,
    }
}

/// Whether the maker may ask for the change at `now`. What an API token may is the caller's to check; here it is only
/// kept from what a person must do.
///
/// # Errors
/// [`NotEntitled`] when they may not.
pub fn may_request(
    roster: &Roster,
    matter: &Matter<'_>,
    containments: &Containments,
    now: UnixTime,
) -> Result<(), NotEntitled> {
    match matter.maker {
        Maker::User { id } => {
            let user = roster.user(*id).filter(|user| user.state.is_active(now));
            let user = user.ok_or(NotEntitled::AccountInactive)?;
            allowed_by_roles(roster, matter, user)?;
            let person = user.state.person;
            let is_containment = matter.kind.class() == ChangeClass::Containment;
            if is_containment && containments.is_used_up(person, now) {
                return Err(NotEntitled::ContainmentLimit);
            }
            Ok(())
        }
        Maker::RecoveryHolder { id } => {
            let recovery = roster.recovery().map(|recovery| &recovery.state);
            if !matter.kind.is_recovery() || recovery.is_none_or(|one| one.holder(*id).is_none()) {
                return Err(NotEntitled::RoleMissing);
            }
            if blocked(roster, now).is_empty() {
                return Err(NotEntitled::RecoveryNotNeeded);
            }
            Ok(())
        }
        Maker::ApiToken { .. } | Maker::Operator => match matter.kind {
            ChangeKind::AuthenticatorEnroll
            | ChangeKind::RecoveryAppoint
            | ChangeKind::RecoveryEnroll
            | ChangeKind::UserSuspend => Err(NotEntitled::PersonRequired),
            ChangeKind::OrganizationFound if *matter.maker != Maker::Operator => {
                Err(NotEntitled::PersonRequired)
            }
            _ => Ok(()),
        },
    }
}

fn allowed_by_roles(roster: &Roster, matter: &Matter<'_>, user: &User) -> Result<(), NotEntitled> {
    let subject: Option<UserId> = matter.subject(roster);
    let is_own = subject == Some(user.id);
    match matter.kind {
        ChangeKind::AuthenticatorEnroll if !is_own => return Err(NotEntitled::OtherKind),
        ChangeKind::AuthenticatorReset if is_own => return Err(NotEntitled::OtherKind),
        _ => {}
    }
    if is_own
        && matches!(
            matter.kind,
            ChangeKind::AuthenticatorEnroll | ChangeKind::AuthenticatorRevoke
        )
    {
        return Ok(());
    }
    let roles = user.state.roles.iter();
    let highest = roles.map(|role| permission(*role, matter.kind)).max();
    let is_allowed = match highest.unwrap_or(Permission::No) {
        Permission::Every => true,
        Permission::Ungoverned => !matter.is_governed(roster),
        Permission::Own => is_own,
        Permission::No => false,
    };
    is_allowed.then_some(()).ok_or(NotEntitled::RoleMissing)
}

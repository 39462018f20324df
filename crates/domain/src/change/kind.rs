//! The governed operations (`approvals.md` C3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::roster::RuleName;

/// Declares the governed operations with their names on the wire (C3).
macro_rules! change_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:ident, $rule:expr;)*) => {
        /// A governed operation (C3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ChangeKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl ChangeKind {
            /// Every governed operation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire, in the database and in evidence.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the operation does to access.
            #[must_use]
            pub const fn class(self) -> ChangeClass {
                match self { $(Self::$variant => ChangeClass::$class,)* }
            }

            /// The rule of the organization's policy that says who must agree; `None` where the organization has no say:
            /// for what the operator does, and for recovery, whose holders decide.
            #[must_use]
            pub const fn rule(self) -> Option<RuleName> {
                match self { $(Self::$variant => $rule,)* }
            }
        }
    };
}

change_kinds! {
    /// Enrols an authenticator of the maker.
    AuthenticatorEnroll = "authenticator.enroll", Edit, Some(RuleName::Roster);
    /// Enrols an authenticator of somebody else, who lost theirs.
    AuthenticatorReset = "authenticator.reset", Edit, Some(RuleName::Roster);
    /// Ends an authenticator.
    AuthenticatorRevoke = "authenticator.revoke", Edit, Some(RuleName::Roster);
    /// Changes where notices about approvals go.
    NotificationRouteChange = "notification_route.change", Edit, Some(RuleName::NotificationRoutes);
    /// Creates a configuration.
    ConfigurationCreate = "oidc_config.create", Edit, Some(RuleName::Configurations);
    /// Ends a configuration.
    ConfigurationDeactivate = "oidc_config.deactivate", Edit, Some(RuleName::Configurations);
    /// Edits a configuration.
    ConfigurationEdit = "oidc_config.edit", Edit, Some(RuleName::Configurations);
    /// Takes the suspension of a configuration back.
    ConfigurationRestore = "oidc_config.restore", Edit, Some(RuleName::Configurations);
    /// Changes the keys of a configuration.
    ConfigurationRotateKey = "oidc_config.rotate_key", Edit, Some(RuleName::Configurations);
    /// Suspends a configuration.
    ConfigurationSuspend = "oidc_config.suspend", Containment, Some(RuleName::Configurations);
    /// Creates an organization.
    OrganizationCreate = "organization.create", Edit, None;
    /// Edits an organization.
    OrganizationEdit = "organization.edit", Edit, None;
    /// Puts an item of the roster in place, in the founding ceremony.
    OrganizationFound = "organization.found", Edit, None;
    /// Takes the suspension of an organization back.
    OrganizationRestore = "organization.restore", Edit, None;
    /// Suspends an organization.
    OrganizationSuspend = "organization.suspend", Containment, None;
    /// Changes the approval policy.
    PolicyChange = "policy.change", Edit, Some(RuleName::Policy);
    /// Names an approver, by the holders of the recovery keys (C11).
    RecoveryAppoint = "recovery.appoint", Edit, None;
    /// Changes the holders of the recovery keys.
    RecoveryChange = "recovery.change", Edit, Some(RuleName::Policy);
    /// Enrols an authenticator of somebody who was named, by the holders of the recovery keys (C11).
    RecoveryEnroll = "recovery.enroll", Edit, None;
    /// Adds roles to a user.
    RoleGrant = "role.grant", Edit, Some(RuleName::Roster);
    /// Takes roles from a user.
    RoleRevoke = "role.revoke", Edit, Some(RuleName::Roster);
    /// Rotates a signing key of the organization out of schedule.
    SigningKeyRotate = "signing_key.rotate", Edit, Some(RuleName::SigningKeys);
    /// Makes a person a user.
    UserCreate = "user.create", Edit, Some(RuleName::Roster);
    /// Takes the suspension of a user back.
    UserReactivate = "user.reactivate", Edit, Some(RuleName::Roster);
    /// Ends a membership.
    UserRemove = "user.remove", Edit, Some(RuleName::Roster);
    /// Suspends a user.
    UserSuspend = "user.suspend", Containment, Some(RuleName::Roster);
}

/// Whether an operation may wait (it may widen access) or takes effect at once (it only removes access, C11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeClass {
    /// One open request per target; needs the quorum of its policy.
    Edit,
    /// Applied at once, alongside open edits.
    Containment,
}

impl ChangeKind {
    /// Whether the holders of the recovery keys decide (C11).
    #[must_use]
    pub const fn is_recovery(self) -> bool {
        matches!(self, Self::RecoveryAppoint | Self::RecoveryEnroll)
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no governed operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a governed operation")]
pub struct UnknownChangeKind;

impl FromStr for ChangeKind {
    type Err = UnknownChangeKind;

    fn from_str(name: &str) -> Result<Self, UnknownChangeKind> {
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| kind.as_str() == name)
            .ok_or(UnknownChangeKind)
    }
}

//! What a user may do in an organization.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A role of a user in one organization. A user may hold several; none of them lets anybody approve an own request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Requests every change.
    Admin,
    /// Decides on requests about configurations and signing keys.
    ApiKeysApprover,
    /// Sees everything, evidence included.
    Auditor,
    /// Decides on requests about users, roles, authenticators, recovery, routes and the policy itself.
    PolicyApprover,
    /// Invites and edits users without a governed role.
    UserManager,
    /// Sees configurations and permission groups.
    Viewer,
}

impl Role {
    /// Every role, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::Admin,
        Self::ApiKeysApprover,
        Self::Auditor,
        Self::PolicyApprover,
        Self::UserManager,
        Self::Viewer,
    ];

    /// The name on the wire, in the database and in evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ApiKeysApprover => "api_keys_approver",
            Self::Auditor => "auditor",
            Self::PolicyApprover => "policy_approver",
            Self::UserManager => "user_manager",
            Self::Viewer => "viewer",
        }
    }

    /// Whether its holders decide on the requests of others.
    #[must_use]
    pub const fn is_approver(self) -> bool {
        matches!(self, Self::ApiKeysApprover | Self::PolicyApprover)
    }

    /// Whether it is granted and revoked only behind the gate: its holders decide, or ask for what others decide (C3).
    #[must_use]
    pub const fn is_governed(self) -> bool {
        match self {
            Self::Admin | Self::ApiKeysApprover | Self::PolicyApprover | Self::UserManager => true,
            Self::Auditor | Self::Viewer => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a role: admin, api_keys_approver, auditor, policy_approver, user_manager and viewer are"
)]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == name);
        known.ok_or(UnknownRole)
    }
}

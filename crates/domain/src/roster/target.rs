//! The addresses of what the roster is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::CredentialId;
use crate::ids::UserId;

/// An item of the roster, as the target of change requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RosterTarget {
    /// An authenticator: `au-` and its credential id.
    Authenticator(CredentialId),
    /// The approval policy: `policy`.
    Policy,
    /// The holders of the recovery keys: `recovery`.
    Recovery,
    /// A user: `us-…`.
    User(UserId),
}

/// The text is the address of nothing in a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a user (us-…), an authenticator (au-…), `policy` or `recovery`")]
pub struct NotARosterTarget;

impl fmt::Display for RosterTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authenticator(credential) => write!(f, "au-{credential}"),
            Self::Policy => f.write_str("policy"),
            Self::Recovery => f.write_str("recovery"),
            Self::User(user) => fmt::Display::fmt(user, f),
        }
    }
}

impl FromStr for RosterTarget {
    type Err = NotARosterTarget;

    fn from_str(text: &str) -> Result<Self, NotARosterTarget> {
        match text {
            "policy" => return Ok(Self::Policy),
            "recovery" => return Ok(Self::Recovery),
            _ => {}
        }
        let parsed = match text.strip_prefix("au-") {
            Some(credential) => credential.parse().ok().map(Self::Authenticator),
            None => text.parse().ok().map(Self::User),
        };
        parsed.ok_or(NotARosterTarget)
    }
}

impl From<RosterTarget> for String {
    fn from(target: RosterTarget) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for RosterTarget {
    type Error = NotARosterTarget;

    fn try_from(text: String) -> Result<Self, NotARosterTarget> {
        text.parse()
    }
}

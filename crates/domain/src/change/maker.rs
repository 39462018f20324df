//! Who asks for a change.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{ApiTokenId, MalformedId, RecoveryHolderId, UserId};

/// Who asks for a change: `at-…`, `operator`, `rh-…` or `us-…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Maker {
    /// A program with an API token.
    ApiToken {
        /// The token.
        id: ApiTokenId,
    },
    /// The instance itself: its first start, a founding ceremony, or a restore by the operator at the console.
    Operator,
    /// The holder of a recovery key (C11).
    RecoveryHolder {
        /// The holder.
        id: RecoveryHolderId,
    },
    /// A person.
    User {
        /// Their user in the organization.
        id: UserId,
    },
}

impl Maker {
    /// The user, where a person asks.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id } => Some(*id),
            Self::ApiToken { .. } | Self::Operator | Self::RecoveryHolder { .. } => None,
        }
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiToken { id } => fmt::Display::fmt(id, f),
            Self::Operator => f.write_str("operator"),
            Self::RecoveryHolder { id } => fmt::Display::fmt(id, f),
            Self::User { id } => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for Maker {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        match text.get(..3) {
            Some("at-") => text.parse().map(|id| Self::ApiToken { id }),
            Some("rh-") => text.parse().map(|id| Self::RecoveryHolder { id }),
            Some("us-") => text.parse().map(|id| Self::User { id }),
            _ if text == "operator" => Ok(Self::Operator),
            _ => Err(MalformedId),
        }
    }
}

impl From<Maker> for String {
    fn from(maker: Maker) -> Self {
        maker.to_string()
    }
}

impl TryFrom<String> for Maker {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, MalformedId> {
        text.parse()
    }
}

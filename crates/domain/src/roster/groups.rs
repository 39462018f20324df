//! Groups of checkers that a rule can ask for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Role;

/// A name that the policy gives to some of the checkers: 1 to 40 characters `a-z`, `0-9`, `_` and `-`, and no role.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GroupName(Box<str>);

/// The text is no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a group: api_keys_approver, policy_approver, or 1 to 40 characters a-z, 0-9, _ and - that are no role"
)]
pub struct MalformedGroup;

impl GroupName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = MalformedGroup;

    fn from_str(text: &str) -> Result<Self, MalformedGroup> {
        let is_well_formed = (1..=40).contains(&text.len())
            && text
                .bytes()
                .all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        if is_well_formed && text.parse::<Role>().is_err() && text != RECOVERY {
            Ok(Self(text.into()))
        } else {
            Err(MalformedGroup)
        }
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> Self {
        name.0.into()
    }
}

impl TryFrom<String> for GroupName {
    type Error = MalformedGroup;

    fn try_from(text: String) -> Result<Self, MalformedGroup> {
        text.parse()
    }
}

/// What the holders of the recovery keys are called in a rule.
const RECOVERY: &str = "recovery_holder";

/// Some of those who may decide.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Group {
    /// Everybody with this approver role.
    Approvers(Role),
    /// The members of a group of the policy, as far as they hold the approver role of the request (E2).
    Named(GroupName),
    /// The holders of the recovery keys; in no rule of a policy.
    RecoveryHolders,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approvers(role) => role.as_str(),
            Self::Named(name) => name.as_str(),
            Self::RecoveryHolders => RECOVERY,
        })
    }
}

impl FromStr for Group {
    type Err = MalformedGroup;

    fn from_str(text: &str) -> Result<Self, MalformedGroup> {
        match text.parse::<Role>() {
            Ok(role) if role.is_approver() => Ok(Self::Approvers(role)),
            Ok(_) => Err(MalformedGroup),
            Err(_) if text == RECOVERY => Ok(Self::RecoveryHolders),
            Err(_) => text.parse().map(Self::Named),
        }
    }
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.to_string()
    }
}

impl TryFrom<String> for Group {
    type Error = MalformedGroup;

    fn try_from(text: String) -> Result<Self, MalformedGroup> {
        text.parse()
    }
}

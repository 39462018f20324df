//! Permission groups: what a token may be used for, carried in `scope` (RFC 6749 §3.3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::excerpt;

/// The longest accepted name of a group, in bytes.
const MAX_GROUP_BYTES: usize = 128;

/// The most groups one request or one grant may name.
pub const MAX_GROUPS: usize = 200;

/// A permission group, `<namespace>-v<N>:<resource>:<r|w|rw>`, for example `payments-v1:accounts:rw`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PermissionGroup(Box<str>);

/// The text is not a permission group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a permission group; the form is <namespace>-v<N>:<resource>:<r|w|rw>, for example payments-v1:accounts:rw"
)]
pub struct MalformedGroup;

impl PermissionGroup {
    /// Parses a permission group.
    ///
    /// # Errors
    /// [`MalformedGroup`] when the text does not have the documented form.
    pub fn parse(text: &str) -> Result<Self, MalformedGroup> {
        let mut parts = text.split(':');
        let (Some(namespace), Some(resource), Some(access), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MalformedGroup);
        };
        let versioned = namespace.rsplit_once("-v").is_some_and(|(name, version)| {
            is_name(name)
                && !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_digit())
        });
        let sound = text.len() <= MAX_GROUP_BYTES
            && versioned
            && is_name(resource)
            && matches!(access, "r" | "w" | "rw");
        if sound {
            Ok(Self(text.into()))
        } else {
            Err(MalformedGroup)
        }
    }

    /// The name of the group.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case letters, digits, `-`, `_` and `.`, beginning with a letter.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
        })
}

impl fmt::Display for PermissionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PermissionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<PermissionGroup> for String {
    fn from(group: PermissionGroup) -> Self {
        group.0.into()
    }
}

impl TryFrom<String> for PermissionGroup {
    type Error = MalformedGroup;

    fn try_from(text: String) -> Result<Self, MalformedGroup> {
        Self::parse(&text)
    }
}

/// A set of permission groups in a stable order.
pub type GroupSet = BTreeSet<PermissionGroup>;

/// Parses a list of names.
///
/// # Errors
/// The beginning of the first name that is none, safe to repeat.
pub(crate) fn parse_groups(names: &[String]) -> Result<GroupSet, String> {
    let parse = |name: &String| PermissionGroup::parse(name).map_err(|_| excerpt(name));
    names.iter().map(parse).collect()
}

/// Writes a set as the value of `scope`: names separated by single spaces.
#[must_use]
pub fn to_scope(groups: &GroupSet) -> String {
    let names: Vec<&str> = groups.iter().map(PermissionGroup::as_str).collect();
    names.join(" ")
}

/// A `scope` that a caller asked for, split into tokens and not yet compared with anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedScope(Vec<String>);

/// The text is not a `scope` (RFC 6749 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a scope; scopes are separated by one space and have no quotes, backslashes or control characters"
)]
pub struct MalformedScope;

impl RequestedScope {
    /// Splits a `scope` value; duplicates collapse.
    ///
    /// # Errors
    /// [`MalformedScope`] for an empty token, a character outside RFC 6749 `scope-token`, or more than [`MAX_GROUPS`].
    pub fn parse(text: &str) -> Result<Self, MalformedScope> {
        let mut tokens: Vec<String> = Vec::new();
        for token in text.split(' ') {
            let sound = !token.is_empty()
                && token
                    .bytes()
                    .all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E));
            if !sound || tokens.len() == MAX_GROUPS {
                return Err(MalformedScope);
            }
            if !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
        Ok(Self(tokens))
    }

    /// The scope tokens, in the order of the request.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// Whether every token of this scope is also in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|token| other.0.contains(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_namespace_version_resource_and_access() {
        assert!(PermissionGroup::parse("payments-v1:accounts:rw").is_ok());
        for text in [
            "payments:accounts:rw",
            "payments-v1:accounts",
            "payments-v1:accounts:x",
            "payments-v1:accounts:rw:r",
            "Payments-v1:accounts:r",
            "payments-v:accounts:r",
            "",
        ] {
            assert!(PermissionGroup::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn b13_scope_syntax_is_exact() {
        assert_eq!(RequestedScope::parse("a b a").unwrap().tokens(), ["a", "b"]);
        for text in ["", "a  b", " a", "a ", "a\"b", "a\\b", "a\tb", "é"] {
            assert!(RequestedScope::parse(text).is_err(), "{text:?}");
        }
    }
}

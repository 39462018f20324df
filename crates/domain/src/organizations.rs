//! Organizations (tenants) and the address of each on this instance.

use countersign_crypto::SigningAlgorithm;
use serde::{Deserialize, Serialize};

use crate::identifier::Identifier;
use crate::ids::TenantId;
use crate::permission_groups::{GroupSet, MAX_GROUPS, parse_groups};
use crate::text::{Label, MalformedText};
use crate::time::UnixTime;

/// Whether an organization is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrganizationStatus {
    /// It is.
    Active,
    /// Contained: nothing is issued and nothing issued is accepted, until it is restored.
    Suspended,
}

impl OrganizationStatus {
    /// The name used in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }
}

/// The governed state of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationState {
    /// What people call it.
    pub name: Label,
    /// Whether it is served.
    pub status: OrganizationStatus,
    /// The algorithm of its access tokens.
    pub signing_algorithm: SigningAlgorithm,
    /// The permission groups that it is entitled to.
    pub permission_groups: GroupSet,
    /// Access tokens issued before this moment are no longer active: set by containment.
    pub tokens_not_before: Option<UnixTime>,
}

/// An organization as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its ID.
    pub tenant_id: TenantId,
    /// Counts its changes, beginning with 1.
    pub version: u64,
    /// The number of the change request that made this version.
    pub change_request: u64,
    /// The governed state.
    pub state: OrganizationState,
    /// When it was created.
    pub created_at: UnixTime,
    /// When it was last changed.
    pub updated_at: UnixTime,
}

/// The fields of an organization that an operator writes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationEdit {
    /// New `name`.
    pub name: Option<String>,
    /// New `signing_algorithm`.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// New `permission_groups`.
    pub permission_groups: Option<Vec<String>>,
}

/// A change to an organization that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationRefusal {
    /// It is suspended already.
    #[error("The organization is suspended already.")]
    AlreadySuspended,
    /// A name is not a permission group.
    #[error("permission_groups: `{0}` is not a permission group such as payments-v1:accounts:rw")]
    GroupMalformed(String),
    /// The name breaks the rules of a label.
    #[error("name {0}")]
    Name(MalformedText),
    /// It is not suspended.
    #[error("The organization is not suspended.")]
    NotSuspended,
    /// The edit changes nothing.
    #[error("The organization is like this already; there is nothing to change.")]
    NothingToChange,
    /// Too many groups.
    #[error("permission_groups: at most 200 groups")]
    TooManyGroups,
}

impl OrganizationRefusal {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadySuspended => "already_suspended",
            Self::GroupMalformed(_) => "permission_group_malformed",
            Self::Name(_) => "text_malformed",
            Self::NotSuspended => "not_suspended",
            Self::NothingToChange => "nothing_to_change",
            Self::TooManyGroups => "too_many_permission_groups",
        }
    }

    /// The member of the request that is to blame, as a JSON pointer (RFC 6901), when it is one member.
    #[must_use]
    pub const fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::GroupMalformed(_) | Self::TooManyGroups => Some("/permission_groups"),
            Self::Name(_) => Some("/name"),
            Self::AlreadySuspended | Self::NotSuspended | Self::NothingToChange => None,
        }
    }
}

impl OrganizationState {
    /// A new organization.
    ///
    /// # Errors
    /// When a field breaks its rule.
    pub fn new(name: &str, edit: OrganizationEdit) -> Result<Self, OrganizationRefusal> {
        let blank = Self {
            name: Label::parse(name).map_err(OrganizationRefusal::Name)?,
            status: OrganizationStatus::Active,
            signing_algorithm: SigningAlgorithm::Es256,
            permission_groups: GroupSet::new(),
            tokens_not_before: None,
        };
        blank.with_fields(edit)
    }

    /// This state with the fields of `edit`.
    ///
    /// # Errors
    /// When a field breaks its rule, or nothing would change.
    pub fn edit(self, edit: OrganizationEdit) -> Result<Self, OrganizationRefusal> {
        let before = self.clone();
        let after = self.with_fields(edit)?;
        if after == before {
            Err(OrganizationRefusal::NothingToChange)
        } else {
            Ok(after)
        }
    }

    /// Contains the organization.
    ///
    /// # Errors
    /// When it is suspended already.
    pub fn suspend(mut self, now: UnixTime) -> Result<Self, OrganizationRefusal> {
        match self.status {
            OrganizationStatus::Active => {
                self.status = OrganizationStatus::Suspended;
                self.tokens_not_before = Some(now.plus(1));
                Ok(self)
            }
            OrganizationStatus::Suspended => Err(OrganizationRefusal::AlreadySuspended),
        }
    }

    /// Takes a suspension back.
    ///
    /// # Errors
    /// When it is not suspended.
    pub fn restore(mut self) -> Result<Self, OrganizationRefusal> {
        match self.status {
            OrganizationStatus::Suspended => {
                self.status = OrganizationStatus::Active;
                Ok(self)
            }
            OrganizationStatus::Active => Err(OrganizationRefusal::NotSuspended),
        }
    }

    fn with_fields(mut self, edit: OrganizationEdit) -> Result<Self, OrganizationRefusal> {
        if let Some(name) = edit.name {
            self.name = Label::parse(&name).map_err(OrganizationRefusal::Name)?;
        }
        if let Some(algorithm) = edit.signing_algorithm {
            self.signing_algorithm = algorithm;
        }
        if let Some(names) = edit.permission_groups {
            if names.len() > MAX_GROUPS {
                return Err(OrganizationRefusal::TooManyGroups);
            }
            self.permission_groups =
                parse_groups(&names).map_err(OrganizationRefusal::GroupMalformed)?;
        }
        Ok(self)
    }
}

/// The address under which this instance is reached; the beginning of every issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Box<str>);

/// The text cannot be the public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be http(s)://host[:port] with an optional path, without query, fragment, user name or final slash"
)]
pub struct MalformedPublicUrl;

impl PublicUrl {
    /// Parses the public address (RFC 8414 §2: no query, no fragment).
    ///
    /// # Errors
    /// [`MalformedPublicUrl`] when it is not an absolute http(s) URL of the documented form.
    pub fn parse(text: &str) -> Result<Self, MalformedPublicUrl> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let host = rest
            .map(|rest| rest.split('/').next().unwrap_or_default())
            .unwrap_or_default();
        let sound = !host.is_empty()
            && text.len() <= 256
            && !text.ends_with('/')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>{}|^`%".contains(&byte))
            && !host.bytes().any(|byte| byte.is_ascii_uppercase());
        if sound {
            Ok(Self(text.into()))
        } else {
            Err(MalformedPublicUrl)
        }
    }

    /// The address, without a final slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The issuer of an organization: `{public_url}/t/{tenant_id}`.
    #[must_use]
    pub fn issuer(&self, tenant: TenantId) -> Identifier {
        Identifier::parse(&format!("{}/t/{tenant}", self.0))
            .expect("a public URL and a tenant ID are printable ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_a_public_url_has_neither_query_nor_fragment_nor_final_slash() {
        for good in [
            "https://auth.example.com",
            "http://127.0.0.1:8080",
            "https://example.com/auth",
        ] {
            assert!(PublicUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://a/",
            "https://a?x",
            "https://a#x",
            "ftp://a",
            "https://",
            "https://u@a",
            "a",
            "https://A",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}

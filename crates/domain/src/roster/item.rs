//! The items of a roster as they are stored: the signed state, and the origin beside it.

use countersign_crypto::canonical_json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Authenticator, Policy, Recovery, RosterTarget, User};

/// One item of a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterItem {
    /// An authenticator.
    Authenticator(Authenticator),
    /// The approval policy.
    Policy(Policy),
    /// The holders of the recovery keys.
    Recovery(Recovery),
    /// A user.
    User(User),
}

/// The text is not the canonical form of an item, or has members that an item of its kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical form of an item of the roster")]
pub struct MalformedItem;

impl RosterItem {
    /// Reads an item back: its signed state, and its origins as [`Self::origins`] wrote them.
    ///
    /// # Errors
    /// [`MalformedItem`] when either text is not canonical, or does not fit the kind of the target.
    pub fn read(
        target: &RosterTarget,
        version: u64,
        state: &str,
        origins: &str,
    ) -> Result<Self, MalformedItem> {
        let item = match target {
            RosterTarget::Authenticator(_) => Self::Authenticator(Authenticator {
                version,
                state: canonical(state)?,
                enrolled: canonical(origins)?,
            }),
            RosterTarget::Policy => Self::Policy(Policy {
                version,
                state: canonical(state)?,
                changed: canonical(origins)?,
            }),
            RosterTarget::Recovery => Self::Recovery(Recovery {
                version,
                state: canonical(state)?,
                changed: canonical(origins)?,
            }),
            RosterTarget::User(id) => Self::User(User {
                id: *id,
                version,
                state: canonical(state)?,
                origins: canonical(origins)?,
            }),
        };
        if item.target() == *target {
            Ok(item)
        } else {
            Err(MalformedItem)
        }
    }

    /// Its address.
    #[must_use]
    pub fn target(&self) -> RosterTarget {
        match self {
            Self::Authenticator(one) => {
                RosterTarget::Authenticator(one.state.credential_id.clone())
            }
            Self::Policy(_) => RosterTarget::Policy,
            Self::Recovery(_) => RosterTarget::Recovery,
            Self::User(user) => RosterTarget::User(user.id),
        }
    }

    /// Counts its changes, beginning with 1.
    #[must_use]
    pub const fn version(&self) -> u64 {
        match self {
            Self::Authenticator(one) => one.version,
            Self::Policy(policy) => policy.version,
            Self::Recovery(recovery) => recovery.version,
            Self::User(user) => user.version,
        }
    }

    /// Its signed state.
    ///
    /// # Errors
    /// [`MalformedItem`] when the state has a number that canonical JSON cannot write.
    pub fn state(&self) -> Result<Value, MalformedItem> {
        match self {
            Self::Authenticator(one) => serde_json::to_value(&one.state),
            Self::Policy(policy) => serde_json::to_value(&policy.state),
            Self::Recovery(recovery) => serde_json::to_value(&recovery.state),
            Self::User(user) => serde_json::to_value(&user.state),
        }
        .map_err(|_| MalformedItem)
    }

    /// Where it comes from, as canonical JSON (RFC 8785), to be stored beside the signed state.
    ///
    /// # Errors
    /// [`MalformedItem`] when a number is beyond what canonical JSON can write.
    pub fn origins(&self) -> Result<String, MalformedItem> {
        match self {
            Self::Authenticator(one) => text(&one.enrolled),
            Self::Policy(policy) => text(&policy.changed),
            Self::Recovery(recovery) => text(&recovery.changed),
            Self::User(user) => text(&user.origins),
        }
    }
}

/// Reads a state exactly: what would not be written back the same has a member too many, one twice, or another order.
pub(super) fn exact<T: Serialize + DeserializeOwned>(value: &Value) -> Result<T, MalformedItem> {
    let state: T = T::deserialize(value).map_err(|_| MalformedItem)?;
    match serde_json::to_value(&state) {
        Ok(written) if written == *value => Ok(state),
        Ok(_) | Err(_) => Err(MalformedItem),
    }
}

fn canonical<T: Serialize + DeserializeOwned>(stored: &str) -> Result<T, MalformedItem> {
    let state: T = serde_json::from_str(stored).map_err(|_| MalformedItem)?;
    if text(&state)? == stored {
        Ok(state)
    } else {
        Err(MalformedItem)
    }
}

fn text<T: Serialize>(state: &T) -> Result<String, MalformedItem> {
    let value = serde_json::to_value(state).map_err(|_| MalformedItem)?;
    let octets = canonical_json(&value).map_err(|_| MalformedItem)?;
    String::from_utf8(octets).map_err(|_| MalformedItem)
}

//! The holders of the recovery keys (C11): for the day on which nobody is left to check.

use std::collections::BTreeSet;

use countersign_crypto::ssh::PersonKey;
use serde::{Deserialize, Serialize};

use super::Origin;
use crate::ids::{RecoveryHolderId, UserId};

/// The shortest wait before what the holders ask for takes effect, in seconds (24 h).
pub const MIN_RECOVERY_TIMELOCK: i64 = 86_400;

/// The longest such wait, in seconds (7 days).
pub const MAX_RECOVERY_TIMELOCK: i64 = 7 * 86_400;

/// The usual wait, in seconds (48 h).
pub const DEFAULT_RECOVERY_TIMELOCK: i64 = 2 * 86_400;

/// Somebody who keeps a recovery key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryHolder {
    /// The holder.
    pub id: RecoveryHolderId,
    /// The public key, one line in the form of OpenSSH.
    pub public_key: String,
    /// The user, where it is one of the organization; `None` for a key in a safe or with a lawyer.
    pub user: Option<UserId>,
}

/// The governed state of recovery: what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryState {
    /// Who keeps keys.
    pub holders: Vec<RecoveryHolder>,
    /// How many of them must agree.
    pub threshold: u32,
    /// How long what they ask for waits, and can be vetoed, in seconds.
    pub timelock: i64,
}

/// Why holders cannot be set up so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryRefusal {
    /// A holder or a key is listed twice.
    #[error("Each holder and each recovery key is listed once.")]
    Duplicate,
    /// A key cannot be read, or is not in its one form.
    #[error("public_key must be an SSH public key in one line, without a comment")]
    Key,
    /// More must agree than there are, or none.
    #[error("threshold must be between 1 and the number of holders, of whom there are at most 20")]
    Threshold,
    /// Too short or too long.
    #[error("timelock must be between 86400 and 604800 seconds (24 hours to 7 days)")]
    Timelock,
}

impl RecoveryRefusal {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Duplicate => "recovery_holder_duplicate",
            Self::Key => "recovery_key_unusable",
            Self::Threshold => "recovery_threshold_out_of_range",
            Self::Timelock => "recovery_timelock_out_of_range",
        }
    }
}

impl RecoveryState {
    /// Checks that recovery can work.
    pub(super) fn check(&self) -> Result<(), RecoveryRefusal> {
        let ids: BTreeSet<_> = self.holders.iter().map(|holder| holder.id).collect();
        let keys: BTreeSet<_> = self.holders.iter().map(|one| &one.public_key).collect();
        if ids.len() != self.holders.len() || keys.len() != self.holders.len() {
            return Err(RecoveryRefusal::Duplicate);
        }
        let is_key = |text: &String| {
            let key = text.parse::<PersonKey>();
            key.is_ok_and(|key| key.to_string() == *text)
        };
        if !keys.into_iter().all(is_key) {
            return Err(RecoveryRefusal::Key);
        }
        let holders = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        if holders > 20 || self.threshold == 0 || self.threshold > holders {
            return Err(RecoveryRefusal::Threshold);
        }
        if !(MIN_RECOVERY_TIMELOCK..=MAX_RECOVERY_TIMELOCK).contains(&self.timelock) {
            return Err(RecoveryRefusal::Timelock);
        }
        Ok(())
    }

    /// The holder of this ID.
    #[must_use]
    pub fn holder(&self, id: RecoveryHolderId) -> Option<&RecoveryHolder> {
        self.holders.iter().find(|holder| holder.id == id)
    }
}

/// Recovery as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Counts the changes, beginning with 1.
    pub version: u64,
    /// The governed state.
    pub state: RecoveryState,
    /// The last change; kept beside the signed state, see [`Origin`].
    pub changed: Origin,
}

//! The states of a change request and what leads out of them (`approvals.md` C5).

use serde::{Deserialize, Serialize};

use crate::time::UnixTime;

/// Where a change request stands (C5). Terminal states absorb: nothing leads out of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// It took effect.
    Applied {
        /// When.
        at: UnixTime,
    },
    /// It was withdrawn, or its maker lost the right.
    Canceled {
        /// When.
        at: UnixTime,
        /// Why.
        reason: String,
    },
    /// Nobody decided in time.
    Expired {
        /// When.
        at: UnixTime,
    },
    /// A guard refused it when it was to be applied.
    Failed {
        /// When.
        at: UnixTime,
        /// The code of the refusal.
        reason: String,
    },
    /// It waits for approvals.
    Pending,
    /// A checker refused it.
    Rejected {
        /// When.
        at: UnixTime,
        /// Why.
        reason: String,
    },
    /// Its base moved.
    Superseded {
        /// When.
        at: UnixTime,
    },
}

impl ChangeState {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Canceled { .. } => "canceled",
            Self::Expired { .. } => "expired",
            Self::Failed { .. } => "failed",
            Self::Pending => "pending",
            Self::Rejected { .. } => "rejected",
            Self::Superseded { .. } => "superseded",
        }
    }

    /// Whether nothing can happen to the request any more.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        !matches!(self, Self::Pending)
    }

    /// When it was closed, if it is.
    #[must_use]
    pub const fn closed_at(&self) -> Option<UnixTime> {
        match self {
            Self::Applied { at }
            | Self::Canceled { at, .. }
            | Self::Expired { at }
            | Self::Failed { at, .. }
            | Self::Rejected { at, .. }
            | Self::Superseded { at } => Some(*at),
            Self::Pending => None,
        }
    }

    /// Why it was closed, where a reason belongs to the state.
    #[must_use]
    pub fn close_reason(&self) -> Option<&str> {
        match self {
            Self::Canceled { reason, .. }
            | Self::Failed { reason, .. }
            | Self::Rejected { reason, .. } => Some(reason),
            Self::Applied { .. }
            | Self::Expired { .. }
            | Self::Pending
            | Self::Superseded { .. } => None,
        }
    }
}

//! The states of a change request and what leads out of them (`approvals.md` C5).

use serde::{Deserialize, Serialize};

use super::AuthorizedChange;
use crate::time::UnixTime;

/// How long an approved change may still be applied after its wait is over, in seconds (72 hours).
pub const APPLY_WINDOW: i64 = 72 * 3600;

/// Where a change request stands (C5). Terminal states absorb: nothing leads out of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// It took effect.
    Applied {
        /// When.
        at: UnixTime,
    },
    /// Enough people agree; it waits, and can be vetoed (C3).
    Approved {
        /// Since when.
        at: UnixTime,
        /// From this moment on it can be applied.
        until: UnixTime,
    },
    /// It was withdrawn, or its maker lost the right.
    Canceled {
        /// When.
        at: UnixTime,
        /// Why: a code of [`CancelCause`], or that of an older version.
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
    /// Its base moved, or its maker revised it.
    Superseded {
        /// When.
        at: UnixTime,
        /// The number of the request that took its place, where it is known.
        by: Option<u64>,
    },
}

/// Why a request was canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelCause {
    /// Its maker may no longer ask for it.
    MakerLostAuthority,
    /// The operator of the instance took it back (C10 no. 32).
    Operator,
    /// The organization was closed.
    TenantClosed,
    /// Its maker took it back.
    Withdrawn,
}

impl CancelCause {
    /// The stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MakerLostAuthority => "maker_lost_authority",
            Self::Operator => "canceled_by_operator",
            Self::TenantClosed => "tenant_closed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Nothing leads from this state to the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request is {}", .from.as_str())]
pub struct NoTransition {
    /// Where the request stands.
    pub from: ChangeState,
}

impl ChangeState {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Approved { .. } => "approved",
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
        !matches!(self, Self::Approved { .. } | Self::Pending)
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
            | Self::Superseded { at, .. } => Some(*at),
            Self::Approved { .. } | Self::Pending => None,
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
            | Self::Approved { .. }
            | Self::Expired { .. }
            | Self::Pending
            | Self::Superseded { .. } => None,
        }
    }

    /// The moment from which on it is over without a decision; `None` when it is closed. `expires_at` is the request's.
    #[must_use]
    pub const fn deadline(&self, expires_at: UnixTime) -> Option<UnixTime> {
        match self {
            Self::Approved { until, .. } => Some(until.plus(APPLY_WINDOW)),
            Self::Pending => Some(expires_at),
            _ => None,
        }
    }

    /// Every guard has let it through, and the store has applied it.
    ///
    /// # Errors
    /// [`NoTransition`] from a terminal state.
    pub fn applied(self, authorized: &AuthorizedChange) -> Result<Self, NoTransition> {
        let at = authorized.at();
        self.close(Self::Applied { at })
    }

    /// Enough people agree, and it waits.
    ///
    /// # Errors
    /// [`NoTransition`] from any state but pending.
    pub fn approved(self, timelock: i64, now: UnixTime) -> Result<Self, NoTransition> {
        let (at, until) = (now, now.plus(timelock));
        match self {
            Self::Pending => Ok(Self::Approved { at, until }),
            from => Err(NoTransition { from }),
        }
    }

    /// It is taken back.
    ///
    /// # Errors
    /// [`NoTransition`] from a terminal state.
    pub fn canceled(self, cause: CancelCause, now: UnixTime) -> Result<Self, NoTransition> {
        let reason = cause.as_str().to_owned();
        self.close(Self::Canceled { at: now, reason })
    }

    /// Nobody decided in time.
    ///
    /// # Errors
    /// [`NoTransition`] from a terminal state, and before the deadline.
    pub fn expired(self, expires_at: UnixTime, now: UnixTime) -> Result<Self, NoTransition> {
        match self.deadline(expires_at) {
            Some(deadline) if now >= deadline => self.close(Self::Expired { at: now }),
            _ => Err(NoTransition { from: self }),
        }
    }

    /// A guard refused what the change would lead to.
    ///
    /// # Errors
    /// [`NoTransition`] from a terminal state.
    pub fn failed(self, code: &str, now: UnixTime) -> Result<Self, NoTransition> {
        let reason = code.to_owned();
        self.close(Self::Failed { at: now, reason })
    }

    /// A checker refused it: while it was pending, or with a veto while it waited.
    ///
    /// # Errors
    /// [`NoTransition`] from a terminal state.
    pub fn rejected(self, reason: &str, now: UnixTime) -> Result<Self, NoTransition> {
        let reason = reason.to_owned();
        self.close(Self::Rejected { at: now, reason })
    }

    /// Its base moved, or its maker revised it.
    ///
    /// # Errors
    /// [`NoTransition`] from a terminal state.
    pub fn superseded(self, by: Option<u64>, now: UnixTime) -> Result<Self, NoTransition> {
        self.close(Self::Superseded { at: now, by })
    }

    fn close(self, into: Self) -> Result<Self, NoTransition> {
        if self.is_terminal() {
            Err(NoTransition { from: self })
        } else {
            Ok(into)
        }
    }
}

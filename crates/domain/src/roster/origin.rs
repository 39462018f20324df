//! Where something of the roster comes from: what nobody can know when a change is signed, and `apply` adds.

use serde::{Deserialize, Serialize};

use crate::change::Maker;
use crate::time::UnixTime;

/// How a change came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By its maker alone: no approval was needed.
    Alone,
    /// With the approval of another person.
    Approved,
    /// In the founding ceremony.
    Founding,
    /// By the holders of the recovery keys.
    Recovery,
}

/// When something came into force, who asked for it, and how.
///
/// The signed state of a change cannot say this: when it is signed, nobody knows when it will be applied or whether
/// others will have agreed. It follows from the signed log alone, so an auditor computes the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The moment it took effect.
    pub at: UnixTime,
    /// Who asked.
    pub by: Maker,
    /// The number of the change request.
    pub change: u64,
    /// How it came into force.
    pub how: How,
}

impl Origin {
    /// Whether it waits `seasoning` seconds before it counts (E6): what was founded, or named by the holders of the
    /// recovery keys, does not.
    #[must_use]
    pub fn seasoned_at(&self, seasoning: i64) -> UnixTime {
        match self.how {
            How::Alone | How::Approved => self.at.plus(seasoning),
            How::Founding | How::Recovery => self.at,
        }
    }
}

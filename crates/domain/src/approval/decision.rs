//! Decisions that were taken, and which of them count.

use std::collections::BTreeMap;

use super::eligibility::{self, Candidate, Case, Ineligible, may_check};
use super::need::{Need, Progress};
use super::signature::SignedStatement;
use super::statement::{Decision, Signer};
use crate::change::Change;
use crate::guard::{Guard, kept};
use crate::text::Note;
use crate::time::UnixTime;

/// What somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Agreed.
    Approve,
    /// Refused; that is final.
    Reject,
    /// Refused what was approved and waited; that is final.
    Veto,
}

impl Verdict {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Veto => "veto",
        }
    }

    /// The verdict that a statement gives; `None` when it gives none.
    #[must_use]
    pub const fn of(decision: Decision) -> Option<Self> {
        match decision {
            Decision::Approve => Some(Self::Approve),
            Decision::Reject => Some(Self::Reject),
            Decision::Veto => Some(Self::Veto),
            Decision::Request | Decision::Suspend | Decision::Withdraw => None,
        }
    }
}

/// A vote that no longer counts. It stays visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    /// Since when.
    pub at: UnixTime,
    /// The code of what no longer held.
    pub cause: String,
}

/// A decision that was taken: a verified statement, so a row in a database alone is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    signed: SignedStatement,
    verdict: Verdict,
    reason: Option<Note>,
    voided: Option<Voided>,
}

/// The statement gives no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the statement gives no verdict")]
pub struct NoVerdict;

impl Vote {
    /// Takes a verified statement as a decision.
    ///
    /// # Errors
    /// [`NoVerdict`] when it is one of a maker.
    pub fn new(
        signed: SignedStatement,
        reason: Option<Note>,
        voided: Option<Voided>,
    ) -> Result<Self, NoVerdict> {
        let verdict = Verdict::of(signed.statement().decision).ok_or(NoVerdict)?;
        Ok(Self {
            signed,
            verdict,
            reason,
            voided,
        })
    }

    /// The statement and its signature.
    #[must_use]
    pub const fn signed(&self) -> &SignedStatement {
        &self.signed
    }

    /// What was decided.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Option<&Note> {
        self.reason.as_ref()
    }

    /// Since when, and why, it no longer counts.
    #[must_use]
    pub const fn voided(&self) -> Option<&Voided> {
        self.voided.as_ref()
    }

    /// When it was decided.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.signed.at()
    }

    /// This vote, which no longer counts.
    #[must_use]
    pub fn void(self, cause: Ineligible, now: UnixTime) -> Self {
        let voided = Voided {
            at: now,
            cause: cause.code().to_owned(),
        };
        Self {
            voided: self.voided.or(Some(voided)),
            ..self
        }
    }
}

/// How far the votes go now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The votes that no longer count, by their place in the list, each with what no longer holds: to be voided.
    pub voided: Vec<(usize, Ineligible)>,
    /// How far the votes that count fill the places.
    pub progress: Progress,
}

/// Counts the votes that hold now (C7): agreed, not voided, signed over exactly this change, and by people who may decide
/// now. Each person counts once.
#[must_use]
pub fn tally(
    case: &Case<'_>,
    change: &Change,
    votes: &[Vote],
    need: &Need,
    now: UnixTime,
) -> Tally {
    let (mut voided, mut counted) = (Vec::new(), BTreeMap::new());
    for (index, vote) in votes.iter().enumerate() {
        if vote.verdict != Verdict::Approve || vote.voided.is_some() {
            continue;
        }
        if let Err(cause) = still_holds(case, change, vote, now) {
            voided.push((index, cause));
            continue;
        }
        let voter = eligibility::voter(case.roster, &vote.signed);
        let row = if kept(Guard::OneVote) { 0 } else { index };
        let groups = eligibility::groups(case, vote.signed.statement().user);
        counted.insert((voter, row), groups);
    }
    Tally {
        voided,
        progress: need.progress(counted.values()),
    }
}

fn still_holds(
    case: &Case<'_>,
    change: &Change,
    vote: &Vote,
    now: UnixTime,
) -> Result<(), Ineligible> {
    eligibility::e10_statement(&vote.signed, change)?;
    let statement = vote.signed.statement();
    match statement.user {
        Signer::Holder(id) => {
            let recovery = case.roster.recovery().map(|recovery| &recovery.state);
            let is_holder = recovery.is_some_and(|state| state.holder(id).is_some());
            if is_holder && change.envelope().kind.is_recovery() {
                Ok(())
            } else {
                Err(Ineligible::RoleMissing(case.approver))
            }
        }
        Signer::User(_) if !kept(Guard::Recount) => Ok(()),
        Signer::User(user) => {
            let candidate = Candidate {
                user,
                credential: Some(&statement.credential),
                at: vote.at(),
            };
            may_check(case, candidate, now)
        }
    }
}

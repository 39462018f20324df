//! A change request, and what people and time do to it (`approvals.md` C5).

use super::{
    AuthorizedChange, CancelCause, Change, ChangeState, Maker, NoTransition, Situation,
    Unauthorized, admit, authorize, needed,
};
use crate::approval::{
    Case, Ineligible, Session, SignedStatement, Verdict, Vote, may_decide, may_veto,
};
use crate::guard::{Guard, kept};
use crate::text::Note;
use crate::time::UnixTime;

/// The fewest characters of the reason for a refusal (C5).
pub const MIN_REASON: usize = 5;

/// The most requests of one maker that may be open at a time (T20).
pub const MAX_OPEN_PER_MAKER: u64 = 20;

/// The most requests of an organization that may be open at a time (T20).
pub const MAX_OPEN: u64 = 100;

/// A change request as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRequest {
    /// Counts the requests of the organization, beginning with 1.
    pub number: u64,
    /// What is asked for.
    pub change: Change,
    /// Where it stands.
    pub state: ChangeState,
}

/// What became of a request when its guards were asked.
#[derive(Debug)]
pub enum Settled {
    /// It is to be applied.
    Apply(Box<AuthorizedChange>),
    /// It has another state now, for this reason.
    Moved(ChangeState, Unauthorized),
    /// It stays as it is, for this reason.
    Stays(Unauthorized),
}

/// Takes a new request (C5): it is refused, or applied at once, or waits.
///
/// # Errors
/// [`Unauthorized`] when nobody is to be asked about it: it could not be applied as things are.
pub fn submit(
    request: &ChangeRequest,
    situation: &Situation<'_>,
    now: UnixTime,
) -> Result<Settled, Unauthorized> {
    admit(request, situation, now)?;
    Ok(settle(request, situation, now))
}

/// Asks every guard, and says what becomes of the request: it is applied, waits, or is closed (C5). Called when it is
/// submitted, when somebody has agreed, and when a deadline or a wait is over.
#[must_use]
pub fn settle(request: &ChangeRequest, situation: &Situation<'_>, now: UnixTime) -> Settled {
    match authorize(request, situation, now) {
        Ok(authorized) => Settled::Apply(Box::new(authorized)),
        Err(refusal) => match refusal.leads_to(request, now) {
            Some(state) => Settled::Moved(state, refusal),
            None => Settled::Stays(refusal),
        },
    }
}

/// A decision as it comes in.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// The statement, with a signature that verified.
    pub signed: SignedStatement,
    /// How the one who decides came in.
    pub session: Session,
    /// How long ago they may have signed in, in seconds.
    pub max_session_age: i64,
    /// Why.
    pub reason: Option<Note>,
}

/// What a decision led to.
#[derive(Debug)]
pub enum Decided {
    /// It counts, and this became of the request.
    Voted {
        /// To be remembered.
        vote: Vote,
        /// What became of the request.
        settled: Settled,
    },
    /// The request is refused for good.
    Refused {
        /// To be remembered.
        vote: Vote,
        /// Where the request stands now.
        state: ChangeState,
    },
    /// The same person has decided the same before (C10 no. 22).
    Repeated,
}

/// Why a decision is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionRefused {
    /// The request is closed, or its time is over.
    #[error("The request is {}.", .0.as_str())]
    Closed(ChangeState),
    /// The one who decides may not.
    #[error(transparent)]
    Ineligible(#[from] Ineligible),
    /// The statement gives no verdict, or one that the request cannot get where it stands: a veto is for what was
    /// approved and waits, an approval for what does not.
    #[error("The request is {}; this decision is not one for it.", .0.as_str())]
    NotNow(ChangeState),
    /// Nobody says why.
    #[error("Say why, in at least five characters.")]
    ReasonMissing,
}

impl DecisionRefused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed(_) => "change_request_closed",
            Self::Ineligible(refusal) => refusal.code(),
            Self::NotNow(_) => "decision_not_possible_now",
            Self::ReasonMissing => "reason_required",
        }
    }
}

/// Takes a decision on a request: approve, reject, or veto (C5).
///
/// # Errors
/// [`DecisionRefused`] when it is not taken. Then nothing happens to the request.
pub fn decide(
    request: &ChangeRequest,
    ballot: Ballot,
    situation: &Situation<'_>,
    now: UnixTime,
) -> Result<Decided, DecisionRefused> {
    let not_now = || DecisionRefused::NotNow(request.state.clone());
    let Ballot {
        signed,
        session,
        max_session_age,
        reason,
    } = ballot;
    let vote = Vote::new(signed, reason, None).map_err(|_| not_now())?;
    let verdict = vote.verdict();
    if kept(Guard::Terminal) {
        is_open(request, now)?;
    }
    let needed = needed(
        &request.change,
        situation.roster,
        situation.containments,
        now,
    );
    let case = Case::new(situation.roster, &request.change, needed.rule());
    let ask = match verdict {
        Verdict::Approve | Verdict::Reject => may_decide,
        Verdict::Veto => may_veto,
    };
    let question = (&request.change, situation.votes);
    match ask(
        &case,
        question,
        (vote.signed(), session),
        max_session_age,
        now,
    ) {
        Err(Ineligible::AlreadyDecided(earlier)) if earlier == verdict => {
            return Ok(Decided::Repeated);
        }
        asked => asked?,
    }
    let waits = matches!(request.state, ChangeState::Approved { .. });
    match verdict {
        Verdict::Approve if waits => Err(not_now()),
        Verdict::Veto if !waits => Err(not_now()),
        Verdict::Approve => Ok(voted(request, vote, situation, now)),
        Verdict::Reject | Verdict::Veto => refused(request, vote, now),
    }
}

fn is_open(request: &ChangeRequest, now: UnixTime) -> Result<(), DecisionRefused> {
    let state = &request.state;
    let closed = || Err(DecisionRefused::Closed(state.clone()));
    match state.deadline(request.change.envelope().expires_at) {
        None => closed(),
        Some(deadline) if now >= deadline => closed(),
        Some(_) => Ok(()),
    }
}

fn voted(request: &ChangeRequest, vote: Vote, situation: &Situation<'_>, now: UnixTime) -> Decided {
    let votes = [situation.votes, std::slice::from_ref(&vote)].concat();
    let with_it = Situation {
        votes: &votes,
        ..*situation
    };
    let settled = settle(request, &with_it, now);
    Decided::Voted { vote, settled }
}

fn refused(request: &ChangeRequest, vote: Vote, now: UnixTime) -> Result<Decided, DecisionRefused> {
    let reason = vote.reason().map_or("", Note::as_str);
    if reason.chars().count() < MIN_REASON {
        return Err(DecisionRefused::ReasonMissing);
    }
    let state = request.state.clone().rejected(reason, now);
    match state {
        Ok(state) => Ok(Decided::Refused { vote, state }),
        Err(NoTransition { from }) => Err(DecisionRefused::Closed(from)),
    }
}

/// Why a request is not taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawRefused {
    /// It is closed already.
    #[error("The request is {}.", .0.as_str())]
    Closed(ChangeState),
    /// Somebody else asked for it.
    #[error("Only whoever asked for a change may withdraw it.")]
    NotTheMaker,
}

impl WithdrawRefused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed(_) => "change_request_closed",
            Self::NotTheMaker => "not_the_maker",
        }
    }
}

/// Takes a request back: its maker at any time, or the operator of the instance (C10 no. 32).
///
/// # Errors
/// [`WithdrawRefused`] when it is closed, or somebody else's.
pub fn withdraw(
    request: &ChangeRequest,
    by: &Maker,
    now: UnixTime,
) -> Result<ChangeState, WithdrawRefused> {
    let cause = match by {
        maker if *maker == request.change.envelope().requester => CancelCause::Withdrawn,
        Maker::Operator => CancelCause::Operator,
        _ => return Err(WithdrawRefused::NotTheMaker),
    };
    let canceled = request.state.clone().canceled(cause, now);
    canceled.map_err(|NoTransition { from }| WithdrawRefused::Closed(from))
}

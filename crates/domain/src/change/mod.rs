//! The change engine: every change to governed data is an immutable change request (`approvals.md` C1, C4, C5, C7).
//!
//! With dual approval off the quorum is 0 and a request is applied in the transaction that submits it; with a
//! quorum the same request waits. Either way, what reaches the store is an [`AuthorizedChange`], and only
//! [`authorize()`] makes one.

mod authorize;
mod envelope;
mod kind;
mod maker;
mod request;
mod snapshot;
mod state;
mod terms;

pub use authorize::{
    AuthorizedChange, MIN_JUSTIFICATION, Situation, Unauthorized, admit, authorize, count, needed,
};
pub use envelope::{Base, Change, Envelope, NotCanonical, Proposal, change_digest, state_digest};
pub use kind::{ChangeClass, ChangeKind, UnknownChangeKind};
pub use maker::Maker;
pub use request::{
    Ballot, ChangeRequest, Decided, DecisionRefused, MAX_OPEN, MAX_OPEN_PER_MAKER, MIN_REASON,
    Settled, WithdrawRefused, decide, settle, submit, withdraw,
};
pub use snapshot::{MalformedSnapshot, PolicySnapshot};
pub use state::{APPLY_WINDOW, CancelCause, ChangeState, NoTransition};
pub use terms::{Matter, terms};

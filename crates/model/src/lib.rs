//! The model of dual approval: random walks through an organization, and an oracle that judges them.
//!
//! The oracle is the ground truth of `approvals.md` C8, ported from the model checker that the rules were found with. It
//! shares no code with the engine: it hears what people did and what was applied, keeps its own small picture of the
//! organization, and says when something was applied that must not have been. Whoever implements [`World`] can be walked:
//! the rules in memory, or the service with its database.

mod oracle;
mod random;
mod walk;

pub use oracle::{Oracle, Violation};
pub use random::Random;
pub use walk::{Walk, Walked, walk};

/// Somebody in the organization, by their place in the cast.
pub type Who = usize;

/// A request, by the order of submission, beginning with 0.
pub type Request = usize;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another content of the one configuration.
    Edit(u32),
    /// Make somebody an approver.
    Grant(Who),
    /// Another quorum; 0 switches dual approval off.
    Quorum(u32),
    /// Make somebody no approver any more.
    Revoke(Who),
    /// Suspend somebody, at once.
    Suspend(Who),
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Somebody agrees.
    Approve(Who, Request),
    /// Time passes, in seconds, and the maintenance runs.
    Pass(i64),
    /// Somebody refuses.
    Reject(Who, Request),
    /// Whoever asked puts other content into the stored request, past the engine.
    Rewrite(Request, u32),
    /// Somebody asks for a change.
    Submit(Who, Kind),
    /// Somebody refuses what waits.
    Veto(Who, Request),
    /// Somebody takes a request back.
    Withdraw(Who, Request),
}

/// What came of an action, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The request took effect. For a suspension: whether it ends by itself after a day.
    Applied {
        /// Which.
        request: Request,
        /// Whether it ends by itself.
        lapses: bool,
    },
    /// The request reached another terminal state.
    Closed(Request),
    /// The request has other content now.
    Rewritten(Request),
    /// The request was taken.
    Submitted(Request),
    /// The vote of whoever acted was taken.
    Voted(Request),
}

/// One of the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// May ask for every change.
    pub is_admin: bool,
    /// May decide.
    pub is_approver: bool,
}

/// What nobody may change alone (I5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// The version of the configuration.
    pub version: u64,
    /// Its content.
    pub content: u32,
    /// The quorum; 0 while dual approval is off.
    pub quorum: u32,
    /// Who may do what.
    pub members: Vec<Member>,
}

/// An organization that can be walked through.
pub trait World {
    /// Tries an action. One that is refused has no events.
    fn act(&mut self, action: Action) -> Vec<Event>;

    /// What is protected, as it is.
    fn protected(&self) -> Protected;
}

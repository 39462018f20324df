//! The rules whose removal must be noticed (`approvals.md` C8), by name, so that a test can take one away.
//!
//! Outside this crate's own tests there is no way to do so: [`kept`] is `true`, and the compiler removes it.

/// A rule that the model shows to be needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Changes are made against what is there.
    Base,
    /// Votes are about the bytes that are applied.
    Immutable,
    /// The floor.
    Floor,
    /// The maker may still ask.
    Maker,
    /// A person counts once.
    OneVote,
    /// Nobody approves their own request.
    OwnRequest,
    /// The policy is behind the gate.
    PolicyGoverned,
    /// Votes are checked again when applying.
    Recount,
    /// Roles are behind the gate.
    RolesGoverned,
    /// The stricter of the old and the new policy.
    Stricter,
    /// Terminal states absorb.
    Terminal,
}

/// Whether a rule is in force. It is.
#[cfg(not(test))]
pub(crate) const fn kept(_: Guard) -> bool {
    true
}

#[cfg(test)]
pub(crate) use switch::{kept, without};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::Guard;

    thread_local! {
        static REMOVED: Cell<Option<Guard>> = const { Cell::new(None) };
    }

    pub(crate) fn kept(guard: Guard) -> bool {
        REMOVED.get() != Some(guard)
    }

    /// Runs a test without a rule.
    pub(crate) fn without<T>(guard: Guard, run: impl FnOnce() -> T) -> T {
        REMOVED.set(Some(guard));
        let result = run();
        REMOVED.set(None);
        result
    }
}

//! What the workbench records: every check with what was seen and what was expected.

use super::refusal::Check;
use super::told::Told;

/// One check that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The check.
    pub check: Check,
    /// What the assertion had.
    pub seen: String,
    /// What the configuration asks for.
    pub expected: String,
}

/// Records passed checks for the workbench; does nothing on the token endpoint.
#[derive(Debug, Default)]
pub struct Trace(Option<Vec<Step>>);

impl Trace {
    /// Records nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Records every check.
    #[must_use]
    pub const fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// Notes that `check` has passed; `describe` (seen, expected) runs only when recording.
    pub fn passed(&mut self, check: Check, describe: impl FnOnce() -> (String, String)) {
        if let Some(steps) = &mut self.0 {
            let (seen, expected) = describe();
            steps.push(Step {
                check,
                seen: Told::from(seen).expected(),
                expected: Told::from(expected).expected(),
            });
        }
    }

    /// The recorded checks.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.0.as_deref().unwrap_or_default()
    }
}

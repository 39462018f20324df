//! The rule that a request was submitted under.

use serde::{Deserialize, Serialize};

use crate::approval::Need;
use crate::roster::{DEFAULT_TTL, Rule};

/// What the policy asked for when a request was submitted (C9): all that `apply` must know of it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct PolicySnapshot {
    version: u64,
    rule: Rule,
}

/// The form in an envelope. The quorum follows from `all_of`; it is there for readers that count.
#[derive(Serialize, Deserialize)]
struct Wire {
    id: String,
    quorum: u32,
    #[serde(flatten)]
    rule: Rule,
    version: u64,
}

/// What stands for the policy in an envelope.
const ID: &str = "policy";

/// The description of a rule contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the quorum of a policy is the sum of its places")]
pub struct MalformedSnapshot;

impl PolicySnapshot {
    /// Dual approval is off, or there is no policy: nobody besides the maker is needed.
    pub const OFF: Self = Self {
        version: 0,
        rule: Rule {
            all_of: Need::NOBODY,
            reason_required: false,
            seasoning: 0,
            timelock: 0,
            ttl: DEFAULT_TTL,
        },
    };

    /// What a rule of this version of the policy asks for.
    #[must_use]
    pub const fn new(version: u64, rule: Rule) -> Self {
        Self { version, rule }
    }

    /// The version of the organization's approval policy; 0 where there is none.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Checkers needed besides the maker.
    #[must_use]
    pub fn quorum(&self) -> u32 {
        self.rule.all_of.quorum()
    }

    /// The stricter of the rule at submission and the rule in force (C10 nos. 13 to 15), each in its own respect.
    #[must_use]
    pub fn stricter(&self, now: &Self) -> Self {
        Self {
            version: self.version,
            rule: Rule {
                all_of: self.rule.all_of.stricter(&now.rule.all_of),
                reason_required: self.rule.reason_required || now.rule.reason_required,
                seasoning: self.rule.seasoning.max(now.rule.seasoning),
                timelock: self.rule.timelock.max(now.rule.timelock),
                ttl: self.rule.ttl,
            },
        }
    }
}

impl From<PolicySnapshot> for Wire {
    fn from(snapshot: PolicySnapshot) -> Self {
        Self {
            id: ID.to_owned(),
            quorum: snapshot.quorum(),
            rule: snapshot.rule,
            version: snapshot.version,
        }
    }
}

impl TryFrom<Wire> for PolicySnapshot {
    type Error = MalformedSnapshot;

    fn try_from(wire: Wire) -> Result<Self, MalformedSnapshot> {
        if wire.id != ID || wire.quorum != wire.rule.all_of.quorum() {
            return Err(MalformedSnapshot);
        }
        Ok(Self::new(wire.version, wire.rule))
    }
}

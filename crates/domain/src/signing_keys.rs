//! The life of an organization's signing keys: published before use, used, kept until the last token has ended.

use countersign_crypto::SigningAlgorithm;
use serde::{Deserialize, Serialize};

use crate::configurations::MAX_ACCESS_TOKEN_LIFETIME;
use crate::time::UnixTime;

/// How long a key is published before its first use, in seconds: longer than any cache of the key set (15 min).
pub const PUBLISH_AHEAD: i64 = 3600;

/// How long a key signs before the next takes over, in seconds (90 days).
pub const USE_FOR: i64 = 90 * 86_400;

/// How long a key stays published after its last signature, in seconds: no token outlives it.
pub const KEEP_AFTER: i64 = MAX_ACCESS_TOKEN_LIFETIME as i64 + 300;

/// Where a signing key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SigningKeyState {
    /// It signs.
    Current,
    /// Published, not yet used.
    Next,
    /// Removed; tokens that it signed are refused.
    Retired,
    /// Published, signs no more; tokens that it signed are valid until they end.
    Retiring,
}

impl SigningKeyState {
    /// The name used in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
            Self::Retired => "retired",
            Self::Retiring => "retiring",
        }
    }

    /// Whether the key is in the key set and its tokens are accepted.
    #[must_use]
    pub const fn is_published(self) -> bool {
        matches!(self, Self::Current | Self::Next | Self::Retiring)
    }
}

/// What the rotation needs to know of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAge {
    /// The key.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: SigningAlgorithm,
    /// Where it stands.
    pub state: SigningKeyState,
    /// Since when it has stood there.
    pub since: UnixTime,
}

/// One step of the rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// Make a new key and publish it.
    Publish {
        /// Use it at once: there is no key to sign with.
        at_once: bool,
    },
    /// Let the published key sign; the current one becomes retiring.
    Promote {
        /// The key to promote.
        kid: String,
    },
    /// Take a key out of use: it is published no longer, and its private part is gone.
    Retire {
        /// The key to retire.
        kid: String,
    },
}

/// What is due now for the keys of one organization. Where there is a key to sign with, applying the steps and asking
/// again at the same moment yields nothing.
#[must_use]
pub fn due(keys: &[KeyAge], algorithm: SigningAlgorithm, now: UnixTime) -> Vec<RotationStep> {
    let age = |key: &KeyAge| now.seconds() - key.since.seconds();
    let current = keys
        .iter()
        .find(|key| key.state == SigningKeyState::Current);
    let next = keys.iter().find(|key| key.state == SigningKeyState::Next);
    let mut steps = Vec::new();
    match (current, next) {
        (None, _) => steps.push(RotationStep::Publish { at_once: true }),
        (Some(current), None) => {
            let aged = age(current) >= USE_FOR - PUBLISH_AHEAD;
            if aged || current.algorithm != algorithm {
                steps.push(RotationStep::Publish { at_once: false });
            }
        }
        (Some(_), Some(next)) if next.algorithm != algorithm => {
            steps.push(RotationStep::Retire {
                kid: next.kid.clone(),
            });
            steps.push(RotationStep::Publish { at_once: false });
        }
        (Some(_), Some(next)) if age(next) >= PUBLISH_AHEAD => {
            steps.push(RotationStep::Promote {
                kid: next.kid.clone(),
            });
        }
        (Some(_), Some(_)) => {}
    }
    let ended = |key: &&KeyAge| key.state == SigningKeyState::Retiring && age(key) >= KEEP_AFTER;
    steps.extend(keys.iter().filter(ended).map(|key| RotationStep::Retire {
        kid: key.kid.clone(),
    }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn key(kid: &str, state: SigningKeyState, age: i64) -> KeyAge {
        KeyAge {
            kid: kid.into(),
            algorithm: SigningAlgorithm::Es256,
            state,
            since: NOW.plus(-age),
        }
    }

    fn due_now(keys: &[KeyAge]) -> Vec<RotationStep> {
        due(keys, SigningAlgorithm::Es256, NOW)
    }

    #[test]
    fn an_organization_without_a_key_gets_one_at_once() {
        assert_eq!(due_now(&[]), [RotationStep::Publish { at_once: true }]);
    }

    #[test]
    fn h6_a_key_is_published_an_hour_before_it_signs() {
        let old = key("a", SigningKeyState::Current, USE_FOR - PUBLISH_AHEAD);
        assert_eq!(
            due_now(std::slice::from_ref(&old)),
            [RotationStep::Publish { at_once: false }]
        );
        let young = key("b", SigningKeyState::Next, PUBLISH_AHEAD - 1);
        assert_eq!(due_now(&[old.clone(), young]), []);
        let ripe = key("b", SigningKeyState::Next, PUBLISH_AHEAD);
        assert_eq!(
            due_now(&[old, ripe]),
            [RotationStep::Promote { kid: "b".into() }]
        );
    }

    #[test]
    fn h6_an_old_key_stays_until_its_last_token_has_ended() {
        let current = key("b", SigningKeyState::Current, 10);
        let kept = key("a", SigningKeyState::Retiring, KEEP_AFTER - 1);
        assert_eq!(due_now(&[current.clone(), kept]), []);
        let ended = key("a", SigningKeyState::Retiring, KEEP_AFTER);
        assert_eq!(
            due_now(&[current, ended]),
            [RotationStep::Retire { kid: "a".into() }]
        );
    }

    #[test]
    fn a_change_of_algorithm_publishes_a_key_of_the_new_kind() {
        let steps = due(
            &[key("a", SigningKeyState::Current, 10)],
            SigningAlgorithm::EdDsa,
            NOW,
        );
        assert_eq!(steps, [RotationStep::Publish { at_once: false }]);
    }
}

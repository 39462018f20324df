//! The change engine: every change to governed data is an immutable change request (`approvals.md` C1, C4, C5, C7).
//!
//! With dual approval off the quorum is 0 and a request is applied in the transaction that submits it; with a
//! quorum the same request waits. Either way, what reaches the store is an [`AuthorizedChange`], and only
//! [`authorize`] makes one.

mod state;

use std::fmt;
use std::str::FromStr;

use countersign_crypto::{Digest32, canonical_json, sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ApiTokenId, ChangeRequestId, TenantId};
use crate::time::UnixTime;

pub use state::ChangeState;

/// Separates the digest of a change from every other digest.
const CHANGE_LABEL: &[u8] = b"countersign/change/v1\0";

/// How long a request waits for its approval when the policy says nothing else, in seconds (72 hours, C9).
pub const DEFAULT_TTL: i64 = 72 * 3600;

/// Declares the governed operations with their names on the wire (C3).
macro_rules! change_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:ident;)*) => {
        /// A governed operation (C3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ChangeKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl ChangeKind {
            /// Every governed operation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire, in the database and in evidence.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the operation does to access.
            #[must_use]
            pub const fn class(self) -> ChangeClass {
                match self { $(Self::$variant => ChangeClass::$class,)* }
            }
        }
    };
}

change_kinds! {
    /// Creates a configuration.
    ConfigurationCreate = "oidc_config.create", Edit;
    /// Ends a configuration.
    ConfigurationDeactivate = "oidc_config.deactivate", Edit;
    /// Edits a configuration.
    ConfigurationEdit = "oidc_config.edit", Edit;
    /// Takes the suspension of a configuration back.
    ConfigurationRestore = "oidc_config.restore", Edit;
    /// Changes the keys of a configuration.
    ConfigurationRotateKey = "oidc_config.rotate_key", Edit;
    /// Suspends a configuration.
    ConfigurationSuspend = "oidc_config.suspend", Containment;
    /// Creates an organization.
    OrganizationCreate = "organization.create", Edit;
    /// Edits an organization.
    OrganizationEdit = "organization.edit", Edit;
    /// Takes the suspension of an organization back.
    OrganizationRestore = "organization.restore", Edit;
    /// Suspends an organization.
    OrganizationSuspend = "organization.suspend", Containment;
}

/// Whether an operation may wait (it may widen access) or takes effect at once (it only removes access, C11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeClass {
    /// One open request per target; needs the quorum of its policy.
    Edit,
    /// Applied at once, alongside open edits.
    Containment,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no governed operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a governed operation")]
pub struct UnknownChangeKind;

impl FromStr for ChangeKind {
    type Err = UnknownChangeKind;

    fn from_str(name: &str) -> Result<Self, UnknownChangeKind> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == name)
            .ok_or(UnknownChangeKind)
    }
}

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Maker {
    /// A program with an API token.
    ApiToken {
        /// The token.
        id: ApiTokenId,
    },
    /// The instance itself: its first start or a restore by the operator at the console.
    Operator,
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiToken { id } => fmt::Display::fmt(id, f),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// The approval rule that a request was submitted under (C9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySnapshot {
    /// The version of the organization's approval policy.
    pub version: u64,
    /// Checkers needed besides the maker.
    pub quorum: u32,
}

impl PolicySnapshot {
    /// Dual approval is off: nobody besides the maker is needed.
    pub const OFF: Self = Self {
        version: 0,
        quorum: 0,
    };

    /// The stricter of the rule at submission and the rule in force (C10 nos. 13 and 14).
    #[must_use]
    pub const fn stricter(self, other: Self) -> Self {
        if other.quorum > self.quorum {
            other
        } else {
            self
        }
    }
}

/// What a change starts from: the version and digest that its maker saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Version of the target; 0 when there is none yet.
    pub version: u64,
    /// Digest of the target's canonical state; `None` when there is none yet.
    pub digest: Option<Digest32>,
}

impl Base {
    /// The base of something that does not exist yet.
    pub const NOTHING: Self = Self {
        version: 0,
        digest: None,
    };
}

/// A change as its maker asks for it.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The organization.
    pub tenant_id: TenantId,
    /// The operation.
    pub kind: ChangeKind,
    /// The ID of what is changed.
    pub target: String,
    /// What the maker saw.
    pub base: Base,
    /// The whole state that would result.
    pub after: Value,
    /// Who asks.
    pub maker: Maker,
    /// Why.
    pub justification: Option<String>,
}

/// An immutable change with its canonical bytes and its digest (C12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    envelope: Envelope,
    canonical_envelope: Vec<u8>,
    canonical_after: Vec<u8>,
    digest: Digest32,
}

/// The signed description of a change (C12). Its canonical JSON is what everybody decides on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Format version, 1.
    pub v: u8,
    /// The organization.
    pub tenant_id: TenantId,
    /// The request.
    pub request_id: ChangeRequestId,
    /// The operation.
    pub kind: ChangeKind,
    /// The ID of what is changed.
    pub target: String,
    /// Version that the maker saw; 0 for a creation.
    pub base_version: u64,
    /// Digest of the state that the maker saw.
    pub base_digest: Option<Digest32>,
    /// The whole state that results.
    pub after: Value,
    /// The approval rule at submission.
    pub policy: PolicySnapshot,
    /// Who asks.
    pub requester: Maker,
    /// Why.
    pub justification: Option<String>,
    /// When it was submitted.
    pub created_at: UnixTime,
    /// When it lapses.
    pub expires_at: UnixTime,
}

/// The change cannot be written canonically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change cannot be written as canonical JSON")]
pub struct NotCanonical;

impl Change {
    /// Fixes a proposal for good: from here on its bytes never change (P2, P3).
    ///
    /// # Errors
    /// [`NotCanonical`] when the state has a number outside the range of RFC 8785.
    pub fn new(
        proposal: Proposal,
        id: ChangeRequestId,
        policy: PolicySnapshot,
        now: UnixTime,
    ) -> Result<Self, NotCanonical> {
        Self::from_envelope(Envelope {
            v: 1,
            tenant_id: proposal.tenant_id,
            request_id: id,
            kind: proposal.kind,
            target: proposal.target,
            base_version: proposal.base.version,
            base_digest: proposal.base.digest,
            after: proposal.after,
            policy,
            requester: proposal.maker,
            justification: proposal.justification,
            created_at: now,
            expires_at: now.plus(DEFAULT_TTL),
        })
    }

    /// Reads a change back from its stored envelope.
    ///
    /// # Errors
    /// [`NotCanonical`] when the bytes are not the canonical form of an envelope.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| NotCanonical)?;
        let change = Self::from_envelope(envelope)?;
        if change.canonical_envelope == bytes {
            Ok(change)
        } else {
            Err(NotCanonical)
        }
    }

    fn from_envelope(envelope: Envelope) -> Result<Self, NotCanonical> {
        let value = serde_json::to_value(&envelope).map_err(|_| NotCanonical)?;
        let canonical_envelope = canonical_json(&value).map_err(|_| NotCanonical)?;
        let canonical_after = canonical_json(&envelope.after).map_err(|_| NotCanonical)?;
        let digest = sha256(&[CHANGE_LABEL, &canonical_envelope]);
        Ok(Self {
            envelope,
            canonical_envelope,
            canonical_after,
            digest,
        })
    }

    /// The description.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The description as canonical JSON (RFC 8785).
    #[must_use]
    pub fn canonical_envelope(&self) -> &[u8] {
        &self.canonical_envelope
    }

    /// The resulting state as canonical JSON (RFC 8785).
    #[must_use]
    pub fn canonical_after(&self) -> &[u8] {
        &self.canonical_after
    }

    /// `SHA-256("countersign/change/v1\0" ‖ JCS(envelope))` (C12).
    #[must_use]
    pub const fn digest(&self) -> Digest32 {
        self.digest
    }
}

/// The digest of a governed state: SHA-256 over its canonical JSON.
#[must_use]
pub fn state_digest(canonical: &[u8]) -> Digest32 {
    sha256(&[canonical])
}

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

/// What the store says about the target at the moment of applying, read under the lock of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetNow {
    /// The target's version and digest now.
    pub base: Base,
    /// The approval rule in force now.
    pub policy: PolicySnapshot,
    /// Distinct people, other than the maker, whose approval counts now.
    pub approvals: u32,
}

/// A change that every guard of C7 has let through. Only [`authorize`] makes one; only it can be applied.
#[derive(Debug)]
pub struct AuthorizedChange {
    change: Change,
    version: u64,
    at: UnixTime,
}

impl AuthorizedChange {
    /// The change.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// The version that the target gets.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The moment it takes effect.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }
}

/// Why a change may not be applied now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unauthorized {
    /// The target is no longer what the maker saw (C7): the request is superseded.
    BaseMoved,
    /// The request is closed already.
    Closed,
    /// The deadline has passed.
    Expired,
    /// More approvals are needed.
    QuorumMissing {
        /// Needed besides the maker.
        need: u32,
        /// Counted.
        have: u32,
    },
}

/// Decides whether a request may be applied now (C7). The order is that of the specification.
///
/// # Errors
/// [`Unauthorized`], the first guard that does not hold.
pub fn authorize(
    request: &ChangeRequest,
    target: TargetNow,
    now: UnixTime,
) -> Result<AuthorizedChange, Unauthorized> {
    let envelope = request.change.envelope();
    if request.state.is_terminal() {
        return Err(Unauthorized::Closed);
    }
    if now >= envelope.expires_at {
        return Err(Unauthorized::Expired);
    }
    let seen = Base {
        version: envelope.base_version,
        digest: envelope.base_digest,
    };
    if seen != target.base {
        return Err(Unauthorized::BaseMoved);
    }
    let need = match envelope.kind.class() {
        ChangeClass::Containment => 0,
        ChangeClass::Edit => envelope.policy.stricter(target.policy).quorum,
    };
    if target.approvals < need {
        return Err(Unauthorized::QuorumMissing {
            need,
            have: target.approvals,
        });
    }
    Ok(AuthorizedChange {
        change: request.change.clone(),
        version: envelope.base_version + 1,
        at: now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn request(kind: ChangeKind, quorum: u32) -> ChangeRequest {
        let proposal = Proposal {
            tenant_id: TenantId::from_random([7; 16]),
            kind,
            target: "ac-1".to_owned(),
            base: Base {
                version: 4,
                digest: Some(state_digest(b"old")),
            },
            after: serde_json::json!({"b": 1, "a": "é"}),
            maker: Maker::Operator,
            justification: None,
        };
        let id = ChangeRequestId::from_random([9; 16]);
        let change = Change::new(proposal, id, PolicySnapshot { version: 1, quorum }, NOW).unwrap();
        ChangeRequest {
            number: 1,
            change,
            state: ChangeState::Pending,
        }
    }

    fn target(request: &ChangeRequest, approvals: u32, quorum: u32) -> TargetNow {
        let envelope = request.change.envelope();
        let base = Base {
            version: envelope.base_version,
            digest: envelope.base_digest,
        };
        TargetNow {
            base,
            policy: PolicySnapshot { version: 1, quorum },
            approvals,
        }
    }

    #[test]
    fn a_change_survives_storage_byte_for_byte_and_nothing_else_is_read_back() {
        let change = request(ChangeKind::ConfigurationEdit, 0).change;
        let bytes = change.canonical_envelope().to_vec();
        assert_eq!(Change::from_canonical(&bytes).unwrap(), change);
        assert_eq!(change.canonical_after(), "{\"a\":\"é\",\"b\":1}".as_bytes());
        let spaced = [b" ", bytes.as_slice()].concat();
        assert_eq!(Change::from_canonical(&spaced), Err(NotCanonical));
    }

    #[test]
    fn c7_quorum_zero_is_authorized_at_once_and_moves_the_version_by_one() {
        let request = request(ChangeKind::ConfigurationEdit, 0);
        let authorized = authorize(&request, target(&request, 0, 0), NOW).unwrap();
        assert_eq!(authorized.version(), 5);
    }

    #[test]
    fn c7_the_stricter_of_old_and_new_policy_holds() {
        for (at_submit, now) in [(1, 0), (0, 1), (1, 1)] {
            let request = request(ChangeKind::ConfigurationEdit, at_submit);
            let refusal = authorize(&request, target(&request, 0, now), NOW).unwrap_err();
            assert_eq!(refusal, Unauthorized::QuorumMissing { need: 1, have: 0 });
            assert!(authorize(&request, target(&request, 1, now), NOW).is_ok());
        }
    }

    #[test]
    fn c7_a_moved_base_is_never_applied_over() {
        let request = request(ChangeKind::ConfigurationEdit, 0);
        let mut moved = target(&request, 0, 0);
        moved.base.version += 1;
        assert_eq!(
            authorize(&request, moved, NOW).unwrap_err(),
            Unauthorized::BaseMoved
        );
        let mut rewritten = target(&request, 0, 0);
        rewritten.base.digest = Some(state_digest(b"other"));
        assert_eq!(
            authorize(&request, rewritten, NOW).unwrap_err(),
            Unauthorized::BaseMoved
        );
    }

    #[test]
    fn c5_terminal_states_absorb() {
        let mut request = request(ChangeKind::ConfigurationEdit, 0);
        let reason = String::new;
        for state in [
            ChangeState::Applied { at: NOW },
            ChangeState::Canceled {
                at: NOW,
                reason: reason(),
            },
            ChangeState::Expired { at: NOW },
            ChangeState::Failed {
                at: NOW,
                reason: reason(),
            },
            ChangeState::Rejected {
                at: NOW,
                reason: reason(),
            },
            ChangeState::Superseded { at: NOW },
        ] {
            request.state = state;
            assert_eq!(
                authorize(&request, target(&request, 9, 0), NOW).unwrap_err(),
                Unauthorized::Closed
            );
        }
    }

    #[test]
    fn c5_a_request_lapses_at_its_deadline() {
        let request = request(ChangeKind::ConfigurationEdit, 0);
        let late = NOW.plus(DEFAULT_TTL);
        assert!(authorize(&request, target(&request, 0, 0), late.plus(-1)).is_ok());
        assert_eq!(
            authorize(&request, target(&request, 0, 0), late).unwrap_err(),
            Unauthorized::Expired
        );
    }

    #[test]
    fn c11_containment_never_waits_for_a_quorum() {
        let request = request(ChangeKind::ConfigurationSuspend, 2);
        assert!(authorize(&request, target(&request, 0, 2), NOW).is_ok());
    }
}

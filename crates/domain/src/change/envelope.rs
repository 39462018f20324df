//! A change as it is proposed, and as it is fixed for good: canonical bytes and their digest (`approvals.md` C12).

use countersign_crypto::{Digest32, canonical_json, sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ChangeKind, Maker, PolicySnapshot};
use crate::ids::{ChangeRequestId, TenantId, UserId};
use crate::time::UnixTime;

/// Separates the digest of a change from every other digest.
const CHANGE_LABEL: &[u8] = b"dual-approval/change/v1\0";

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
    /// Who had a hand in it beside the maker, and so may not decide (E3): owners of the API token that asks, people who
    /// wrote the draft or made the proof of possession.
    pub contributors: Vec<UserId>,
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
    /// Who had a hand in it beside the requester.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<UserId>,
    /// Why.
    pub justification: Option<String>,
    /// When it was submitted.
    pub created_at: UnixTime,
    /// When it lapses.
    pub expires_at: UnixTime,
}

impl Envelope {
    /// What the maker saw.
    #[must_use]
    pub const fn base(&self) -> Base {
        Base {
            version: self.base_version,
            digest: self.base_digest,
        }
    }
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
            expires_at: now.plus(policy.rule().ttl),
            policy,
            requester: proposal.maker,
            contributors: proposal.contributors,
            justification: proposal.justification,
            created_at: now,
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
        let digest = change_digest(&canonical_envelope);
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

    /// `SHA-256("dual-approval/change/v1\0" ‖ JCS(envelope))` (C12).
    #[must_use]
    pub const fn digest(&self) -> Digest32 {
        self.digest
    }
}

/// `SHA-256("dual-approval/change/v1\0" ‖ envelope)` for an envelope in canonical JSON (C12).
#[must_use]
pub fn change_digest(canonical_envelope: &[u8]) -> Digest32 {
    sha256(&[CHANGE_LABEL, canonical_envelope])
}

/// The digest of a governed state: SHA-256 over its canonical JSON.
#[must_use]
pub fn state_digest(canonical: &[u8]) -> Digest32 {
    sha256(&[canonical])
}

//! What a person signs: one decision of one user about one change (`approvals.md` C12).

use std::fmt;
use std::str::FromStr;

use countersign_crypto::{Digest32, b64, canonical_json, sha256};
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::ids::{ChangeRequestId, MalformedId, RecoveryHolderId, TenantId, UserId};
use crate::roster::CredentialId;
use crate::time::UnixTime;

/// Separates the digest of a statement from every other digest.
const STATEMENT_LABEL: &[u8] = b"dual-approval/statement/v1\0";

/// The longest life of a statement, in seconds (C12).
pub const STATEMENT_TTL: i64 = 300;

/// As what somebody signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignerRole {
    /// As one who decides.
    Checker,
    /// As a founder of the organization.
    Founder,
    /// As the one who asks.
    Maker,
    /// As the holder of a recovery key.
    Recovery,
}

/// What is signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Agreeing.
    Approve,
    /// Refusing.
    Reject,
    /// Asking.
    Request,
    /// Containing, at once (C11).
    Suspend,
    /// Refusing what was approved and waits.
    Veto,
    /// Taking back what one has asked.
    Withdraw,
}

impl Decision {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Request => "request",
            Self::Suspend => "suspend",
            Self::Veto => "veto",
            Self::Withdraw => "withdraw",
        }
    }
}

/// Who signs: a user (`us-…`), or the holder of a recovery key (`rh-…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Signer {
    /// The holder of a recovery key.
    Holder(RecoveryHolderId),
    /// A user.
    User(UserId),
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holder(id) => fmt::Display::fmt(id, f),
            Self::User(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for Signer {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let user = text.parse().map(Self::User);
        user.or_else(|_| text.parse().map(Self::Holder))
    }
}

impl From<Signer> for String {
    fn from(signer: Signer) -> Self {
        signer.to_string()
    }
}

impl TryFrom<String> for Signer {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, MalformedId> {
        text.parse()
    }
}

/// 32 random octets from the server, as base64url: they make each challenge unpredictable (WebAuthn §13.4.3) and let it
/// serve once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Nonce([u8; 32]);

/// The text is not 32 octets in base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a nonce is 32 octets in base64url")]
pub struct MalformedNonce;

impl Nonce {
    /// Takes 32 random octets.
    #[must_use]
    pub const fn from_random(octets: [u8; 32]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64::encode(self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        nonce.to_string()
    }
}

impl TryFrom<String> for Nonce {
    type Error = MalformedNonce;

    fn try_from(text: String) -> Result<Self, MalformedNonce> {
        let octets = b64::decode_canonical(text).map_err(|_| MalformedNonce)?;
        octets.try_into().map(Self).map_err(|_| MalformedNonce)
    }
}

/// The head of the organization's log that the signer was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogHead {
    /// The root of the tree (RFC 6962).
    pub root: Digest32,
    /// How many leaves it has.
    pub size: u64,
}

/// One decision of one signer about one change. Its digest is the challenge that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The digest of the change.
    pub change: Digest32,
    /// The authenticator.
    pub credential: CredentialId,
    /// What is signed for.
    pub decision: Decision,
    /// What the signer was shown of the log, where there is one.
    pub log_head: Option<LogHead>,
    /// Makes the challenge unpredictable.
    pub nonce: Nonce,
    /// After this moment the signature comes too late.
    pub not_after: UnixTime,
    /// The request.
    pub request: ChangeRequestId,
    /// As what the signer signs.
    pub role: SignerRole,
    /// The organization.
    pub tenant: TenantId,
    /// Who signs.
    pub user: Signer,
    /// Format version, 1.
    pub v: u8,
}

/// Who decides what, with which authenticator; with the change it makes a [`Statement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Who signs.
    pub signer: Signer,
    /// The authenticator.
    pub credential: CredentialId,
    /// As what.
    pub role: SignerRole,
    /// What is signed for.
    pub decision: Decision,
}

/// The text is not the canonical form of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical form of a statement")]
pub struct MalformedStatement;

impl Statement {
    /// The statement that an intent makes about a change, to be signed within [`STATEMENT_TTL`].
    #[must_use]
    pub fn new(
        change: &Change,
        intent: Intent,
        nonce: Nonce,
        log_head: Option<LogHead>,
        now: UnixTime,
    ) -> Self {
        let envelope = change.envelope();
        Self {
            change: change.digest(),
            credential: intent.credential,
            decision: intent.decision,
            log_head,
            nonce,
            not_after: now.plus(STATEMENT_TTL),
            request: envelope.request_id,
            role: intent.role,
            tenant: envelope.tenant_id,
            user: intent.signer,
            v: 1,
        }
    }

    /// Reads a statement back from its canonical JSON.
    ///
    /// # Errors
    /// [`MalformedStatement`] when the text is anything else.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, MalformedStatement> {
        let statement: Self = serde_json::from_slice(bytes).map_err(|_| MalformedStatement)?;
        if statement.v == 1 && statement.canonical()? == bytes {
            Ok(statement)
        } else {
            Err(MalformedStatement)
        }
    }

    /// The statement as canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// [`MalformedStatement`] when the size of the log is beyond what canonical JSON can write.
    pub fn canonical(&self) -> Result<Vec<u8>, MalformedStatement> {
        let value = serde_json::to_value(self).map_err(|_| MalformedStatement)?;
        canonical_json(&value).map_err(|_| MalformedStatement)
    }

    /// The challenge that the authenticator signs.
    ///
    /// # Errors
    /// As [`Self::canonical`].
    pub fn challenge(&self) -> Result<Digest32, MalformedStatement> {
        Ok(challenge(&self.canonical()?))
    }

    /// Whether it speaks of this change, of its request, and of its organization.
    #[must_use]
    pub fn is_about(&self, change: &Change) -> bool {
        let envelope = change.envelope();
        (self.change, self.request, self.tenant)
            == (change.digest(), envelope.request_id, envelope.tenant_id)
    }
}

/// `SHA-256("dual-approval/statement/v1\0" ‖ statement)` for a statement in canonical JSON (C12).
#[must_use]
pub fn challenge(canonical_statement: &[u8]) -> Digest32 {
    sha256(&[STATEMENT_LABEL, canonical_statement])
}

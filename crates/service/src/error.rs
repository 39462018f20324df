//! How a use case fails: a refusal that the caller can act on, or a fault of ours.

use countersign_crypto::SigningAlgorithm;
use countersign_crypto::import::ImportRefusal;
use countersign_domain::configurations::ConfigurationRefusal;
use countersign_domain::organizations::OrganizationRefusal;
use countersign_store::StoreError;

use crate::shared_primes::Modulus;

/// A use case that did not succeed.
#[derive(Debug)]
pub enum ServiceError {
    /// The transaction collided with another one. Every use case that writes is tried again then, and is unavailable when
    /// it has collided every time, so nobody outside hears of it.
    Collided,
    /// New RSA keys must be compared with every registered one first, which takes too long for a transaction; that is
    /// done before anybody hears of it.
    ComparisonNeeded(Vec<Modulus>),
    /// Ours: logged in full, told to nobody.
    Fault(String),
    /// The caller may not do this.
    Forbidden(Refused),
    /// A signing key must be made first, which takes too long for a transaction; that is done before anybody hears of it.
    KeyNeeded(SigningAlgorithm),
    /// It does not exist, or belongs to somebody else; nobody can tell which.
    NotFound,
    /// The request cannot be done as it is.
    Refused(Refused),
    /// The database does not answer, or the instance is not ready; try again later.
    Unavailable {
        /// When to try again, in seconds.
        retry_after: u32,
    },
}

/// Which kind of refusal it is; decides the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// The state of the resource forbids it.
    Conflict,
    /// The content of the request breaks a rule.
    Invalid,
    /// The resource is no longer what the caller saw.
    PreconditionFailed,
}

/// A refusal with its stable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which kind.
    pub kind: RefusedKind,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub detail: String,
    /// The member of the request that is to blame (RFC 6901).
    pub pointer: Option<String>,
}

impl Refused {
    /// A refusal without a pointer.
    #[must_use]
    pub fn new(kind: RefusedKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            detail: detail.into(),
            pointer: None,
        }
    }
}

/// How long a caller waits before it tries again when the store is unavailable, in seconds.
pub const RETRY_AFTER: u32 = 5;

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Collision => Self::Collided,
            StoreError::Unavailable(_) => {
                tracing::warn!(error = %error, "the store is unavailable");
                Self::Unavailable {
                    retry_after: RETRY_AFTER,
                }
            }
            error @ StoreError::Corrupt { .. } => {
                alarm(&error);
                Self::Fault(error.to_string())
            }
            other => Self::Fault(other.to_string()),
        }
    }
}

/// A stored row that this program did not write is not believed, and somebody must look at it.
pub(crate) fn alarm(error: &StoreError) {
    metrics::counter!("countersign_tampered_rows_total").increment(1);
    tracing::error!(%error, "ALARM: a stored row cannot be believed");
}

impl From<ConfigurationRefusal> for ServiceError {
    fn from(refusal: ConfigurationRefusal) -> Self {
        let kind = if refusal.is_conflict() {
            RefusedKind::Conflict
        } else {
            RefusedKind::Invalid
        };
        Self::Refused(Refused {
            kind,
            code: refusal.code(),
            detail: refusal.to_string(),
            pointer: refusal.pointer(),
        })
    }
}

impl From<OrganizationRefusal> for ServiceError {
    fn from(refusal: OrganizationRefusal) -> Self {
        let pointer = refusal.pointer().map(str::to_owned);
        let kind = if pointer.is_some() {
            RefusedKind::Invalid
        } else {
            RefusedKind::Conflict
        };
        Self::Refused(Refused {
            kind,
            code: refusal.code(),
            detail: refusal.to_string(),
            pointer,
        })
    }
}

impl From<ImportRefusal> for ServiceError {
    fn from(refusal: ImportRefusal) -> Self {
        let pointer = Some("/public_key".to_owned());
        let (code, detail) = (refusal.code(), refusal.to_string());
        Self::Refused(Refused {
            kind: RefusedKind::Invalid,
            code,
            detail,
            pointer,
        })
    }
}

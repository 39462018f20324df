//! Why one of the server's own commands has failed, in words for the person who started it.

use std::fmt;
use std::io;
use std::path::Path;

use countersign_service::ServiceError;
use countersign_store::StoreError;

/// Exit code: a local file, key or database cannot be used.
const LOCAL: u8 = 5;

/// A failure in words.
#[derive(Debug)]
pub(crate) struct ServerFailure(String);

impl ServerFailure {
    /// A failure.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A file that cannot be used.
    pub(crate) fn local(path: &Path, error: &io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }

    /// How the process ends.
    pub(crate) const fn exit_code(&self) -> u8 {
        LOCAL
    }
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreError> for ServerFailure {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl From<ServiceError> for ServerFailure {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Fault(text) => Self(text),
            ServiceError::Forbidden(refused) | ServiceError::Refused(refused) => {
                Self(refused.detail)
            }
            ServiceError::NotFound => Self("not found".to_owned()),
            ServiceError::Collided
            | ServiceError::ComparisonNeeded(_)
            | ServiceError::KeyNeeded(_)
            | ServiceError::Unavailable { .. } => {
                Self("the database is unavailable; the log says why".to_owned())
            }
        }
    }
}

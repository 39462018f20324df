//! `Idempotency-Key`: a repeated request gets the first answer again.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_service::{ServiceError, has_private_key};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// An answer as it is given, and as it is kept for repetitions of the request.
#[derive(Deserialize, Serialize)]
pub(crate) struct Answer {
    status: u16,
    body: serde_json::Value,
}

impl Answer {
    /// An answer with this body.
    ///
    /// # Errors
    /// A fault, when the body is nothing that JSON has.
    pub(crate) fn new(status: StatusCode, body: impl Serialize) -> Result<Self, ServiceError> {
        let body = serde_json::to_value(body).map_err(fault)?;
        let status = status.as_u16();
        Ok(Self { status, body })
    }

    /// The text that is kept.
    ///
    /// # Errors
    /// A fault, when it cannot be written.
    pub(crate) fn to_kept(&self) -> Result<String, ServiceError> {
        serde_json::to_string(self).map_err(fault)
    }

    /// The answer that was kept.
    ///
    /// # Errors
    /// A fault, when the text is none that was kept here.
    pub(crate) fn from_kept(text: &str) -> Result<Self, ServiceError> {
        serde_json::from_str(text).map_err(fault)
    }

    /// On its way to the caller; a resource with a version gets its `ETag`.
    ///
    /// # Errors
    /// A fault, when its status is none.
    pub(crate) fn give(self) -> Result<Response, ServiceError> {
        let status = StatusCode::from_u16(self.status).map_err(fault)?;
        if status == StatusCode::NO_CONTENT {
            return Ok(status.into_response());
        }
        let version = self.body.get("version").and_then(serde_json::Value::as_u64);
        let tag = version.map(|version| [(header::ETAG, format!("\"{version}\""))]);
        let answer = (status, Json(self.body));
        Ok(match tag {
            Some(tag) => (tag, answer).into_response(),
            None => answer.into_response(),
        })
    }
}

fn fault(error: impl std::error::Error) -> ServiceError {
    ServiceError::Fault(format!("an answer cannot be read or written: {error}"))
}

/// The key of a request, if it has one.
///
/// # Errors
/// 400 unless it is 1 to 255 visible ASCII characters, and no private key.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().ok().filter(|key| {
        (1..=255).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic())
            && !has_private_key(key)
            && values.next().is_none()
    });
    let malformed = || {
        Problem::bad_request(
            "idempotency_key_malformed",
            "Idempotency-Key must be 1 to 255 visible ASCII characters.",
        )
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(malformed)
}

/// What makes two requests the same.
pub(crate) fn request_digest(method: &str, path: &str, body: &[u8]) -> String {
    countersign_service::digest(&[method.as_bytes(), b"\0", path.as_bytes(), b"\0", body])
}

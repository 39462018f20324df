//! Conditional requests (RFC 9110 §13): `ETag` is the version.

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::problem::Problem;

/// The version in `If-Match`, if it is sent.
///
/// # Errors
/// 400 for anything but one strong entity tag of ours.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let version = value.to_str().ok().and_then(|text| {
        text.trim()
            .strip_prefix('"')?
            .strip_suffix('"')?
            .parse()
            .ok()
    });
    let malformed = || {
        Problem::bad_request(
            "if_match_malformed",
            "If-Match must be one ETag that was read here, such as \"3\".",
        )
    };
    version.map(Some).ok_or_else(malformed)
}

/// A resource with its version as `ETag`.
pub(crate) fn with_etag(version: u64, resource: impl Serialize) -> Response {
    ([(header::ETAG, format!("\"{version}\""))], Json(resource)).into_response()
}

//! `Idempotency-Key`: a repeated request gets the first answer again.

use axum::http::HeaderMap;
use countersign_service::has_private_key;

use crate::problem::Problem;

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

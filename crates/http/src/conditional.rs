//! Conditional requests (RFC 9110 §13): `ETag` is the version.

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::problem::Problem;

/// The version in `If-Match`, if it names one: `*` asks for no particular version, like no `If-Match` at all.
///
/// # Errors
/// 400 for anything but `*` or one strong entity tag of ours.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let named = match text.map(str::trim) {
        Some("*") => Some(None),
        text => text.and_then(version).map(Some),
    };
    named.ok_or_else(|| {
        Problem::bad_request(
            "if_match_malformed",
            "If-Match must be one ETag that was read here, such as \"3\".",
        )
    })
}

/// The version in an entity tag; a version has one spelling.
fn version(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let version: u64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

/// A resource with its version as `ETag`.
pub(crate) fn with_etag(version: u64, resource: impl Serialize) -> Response {
    ([(header::ETAG, format!("\"{version}\""))], Json(resource)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Option<Option<u64>> {
        let pair = |value: &&'static str| (header::IF_MATCH, HeaderValue::from_static(value));
        if_match(&values.iter().map(pair).collect()).ok()
    }

    #[test]
    fn if_match_is_one_strong_tag_of_ours_or_a_star() {
        assert_eq!(read(&["\"3\""]), Some(Some(3)));
        assert_eq!(read(&["*"]), Some(None));
        assert_eq!(read(&[]), Some(None));
        for bad in [
            "3",
            "W/\"3\"",
            "\"+3\"",
            "\"03\"",
            "\"3\", \"4\"",
            "\"\"",
            "",
            "\"x\"",
        ] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&["\"3\"", "\"4\""]), None);
    }
}

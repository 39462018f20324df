//! Errors of the OAuth endpoints (RFC 6749 §5.2), with the reason where the caller may know it (`tokens.md`).

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::front::current_correlation_id;

/// Said to every caller whose signature has not verified: the same text whatever the cause (conformance D11).
const CONSTANT: &str = "The assertion was not accepted. The organization's activity log has the reason under the correlation ID.";

/// An OAuth error on its way to the caller. The correlation ID is added when it is written.
#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    reason: Option<&'static str>,
    challenge: Option<&'static str>,
    retry_after: Option<u32>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
}

/// A reason code and a sentence, for those who may know.
type Disclosed = Option<(&'static str, String)>;

impl OAuthError {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status,
            error,
            description: description.into(),
            reason: None,
            challenge: None,
            retry_after: None,
        }
    }

    fn disclosing(status: StatusCode, error: &'static str, disclosed: Disclosed) -> Self {
        let (reason, description) = disclosed.unzip();
        let description = description.unwrap_or_else(|| CONSTANT.to_owned());
        Self {
            reason,
            ..Self::new(status, error, description)
        }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    pub(crate) fn payload_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            "The body is larger than 64 KiB.",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "invalid_request",
            "The endpoint takes POST only.",
        )
    }

    pub(crate) fn unsupported_grant_type() -> Self {
        let text =
            "grant_type must be client_credentials or urn:ietf:params:oauth:grant-type:jwt-bearer.";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", text)
    }

    pub(crate) fn invalid_grant(disclosed: Disclosed) -> Self {
        Self::disclosing(StatusCode::BAD_REQUEST, "invalid_grant", disclosed)
    }

    pub(crate) fn invalid_scope(disclosed: Disclosed) -> Self {
        Self::disclosing(StatusCode::BAD_REQUEST, "invalid_scope", disclosed)
    }

    /// RFC 8707 §2.
    pub(crate) fn invalid_target(disclosed: Disclosed) -> Self {
        Self::disclosing(StatusCode::BAD_REQUEST, "invalid_target", disclosed)
    }

    pub(crate) fn invalid_client(disclosed: Disclosed) -> Self {
        let refused = Self::disclosing(StatusCode::UNAUTHORIZED, "invalid_client", disclosed);
        Self {
            challenge: Some("Bearer realm=\"countersign\""),
            ..refused
        }
    }

    /// No client authentication, or one that is not offered; the challenge names the scheme that was tried.
    pub(crate) fn unsupported_client_authentication(headers: &HeaderMap) -> Self {
        let tried = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let basic = tried
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"));
        let text = "Authenticate with client_assertion and client_assertion_type (private_key_jwt, RFC 7523); there are no client secrets here.";
        Self {
            challenge: Some(if basic {
                "Basic realm=\"countersign\""
            } else {
                "Bearer realm=\"countersign\""
            }),
            ..Self::new(StatusCode::UNAUTHORIZED, "invalid_client", text)
        }
    }

    pub(crate) fn server_error() -> Self {
        let text = "Something went wrong here. The log has the cause under the correlation ID.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
    }

    pub(crate) fn slow_down(retry_after: u32) -> Self {
        let text = "The organization has used up its request budget; try again after the time in Retry-After.";
        let error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            text,
        );
        Self {
            retry_after: Some(retry_after),
            ..error
        }
    }

    pub(crate) fn temporarily_unavailable(retry_after: u32) -> Self {
        let text = "The service cannot issue right now; try again after the time in Retry-After.";
        let error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            text,
        );
        Self {
            retry_after: Some(retry_after),
            ..error
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let description = describe(&self.description);
        let body = Body {
            error: self.error,
            error_description: &description,
            reason: self.reason,
            correlation_id: current_correlation_id(),
        };
        let mut response = no_store((self.status, Json(body)));
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Keeps to the characters that `error_description` may have (RFC 6749 §5.2).
fn describe(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
    text.chars()
        .map(|c| if allowed(c) { c } else { '\'' })
        .collect()
}

/// An answer that must not be kept by anybody (RFC 6749 §5.1).
pub(crate) fn no_store(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    forbid_storing(response.headers_mut());
    response
}

/// The header fields that say so.
pub(crate) fn forbid_storing(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a21_a_description_has_only_the_allowed_characters() {
        assert_eq!(
            describe("a \"b\"\r\n\\ é"),
            "a 'b''''  '".replace("'''  ", "''' ")
        );
        assert!(describe("\u{0}\u{7f}\u{202e}").chars().all(|c| c == '\''));
    }
}

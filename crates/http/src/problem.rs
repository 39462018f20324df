//! Problem details for the admin API (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Where each code is explained.
const TYPES: &str = "https://countersign.dev/errors#";

/// The body of a problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDocument {
    /// A URI that names the problem.
    #[serde(rename = "type")]
    type_uri: String,
    /// What the status means.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: &'static str,
    /// What is wrong and what to do.
    detail: String,
    /// Ties the answer to the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    /// The members of the request that are to blame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<MemberProblem>,
}

/// A member of the request that is to blame.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MemberProblem {
    /// Where it is (RFC 6901).
    pointer: String,
    /// The stable code.
    code: &'static str,
    /// What is wrong.
    detail: String,
}

/// The longest explanation, in characters: what the caller sent may be repeated in it, but not at any length.
const MAX_DETAIL: usize = 600;

/// An explanation on one line and of a sensible length.
fn presentable(detail: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    detail.chars().map(plain).take(MAX_DETAIL).collect()
}

/// A problem on its way to the caller; the correlation ID is filled in on the way out.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    pointer: Option<String>,
    header: Option<Box<(header::HeaderName, HeaderValue)>>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: presentable(&detail.into()),
            pointer: None,
            header: None,
        }
    }

    /// The same, with the member of the request that is to blame.
    pub(crate) fn blaming(self, pointer: Option<String>) -> Self {
        Self { pointer, ..self }
    }

    fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).ok();
        self.header = value.map(|value| Box::new((name, value)));
        self
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "api_token_required",
            "Send a valid API token: `Authorization: Bearer cst_…`. It may have expired or been revoked.",
        )
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"countersign\"")
    }

    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// One constant answer for what does not exist and for what belongs to somebody else.
    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing at this address.",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "The address does not take this method; see Allow.",
        )
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(crate) fn precondition_failed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, code, detail)
    }

    pub(crate) fn payload_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body is larger than 256 KiB.",
        )
    }

    /// The body could not be read; `status` is the one that the HTTP library has for the cause.
    pub(crate) fn body_unreadable(status: StatusCode) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::payload_too_large();
        }
        Self::bad_request(
            "body_unreadable",
            "The body ended early or is damaged; send it again.",
        )
    }

    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "json_required",
            "Send the body as JSON with `Content-Type: application/json`.",
        )
    }

    pub(crate) fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    pub(crate) fn invalid_member(code: &'static str, detail: String, pointer: String) -> Self {
        Self::unprocessable(code, detail).blaming(Some(pointer))
    }

    pub(crate) fn precondition_required() -> Self {
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if_match_required",
            "Send If-Match with the ETag of the version that you read, so that no change of somebody else is lost.",
        )
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "The request took too long to arrive or to be answered.",
        )
        .with_header(header::CONNECTION, "close")
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong here. The log has the cause under the correlation ID.",
        )
    }

    pub(crate) fn slow_down(retry_after: u32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "The organization has used up its request budget; try again after the time in Retry-After.",
        )
        .with_header(header::RETRY_AFTER, &retry_after.to_string())
    }

    pub(crate) fn unavailable(retry_after: u32) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The service cannot do this right now; try again after the time in Retry-After.",
        )
        .with_header(header::RETRY_AFTER, &retry_after.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let member = |pointer| MemberProblem {
            pointer,
            code: self.code,
            detail: self.detail.clone(),
        };
        let document = ProblemDocument {
            type_uri: format!("{TYPES}{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            correlation_id: crate::front::current_correlation_id(),
            errors: self.pointer.clone().map(member).into_iter().collect(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(header) = self.header {
            headers.insert(header.0, header.1);
        }
        response
    }
}

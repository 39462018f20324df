//! What every request and every answer have: a correlation ID, safe headers, a line in the log, and no panic outside.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::CorrelationId;
use futures_util::FutureExt as _;

use crate::problem::Problem;

tokio::task_local! {
    /// The correlation ID of the request that is being answered.
    static CORRELATION: CorrelationId;
}

/// The correlation ID of the request that is being answered, for the body of a problem.
pub(crate) fn current_correlation_id() -> Option<String> {
    CORRELATION.try_with(ToString::to_string).ok()
}

/// The correlation ID that [`around`] gave a request. It is never taken from the caller.
pub(crate) fn correlation_id(extensions: &Extensions) -> CorrelationId {
    extensions
        .get()
        .copied()
        .unwrap_or_else(|| CorrelationId::from_random([0; 16]))
}

/// The correlation ID of a request.
pub(crate) struct Correlation(pub(crate) CorrelationId);

impl<S: Send + Sync> FromRequestParts<S> for Correlation {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(correlation_id(&parts.extensions)))
    }
}

/// Runs around every request.
pub(crate) async fn around(mut request: Request, next: Next) -> Response {
    let correlation_id = countersign_service::new_correlation_id();
    let started = Instant::now();
    let method = request.method().clone();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched".to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(correlation_id);
    let answered = AssertUnwindSafe(CORRELATION.scope(correlation_id, next.run(request)))
        .catch_unwind()
        .await;
    let mut response = match answered {
        Ok(response) => response,
        // A panic is ours; it ends this request and nothing else.
        Err(_) => CORRELATION.sync_scope(correlation_id, || Problem::internal().into_response()),
    };
    protect(&mut response, correlation_id);
    let (status, micros) = (response.status().as_u16(), started.elapsed().as_micros());
    tracing::debug!(%method, path, status, micros, %correlation_id, "answered");
    response
}

fn protect(response: &mut Response, correlation_id: CorrelationId) {
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&correlation_id.to_string()) {
        headers.insert("x-correlation-id", value);
    }
}

/// No such address.
pub(crate) async fn not_found() -> Response {
    std::future::ready(Problem::not_found().into_response()).await
}

/// An address that takes other methods; the router adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> Response {
    std::future::ready(()).await;
    match method {
        Method::HEAD => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        _ => Problem::method_not_allowed().into_response(),
    }
}

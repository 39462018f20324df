//! What stands before the routes: each request gets a correlation ID and a deadline, each answer safe headers and a line
//! in the log, and no panic gets outside.

mod shape;

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::CorrelationId;
use futures_util::FutureExt as _;
use metrics::Counter;
use tokio::time::timeout;
use tower::Service;

use crate::oauth_error::OAuthError;
use crate::problem::Problem;
use shape::shape;

/// How long a request may take from its head to its answer.
const REQUEST_TIME: Duration = Duration::from_secs(20);

tokio::task_local! {
    /// The correlation ID of the request that is being answered.
    static CORRELATION: CorrelationId;
}

/// The correlation ID of the request that is being answered, for the body of a problem.
pub(crate) fn current_correlation_id() -> Option<String> {
    CORRELATION.try_with(ToString::to_string).ok()
}

/// The correlation ID that [`Front`] gave a request. It is never taken from the caller.
pub(crate) fn correlation_id(extensions: &Extensions) -> CorrelationId {
    extensions
        .get()
        .copied()
        .unwrap_or_else(|| CorrelationId::from_random([0; 16]))
}

/// The correlation ID of a request.
pub(crate) struct Correlation(pub(crate) CorrelationId);

impl<S: Send + Sync> FromRequestParts<S> for Correlation {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(correlation_id(&parts.extensions)))
    }
}

/// Every route of a listener, and around them what every request and every answer have.
///
/// It stands outside the router instead of being a layer of it: a layer costs several boxes for each request.
#[derive(Clone)]
pub struct Front {
    routes: Router,
    answered: Arc<Answered>,
}

impl Front {
    /// Completes routes with the answers for what is not there, and stands before them.
    pub(crate) fn new<S: Clone + Send + Sync + 'static>(routes: Router<S>, state: S) -> Self {
        let routes = routes
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed);
        Self {
            routes: routes.with_state(state),
            answered: Arc::default(),
        }
    }

    /// Answers a request.
    async fn answer(mut self, mut request: Request<Body>) -> Response {
        let correlation_id = countersign_service::new_correlation_id();
        let started = Instant::now();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        request.extensions_mut().insert(correlation_id);
        let answer = self.routes.call(request);
        let answer = AssertUnwindSafe(CORRELATION.scope(correlation_id, answer)).catch_unwind();
        let mut response = match timeout(REQUEST_TIME, answer).await {
            Ok(Ok(Ok(response))) => response,
            // The answer takes too long. (A body that trickles in ends with its connection, before this.)
            Err(_) => CORRELATION.sync_scope(correlation_id, || Problem::timeout().into_response()),
            // A panic is ours; it ends this request and nothing else.
            Ok(Err(_)) => {
                CORRELATION.sync_scope(correlation_id, || Problem::internal().into_response())
            }
        };
        protect(&mut response, correlation_id);
        self.answered.count(response.status());
        log((&method, &uri), response.status(), started, correlation_id);
        response
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().answer(request).map(Ok))
    }
}

/// Counts answers by the class of their status. The counters are looked up once.
struct Answered {
    success: Counter,
    redirection: Counter,
    client_error: Counter,
    server_error: Counter,
}

impl Default for Answered {
    fn default() -> Self {
        let counter = |class: &'static str| metrics::counter!("countersign_http_requests_total", "status" => class);
        Self {
            success: counter("2xx"),
            redirection: counter("3xx"),
            client_error: counter("4xx"),
            server_error: counter("5xx"),
        }
    }
}

impl Answered {
    fn count(&self, status: StatusCode) {
        let counter = match status.as_u16() {
            ..300 => &self.success,
            300..400 => &self.redirection,
            400..500 => &self.client_error,
            _ => &self.server_error,
        };
        counter.increment(1);
    }
}

fn log(
    (method, uri): (&Method, &Uri),
    status: StatusCode,
    started: Instant,
    correlation_id: CorrelationId,
) {
    if status.is_server_error() {
        let (path, micros) = (shape(uri.path()), started.elapsed().as_micros());
        let status = status.as_u16();
        tracing::warn!(%method, path, status, micros, %correlation_id, "answered");
    } else if tracing::enabled!(tracing::Level::DEBUG) {
        let (path, micros) = (shape(uri.path()), started.elapsed().as_micros());
        let status = status.as_u16();
        tracing::debug!(%method, path, status, micros, %correlation_id, "answered");
    }
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
    if let Ok(value) = HeaderValue::try_from(correlation_id.to_string()) {
        headers.insert("x-correlation-id", value);
    }
}

/// No such address.
async fn not_found() -> Response {
    std::future::ready(Problem::not_found().into_response()).await
}

/// An address that takes other methods; the router adds `Allow`. The endpoints of RFC 6749, 7009 and 7662 answer in
/// their own form (conformance N1).
async fn method_not_allowed(path: Option<MatchedPath>) -> Response {
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    if ["/token", "/introspect", "/revoke"]
        .iter()
        .any(|end| path.ends_with(end))
        && !path.starts_with("/api/")
    {
        return OAuthError::method_not_allowed().into_response();
    }
    Problem::method_not_allowed().into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    fn app() -> Front {
        let router = Router::new()
            .route("/t/{tenant_id}/token", post(async || "a token"))
            .route(
                "/t/{tenant_id}/jwks",
                get(async || ([(header::CACHE_CONTROL, "public")], "keys")),
            )
            .route("/api/v1/things/{id}", get(async || "a thing"))
            .route("/panics", get(panics));
        Front::new(router, ())
    }

    async fn panics() -> &'static str {
        let nothing: Option<&str> = std::future::ready(None).await;
        nothing.expect("there is something")
    }

    async fn ask(method: &str, path: &str) -> (axum::http::response::Parts, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-correlation-id", "co-mine");
        let response = app()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts, String::from_utf8(body.to_vec()).unwrap())
    }

    fn text(parts: &axum::http::response::Parts, name: &str) -> String {
        let values: Vec<_> = parts
            .headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        values.join(" and ")
    }

    #[tokio::test]
    async fn a14_every_answer_has_safe_headers_and_a_correlation_id_of_ours() {
        for (path, status) in [
            ("/api/v1/things/1", 200),
            ("/t/x/token", 405),
            ("/nowhere", 404),
            ("/panics", 500),
        ] {
            let (parts, body) = ask("GET", path).await;
            assert_eq!(parts.status, status, "{path}");
            assert_eq!(text(&parts, "x-content-type-options"), "nosniff", "{path}");
            assert_eq!(text(&parts, "referrer-policy"), "no-referrer", "{path}");
            assert_eq!(text(&parts, "cache-control"), "no-store", "{path}");
            let correlation_id = text(&parts, "x-correlation-id");
            assert!(
                correlation_id.parse::<CorrelationId>().is_ok(),
                "{path}: {correlation_id}"
            );
            assert!(
                status == 200 || body.contains(&correlation_id),
                "{path}: {body}"
            );
        }
        assert_eq!(
            text(&ask("GET", "/t/x/jwks").await.0, "cache-control"),
            "public"
        );
    }

    #[tokio::test]
    async fn a3_a_get_of_a_token_endpoint_is_405_with_allow_in_the_form_of_oauth() {
        let (parts, body) = ask("GET", "/t/x/token?grant_type=client_credentials").await;
        assert_eq!(
            (parts.status.as_u16(), text(&parts, "allow").as_str()),
            (405, "POST")
        );
        assert_eq!(text(&parts, "content-type"), "application/json");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"], "invalid_request");
    }

    #[tokio::test]
    async fn a4_other_methods_are_405_and_nothing_is_echoed() {
        for method in ["PUT", "PATCH", "DELETE", "TRACE", "HEAD", "OPTIONS", "BREW"] {
            let (parts, body) = ask(method, "/t/x/token").await;
            assert_eq!(
                (parts.status.as_u16(), text(&parts, "allow").as_str()),
                (405, "POST"),
                "{method}"
            );
            assert!(!body.contains("co-mine"), "{method}: {body}");
            assert!(method != "HEAD" || body.is_empty(), "{body}");
        }
        let (parts, _) = ask("TRACE", "/api/v1/things/1").await;
        assert_eq!(
            (parts.status.as_u16(), text(&parts, "allow").as_str()),
            (405, "GET,HEAD")
        );
        assert_eq!(text(&parts, "content-type"), "application/problem+json");
    }

    #[tokio::test]
    async fn head_answers_as_get_without_the_body() {
        let (parts, body) = ask("HEAD", "/api/v1/things/1").await;
        assert_eq!((parts.status.as_u16(), body.as_str()), (200, ""));
    }

    #[tokio::test]
    async fn o6_a_panic_ends_its_request_and_tells_nothing() {
        let (parts, body) = ask("GET", "/panics").await;
        assert_eq!(text(&parts, "content-type"), "application/problem+json");
        assert!(!body.contains("there is something"), "{body}");
        assert_eq!(ask("GET", "/api/v1/things/1").await.0.status, 200);
    }

    #[tokio::test]
    async fn d11_what_is_not_there_gets_one_constant_answer() {
        let constant = |(parts, body): (axum::http::response::Parts, String)| {
            let correlation_id = text(&parts, "x-correlation-id");
            (parts.status, body.replace(&correlation_id, "…"))
        };
        let first = constant(ask("GET", "/nowhere").await);
        for path in [
            "/t/x/nowhere",
            "/t/x/token/",
            "/api/v1/things/",
            "/t/x%2F..%2Fy/nowhere",
        ] {
            assert_eq!(constant(ask("GET", path).await), first, "{path}");
        }
    }
}

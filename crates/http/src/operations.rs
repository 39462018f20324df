//! What operators and their machines ask: is it alive, is it ready, what does it count.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::admin::App;
use crate::problem::Problem;

/// `/healthz` and `/readyz`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
}

/// `/metrics`, for a listener that is not public.
pub fn metrics_router(render: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Router::new().route(
        "/metrics",
        get(move || std::future::ready((text, render()))),
    )
}

/// The process lives.
async fn health() -> Response {
    std::future::ready((StatusCode::OK, "ok\n").into_response()).await
}

/// The database answers, and tokens can be issued.
async fn readiness(State(service): State<App>) -> Response {
    match service.readiness().await {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

//! How the service is asked: OAuth endpoints, admin API, operations; and the loop that accepts connections.

mod admin;
mod conditional;
mod form;
mod headers;
mod idempotency;
mod json;
mod oauth;
mod oauth_error;
mod operations;
mod pagination;
mod problem;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use countersign_service::Service;

pub use admin::openapi_json;
pub use operations::metrics_router;
pub use server::{Limits, bind, serve};

/// The largest body of the admin API, in bytes; forms have a smaller limit of their own.
const MAX_BODY: usize = 256 * 1024;

/// Every route of the main listener.
pub fn router(service: &Arc<Service>) -> Router {
    Router::new()
        .merge(oauth::router())
        .merge(admin::router())
        .merge(operations::router())
        .fallback(headers::not_found)
        .method_not_allowed_fallback(headers::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(headers::around))
        .with_state(Arc::clone(service))
}

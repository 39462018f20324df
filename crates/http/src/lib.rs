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
use countersign_service::Service;

pub use admin::openapi_json;
pub use operations::metrics_router;
pub use server::{Identity, IdentityRefusal, Limits, Tls, bind, bind_all, serve};

/// The largest body of the admin API, in bytes; forms have a smaller limit of their own.
const MAX_BODY: usize = 256 * 1024;

/// Every route of the main listener.
pub fn router(service: &Arc<Service>) -> Router {
    let router = Router::new()
        .merge(oauth::router())
        .merge(admin::router())
        .merge(operations::router())
        .layer(DefaultBodyLimit::max(MAX_BODY));
    headers::wrap(router).with_state(Arc::clone(service))
}

//! How the service is asked: OAuth endpoints, admin API, operations; and the loop that accepts connections.

mod admin;
mod conditional;
mod form;
mod front;
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
pub use front::Front;
pub use operations::metrics_router;
pub use server::{Identity, IdentityRefusal, Limits, Tls, bind, bind_all, serve};

/// The largest JSON body, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// Everything that answers on the main listener.
pub fn front(service: &Arc<Service>) -> Front {
    let routes = Router::new()
        // Forms have a limit of their own, and a layer would cost each token a box.
        .merge(oauth::router())
        .merge(
            Router::new()
                .merge(oauth::compatibility_router())
                .merge(admin::router())
                .merge(operations::router())
                .layer(DefaultBodyLimit::max(MAX_BODY)),
        );
    Front::new(routes, Arc::clone(service))
}

//! The OAuth endpoints of each organization, and the documents that describe them.

mod client;
mod discovery;
mod introspect;
mod passport;
mod revoke;
mod token;

use axum::Router;
use axum::routing::{get, post};
use countersign_domain::assertion::{Flow, Reason};
use countersign_domain::ids::CorrelationId;
use countersign_service::ExchangeError;

use crate::admin::App;
use crate::oauth_error::OAuthError;

/// The routes of the OAuth endpoints.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/t/{tenant_id}/token", post(token::token))
        .route("/t/{tenant_id}/introspect", post(introspect::introspect))
        .route("/t/{tenant_id}/revoke", post(revoke::revoke))
        .route("/t/{tenant_id}/jwks", get(discovery::jwks))
        .route(
            "/t/{tenant_id}/.well-known/openid-configuration",
            get(discovery::openid_configuration),
        )
        .route(
            "/.well-known/oauth-authorization-server/t/{tenant_id}",
            get(discovery::authorization_server),
        )
}

/// The route of the compatibility endpoint, which takes JSON.
pub(crate) fn compatibility_router() -> Router<App> {
    Router::new().route("/passport/v1/oauth2/token", post(passport::token))
}

/// The OAuth answer to an exchange that gave no token (RFC 6749 §5.2).
///
/// The reason is told only to a caller whose signature has verified; everybody else gets one constant text.
pub(crate) fn refused(
    error: ExchangeError,
    flow: Flow,
    correlation_id: CorrelationId,
) -> OAuthError {
    let refusal = match error {
        ExchangeError::Fault => return OAuthError::server_error(correlation_id),
        ExchangeError::RateLimited { retry_after } => {
            return OAuthError::slow_down(retry_after, correlation_id);
        }
        ExchangeError::Unavailable { retry_after } => {
            return OAuthError::unavailable(retry_after, correlation_id);
        }
        ExchangeError::Refused(refusal) => refusal,
    };
    let disclosed = refusal
        .is_disclosed()
        .then(|| (refusal.reason.code(), refusal.sentence()));
    match (refusal.reason, flow) {
        (Reason::ScopeMalformed | Reason::ScopeNotGranted | Reason::ScopeUnknown, _) => {
            OAuthError::invalid_scope(disclosed, correlation_id)
        }
        (Reason::ResourceNotServed, _) => OAuthError::invalid_target(disclosed, correlation_id),
        (_, Flow::ClientAuthentication) => OAuthError::invalid_client(disclosed, correlation_id),
        (_, Flow::AuthorizationGrant | Flow::Compatibility) => {
            OAuthError::invalid_grant(disclosed, correlation_id)
        }
    }
}

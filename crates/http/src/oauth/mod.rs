//! The OAuth endpoints of each organization, and the documents that describe them.

mod client;
mod discovery;
mod introspect;
mod passport;
mod revoke;
mod token;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use countersign_domain::assertion::{Flow, Reason};
use countersign_service::ExchangeError;

use crate::admin::App;
use crate::oauth_error::OAuthError;
use crate::problem::Problem;

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

/// An endpoint's answer that is none.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such organization: one constant answer everywhere (conformance D11).
    NoSuchOrganization,
    /// An OAuth error.
    OAuth(OAuthError),
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NoSuchOrganization => Problem::not_found().into_response(),
            Self::OAuth(error) => error.into_response(),
        }
    }
}

/// The answer to an exchange that gave no token (RFC 6749 §5.2).
///
/// The reason is told only to a caller whose signature has verified; everybody else gets one constant text.
fn refused(error: ExchangeError, flow: Flow) -> Failure {
    let refusal = match error {
        ExchangeError::Fault(_) => return OAuthError::server_error().into(),
        ExchangeError::RateLimited { retry_after } => {
            return OAuthError::slow_down(retry_after).into();
        }
        ExchangeError::Unavailable { retry_after } => {
            return OAuthError::temporarily_unavailable(retry_after).into();
        }
        ExchangeError::Refused(refusal) => refusal,
    };
    let disclosed = refusal
        .is_disclosed()
        .then(|| (refusal.reason.code(), refusal.sentence()));
    let error = match (refusal.reason, flow) {
        // At the compatibility route the organization is a claim, not an address.
        (Reason::UnknownOrganization, Flow::AuthorizationGrant | Flow::ClientAuthentication) => {
            return Failure::NoSuchOrganization;
        }
        (
            Reason::ScopeMalformed
            | Reason::ScopeNotGranted
            | Reason::ScopeUnknown
            | Reason::TokenTooLarge,
            _,
        ) => OAuthError::invalid_scope(disclosed),
        (Reason::ResourceNotServed, _) => OAuthError::invalid_target(disclosed),
        (_, Flow::ClientAuthentication) => OAuthError::invalid_client(disclosed),
        (_, Flow::AuthorizationGrant | Flow::Compatibility) => OAuthError::invalid_grant(disclosed),
    };
    error.into()
}

//! The public documents of an organization (RFC 8414, OpenID Connect Discovery, RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::TenantId;

use super::client::Tenant;
use crate::admin::App;
use crate::problem::Problem;

/// Shorter than the time that a new key is published before its first use.
const CACHE: &str = "public, max-age=300";

/// `/.well-known/oauth-authorization-server/t/{tenant_id}`.
pub(crate) async fn authorization_server(
    State(service): State<App>,
    Tenant(tenant): Tenant,
) -> Response {
    metadata(&service, tenant, false).await
}

/// `/t/{tenant_id}/.well-known/openid-configuration`.
pub(crate) async fn openid_configuration(
    State(service): State<App>,
    Tenant(tenant): Tenant,
) -> Response {
    metadata(&service, tenant, true).await
}

/// `/t/{tenant_id}/jwks`.
pub(crate) async fn jwks(State(service): State<App>, Tenant(tenant): Tenant) -> Response {
    match service.jwks(tenant).await {
        Ok(jwks) => published((
            [(CONTENT_TYPE, "application/jwk-set+json")],
            jwks.to_string(),
        )),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn metadata(service: &App, tenant: TenantId, openid: bool) -> Response {
    match service.metadata(tenant, openid).await {
        Ok(document) => published(Json(document)),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Public, cacheable, and readable from any web page (conformance H4).
fn published(document: impl IntoResponse) -> Response {
    (
        [(CACHE_CONTROL, CACHE), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")],
        document,
    )
        .into_response()
}

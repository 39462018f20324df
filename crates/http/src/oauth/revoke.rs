//! `POST /t/{tenant_id}/revoke` (RFC 7009).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::TenantId;
use countersign_service::RevocationOutcome;

use super::client::known_tenant;
use super::introspect::{Asked, unproven};
use crate::admin::App;
use crate::form::Posted;
use crate::oauth_error::{OAuthError, no_store};
use crate::problem::Problem;

/// The revocation endpoint: 200 also for a token that is none of ours (RFC 7009 §2.2).
pub(crate) async fn revoke(
    State(service): State<App>,
    tenant: known_tenant::FromPath,
    posted: Posted,
) -> Response {
    let Some(tenant_id) = tenant.0 else {
        return Problem::not_found().into_response();
    };
    match answer(&service, tenant_id, &posted).await {
        Ok(response) => response,
        Err(error) => error
            .with_correlation(posted.correlation_id())
            .into_response(),
    }
}

async fn answer(
    service: &App,
    tenant_id: TenantId,
    posted: &Posted,
) -> Result<Response, OAuthError> {
    let correlation_id = posted.correlation_id();
    let form = posted.form()?;
    let Asked { asker, token } = Asked::read(service, &posted.parts, &form).await?;
    let revocation = service
        .revoke(tenant_id, asker.proof(), token, correlation_id)
        .await;
    match revocation {
        Ok(RevocationOutcome::Done) => Ok(no_store(StatusCode::OK)),
        Ok(RevocationOutcome::NotYours) => Err(OAuthError::invalid_request(
            "The token was issued to another client.",
        )),
        Err(error) => Ok(unproven(error, &posted.parts.headers, correlation_id)),
    }
}

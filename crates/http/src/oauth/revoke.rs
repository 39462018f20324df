//! `POST /t/{tenant_id}/revoke` (RFC 7009).

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_service::RevocationOutcome;

use super::client::known_tenant;
use super::introspect::{Asker, unproven};
use crate::admin::App;
use crate::form::Form;
use crate::headers::Correlation;
use crate::oauth_error::{OAuthError, no_store};
use crate::problem::Problem;

/// The revocation endpoint: 200 also for a token that is none of ours (RFC 7009 §2.2).
pub(crate) async fn revoke(
    State(service): State<App>,
    tenant: known_tenant::FromPath,
    Correlation(correlation_id): Correlation,
    parts: Parts,
    form: Form,
) -> Response {
    let Some(tenant_id) = tenant.0 else {
        return Problem::not_found().into_response();
    };
    let asker = match Asker::read(&service, &parts, &form).await {
        Ok(asker) => asker,
        Err(error) => return error.with_correlation(correlation_id).into_response(),
    };
    let Some(token) = form.get("token") else {
        return OAuthError::invalid_request("token is missing.")
            .with_correlation(correlation_id)
            .into_response();
    };
    match service
        .revoke(tenant_id, asker.proof(&form), token, correlation_id)
        .await
    {
        Ok(RevocationOutcome::Done) => no_store(StatusCode::OK),
        Ok(RevocationOutcome::NotYours) => {
            OAuthError::invalid_request("The token was issued to another client.")
                .with_correlation(correlation_id)
                .into_response()
        }
        Err(error) => unproven(error, &parts.headers, correlation_id),
    }
}

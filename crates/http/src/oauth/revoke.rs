//! `POST /t/{tenant_id}/revoke` (RFC 7009).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_service::RevocationOutcome;

use super::Failure;
use super::client::Tenant;
use super::introspect::{Asked, unproven};
use crate::admin::App;
use crate::form::Posted;
use crate::oauth_error::{OAuthError, no_store};

/// The revocation endpoint: 200 also for a token that is none of ours (RFC 7009 §2.2).
pub(crate) async fn revoke(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    posted: Posted,
) -> Result<Response, Failure> {
    let form = posted.form()?;
    let Asked { asker, token } = Asked::read(&service, &posted.parts, &form).await?;
    let revocation = service
        .revoke(tenant_id, asker.proof(), token, posted.correlation_id())
        .await;
    match revocation {
        Ok(RevocationOutcome::Done) => Ok(no_store(StatusCode::OK)),
        Ok(RevocationOutcome::NotYours) => {
            Err(OAuthError::invalid_request("The token was issued to another client.").into())
        }
        Err(error) => Err(unproven(error, &posted.parts.headers)),
    }
}

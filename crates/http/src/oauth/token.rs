//! `POST /t/{tenant_id}/token`: an assertion for an access token (RFC 7523, RFC 6749 §4.4).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use countersign_domain::assertion::{Flow, Reason};
use countersign_service::{ExchangeError, ExchangeRequest, IssuedToken};
use serde::Serialize;

use super::client::{Presented, known_tenant};
use super::refused;
use crate::admin::App;
use crate::form::Form;
use crate::headers::Correlation;
use crate::oauth_error::{OAuthError, no_store};
use crate::problem::Problem;

const CLIENT_CREDENTIALS: &str = "client_credentials";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A successful answer (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

/// The token endpoint.
pub(crate) async fn token(
    State(service): State<App>,
    tenant: known_tenant::FromPath,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    form: Form,
) -> Response {
    let Some(tenant_id) = tenant.0 else {
        return Problem::not_found().into_response();
    };
    let presented = match present(&form, &headers) {
        Ok(presented) => presented,
        Err(error) => return error.with_correlation(correlation_id).into_response(),
    };
    let resources = form.all("resource");
    let request = ExchangeRequest {
        flow: presented.flow,
        assertion: presented.assertion,
        scope: form.get("scope"),
        resources: &resources,
        client_id: form.get("client_id"),
        correlation_id,
    };
    match service.exchange(tenant_id, request).await {
        Ok(issued) => no_store(Json(TokenResponse::from(issued))),
        Err(error) if is_unknown_organization(&error) => Problem::not_found().into_response(),
        Err(error) => refused(error, presented.flow, correlation_id).into_response(),
    }
}

impl From<IssuedToken> for TokenResponse {
    fn from(issued: IssuedToken) -> Self {
        let IssuedToken {
            access_token,
            expires_in,
            scope,
        } = issued;
        Self {
            access_token,
            token_type: "Bearer",
            expires_in,
            scope,
        }
    }
}

/// Whether the organization does not exist: one constant 404 everywhere (conformance D11).
pub(super) fn is_unknown_organization(error: &ExchangeError) -> bool {
    matches!(error, ExchangeError::Refused(refusal) if refusal.reason == Reason::UnknownOrganization)
}

/// Reads the grant and what proves it: exactly one mechanism (RFC 6749 §2.3).
fn present<'a>(form: &'a Form, headers: &HeaderMap) -> Result<Presented<'a>, OAuthError> {
    let grant_type = form
        .get("grant_type")
        .ok_or_else(|| OAuthError::invalid_request("grant_type is missing."))?;
    match grant_type {
        CLIENT_CREDENTIALS => {
            let presented = Presented::client_assertion(form, headers)?;
            if form.get("assertion").is_some() {
                return Err(OAuthError::invalid_request(
                    "assertion does not belong to this grant_type.",
                ));
            }
            Ok(presented)
        }
        JWT_BEARER => {
            let assertion = form
                .get("assertion")
                .ok_or_else(|| OAuthError::invalid_request("assertion is missing."))?;
            Presented::refuse_other_mechanisms(form, headers)?;
            if form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some()
            {
                let text = "Send either a client_assertion or an assertion: both would authenticate the same configuration.";
                return Err(OAuthError::invalid_request(text));
            }
            Ok(Presented {
                flow: Flow::AuthorizationGrant,
                assertion,
            })
        }
        _ => Err(OAuthError::unsupported_grant_type()),
    }
}

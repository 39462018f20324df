//! `POST /t/{tenant_id}/introspect` (RFC 7662).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_domain::assertion::Flow;
use countersign_domain::ids::CorrelationId;
use countersign_service::{Caller, ClientProof, Introspection, IntrospectionError};

use super::client::{Presented, known_tenant};
use super::refused;
use super::token::is_unknown_organization;
use crate::admin::{App, bearer_token};
use crate::form::Form;
use crate::headers::Correlation;
use crate::oauth_error::{OAuthError, no_store};
use crate::problem::Problem;

/// The introspection endpoint.
pub(crate) async fn introspect(
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
        .introspect(tenant_id, asker.proof(&form), token, correlation_id)
        .await
    {
        Ok(Introspection::Active(claims)) => no_store(Json(claims)),
        Ok(Introspection::Inactive) => no_store(Json(serde_json::json!({"active": false}))),
        Err(error) => unproven(error, &parts.headers, correlation_id),
    }
}

/// Who asks: a program with an API token, or a client with an assertion.
pub(super) enum Asker {
    Program(Caller),
    Client(String),
}

impl Asker {
    /// Reads the one mechanism that was used.
    ///
    /// # Errors
    /// `invalid_client` for an API token that is not valid, and as [`Presented::client_assertion`].
    pub(super) async fn read(
        service: &App,
        parts: &Parts,
        form: &Form,
    ) -> Result<Self, OAuthError> {
        let Some(bearer) = bearer_token(parts).filter(|_| form.get("client_assertion").is_none())
        else {
            return Presented::client_assertion(form, &parts.headers)
                .map(|presented| Self::Client(presented.assertion.to_owned()));
        };
        match service.authenticate(bearer).await {
            Ok(Some(caller)) => Ok(Self::Program(caller)),
            Ok(None) => Err(OAuthError::unsupported_client_authentication(
                &parts.headers,
            )),
            Err(_) => Err(OAuthError::temporarily_unavailable(
                countersign_service::RETRY_AFTER,
            )),
        }
    }

    /// The proof that the service asks for.
    pub(super) fn proof<'a>(&'a self, form: &'a Form) -> ClientProof<'a> {
        match self {
            Self::Program(caller) => ClientProof::ApiToken(caller),
            Self::Client(assertion) => ClientProof::Assertion {
                assertion,
                client_id: form.get("client_id"),
            },
        }
    }
}

/// The answer to one who has not proven who it is.
pub(super) fn unproven(
    error: IntrospectionError,
    headers: &HeaderMap,
    correlation_id: CorrelationId,
) -> Response {
    match error {
        IntrospectionError::Client(error) if is_unknown_organization(&error) => {
            Problem::not_found().into_response()
        }
        IntrospectionError::Client(error) => {
            refused(error, Flow::ClientAuthentication, correlation_id).into_response()
        }
        IntrospectionError::NotAllowed => OAuthError::unsupported_client_authentication(headers)
            .with_correlation(correlation_id)
            .into_response(),
        IntrospectionError::Unavailable { retry_after } => {
            OAuthError::unavailable(retry_after, correlation_id).into_response()
        }
    }
}

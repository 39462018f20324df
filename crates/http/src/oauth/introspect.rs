//! `POST /t/{tenant_id}/introspect` (RFC 7662).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_domain::assertion::Flow;
use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_service::{Caller, ClientProof, Introspection, IntrospectionError};

use super::client::{Presented, known_tenant};
use super::refused;
use super::token::is_unknown_organization;
use crate::admin::{App, bearer_token};
use crate::form::{Form, Posted};
use crate::oauth_error::{OAuthError, no_store};
use crate::problem::Problem;

/// The introspection endpoint.
pub(crate) async fn introspect(
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
    let introspection = service
        .introspect(tenant_id, asker.proof(), token, correlation_id)
        .await;
    Ok(match introspection {
        Ok(Introspection::Active(claims)) => no_store(Json(claims)),
        Ok(Introspection::Inactive) => no_store(Json(serde_json::json!({"active": false}))),
        Err(error) => unproven(error, &posted.parts.headers, correlation_id),
    })
}

/// What introspection and revocation are asked: who asks, and about which token.
pub(super) struct Asked<'a> {
    pub(super) asker: Asker<'a>,
    pub(super) token: &'a str,
}

/// A program with an API token, or a client with an assertion.
pub(super) enum Asker<'a> {
    Program(Caller),
    Client {
        assertion: &'a str,
        client_id: Option<&'a str>,
    },
}

impl<'a> Asked<'a> {
    /// Reads the one mechanism that was used, and the token.
    ///
    /// # Errors
    /// `invalid_client` for an API token that is not valid, `invalid_request` without a token, and as
    /// [`Presented::client_assertion`].
    pub(super) async fn read(
        service: &App,
        parts: &Parts,
        form: &'a Form<'_>,
    ) -> Result<Self, OAuthError> {
        let bearer = bearer_token(parts).filter(|_| form.get("client_assertion").is_none());
        let asker = match bearer {
            Some(bearer) => Asker::program(service, bearer, parts).await?,
            None => Asker::Client {
                assertion: Presented::client_assertion(form, &parts.headers)?.assertion,
                client_id: form.get("client_id"),
            },
        };
        let token = form
            .get("token")
            .ok_or_else(|| OAuthError::invalid_request("token is missing."))?;
        Ok(Self { asker, token })
    }
}

impl Asker<'_> {
    async fn program(service: &App, bearer: &str, parts: &Parts) -> Result<Self, OAuthError> {
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
    pub(super) fn proof(&self) -> ClientProof<'_> {
        match self {
            Self::Program(caller) => ClientProof::ApiToken(caller),
            Self::Client {
                assertion,
                client_id,
            } => ClientProof::Assertion {
                assertion,
                client_id: *client_id,
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

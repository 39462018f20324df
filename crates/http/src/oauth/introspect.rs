//! `POST /t/{tenant_id}/introspect` (RFC 7662).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use countersign_domain::assertion::Flow;
use countersign_service::{Caller, ClientProof, Introspection, IntrospectionError};

use super::client::{Presented, Tenant};
use super::{Failure, refused};
use crate::admin::{App, bearer_token};
use crate::form::{Form, Posted};
use crate::oauth_error::{OAuthError, no_store};

/// The introspection endpoint.
pub(crate) async fn introspect(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    posted: Posted,
) -> Result<Response, Failure> {
    let form = posted.form()?;
    let Asked { asker, token } = Asked::read(&service, &posted.parts, &form).await?;
    let introspection = service
        .introspect(tenant_id, asker.proof(), token, posted.correlation_id())
        .await;
    match introspection {
        Ok(Introspection::Active(claims)) => Ok(no_store(Json(claims))),
        Ok(Introspection::Inactive) => Ok(no_store(Json(serde_json::json!({"active": false})))),
        Err(error) => Err(unproven(error, &posted.parts.headers)),
    }
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
        let correlation_id = crate::front::correlation_id(&parts.extensions);
        match service.authenticate(bearer, correlation_id).await {
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
pub(super) fn unproven(error: IntrospectionError, headers: &HeaderMap) -> Failure {
    match error {
        IntrospectionError::Client(error) => refused(error, Flow::ClientAuthentication),
        IntrospectionError::NotAllowed => {
            OAuthError::unsupported_client_authentication(headers).into()
        }
        IntrospectionError::Unavailable { retry_after } => {
            OAuthError::temporarily_unavailable(retry_after).into()
        }
    }
}

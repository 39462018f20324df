//! How a client proves who it is at the token, introspection and revocation endpoints.

use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use countersign_domain::assertion::Flow;
use countersign_domain::ids::TenantId;

use crate::form::Form;
use crate::oauth_error::OAuthError;
use crate::problem::Problem;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion and how it was sent.
pub(super) struct Presented<'a> {
    /// How.
    pub(super) flow: Flow,
    /// The compact JWT.
    pub(super) assertion: &'a str,
}

impl<'a> Presented<'a> {
    /// Reads `client_assertion` with its type (RFC 7521 §4.2).
    ///
    /// # Errors
    /// `invalid_request` for half a pair or several mechanisms, `invalid_client` for none or an unsupported one.
    pub(super) fn client_assertion(
        form: &'a Form<'_>,
        headers: &HeaderMap,
    ) -> Result<Self, OAuthError> {
        Self::refuse_other_mechanisms(form, headers)?;
        match (
            form.get("client_assertion"),
            form.get("client_assertion_type"),
        ) {
            (Some(assertion), Some(ASSERTION_TYPE)) => Ok(Self {
                flow: Flow::ClientAuthentication,
                assertion,
            }),
            (Some(_), Some(_)) => Err(OAuthError::unsupported_client_authentication(headers)),
            (Some(_), None) => Err(OAuthError::invalid_request(
                "client_assertion_type is missing.",
            )),
            (None, Some(_)) => Err(OAuthError::invalid_request("client_assertion is missing.")),
            (None, None) => Err(OAuthError::unsupported_client_authentication(headers)),
        }
    }

    /// Secrets and headers are no mechanism here; together with an assertion they are one too many.
    ///
    /// # Errors
    /// `invalid_request`, or `invalid_client` when the other mechanism stands alone.
    pub(super) fn refuse_other_mechanisms(
        form: &Form<'_>,
        headers: &HeaderMap,
    ) -> Result<(), OAuthError> {
        let other = headers.contains_key(AUTHORIZATION) || form.get("client_secret").is_some();
        let has_assertion =
            form.get("client_assertion").is_some() || form.get("assertion").is_some();
        match (other, has_assertion) {
            (false, _) => Ok(()),
            (true, true) => Err(OAuthError::invalid_request(
                "More than one mechanism authenticates the client; use the assertion alone.",
            )),
            (true, false) => Err(OAuthError::unsupported_client_authentication(headers)),
        }
    }
}

/// The organization in the path. One that is malformed is as unknown as one that does not exist (conformance D11).
pub(super) struct Tenant(pub(super) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.ok()
            .and_then(|Path(tenant)| tenant.parse().ok())
            .map(Self)
            .ok_or_else(Problem::not_found)
    }
}

//! `POST /t/{tenant_id}/token`: an assertion for an access token (RFC 7523, RFC 6749 §4.4).

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use countersign_domain::assertion::Flow;
use countersign_service::{ExchangeRequest, IssuedToken};

use super::client::{Presented, Tenant};
use super::{Failure, refused};
use crate::admin::App;
use crate::form::{Form, Posted};
use crate::oauth_error::{OAuthError, forbid_storing};

const CLIENT_CREDENTIALS: &str = "client_credentials";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The token endpoint.
pub(crate) async fn token(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    posted: Posted,
) -> Result<Response, Failure> {
    let form = posted.form()?;
    let presented = present(&form, &posted.parts.headers)?;
    let resources = form.all("resource");
    let request = ExchangeRequest {
        flow: presented.flow,
        assertion: presented.assertion,
        scope: form.get("scope"),
        resources: &resources,
        client_id: form.get("client_id"),
        correlation_id: posted.correlation_id(),
    };
    match service.exchange(tenant_id, request).await {
        Ok(issued) => Ok(success(&issued)),
        Err(error) => Err(refused(error, presented.flow)),
    }
}

/// A successful answer (RFC 6749 §5.1).
///
/// Written without a serializer: neither a compact JWT nor a scope token (RFC 6749 §3.3) has a character that JSON
/// escapes, and looking for one costs as much as all the rest.
fn success(issued: &IssuedToken) -> Response {
    let IssuedToken {
        access_token,
        expires_in,
        scope,
    } = issued;
    let mut body = format!(
        r#"{{"access_token":"{access_token}","token_type":"Bearer","expires_in":{expires_in}"#
    );
    if !scope.is_empty() {
        body.extend([r#","scope":""#, scope, "\""]);
    }
    body.push('}');
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    // Room for these, for those that every answer has, and for length and date.
    headers.reserve(8);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    forbid_storing(headers);
    response
}

/// Reads the grant and what proves it: exactly one mechanism (RFC 6749 §2.3).
fn present<'a>(form: &'a Form<'_>, headers: &HeaderMap) -> Result<Presented<'a>, OAuthError> {
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

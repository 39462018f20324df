//! `…/signing-keys` and `…/tokens/revoke`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use countersign_domain::time::UnixTime;
use countersign_service::{RevokeToken, RotateSigningKeys, SigningKeyFacts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Body;
use super::mutation::Mutation;
use super::organizations::rfc3339;
use super::{Answered, App, Authenticated, Tenant};
use crate::problem::ProblemDocument;

/// A signing key of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKeyView {
    /// RFC 7638 thumbprint.
    kid: String,
    /// The algorithm that it signs with.
    algorithm: &'static str,
    /// `next`, `current`, `retiring` or `retired`.
    state: &'static str,
    /// Since when (RFC 3339).
    since: String,
    /// When it was made (RFC 3339).
    created_at: String,
    /// The public key as PEM.
    public_key: String,
}

/// The signing keys of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKeysView {
    /// The newest first.
    items: Vec<SigningKeyView>,
    /// Always `null`.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

impl SigningKeysView {
    fn new(keys: &[SigningKeyFacts]) -> Self {
        let view = |key: &SigningKeyFacts| SigningKeyView {
            kid: key.kid.clone(),
            algorithm: key.algorithm.as_str(),
            state: key.state.as_str(),
            since: rfc3339(key.since),
            created_at: rfc3339(key.created_at),
            public_key: key.public_key.clone(),
        };
        Self {
            items: keys.iter().map(view).collect(),
            next_cursor: None,
        }
    }
}

/// A rotation out of schedule.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateKeysBody {
    /// The key has leaked: replace it now, and refuse what it has signed.
    #[serde(default)]
    emergency: bool,
}

impl Body for RotateKeysBody {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

/// An access token to revoke.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeTokenBody {
    /// Its `jti`.
    #[schema(min_length = 1, max_length = 64)]
    jti: String,
    /// When it ends (RFC 3339); its `exp`.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixTime,
}

impl Body for RevokeTokenBody {}

/// List the signing keys of an organization
#[utoipa::path(
    get, operation_id = "list_signing_keys", path = "/api/v1/organizations/{tenant_id}/signing-keys", tag = "signing keys",
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = SigningKeysView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    Tenant(tenant_id): Tenant,
) -> Answered {
    let keys = service.signing_keys(&caller, tenant_id).await?;
    Ok(Json(SigningKeysView::new(&keys)).into_response())
}

/// Rotate the signing keys of an organization out of schedule
#[utoipa::path(
    post, operation_id = "rotate_signing_keys", path = "/api/v1/organizations/{tenant_id}/signing-keys/rotate", tag = "signing keys",
    request_body = Option<RotateKeysBody>,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = SigningKeysView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn rotate(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<RotateKeysBody>,
) -> Answered {
    let act = RotateSigningKeys {
        tenant_id,
        emergency: request.body.emergency,
    };
    request
        .run(&service, &act, StatusCode::OK, |keys| {
            SigningKeysView::new(keys)
        })
        .await
}

/// Revoke an access token by its jti
#[utoipa::path(
    post, operation_id = "revoke_access_token", path = "/api/v1/organizations/{tenant_id}/tokens/revoke", tag = "signing keys", request_body = RevokeTokenBody,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 204), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn revoke_token(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<RevokeTokenBody>,
) -> Answered {
    let act = RevokeToken {
        tenant_id,
        jti: request.body.jti.clone(),
        expires_at: request.body.expires_at,
    };
    request
        .run(&service, &act, StatusCode::NO_CONTENT, |()| ())
        .await
}

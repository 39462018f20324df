//! Authentication configurations: one endpoint per file; here what they all show.

pub(super) mod create;
pub(super) mod edit;
pub(super) mod read;
pub(super) mod rotate;
pub(super) mod status;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_domain::configurations::{
    AuthType, Configuration, KeyState, RegisteredKey, ReplayProtection,
};
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_service::{Import, Repair};
use serde::Serialize;
use utoipa::ToSchema;

use super::organizations::rfc3339;
use super::{App, Authenticated};
use crate::problem::Problem;

/// A registered public key.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// Selects the key: send it in the header of the assertion.
    kid: String,
    /// The one algorithm that the key is bound to.
    #[schema(example = "ES256")]
    algorithm: &'static str,
    /// What kind of key it is.
    #[schema(example = "EC P-256")]
    key_type: String,
    /// SHA-256 of the SubjectPublicKeyInfo, hexadecimal.
    fingerprint_sha256: String,
    /// `next`, `current`, `retiring` or `retired`.
    state: &'static str,
    /// When a retiring key stops being accepted (RFC 3339).
    #[schema(required = true)]
    retires_at: Option<String>,
    /// When its certificate ends (RFC 3339).
    #[schema(required = true)]
    expires_at: Option<String>,
    /// When it was registered (RFC 3339).
    added_at: String,
    /// The key as PEM.
    public_key: String,
}

impl KeyView {
    fn new(key: &RegisteredKey) -> Self {
        let (state, retires_at) = match key.state {
            KeyState::Next => ("next", None),
            KeyState::Current => ("current", None),
            KeyState::Retiring { retires_at } => ("retiring", Some(retires_at)),
            KeyState::Retired { .. } => ("retired", None),
        };
        Self {
            kid: key.kid.as_str().to_owned(),
            algorithm: key.algorithm.as_str(),
            key_type: key.algorithm.key_type().to_owned(),
            fingerprint_sha256: key.fingerprint_sha256.to_string(),
            state,
            retires_at: retires_at.map(rfc3339),
            expires_at: key.expires_at.map(rfc3339),
            added_at: rfc3339(key.added_at),
            public_key: key.public_key.to_string(),
        }
    }
}

/// Something that was repaired while reading a key.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct RepairView {
    /// Its stable code.
    code: &'static str,
    /// What was repaired.
    detail: String,
}

impl RepairView {
    pub(crate) fn all(import: &Import) -> Vec<Self> {
        import.repairs.iter().map(Self::new).collect()
    }

    fn new(repair: &Repair) -> Self {
        Self {
            code: repair.code(),
            detail: repair.sentence().to_owned(),
        }
    }
}

/// An authentication configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfigurationView {
    /// The organization that it belongs to.
    tenant_id: String,
    /// Its ID.
    #[schema(example = "ac-6b1d2c1e-9f0a-4f0e-8f8a-0b8f5f6d7e11")]
    id: String,
    /// What people call it.
    name: String,
    /// `STANDARD` or `THIRD_PARTY`.
    #[schema(value_type = String, example = "STANDARD")]
    auth_type: AuthType,
    /// `ACTIVE`, `SUSPENDED` or `DEACTIVATED`.
    status: &'static str,
    /// What the assertion carries in `iss`: the caller writes it, Countersign checks it.
    verifier_issuer: String,
    /// What the assertion carries in `sub`: the caller writes it, Countersign checks it.
    verifier_subject: String,
    /// What the assertion carries in `aud`: the caller writes it, Countersign checks it.
    verifier_audience: String,
    /// What the access token carries in `iss`: Countersign writes it, gateways check it.
    signer_issuer: String,
    /// What the access token carries in `aud`: Countersign writes it, gateways check it.
    signer_audience: String,
    /// The longest accepted `exp - iat` of an assertion, in seconds.
    max_assertion_lifetime: u32,
    /// How long an access token lives, in seconds.
    access_token_lifetime: u32,
    /// `single_use` or `reuse_until_expiry`.
    #[schema(value_type = String, example = "single_use")]
    replay_protection: ReplayProtection,
    /// Claims of the assertion that are copied into the access token, below `custom`.
    copied_claims: Vec<String>,
    /// Permission groups granted (third-party only).
    permission_groups: Vec<String>,
    /// From then on it obtains no tokens (RFC 3339).
    #[schema(required = true)]
    expires_at: Option<String>,
    /// Who looks after it.
    #[schema(required = true)]
    owner: Option<String>,
    /// Anything else worth knowing.
    #[schema(required = true)]
    notes: Option<String>,
    /// The registered keys, the current one first.
    keys: Vec<KeyView>,
    /// What was repaired while reading the key of this request.
    repairs: Vec<RepairView>,
    /// When it was created (RFC 3339).
    created_at: String,
    /// When it was last changed (RFC 3339).
    updated_at: String,
    /// Counts its changes; also the `ETag`.
    version: u64,
    /// The number of the change request that made this version.
    change_request: u64,
}

impl ConfigurationView {
    pub(super) fn new(configuration: &Configuration, repairs: &[RepairView]) -> Self {
        let state = &configuration.state;
        Self {
            tenant_id: configuration.tenant_id.to_string(),
            id: configuration.id.to_string(),
            name: state.name.as_str().to_owned(),
            auth_type: state.auth_type,
            status: state.status.as_str(),
            verifier_issuer: state.verifier_issuer.to_string(),
            verifier_subject: state.verifier_subject.to_string(),
            verifier_audience: state.verifier_audience.to_string(),
            signer_issuer: state.signer_issuer.to_string(),
            signer_audience: state.signer_audience.to_string(),
            max_assertion_lifetime: state.max_assertion_lifetime,
            access_token_lifetime: state.access_token_lifetime,
            replay_protection: state.replay_protection,
            copied_claims: state
                .copied_claims
                .iter()
                .map(|claim| claim.as_str().to_owned())
                .collect(),
            permission_groups: state
                .permission_groups
                .iter()
                .map(ToString::to_string)
                .collect(),
            expires_at: state.expires_at.map(rfc3339),
            owner: state.owner.as_ref().map(|owner| owner.as_str().to_owned()),
            notes: state.notes.as_ref().map(|notes| notes.as_str().to_owned()),
            keys: state.keys.iter().map(KeyView::new).collect(),
            repairs: repairs.to_vec(),
            created_at: rfc3339(configuration.created_at),
            updated_at: rfc3339(configuration.updated_at),
            version: configuration.version,
            change_request: configuration.change_request,
        }
    }
}

/// The configuration that a path names; a malformed ID is one that does not exist.
pub(crate) struct InPath {
    /// The organization.
    pub(crate) tenant_id: TenantId,
    /// The configuration.
    pub(crate) id: ConfigurationId,
}

impl FromRequestParts<App> for InPath {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, Response> {
        Authenticated::from_request_parts(parts, state).await?;
        let not_found = || Problem::not_found().into_response();
        let Path((tenant_id, id)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| not_found())?;
        match (tenant_id.parse(), id.parse()) {
            (Ok(tenant_id), Ok(id)) => Ok(Self { tenant_id, id }),
            _ => Err(not_found()),
        }
    }
}

/// A public key as text in any accepted form, or a JWK or JWKS object.
#[derive(serde::Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "the key must be a text, or a JWK or JWKS as an object"
)]
pub(crate) enum PublicKeyInput {
    /// PEM, base64 DER, JWK or JWKS as text, or an OpenSSH line.
    Text(String),
    /// A JWK or JWKS.
    #[schema(value_type = Object)]
    Object(serde_json::Map<String, serde_json::Value>),
}

impl PublicKeyInput {
    /// The key as the import reads it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Object(members) => serde_json::Value::Object(members.clone()).to_string(),
        }
    }
}

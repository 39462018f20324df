//! `POST /api/v1/organizations/{tenant_id}/configurations`.

use axum::extract::State;
use axum::http::StatusCode;
use countersign_domain::configurations::{
    AuthType, Configuration, ConfigurationEdit, ReplayProtection,
};
use countersign_domain::time::UnixTime;
use countersign_service::{Algorithm, CreateConfiguration};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ConfigurationView, PublicKeyInput, RepairView};
use crate::admin::body::Body;
use crate::admin::mutation::Mutation;
use crate::admin::{Answered, App, Tenant};
use crate::problem::ProblemDocument;

/// A configuration to be created. Only the key is required; everything else has a good default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConfigurationBody {
    /// The public key: certificate, SPKI or PKCS#1 as PEM or base64 DER, JWK, JWKS, or an OpenSSH line.
    public_key: PublicKeyInput,
    /// The algorithm, where the key can serve several (RSA).
    #[schema(value_type = Option<String>, example = "RS256")]
    algorithm: Option<Algorithm>,
    /// The `kid` of the key; its RFC 7638 thumbprint when left out.
    kid: Option<String>,
    /// What people will call it.
    #[schema(example = "payments service")]
    name: Option<String>,
    /// `STANDARD` (default) or `THIRD_PARTY`.
    #[schema(value_type = Option<String>)]
    auth_type: Option<AuthType>,
    /// `iss` of the assertion; the configuration's ID when left out.
    verifier_issuer: Option<String>,
    /// `sub` of the assertion; the configuration's ID when left out.
    verifier_subject: Option<String>,
    /// `aud` of the assertion; the organization's issuer when left out.
    verifier_audience: Option<String>,
    /// `iss` of the access token; the organization's issuer when left out.
    signer_issuer: Option<String>,
    /// `aud` of the access token.
    signer_audience: Option<String>,
    /// The longest accepted `exp - iat` of an assertion, in seconds: 30 to 3600.
    max_assertion_lifetime: Option<u32>,
    /// How long an access token lives, in seconds: 60 to 3600.
    access_token_lifetime: Option<u32>,
    /// `single_use` (default) or `reuse_until_expiry`.
    #[schema(value_type = Option<String>)]
    replay_protection: Option<ReplayProtection>,
    /// Claims of the assertion to copy into the access token.
    copied_claims: Option<Vec<String>>,
    /// Permission groups granted (third-party only).
    permission_groups: Option<Vec<String>>,
    /// From then on it obtains no tokens (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<UnixTime>,
    /// Who looks after it.
    owner: Option<String>,
    /// Anything else worth knowing.
    notes: Option<String>,
}

impl Body for NewConfigurationBody {}

impl NewConfigurationBody {
    fn fields(&self) -> ConfigurationEdit {
        ConfigurationEdit {
            name: self.name.clone(),
            auth_type: self.auth_type,
            verifier_issuer: self.verifier_issuer.clone(),
            verifier_subject: self.verifier_subject.clone(),
            verifier_audience: self.verifier_audience.clone(),
            signer_issuer: self.signer_issuer.clone(),
            signer_audience: self.signer_audience.clone(),
            max_assertion_lifetime: self.max_assertion_lifetime,
            access_token_lifetime: self.access_token_lifetime,
            replay_protection: self.replay_protection,
            copied_claims: self.copied_claims.clone(),
            permission_groups: self.permission_groups.clone(),
            expires_at: self.expires_at.map(Some),
            owner: self.owner.clone().map(Some),
            notes: self.notes.clone().map(Some),
        }
    }
}

/// Create a configuration
#[utoipa::path(
    post, operation_id = "create_configuration", path = "/api/v1/organizations/{tenant_id}/configurations", tag = "configurations",
    request_body = NewConfigurationBody,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 201, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn create(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<NewConfigurationBody>,
) -> Answered {
    let body = &request.body;
    let text = body.public_key.to_text();
    let import = service
        .import_key(request.caller(), tenant_id, text)
        .await?;
    let repairs = RepairView::all(&import);
    let act = CreateConfiguration {
        tenant_id,
        fields: body.fields(),
        keys: import.keys,
        algorithm: body.algorithm,
        kid: body.kid.clone(),
    };
    let view = |configuration: &Configuration| ConfigurationView::new(configuration, &repairs);
    request.run(&service, &act, StatusCode::CREATED, view).await
}

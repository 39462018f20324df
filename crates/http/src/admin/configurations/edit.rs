//! `PATCH /api/v1/organizations/{tenant_id}/configurations/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use countersign_domain::configurations::{
    AuthType, Configuration, ConfigurationEdit, ReplayProtection,
};
use countersign_domain::time::UnixTime;
use countersign_service::EditConfiguration;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::{ConfigurationView, InPath};
use crate::admin::body::Body;
use crate::admin::mutation::Mutation;
use crate::admin::{Answered, App};
use crate::problem::ProblemDocument;

/// Changes to a configuration; what is left out stays, and `null` clears `expires_at`, `owner` and `notes`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigurationPatch {
    /// What people call it.
    name: Option<String>,
    /// `STANDARD` or `THIRD_PARTY`.
    #[schema(value_type = Option<String>)]
    auth_type: Option<AuthType>,
    /// `iss` of the assertion.
    verifier_issuer: Option<String>,
    /// `sub` of the assertion.
    verifier_subject: Option<String>,
    /// `aud` of the assertion.
    verifier_audience: Option<String>,
    /// `iss` of the access token.
    signer_issuer: Option<String>,
    /// `aud` of the access token.
    signer_audience: Option<String>,
    /// The longest accepted `exp - iat` of an assertion, in seconds: 30 to 3600.
    max_assertion_lifetime: Option<u32>,
    /// How long an access token lives, in seconds: 60 to 3600.
    access_token_lifetime: Option<u32>,
    /// `single_use` or `reuse_until_expiry`.
    #[schema(value_type = Option<String>)]
    replay_protection: Option<ReplayProtection>,
    /// Claims of the assertion to copy into the access token.
    copied_claims: Option<Vec<String>>,
    /// Permission groups granted (third-party only).
    permission_groups: Option<Vec<String>>,
    /// From then on it obtains no tokens (RFC 3339).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<UnixTime>>,
    /// Who looks after it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    owner: Option<Option<String>>,
    /// Anything else worth knowing.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    notes: Option<Option<String>>,
}

impl Body for ConfigurationPatch {}

/// Tells `null` from a member that is left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ConfigurationPatch {
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
            expires_at: self.expires_at,
            owner: self.owner.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// Edit a configuration
#[utoipa::path(
    patch, operation_id = "edit_configuration", path = "/api/v1/organizations/{tenant_id}/configurations/{id}", tag = "configurations",
    request_body = ConfigurationPatch,
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
        ("If-Match" = String, Header, description = "The ETag that was read"),
    ),
    responses((status = 200, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn edit(
    State(service): State<App>,
    InPath { tenant_id, id }: InPath,
    request: Mutation<ConfigurationPatch>,
) -> Answered {
    let act = EditConfiguration {
        tenant_id,
        id,
        expected_version: request.required_version()?,
        fields: request.body.fields(),
    };
    let view = |configuration: &Configuration| ConfigurationView::new(configuration, &[]);
    request.run(&service, &act, StatusCode::OK, view).await
}

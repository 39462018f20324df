//! `POST /api/v1/organizations/{tenant_id}/configurations/{id}/rotate`.

use axum::extract::State;
use axum::http::StatusCode;
use countersign_domain::configurations::Configuration;
use countersign_service::{Algorithm, RotateConfiguration};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ConfigurationView, InPath, PublicKeyInput, RepairView};
use crate::admin::body::Body;
use crate::admin::mutation::Mutation;
use crate::admin::{Answered, App};
use crate::problem::ProblemDocument;

/// A change of keys.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationBody {
    /// The new public key; left out, the waiting `next` key takes over.
    public_key: Option<PublicKeyInput>,
    /// The algorithm, where the key can serve several (RSA).
    #[schema(value_type = Option<String>)]
    algorithm: Option<Algorithm>,
    /// The `kid` of the key.
    kid: Option<String>,
    /// How long the keys in use stay accepted, in seconds: 0 to 7776000; seven days when left out.
    retire_after_seconds: Option<u32>,
    /// Register the key as `next` and leave the current one in place.
    #[serde(default)]
    as_next: bool,
}

impl Body for RotationBody {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

/// Rotate the key of a configuration, with overlap
#[utoipa::path(
    post, operation_id = "rotate_configuration", path = "/api/v1/organizations/{tenant_id}/configurations/{id}/rotate", tag = "configurations",
    request_body = RotationBody,
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
    ),
    responses((status = 200, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn rotate(
    State(service): State<App>,
    InPath { tenant_id, id }: InPath,
    request: Mutation<RotationBody>,
) -> Answered {
    let body = &request.body;
    let (mut keys, mut repairs) = (Vec::new(), Vec::new());
    if let Some(public_key) = &body.public_key {
        let text = public_key.to_text();
        let import = service
            .import_key(request.caller(), tenant_id, text)
            .await?;
        (repairs, keys) = (RepairView::all(&import), import.keys);
    }
    let act = RotateConfiguration {
        tenant_id,
        id,
        expected_version: request.expected_version()?,
        keys,
        algorithm: body.algorithm,
        kid: body.kid.clone(),
        as_next: body.as_next,
        retire_after: body.retire_after_seconds,
    };
    let view = |configuration: &Configuration| ConfigurationView::new(configuration, &repairs);
    request.run(&service, &act, StatusCode::OK, view).await
}

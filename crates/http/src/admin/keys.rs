//! `POST /api/v1/organizations/{tenant_id}/keys/preview`: what a key would be, without storing it.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use countersign_domain::text::{Label, MalformedText};
use countersign_service::ImportedKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, Question};
use super::configurations::{PublicKeyInput, RepairView};
use super::organizations::rfc3339;
use super::{Answered, App, Tenant};
use crate::problem::ProblemDocument;

/// A public key to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// The public key in any accepted form.
    public_key: PublicKeyInput,
}

impl Body for PreviewBody {}

/// What a key would be registered as.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewView {
    /// The keys that were found.
    keys: Vec<PreviewedKey>,
    /// What was repaired.
    repairs: Vec<RepairView>,
}

/// One key.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewedKey {
    /// The form in which it came.
    format: &'static str,
    /// What kind of key it is.
    key_type: String,
    /// The algorithms that it can serve, the usual one first.
    algorithms: Vec<&'static str>,
    /// The `kid` that it brought along.
    #[schema(required = true)]
    kid: Option<String>,
    /// RFC 7638 thumbprint: the `kid` when none is given.
    thumbprint: String,
    /// SHA-256 of the SubjectPublicKeyInfo, hexadecimal.
    fingerprint_sha256: String,
    /// When its certificate ends (RFC 3339).
    #[schema(required = true)]
    expires_at: Option<String>,
    /// The subject of its certificate.
    #[schema(required = true)]
    certificate_subject: Option<String>,
}

impl PreviewedKey {
    fn new(found: &ImportedKey) -> Self {
        let algorithms = found
            .algorithm
            .as_ref()
            .map_or(found.key.kind().algorithms(), std::slice::from_ref);
        let certificate = found.certificate.as_ref();
        Self {
            format: found.format.as_str(),
            key_type: found.key.kind().to_string(),
            algorithms: algorithms
                .iter()
                .map(|algorithm| algorithm.as_str())
                .collect(),
            kid: found.kid.clone(),
            thumbprint: found.key.thumbprint(),
            fingerprint_sha256: found.key.fingerprint().to_string(),
            expires_at: certificate.map(|facts| {
                rfc3339(countersign_domain::time::UnixTime::from_seconds(
                    facts.not_after,
                ))
            }),
            certificate_subject: certificate.map(|facts| inert(&facts.subject)),
        }
    }
}

/// Text that somebody else wrote, without what would make it read differently from what it is.
fn inert(text: &str) -> String {
    let plain = |c: char| {
        let alone = Label::parse(c.encode_utf8(&mut [0; 4]));
        let strange = c.is_control() || alone == Err(MalformedText::Character);
        if strange {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(plain).collect()
}

/// Look at a public key without registering it
#[utoipa::path(
    post, operation_id = "preview_key", path = "/api/v1/organizations/{tenant_id}/keys/preview", tag = "configurations", request_body = PreviewBody,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = PreviewView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn preview(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    question: Question<PreviewBody>,
) -> Answered {
    let text = question.body.public_key.to_text();
    let import = service
        .import_key(question.caller(), tenant_id, text)
        .await?;
    let view = PreviewView {
        keys: import.keys.iter().map(PreviewedKey::new).collect(),
        repairs: RepairView::all(&import),
    };
    Ok(Json(view).into_response())
}

//! `/api/v1/instance`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use countersign_service::InstanceFacts;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::NoBody;
use super::mutation::Mutation;
use super::organizations::rfc3339;
use super::{Answered, App, Authenticated};
use crate::problem::ProblemDocument;

/// The instance as a whole.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceView {
    /// A random name of this database.
    id: String,
    /// The version of the program.
    version: &'static str,
    /// How often it was restored from a backup.
    restore_epoch: u64,
    /// When it was last restored (RFC 3339).
    #[schema(required = true)]
    restored_at: Option<String>,
    /// Whether issuance waits for somebody to confirm the restore.
    issuance_held: bool,
}

impl InstanceView {
    fn new(facts: InstanceFacts) -> Self {
        Self {
            id: facts.id,
            version: env!("CARGO_PKG_VERSION"),
            restore_epoch: facts.restore_epoch,
            restored_at: facts.restored_at.map(rfc3339),
            issuance_held: facts.issuance_held,
        }
    }
}

/// Show the instance
#[utoipa::path(
    get, operation_id = "show_instance", path = "/api/v1/instance", tag = "instance",
    responses((status = 200, body = InstanceView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn show(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
) -> Answered {
    let facts = service.instance_facts(&caller)?;
    Ok(Json(InstanceView::new(facts)).into_response())
}

/// Confirm a restore: the instance issues again
#[utoipa::path(
    post, operation_id = "confirm_restore", path = "/api/v1/instance/confirm-restore", tag = "instance",
    responses((status = 200, body = InstanceView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn confirm_restore(
    State(service): State<App>,
    request: Mutation<NoBody>,
) -> Answered {
    let facts = if request.is_dry_run() {
        request
            .caller()
            .require_platform_admin()
            .and_then(|()| service.instance_facts(request.caller()))
    } else {
        service
            .confirm_restore(request.caller(), request.correlation_id())
            .await
    };
    Ok(Json(InstanceView::new(facts?)).into_response())
}

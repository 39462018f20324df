//! `GET …/change-requests` and `…/{number}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use countersign_domain::change::{ChangeRequest, ChangeState};
use countersign_service::ServiceError;
use serde::Serialize;
use utoipa::ToSchema;

use super::organizations::rfc3339;
use super::{Answered, App, Authenticated, List, Tenant};
use crate::pagination::Paging;
use crate::problem::{Problem, ProblemDocument};

/// A change request.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeView {
    /// Counts the requests of the organization.
    number: u64,
    /// Its ID.
    id: String,
    /// The governed operation.
    #[schema(example = "oidc_config.create")]
    kind: &'static str,
    /// The ID of what is changed.
    target: String,
    /// pending, approved, applied, rejected, canceled, superseded, expired or failed.
    state: &'static str,
    /// Who asked.
    maker: String,
    /// Why.
    #[schema(required = true)]
    justification: Option<String>,
    /// SHA-256 of label and envelope: what approvers sign.
    change_digest: String,
    /// People needed besides the maker, when it was submitted.
    quorum: u32,
    /// When it was submitted (RFC 3339).
    submitted_at: String,
    /// When it reached its final state (RFC 3339).
    #[schema(required = true)]
    closed_at: Option<String>,
    /// Why it ended so, where a reason belongs to the state.
    #[schema(required = true)]
    close_reason: Option<String>,
    /// The canonical description: `change_digest` is made over its RFC 8785 form.
    #[schema(value_type = Object)]
    envelope: serde_json::Value,
}

impl ChangeView {
    fn new(request: &ChangeRequest) -> Result<Self, ServiceError> {
        let envelope = request.change.envelope();
        let state: &ChangeState = &request.state;
        Ok(Self {
            number: request.number,
            id: envelope.request_id.to_string(),
            kind: envelope.kind.as_str(),
            target: envelope.target.clone(),
            state: state.as_str(),
            maker: envelope.requester.to_string(),
            justification: envelope.justification.clone(),
            change_digest: request.change.digest().to_string(),
            quorum: envelope.policy.quorum(),
            submitted_at: rfc3339(envelope.created_at),
            closed_at: state.closed_at().map(rfc3339),
            close_reason: state.close_reason().map(str::to_owned),
            envelope: serde_json::to_value(envelope)
                .map_err(|error| ServiceError::Fault(error.to_string()))?,
        })
    }
}

/// List the change requests of an organization, the newest first
#[utoipa::path(
    get, operation_id = "list_change_requests", path = "/api/v1/organizations/{tenant_id}/change-requests", tag = "change requests",
    params(("tenant_id" = String, Path, description = "The organization"), Paging),
    responses((status = 200, body = List<ChangeView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    Tenant(tenant_id): Tenant,
    paging: Paging,
) -> Answered {
    let page = paging.page_after::<u64>()?;
    let found = service.changes(&caller, tenant_id, &page).await?;
    let views = found
        .iter()
        .map(ChangeView::new)
        .collect::<Result<_, _>>()?;
    let cursor = |view: &ChangeView| view.number.to_string();
    Ok(List::new(views, paging.limit, cursor).into_response())
}

/// Show a change request
#[utoipa::path(
    get, operation_id = "show_change_request", path = "/api/v1/organizations/{tenant_id}/change-requests/{number}", tag = "change requests",
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("number" = u64, Path, description = "The number of the request"),
    ),
    responses((status = 200, body = ChangeView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn show(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    Path((tenant_id, number)): Path<(String, String)>,
) -> Answered {
    let (Ok(tenant_id), Ok(number)) = (tenant_id.parse(), number.parse()) else {
        return Err(Problem::not_found());
    };
    let request = service.change(&caller, tenant_id, number).await?;
    Ok(Json(ChangeView::new(&request)?).into_response())
}

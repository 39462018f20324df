//! `POST …/configurations/{id}/suspend`, `/restore`, `/deactivate`.

use axum::extract::State;
use axum::http::StatusCode;
use countersign_domain::configurations::Configuration;
use countersign_service::{ChangeConfigurationStatus, StatusChange};

use super::{ConfigurationView, InPath};
use crate::admin::mutation::Mutation;
use crate::admin::organizations::ReasonBody;
use crate::admin::{Answered, App};
use crate::problem::ProblemDocument;

/// Suspend a configuration: no tokens are issued, and those issued before stop being active
#[utoipa::path(
    post, operation_id = "suspend_configuration", path = "/api/v1/organizations/{tenant_id}/configurations/{id}/suspend", tag = "configurations",
    request_body = Option<ReasonBody>,
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
    ),
    responses((status = 200, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn suspend(
    State(service): State<App>,
    path: InPath,
    request: Mutation<ReasonBody>,
) -> Answered {
    change(&service, path, request, StatusChange::Suspend).await
}

/// Restore a suspended configuration
#[utoipa::path(
    post, operation_id = "restore_configuration", path = "/api/v1/organizations/{tenant_id}/configurations/{id}/restore", tag = "configurations",
    request_body = Option<ReasonBody>,
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
    ),
    responses((status = 200, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn restore(
    State(service): State<App>,
    path: InPath,
    request: Mutation<ReasonBody>,
) -> Answered {
    change(&service, path, request, StatusChange::Restore).await
}

/// Deactivate a configuration for good
#[utoipa::path(
    post, operation_id = "deactivate_configuration", path = "/api/v1/organizations/{tenant_id}/configurations/{id}/deactivate", tag = "configurations",
    request_body = Option<ReasonBody>,
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
    ),
    responses((status = 200, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn deactivate(
    State(service): State<App>,
    path: InPath,
    request: Mutation<ReasonBody>,
) -> Answered {
    change(&service, path, request, StatusChange::Deactivate).await
}

async fn change(
    service: &App,
    path: InPath,
    request: Mutation<ReasonBody>,
    change: StatusChange,
) -> Answered {
    let act = ChangeConfigurationStatus {
        tenant_id: path.tenant_id,
        id: path.id,
        expected_version: request.expected_version()?,
        change,
        reason: request.body.reason.clone(),
    };
    let view = |configuration: &Configuration| ConfigurationView::new(configuration, &[]);
    request.run(service, &act, StatusCode::OK, view).await
}

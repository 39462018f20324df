//! `GET …/configurations`, `…/{id}` and `…/{id}/versions`.

use axum::extract::State;
use axum::response::IntoResponse;
use countersign_domain::configurations::ConfigurationStatus;
use countersign_domain::ids::ConfigurationId;
use countersign_service::{ServiceError, StoredVersion};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ConfigurationView, InPath};
use crate::admin::organizations::rfc3339;
use crate::admin::{Answered, App, Authenticated, List, QueryOf, Tenant, asked};
use crate::conditional::with_etag;
use crate::pagination::Paging;
use crate::problem::ProblemDocument;

/// Which configurations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusFilter {
    /// Only those with this status: ACTIVE, SUSPENDED or DEACTIVATED.
    #[param(value_type = Option<String>)]
    status: Option<ConfigurationStatus>,
}

/// One version of a configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionView {
    /// Counts from 1.
    version: u64,
    /// The number of the change request that made it.
    change_request: u64,
    /// When it took effect (RFC 3339).
    applied_at: String,
    /// SHA-256 of the canonical state, hexadecimal.
    digest: String,
    /// The whole state.
    #[schema(value_type = Object)]
    state: serde_json::Value,
}

impl VersionView {
    fn new(version: &StoredVersion) -> Result<Self, ServiceError> {
        Ok(Self {
            version: version.version,
            change_request: version.change_request,
            applied_at: rfc3339(version.applied_at),
            digest: version.digest.to_string(),
            state: serde_json::from_str(&version.state)
                .map_err(|error| ServiceError::Fault(error.to_string()))?,
        })
    }
}

/// List configurations
#[utoipa::path(
    get, operation_id = "list_configurations", path = "/api/v1/organizations/{tenant_id}/configurations", tag = "configurations",
    params(("tenant_id" = String, Path, description = "The organization"), StatusFilter, Paging),
    responses((status = 200, body = List<ConfigurationView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    Tenant(tenant_id): Tenant,
    paging: Paging,
    filter: QueryOf<StatusFilter>,
) -> Answered {
    let filter = asked(filter, "status must be ACTIVE, SUSPENDED or DEACTIVATED.")?;
    let page = paging.page_after::<ConfigurationId>()?;
    let found = service
        .configurations(&caller, tenant_id, filter.status, &page)
        .await?;
    let view = |configuration| ConfigurationView::new(configuration, &[]);
    let views = found.iter().map(view).collect();
    let cursor = |view: &ConfigurationView| view.id.clone();
    Ok(List::new(views, paging.limit, cursor).into_response())
}

/// Show a configuration
#[utoipa::path(
    get, operation_id = "show_configuration", path = "/api/v1/organizations/{tenant_id}/configurations/{id}", tag = "configurations",
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
    ),
    responses((status = 200, body = ConfigurationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn show(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    InPath { tenant_id, id }: InPath,
) -> Answered {
    let configuration = service.configuration(&caller, tenant_id, id).await?;
    let view = ConfigurationView::new(&configuration, &[]);
    Ok(with_etag(configuration.version, view))
}

/// List the versions of a configuration, the newest first
#[utoipa::path(
    get, operation_id = "list_configuration_versions", path = "/api/v1/organizations/{tenant_id}/configurations/{id}/versions", tag = "configurations",
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("id" = String, Path, description = "The configuration"),
        Paging,
    ),
    responses((status = 200, body = List<VersionView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn versions(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    InPath { tenant_id, id }: InPath,
    paging: Paging,
) -> Answered {
    let page = paging.page_after::<i64>()?;
    let found = service
        .versions(&caller, tenant_id, &id.to_string(), &page)
        .await?;
    let views: Result<Vec<VersionView>, ServiceError> =
        found.iter().map(VersionView::new).collect();
    let cursor = |view: &VersionView| view.version.to_string();
    Ok(List::new(views?, paging.limit, cursor).into_response())
}

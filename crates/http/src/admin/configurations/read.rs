//! `GET …/configurations`, `…/{id}` and `…/{id}/versions`.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use countersign_domain::configurations::ConfigurationStatus;
use countersign_domain::ids::ConfigurationId;
use countersign_service::StoredVersion;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ConfigurationView, InPath};
use crate::admin::organizations::rfc3339;
use crate::admin::{App, Authenticated, List, Tenant, problem};
use crate::conditional::with_etag;
use crate::pagination::Paging;
use crate::problem::{Problem, ProblemDocument};

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
    fn new(version: &StoredVersion) -> Self {
        Self {
            version: version.version,
            change_request: version.change_request,
            applied_at: rfc3339(version.applied_at),
            digest: version.digest.to_string(),
            state: serde_json::from_str(&version.state).unwrap_or_default(),
        }
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
    filter: Result<Query<StatusFilter>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(filter)) = filter else {
        let detail = "status must be ACTIVE, SUSPENDED or DEACTIVATED.";
        return Problem::bad_request("query_invalid", detail).into_response();
    };
    let page = match paging.page_after::<ConfigurationId>() {
        Ok(page) => page,
        Err(problem) => return problem.into_response(),
    };
    match service
        .configurations(&caller, tenant_id, filter.status, &page)
        .await
    {
        Ok(found) => {
            let views = found
                .iter()
                .map(|configuration| ConfigurationView::new(configuration, &[]))
                .collect();
            List::new(views, paging.limit, |view: &ConfigurationView| {
                view.id.clone()
            })
            .into_response()
        }
        Err(error) => problem(error).into_response(),
    }
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
) -> Response {
    match service.configuration(&caller, tenant_id, id).await {
        Ok(configuration) => with_etag(
            configuration.version,
            ConfigurationView::new(&configuration, &[]),
        ),
        Err(error) => problem(error).into_response(),
    }
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
) -> Response {
    let page = match paging.page_after::<i64>() {
        Ok(page) => page,
        Err(problem) => return problem.into_response(),
    };
    let target = id.to_string();
    match service.versions(&caller, tenant_id, &target, &page).await {
        Ok(found) => {
            let views = found.iter().map(VersionView::new).collect();
            List::new(views, paging.limit, |view: &VersionView| {
                view.version.to_string()
            })
            .into_response()
        }
        Err(error) => problem(error).into_response(),
    }
}

//! `GET …/activity`: refusals and administrative acts, of an organization or of the platform.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::CorrelationId;
use countersign_service::{ActivityFilter, ActivityPage, Page, RecordedActivity};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::organizations::rfc3339;
use super::{Answered, App, Authenticated, List, QueryOf, Tenant, asked};
use crate::pagination::Paging;
use crate::problem::{Problem, ProblemDocument};

/// Which entries to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilterParams {
    /// Only the entries of one answer.
    correlation_id: Option<String>,
    /// Only entries of one kind, for example token.refused.
    kind: Option<String>,
}

impl FilterParams {
    /// What the store is asked for; nothing is asked that no entry can have.
    fn filter(self) -> Result<ActivityFilter, Problem> {
        let is_id = |text: &String| text.parse::<CorrelationId>().is_ok();
        let is_kind = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.correlation_id.as_ref().is_none_or(is_id)
            || !self.kind.as_ref().is_none_or(is_kind)
        {
            let detail =
                "correlation_id must be one that an answer had, and kind one that an entry has.";
            return Err(Problem::bad_request("query_invalid", detail));
        }
        Ok(ActivityFilter {
            correlation_id: self.correlation_id,
            kind: self.kind,
        })
    }
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActivityView {
    /// Its place; grows with time.
    id: u64,
    /// When (RFC 3339).
    at: String,
    /// What kind of thing.
    #[schema(example = "token.refused")]
    kind: String,
    /// The correlation ID of the answer.
    correlation_id: String,
    /// Who.
    actor: String,
    /// The particulars.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

impl ActivityView {
    fn new(recorded: RecordedActivity) -> Self {
        Self {
            id: recorded.id,
            at: rfc3339(recorded.entry.at),
            kind: recorded.entry.kind,
            correlation_id: recorded.entry.correlation_id,
            actor: recorded.entry.actor,
            detail: recorded.entry.detail,
        }
    }
}

/// List what happened in an organization, the newest first
#[utoipa::path(
    get, operation_id = "list_activity", path = "/api/v1/organizations/{tenant_id}/activity", tag = "activity",
    params(("tenant_id" = String, Path, description = "The organization"), FilterParams, Paging),
    responses((status = 200, body = List<ActivityView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    Tenant(tenant_id): Tenant,
    paging: Paging,
    filter: QueryOf<FilterParams>,
) -> Answered {
    let (filter, page) = wanted(filter, &paging)?;
    let found = service.activity(&caller, tenant_id, &filter, &page).await?;
    Ok(render(found, &paging))
}

/// List what happened on the platform itself, the newest first
#[utoipa::path(
    get, operation_id = "list_platform_activity", path = "/api/v1/activity", tag = "activity",
    params(FilterParams, Paging),
    responses((status = 200, body = List<ActivityView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list_platform(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    paging: Paging,
    filter: QueryOf<FilterParams>,
) -> Answered {
    let (filter, page) = wanted(filter, &paging)?;
    let found = service.platform_activity(&caller, &filter, &page).await?;
    Ok(render(found, &paging))
}

fn wanted(
    filter: QueryOf<FilterParams>,
    paging: &Paging,
) -> Result<(ActivityFilter, Page), Problem> {
    let params = asked(filter, "The query cannot be read.")?;
    Ok((params.filter()?, paging.page_after::<u64>()?))
}

fn render(found: ActivityPage, paging: &Paging) -> Response {
    let views = found.into_iter().map(ActivityView::new).collect();
    List::new(views, paging.limit, |view: &ActivityView| {
        view.id.to_string()
    })
    .into_response()
}

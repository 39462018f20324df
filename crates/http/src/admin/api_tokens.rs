//! `/api/v1/api-tokens`.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use countersign_domain::api_tokens::{ApiRole, ApiScope, ApiToken};
use countersign_domain::ids::ApiTokenId;
use countersign_service::{CreateApiToken, NewApiToken, RevokeApiToken};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::mutation::{Body, Mutation, NoBody};
use super::organizations::rfc3339;
use super::{App, Authenticated, List, problem};
use crate::pagination::Paging;
use crate::problem::{Problem, ProblemDocument};

/// How long an API token lives when nothing is said, in days.
const DEFAULT_DAYS: u32 = 90;

/// An API token, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiTokenView {
    /// Its ID.
    id: String,
    /// What people call it.
    name: String,
    /// `platform` or `organization`.
    scope: &'static str,
    /// Its organization.
    #[schema(required = true)]
    tenant_id: Option<String>,
    /// `admin`, `auditor` or `introspector`.
    role: &'static str,
    /// When it was made (RFC 3339).
    created_at: String,
    /// From then on it is refused (RFC 3339).
    expires_at: String,
    /// The secret; only in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl ApiTokenView {
    fn new(token: &ApiToken) -> Self {
        let (scope, tenant_id) = match token.scope {
            ApiScope::Organization(tenant_id) => ("organization", Some(tenant_id.to_string())),
            ApiScope::Platform => ("platform", None),
        };
        Self {
            id: token.id.to_string(),
            name: token.name.as_str().to_owned(),
            scope,
            tenant_id,
            role: token.role.as_str(),
            created_at: rfc3339(token.created_at),
            expires_at: rfc3339(token.expires_at),
            token: None,
        }
    }
}

/// An API token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiTokenBody {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// `platform` or `organization`.
    scope: ScopeName,
    /// The organization, for the scope `organization`.
    tenant_id: Option<String>,
    /// `admin`, `auditor` or `introspector`.
    #[schema(value_type = String, example = "admin")]
    role: ApiRole,
    /// How long it lives, in days: 1 to 365; 90 when left out.
    expires_in_days: Option<u32>,
}

impl Body for NewApiTokenBody {}

/// Where an API token is valid.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScopeName {
    /// In one organization.
    Organization,
    /// On the platform.
    Platform,
}

/// Whose tokens to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TenantFilter {
    /// Only those of this organization.
    tenant_id: Option<String>,
}

impl NewApiTokenBody {
    fn act(&self) -> Result<CreateApiToken, Problem> {
        let scope = match (self.scope, &self.tenant_id) {
            (ScopeName::Platform, None) => ApiScope::Platform,
            (ScopeName::Organization, Some(tenant_id)) => {
                ApiScope::Organization(tenant_id.parse().map_err(|_| Problem::not_found())?)
            }
            (ScopeName::Platform, Some(_)) | (ScopeName::Organization, None) => {
                let detail =
                    "tenant_id belongs to the scope `organization`, and only to it.".to_owned();
                return Err(Problem::invalid_member(
                    "tenant_id_mismatch",
                    detail,
                    "/tenant_id".to_owned(),
                ));
            }
        };
        let days = self.expires_in_days.unwrap_or(DEFAULT_DAYS);
        Ok(CreateApiToken {
            name: self.name.clone(),
            scope,
            role: self.role,
            days,
        })
    }
}

/// Make an API token; the secret is in this answer and never again
#[utoipa::path(
    post, operation_id = "create_api_token", path = "/api/v1/api-tokens", tag = "API tokens", request_body = NewApiTokenBody,
    responses((status = 201, body = ApiTokenView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn create(
    State(service): State<App>,
    request: Mutation<NewApiTokenBody>,
) -> Response {
    if request.is_idempotent() {
        let detail = "An answer with a secret is not kept, so this request cannot be repeated under an Idempotency-Key.";
        return Problem::bad_request("idempotency_not_supported", detail).into_response();
    }
    let act = match request.body.act() {
        Ok(act) => act,
        Err(problem) => return problem.into_response(),
    };
    let view = |new: &NewApiToken| ApiTokenView {
        token: Some(new.secret.reveal().to_owned()),
        ..ApiTokenView::new(&new.token)
    };
    request.run(&service, &act, StatusCode::CREATED, view).await
}

/// List API tokens
#[utoipa::path(
    get, operation_id = "list_api_tokens", path = "/api/v1/api-tokens", tag = "API tokens", params(TenantFilter, Paging),
    responses((status = 200, body = List<ApiTokenView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    paging: Paging,
    filter: Result<Query<TenantFilter>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(filter)) = filter else {
        return Problem::bad_request("query_invalid", "The query cannot be read.").into_response();
    };
    let Ok(tenant_id) = filter
        .tenant_id
        .map(|tenant_id| tenant_id.parse())
        .transpose()
    else {
        return Problem::not_found().into_response();
    };
    let page = match paging.page_after::<ApiTokenId>() {
        Ok(page) => page,
        Err(problem) => return problem.into_response(),
    };
    match service.api_tokens(&caller, tenant_id, &page).await {
        Ok(found) => {
            let views = found.iter().map(ApiTokenView::new).collect();
            List::new(views, paging.limit, |view: &ApiTokenView| view.id.clone()).into_response()
        }
        Err(error) => problem(error).into_response(),
    }
}

/// Revoke an API token
#[utoipa::path(
    delete, operation_id = "revoke_api_token", path = "/api/v1/api-tokens/{id}", tag = "API tokens",
    params(("id" = String, Path, description = "The API token")),
    responses((status = 204), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn revoke(
    State(service): State<App>,
    Path(id): Path<String>,
    request: Mutation<NoBody>,
) -> Response {
    let Ok(id) = id.parse() else {
        return Problem::not_found().into_response();
    };
    request
        .run(
            &service,
            &RevokeApiToken { id },
            StatusCode::NO_CONTENT,
            |()| (),
        )
        .await
}

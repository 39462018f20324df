//! `/api/v1/api-tokens`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use countersign_domain::api_tokens::{ApiRole, ApiScope, ApiToken};
use countersign_domain::ids::{ApiTokenId, TenantId};
use countersign_service::{CreateApiToken, NewApiToken, RevokeApiToken};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Body, NoBody};
use super::mutation::Mutation;
use super::organizations::rfc3339;
use super::{Answered, App, Authenticated, List, QueryOf, asked};
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

impl TenantFilter {
    /// The organization, if one is named; a malformed ID is one that does not exist.
    fn tenant(self) -> Result<Option<TenantId>, Problem> {
        let tenant_id = self.tenant_id.map(|tenant_id| tenant_id.parse());
        tenant_id.transpose().map_err(|_| Problem::not_found())
    }
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
) -> Answered {
    request.refuse_repetition()?;
    let act = request.body.act()?;
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
    filter: QueryOf<TenantFilter>,
) -> Answered {
    let tenant_id = asked(filter, "The query cannot be read.")?.tenant()?;
    let page = paging.page_after::<ApiTokenId>()?;
    let found = service.api_tokens(&caller, tenant_id, &page).await?;
    let views = found.iter().map(ApiTokenView::new).collect();
    Ok(List::new(views, paging.limit, |view: &ApiTokenView| view.id.clone()).into_response())
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
) -> Answered {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let act = RevokeApiToken { id };
    request
        .run(&service, &act, StatusCode::NO_CONTENT, |()| ())
        .await
}

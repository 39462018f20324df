//! The admin API: `/api/v1`, JSON, problem details (RFC 9457).

mod activity;
mod api_tokens;
mod changes;
mod configurations;
mod document;
mod explain;
mod instance;
mod keys;
mod mutation;
mod organizations;
mod signing_keys;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use countersign_domain::ids::TenantId;
use countersign_service::{Caller, RefusedKind, Service, ServiceError};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;

/// The state that every handler of the admin API needs.
pub(crate) type App = Arc<Service>;

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::blank())
        .routes(routes!(organizations::create, organizations::list))
        .routes(routes!(organizations::show, organizations::edit))
        .routes(routes!(organizations::suspend))
        .routes(routes!(organizations::restore))
        .routes(routes!(
            configurations::create::create,
            configurations::read::list
        ))
        .routes(routes!(
            configurations::read::show,
            configurations::edit::edit
        ))
        .routes(routes!(configurations::read::versions))
        .routes(routes!(configurations::rotate::rotate))
        .routes(routes!(configurations::status::suspend))
        .routes(routes!(configurations::status::restore))
        .routes(routes!(configurations::status::deactivate))
        .routes(routes!(keys::preview))
        .routes(routes!(explain::explain))
        .routes(routes!(changes::list))
        .routes(routes!(changes::show))
        .routes(routes!(activity::list))
        .routes(routes!(activity::list_platform))
        .routes(routes!(signing_keys::list))
        .routes(routes!(signing_keys::rotate))
        .routes(routes!(signing_keys::revoke_token))
        .routes(routes!(api_tokens::create, api_tokens::list))
        .routes(routes!(api_tokens::revoke))
        .routes(routes!(instance::show))
        .routes(routes!(instance::confirm_restore))
}

/// The routes of the admin API and its OpenAPI document.
pub(crate) fn router() -> Router<App> {
    let (router, document) = parts();
    let document: Arc<str> = to_json(&document).into();
    router.route(
        "/api/openapi.json",
        get(move || async move {
            (
                [(axum::http::header::CONTENT_TYPE, "application/json")],
                document.to_string(),
            )
        }),
    )
}

/// The OpenAPI 3.1 document of the admin API.
#[must_use]
pub fn openapi_json() -> String {
    to_json(&parts().1)
}

fn parts() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (router, mut document) = documented().split_for_parts();
    document::complete(&mut document);
    (router, document)
}

fn to_json(document: &utoipa::openapi::OpenApi) -> String {
    document
        .to_pretty_json()
        .expect("the document consists of values that JSON has")
}

/// The caller of a request, proven by its API token; looked up once per request, and before anything of the request is
/// looked at.
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<App> for Authenticated {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &App) -> Result<Self, Response> {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Ok(Self(caller.clone()));
        }
        let bearer = bearer_token(parts).ok_or_else(|| Problem::unauthorized().into_response())?;
        let correlation_id = crate::front::correlation_id(&parts.extensions);
        match service.authenticate(bearer, correlation_id).await {
            Ok(Some(caller)) => {
                parts.extensions.insert(caller.clone());
                Ok(Self(caller))
            }
            Ok(None) => Err(Problem::unauthorized().into_response()),
            Err(error) => Err(problem(error).into_response()),
        }
    }
}

/// The Bearer token of a request (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1).
pub(crate) fn bearer_token(parts: &Parts) -> Option<&str> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// The organization that a path names; a malformed ID is one that does not exist.
pub(crate) struct Tenant(pub(crate) TenantId);

impl FromRequestParts<App> for Tenant {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, Response> {
        Authenticated::from_request_parts(parts, state).await?;
        let not_found = || Problem::not_found().into_response();
        let Path(names) =
            Path::<std::collections::HashMap<String, String>>::from_request_parts(parts, state)
                .await
                .map_err(|_| not_found())?;
        let tenant = names
            .get("tenant_id")
            .and_then(|tenant| tenant.parse().ok());
        tenant.map(Self).ok_or_else(not_found)
    }
}

/// A page of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct List<T> {
    /// The entries.
    items: Vec<T>,
    /// Where the next page begins; `null` on the last page.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page out of entries of which one more than `limit` was asked for.
    pub(crate) fn new(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Json<Self> {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items
            .last()
            .filter(|_| more)
            .map(|last| crate::pagination::encode(&cursor(last)));
        Json(Self { items, next_cursor })
    }
}

/// The answer to a use case that did not succeed.
pub(crate) fn problem(error: ServiceError) -> Problem {
    match error {
        ServiceError::Collided | ServiceError::ComparisonNeeded(_) | ServiceError::KeyNeeded(_) => {
            Problem::unavailable(1)
        }
        ServiceError::Fault(cause) => {
            tracing::error!(cause, "a fault");
            Problem::internal()
        }
        ServiceError::Forbidden(refused) => Problem::forbidden(refused.code, refused.detail),
        ServiceError::NotFound => Problem::not_found(),
        ServiceError::RateLimited { retry_after } => Problem::slow_down(retry_after),
        ServiceError::Unavailable { retry_after } => Problem::unavailable(retry_after),
        ServiceError::Refused(refused) => match refused.kind {
            RefusedKind::Conflict => {
                Problem::conflict(refused.code, refused.detail).blaming(refused.pointer)
            }
            RefusedKind::PreconditionFailed => {
                Problem::precondition_failed(refused.code, refused.detail)
            }
            RefusedKind::Invalid => {
                Problem::unprocessable(refused.code, refused.detail).blaming(refused.pointer)
            }
        },
    }
}

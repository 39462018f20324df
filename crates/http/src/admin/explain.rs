//! `POST /api/v1/organizations/{tenant_id}/explain`: the workbench.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_domain::assertion::{Check, Flow};
use countersign_domain::permission_groups::to_scope;
use countersign_service::{ExchangeRequest, Explained};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mutation::{Body, Mutation};
use super::organizations::rfc3339;
use super::{App, Tenant, problem};
use crate::problem::ProblemDocument;

/// An assertion to explain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainBody {
    /// The compact JWT.
    assertion: String,
    /// The `scope` parameter that would be sent.
    scope: Option<String>,
    /// The `resource` parameters that would be sent (RFC 8707).
    #[serde(default)]
    resource: Vec<String>,
    /// The `client_id` parameter that would be sent.
    client_id: Option<String>,
    /// How it would be sent.
    #[serde(default)]
    flow: FlowName,
}

impl Body for ExplainBody {}

/// How an assertion is sent.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FlowName {
    /// As `client_assertion` (private_key_jwt).
    #[default]
    ClientAssertion,
    /// As `assertion` of the jwt-bearer grant.
    JwtBearer,
    /// To the compatibility route.
    Compatibility,
}

impl FlowName {
    const fn flow(self) -> Flow {
        match self {
            Self::ClientAssertion => Flow::ClientAuthentication,
            Self::JwtBearer => Flow::AuthorizationGrant,
            Self::Compatibility => Flow::Compatibility,
        }
    }
}

/// The fourteen checks and what became of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplanationView {
    /// `accepted` or `refused`.
    outcome: &'static str,
    /// The reason code of the refusal.
    #[schema(required = true)]
    reason: Option<&'static str>,
    /// The checks, in the order in which they run.
    checks: Vec<CheckView>,
    /// Guesses about the cause, the likeliest first.
    hints: Vec<HintView>,
    /// What a token would be granted.
    #[schema(required = true)]
    grant: Option<GrantView>,
}

/// One check.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckView {
    /// 1 to 14.
    number: u8,
    /// What it is called.
    name: &'static str,
    /// `passed`, `failed` or `not_reached`.
    status: &'static str,
    /// What the assertion has.
    seen: String,
    /// What would be accepted.
    expected: String,
    /// The reason code, when it failed.
    #[schema(required = true)]
    reason: Option<&'static str>,
    /// What is wrong and what to do, when it failed.
    detail: String,
}

/// A guess about the cause of a refusal.
#[derive(Serialize, ToSchema)]
pub(crate) struct HintView {
    /// Its stable code.
    code: &'static str,
    /// What was probably meant.
    detail: String,
}

/// What a token would be granted.
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantView {
    /// The permission groups.
    scope: String,
    /// When the token would end (RFC 3339).
    expires_at: String,
}

impl ExplanationView {
    fn new(explained: &Explained) -> Self {
        let refusal = explained.refusal.as_ref();
        Self {
            outcome: if refusal.is_none() {
                "accepted"
            } else {
                "refused"
            },
            reason: refusal.map(|refusal| refusal.reason.code()),
            checks: Check::ALL
                .iter()
                .map(|check| CheckView::new(*check, explained))
                .collect(),
            hints: explained
                .hints
                .iter()
                .map(|hint| HintView {
                    code: hint.code,
                    detail: hint.detail.clone(),
                })
                .collect(),
            grant: explained.grant.as_ref().map(|grant| GrantView {
                scope: to_scope(grant.scope()),
                expires_at: rfc3339(grant.expires_at()),
            }),
        }
    }
}

impl CheckView {
    fn new(check: Check, explained: &Explained) -> Self {
        let blank = |status| Self {
            number: check.number(),
            name: check.title(),
            status,
            seen: String::new(),
            expected: String::new(),
            reason: None,
            detail: String::new(),
        };
        if let Some(refusal) = explained
            .refusal
            .as_ref()
            .filter(|_| explained.failed_check() == Some(check))
        {
            return Self {
                seen: refusal.seen.to_string(),
                expected: refusal.expected.to_string(),
                reason: Some(refusal.reason.code()),
                detail: refusal.reason.sentence().to_owned(),
                ..blank("failed")
            };
        }
        match explained.passed.iter().find(|step| step.check == check) {
            Some(step) => Self {
                seen: step.seen.clone(),
                expected: step.expected.clone(),
                ..blank("passed")
            },
            None => blank("not_reached"),
        }
    }
}

/// Explain what the token endpoint would say to an assertion; it is not used up
#[utoipa::path(
    post, operation_id = "explain_assertion", path = "/api/v1/organizations/{tenant_id}/explain", tag = "workbench", request_body = ExplainBody,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = ExplanationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn explain(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<ExplainBody>,
) -> Response {
    let body = &request.body;
    let resources: Vec<&str> = body.resource.iter().map(String::as_str).collect();
    let asked = ExchangeRequest {
        assertion: &body.assertion,
        flow: body.flow.flow(),
        scope: body.scope.as_deref(),
        resources: &resources,
        client_id: body.client_id.as_deref(),
        correlation_id: request.correlation_id(),
    };
    match service.explain(request.caller(), tenant_id, asked).await {
        Ok(explained) => Json(ExplanationView::new(&explained)).into_response(),
        Err(error) => problem(error).into_response(),
    }
}

//! Organizations.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use countersign_domain::ids::TenantId;
use countersign_domain::organizations::{Organization, OrganizationEdit};
use countersign_domain::time::UnixTime;
use countersign_service::{
    ChangeOrganizationStatus, CreateOrganization, EditOrganization, OrganizationStatusChange,
    Service, SigningAlgorithm,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Body;
use super::mutation::Mutation;
use super::{Answered, App, Authenticated, List, Tenant};
use crate::conditional::with_etag;
use crate::pagination::Paging;
use crate::problem::ProblemDocument;

/// An organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationView {
    /// Its ID.
    #[schema(example = "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7")]
    tenant_id: String,
    /// What people call it.
    name: String,
    /// `ACTIVE` or `SUSPENDED`.
    status: &'static str,
    /// The issuer of its access tokens.
    issuer: String,
    /// Where its servers exchange assertions.
    token_endpoint: String,
    /// Where its public signing keys are.
    jwks_uri: String,
    /// The algorithm of its access tokens.
    signing_algorithm: &'static str,
    /// The permission groups that it is entitled to.
    permission_groups: Vec<String>,
    /// When it was created (RFC 3339).
    created_at: String,
    /// When it was last changed (RFC 3339).
    updated_at: String,
    /// Counts its changes; also the `ETag`.
    version: u64,
    /// The number of the change request that made this version.
    change_request: u64,
}

impl OrganizationView {
    fn new(service: &Service, organization: &Organization) -> Self {
        let issuer = service.settings().public_url.issuer(organization.tenant_id);
        Self {
            tenant_id: organization.tenant_id.to_string(),
            name: organization.state.name.as_str().to_owned(),
            status: organization.state.status.as_str(),
            token_endpoint: format!("{issuer}/token"),
            jwks_uri: format!("{issuer}/jwks"),
            issuer: issuer.to_string(),
            signing_algorithm: organization.state.signing_algorithm.as_str(),
            permission_groups: organization
                .state
                .permission_groups
                .iter()
                .map(ToString::to_string)
                .collect(),
            created_at: rfc3339(organization.created_at),
            updated_at: rfc3339(organization.updated_at),
            version: organization.version,
            change_request: organization.change_request,
        }
    }
}

/// A moment in RFC 3339.
pub(crate) fn rfc3339(moment: UnixTime) -> String {
    moment.to_string()
}

/// An organization to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganization {
    /// What people will call it: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "Acme Bank")]
    name: String,
    /// The algorithm of its access tokens: ES256 (default), EdDSA, PS256 or RS256.
    #[schema(value_type = Option<String>, example = "ES256")]
    signing_algorithm: Option<SigningAlgorithm>,
    /// The permission groups that it is entitled to.
    permission_groups: Option<Vec<String>>,
}

impl Body for NewOrganization {}

/// Changes to an organization; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationPatch {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// The algorithm of its access tokens: ES256, EdDSA, PS256 or RS256. A new key is published first.
    #[schema(value_type = Option<String>, example = "ES256")]
    signing_algorithm: Option<SigningAlgorithm>,
    /// The permission groups that it is entitled to.
    permission_groups: Option<Vec<String>>,
}

impl Body for OrganizationPatch {}

/// Why something is done.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// Why, for whoever reads the change request later.
    pub(crate) reason: Option<String>,
}

impl Body for ReasonBody {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

/// Create an organization
#[utoipa::path(
    post, operation_id = "create_organization", path = "/api/v1/organizations", tag = "organizations", request_body = NewOrganization,
    responses((status = 201, body = OrganizationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn create(
    State(service): State<App>,
    request: Mutation<NewOrganization>,
) -> Answered {
    let NewOrganization {
        name,
        signing_algorithm,
        permission_groups,
    } = &request.body;
    let fields = OrganizationEdit {
        name: None,
        signing_algorithm: *signing_algorithm,
        permission_groups: permission_groups.clone(),
    };
    let act = CreateOrganization {
        name: name.clone(),
        fields,
    };
    let view = |organization: &Organization| OrganizationView::new(&service, organization);
    request.run(&service, &act, StatusCode::CREATED, view).await
}

/// List organizations
#[utoipa::path(
    get, operation_id = "list_organizations", path = "/api/v1/organizations", tag = "organizations", params(Paging),
    responses((status = 200, body = List<OrganizationView>), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn list(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    paging: Paging,
) -> Answered {
    let page = paging.page_after::<TenantId>()?;
    let found = service.organizations(&caller, &page).await?;
    let view = |organization| OrganizationView::new(&service, organization);
    let views = found.iter().map(view).collect();
    let cursor = |view: &OrganizationView| view.tenant_id.clone();
    Ok(List::new(views, paging.limit, cursor).into_response())
}

/// Show an organization
#[utoipa::path(
    get, operation_id = "show_organization", path = "/api/v1/organizations/{tenant_id}", tag = "organizations",
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = OrganizationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn show(
    State(service): State<App>,
    Authenticated(caller): Authenticated,
    Tenant(tenant_id): Tenant,
) -> Answered {
    let organization = service.organization(&caller, tenant_id).await?;
    let view = OrganizationView::new(&service, &organization);
    Ok(with_etag(organization.version, view))
}

/// Edit an organization
#[utoipa::path(
    patch, operation_id = "edit_organization", path = "/api/v1/organizations/{tenant_id}", tag = "organizations", request_body = OrganizationPatch,
    params(
        ("tenant_id" = String, Path, description = "The organization"),
        ("If-Match" = String, Header, description = "The ETag that was read"),
    ),
    responses((status = 200, body = OrganizationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn edit(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<OrganizationPatch>,
) -> Answered {
    let OrganizationPatch {
        name,
        signing_algorithm,
        permission_groups,
    } = &request.body;
    let act = EditOrganization {
        tenant_id,
        expected_version: request.required_version()?,
        fields: OrganizationEdit {
            name: name.clone(),
            signing_algorithm: *signing_algorithm,
            permission_groups: permission_groups.clone(),
        },
    };
    let view = |organization: &Organization| OrganizationView::new(&service, organization);
    request.run(&service, &act, StatusCode::OK, view).await
}

/// Suspend an organization: nothing is issued and nothing issued is accepted
#[utoipa::path(
    post, operation_id = "suspend_organization", path = "/api/v1/organizations/{tenant_id}/suspend", tag = "organizations", request_body = Option<ReasonBody>,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = OrganizationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn suspend(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<ReasonBody>,
) -> Answered {
    change_status(
        &service,
        tenant_id,
        request,
        OrganizationStatusChange::Suspend,
    )
    .await
}

/// Restore a suspended organization
#[utoipa::path(
    post, operation_id = "restore_organization", path = "/api/v1/organizations/{tenant_id}/restore", tag = "organizations", request_body = Option<ReasonBody>,
    params(("tenant_id" = String, Path, description = "The organization")),
    responses((status = 200, body = OrganizationView), (status = "default", body = ProblemDocument)),
)]
pub(crate) async fn restore(
    State(service): State<App>,
    Tenant(tenant_id): Tenant,
    request: Mutation<ReasonBody>,
) -> Answered {
    change_status(
        &service,
        tenant_id,
        request,
        OrganizationStatusChange::Restore,
    )
    .await
}

async fn change_status(
    service: &App,
    tenant_id: TenantId,
    request: Mutation<ReasonBody>,
    change: OrganizationStatusChange,
) -> Answered {
    let act = ChangeOrganizationStatus {
        tenant_id,
        expected_version: request.expected_version()?,
        change,
        reason: request.body.reason.clone(),
    };
    let view = |organization: &Organization| OrganizationView::new(service, organization);
    request.run(service, &act, StatusCode::OK, view).await
}

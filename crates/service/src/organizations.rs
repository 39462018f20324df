//! Organizations: create, edit, suspend, restore, read.

use countersign_domain::change::{Base, ChangeKind};
use countersign_domain::ids::TenantId;
use countersign_domain::organizations::{
    Organization, OrganizationEdit, OrganizationRefusal, OrganizationState,
};
use countersign_domain::text::Note;
use countersign_store::{Page, Unit};

use crate::access::Caller;
use crate::changes::{Act, Context, Submission, base_moved, submit};
use crate::error::{Refused, RefusedKind, ServiceError};
use crate::{Service, chance, keyring};

/// Creates an organization with its first signing key.
#[derive(Debug)]
pub struct CreateOrganization {
    /// What people will call it.
    pub name: String,
    /// Further fields.
    pub fields: OrganizationEdit,
}

/// Edits an organization.
#[derive(Debug)]
pub struct EditOrganization {
    /// Which one.
    pub tenant_id: TenantId,
    /// The version that the caller saw; `None` for any.
    pub expected_version: Option<u64>,
    /// What changes.
    pub fields: OrganizationEdit,
}

/// What becomes of an organization's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationStatusChange {
    /// Undo the containment.
    Restore,
    /// Contain it: nothing is issued, and nothing issued is accepted.
    Suspend,
}

/// Suspends or restores an organization.
#[derive(Debug)]
pub struct ChangeOrganizationStatus {
    /// Which one.
    pub tenant_id: TenantId,
    /// The version that the caller saw; `None` for any.
    pub expected_version: Option<u64>,
    /// What becomes of it.
    pub change: OrganizationStatusChange,
    /// Why.
    pub reason: Option<String>,
}

impl Act for CreateOrganization {
    type Output = Organization;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Organization, ServiceError> {
        context.caller.require_platform_admin()?;
        let tenant_id = TenantId::from_random(chance::octets());
        let state = OrganizationState::new(&self.name, self.fields.clone())?;
        let key = context.spare.take(state.signing_algorithm)?;
        let organization = apply(
            unit,
            context,
            (tenant_id, Base::NOTHING),
            ChangeKind::OrganizationCreate,
            (state, None),
        )
        .await?;
        let master = context.service.master();
        keyring::replace_all(unit, master, (tenant_id, &key), context.now).await?;
        Ok(organization)
    }
}

impl Act for EditOrganization {
    type Output = Organization;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Organization, ServiceError> {
        context.caller.require_platform_admin()?;
        let (base, state) = read_for_change(unit, self.tenant_id, self.expected_version).await?;
        let after = state.edit(self.fields.clone())?;
        apply(
            unit,
            context,
            (self.tenant_id, base),
            ChangeKind::OrganizationEdit,
            (after, None),
        )
        .await
    }
}

impl Act for ChangeOrganizationStatus {
    type Output = Organization;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Organization, ServiceError> {
        context.caller.require_platform_admin()?;
        let (base, state) = read_for_change(unit, self.tenant_id, self.expected_version).await?;
        let reason = stated_reason(self.reason.as_deref())?;
        let (kind, after): (_, Result<_, OrganizationRefusal>) = match self.change {
            OrganizationStatusChange::Restore => (ChangeKind::OrganizationRestore, state.restore()),
            OrganizationStatusChange::Suspend => {
                (ChangeKind::OrganizationSuspend, state.suspend(context.now))
            }
        };
        apply(
            unit,
            context,
            (self.tenant_id, base),
            kind,
            (after?, reason),
        )
        .await
    }
}

/// Why a status is changed, as approvers and auditors will read it.
///
/// # Errors
/// As a [`Note`] is refused.
pub(crate) fn stated_reason(text: Option<&str>) -> Result<Option<String>, ServiceError> {
    let refused = |cause| {
        ServiceError::Refused(Refused {
            kind: RefusedKind::Invalid,
            code: "text_malformed",
            detail: format!("reason {cause}"),
            pointer: Some("/reason".to_owned()),
        })
    };
    text.map(|text| Note::parse(text).map(String::from).map_err(refused))
        .transpose()
}

async fn read_for_change(
    unit: &mut Unit,
    tenant_id: TenantId,
    expected_version: Option<u64>,
) -> Result<(Base, OrganizationState), ServiceError> {
    let organization = unit
        .organization(tenant_id)
        .await?
        .ok_or(ServiceError::NotFound)?;
    if expected_version.is_some_and(|expected| expected != organization.version) {
        return Err(base_moved());
    }
    let base = unit.base_of(tenant_id, &tenant_id.to_string()).await?;
    Ok((base, organization.state))
}

async fn apply(
    unit: &mut Unit,
    context: &Context<'_>,
    (tenant_id, base): (TenantId, Base),
    kind: ChangeKind,
    (state, reason): (OrganizationState, Option<String>),
) -> Result<Organization, ServiceError> {
    let after =
        serde_json::to_value(&state).map_err(|error| ServiceError::Fault(error.to_string()))?;
    let submission = Submission {
        kind,
        tenant_id,
        target: tenant_id.to_string(),
        base,
        after,
        reason,
    };
    submit(unit, context, submission).await?;
    unit.organization(tenant_id)
        .await?
        .ok_or(ServiceError::NotFound)
}

impl Service {
    /// One organization.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization.
    pub async fn organization(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
    ) -> Result<Organization, ServiceError> {
        caller.require_read(tenant_id)?;
        self.store()
            .read()
            .await?
            .organization(tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)
    }

    /// The organizations that the caller may see, in the order of their IDs.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn organizations(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Vec<Organization>, ServiceError> {
        let mut unit = self.store().read().await?;
        match caller.tenant() {
            None => {
                caller.require_platform()?;
                Ok(unit.organizations(page).await?)
            }
            Some(own) => {
                caller.require_read(own)?;
                let first_page = page.after.is_none();
                let organization = unit.organization(own).await?;
                Ok(organization.into_iter().filter(|_| first_page).collect())
            }
        }
    }
}

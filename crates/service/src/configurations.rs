//! Configurations: create, edit, rotate, suspend, restore, deactivate, read.

use countersign_crypto::import::{Import, ImportOptions, ImportedKey, import_keys};
use countersign_crypto::random_bytes;
use countersign_crypto::{Algorithm, KeyFingerprint};
use countersign_domain::change::{Base, ChangeKind};
use countersign_domain::configurations::{
    AuthType, Configuration, ConfigurationEdit, ConfigurationRefusal, ConfigurationState,
    ConfigurationStatus, DEFAULT_RETIRE_AFTER, NewConfiguration, RegisteredKey, Rotation,
};
use countersign_domain::identifier::Identifier;
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::organizations::OrganizationState;
use countersign_domain::time::UnixTime;
use countersign_store::{Page, Unit};

use crate::access::Caller;
use crate::changes::{Act, Context, Submission, base_moved, submit};
use crate::error::ServiceError;
use crate::organizations::stated_reason;
use crate::{Service, shared_primes};

/// Creates a configuration.
#[derive(Debug)]
pub struct CreateConfiguration {
    /// The organization.
    pub tenant_id: TenantId,
    /// What was asked for; what is missing gets a default.
    pub fields: ConfigurationEdit,
    /// The imported public keys.
    pub keys: Vec<ImportedKey>,
    /// The algorithm, for a single key that can serve several.
    pub algorithm: Option<Algorithm>,
    /// The `kid`, for a single key.
    pub kid: Option<String>,
}

/// Edits a configuration.
#[derive(Debug)]
pub struct EditConfiguration {
    /// The organization.
    pub tenant_id: TenantId,
    /// Which one.
    pub id: ConfigurationId,
    /// The version that the caller saw; `None` for any.
    pub expected_version: Option<u64>,
    /// What changes.
    pub fields: ConfigurationEdit,
}

/// Changes the keys of a configuration.
#[derive(Debug)]
pub struct RotateConfiguration {
    /// The organization.
    pub tenant_id: TenantId,
    /// Which one.
    pub id: ConfigurationId,
    /// The version that the caller saw; `None` for any.
    pub expected_version: Option<u64>,
    /// The imported public keys; with none, the waiting `next` key is promoted.
    pub keys: Vec<ImportedKey>,
    /// The algorithm, for a single key that can serve several.
    pub algorithm: Option<Algorithm>,
    /// The `kid`, for a single key.
    pub kid: Option<String>,
    /// Register the key as `next` and leave the current one in place.
    pub as_next: bool,
    /// How long the keys in use stay accepted, in seconds; `None` for seven days.
    pub retire_after: Option<u32>,
}

/// Suspends, restores or deactivates a configuration.
#[derive(Debug)]
pub struct ChangeConfigurationStatus {
    /// The organization.
    pub tenant_id: TenantId,
    /// Which one.
    pub id: ConfigurationId,
    /// The version that the caller saw; `None` for any.
    pub expected_version: Option<u64>,
    /// What to do.
    pub change: StatusChange,
    /// Why.
    pub reason: Option<String>,
}

/// A change of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// End it for good.
    Deactivate,
    /// Take a suspension back.
    Restore,
    /// Contain it.
    Suspend,
}

impl Act for CreateConfiguration {
    type Output = Configuration;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Configuration, ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        let organization = organization_state(unit, self.tenant_id).await?;
        let id = ConfigurationId::from_random(random_bytes());
        let new = NewConfiguration {
            id,
            fields: self.fields.clone(),
            keys: self.keys.clone(),
            algorithm: self.algorithm,
            kid: self.kid.clone(),
        };
        let issuer = context.service.settings().public_url.issuer(self.tenant_id);
        let state = new.into_state(&organization, &issuer, context.now)?;
        check_names(unit, (self.tenant_id, id), &state, &issuer).await?;
        refuse_known_keys(unit, context, &[], &state).await?;
        apply(
            unit,
            context,
            (self.tenant_id, id, Base::NOTHING),
            ChangeKind::ConfigurationCreate,
            (state, None),
        )
        .await
    }
}

impl Act for EditConfiguration {
    type Output = Configuration;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Configuration, ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        let organization = organization_state(unit, self.tenant_id).await?;
        let (base, before) =
            read_for_change(unit, (self.tenant_id, self.id), self.expected_version).await?;
        let after = before.edit(self.fields.clone(), &organization, context.now)?;
        let issuer = context.service.settings().public_url.issuer(self.tenant_id);
        check_names(unit, (self.tenant_id, self.id), &after, &issuer).await?;
        apply(
            unit,
            context,
            (self.tenant_id, self.id, base),
            ChangeKind::ConfigurationEdit,
            (after, None),
        )
        .await
    }
}

impl Act for RotateConfiguration {
    type Output = Configuration;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Configuration, ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        let (base, before) =
            read_for_change(unit, (self.tenant_id, self.id), self.expected_version).await?;
        let rotation = Rotation {
            keys: self.keys.clone(),
            algorithm: self.algorithm,
            kid: self.kid.clone(),
            as_next: self.as_next,
            retire_after: self.retire_after.unwrap_or(DEFAULT_RETIRE_AFTER),
        };
        let known: Vec<KeyFingerprint> = before
            .keys
            .iter()
            .map(|key| key.fingerprint_sha256)
            .collect();
        if self
            .keys
            .iter()
            .any(|key| known.contains(&key.key.fingerprint()))
        {
            return Err(ConfigurationRefusal::KeyAlreadyRegistered.into());
        }
        let after = before.rotate(rotation, context.now)?;
        refuse_known_keys(unit, context, &known, &after).await?;
        apply(
            unit,
            context,
            (self.tenant_id, self.id, base),
            ChangeKind::ConfigurationRotateKey,
            (after, None),
        )
        .await
    }
}

impl Act for ChangeConfigurationStatus {
    type Output = Configuration;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Configuration, ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        let (base, before) =
            read_for_change(unit, (self.tenant_id, self.id), self.expected_version).await?;
        let reason = stated_reason(self.reason.as_deref())?;
        let (kind, after) = match self.change {
            StatusChange::Deactivate => (
                ChangeKind::ConfigurationDeactivate,
                before.deactivate(context.now)?,
            ),
            StatusChange::Restore => (ChangeKind::ConfigurationRestore, before.restore()?),
            StatusChange::Suspend => (
                ChangeKind::ConfigurationSuspend,
                before.suspend(context.now)?,
            ),
        };
        apply(
            unit,
            context,
            (self.tenant_id, self.id, base),
            kind,
            (after, reason),
        )
        .await
    }
}

async fn organization_state(
    unit: &mut Unit,
    tenant_id: TenantId,
) -> Result<OrganizationState, ServiceError> {
    Ok(unit
        .organization(tenant_id)
        .await?
        .ok_or(ServiceError::NotFound)?
        .state)
}

async fn read_for_change(
    unit: &mut Unit,
    (tenant_id, id): (TenantId, ConfigurationId),
    expected_version: Option<u64>,
) -> Result<(Base, ConfigurationState), ServiceError> {
    let configuration = unit
        .configuration(tenant_id, id)
        .await?
        .ok_or(ServiceError::NotFound)?;
    if expected_version.is_some_and(|expected| expected != configuration.version) {
        return Err(base_moved());
    }
    let base = unit.base_of(tenant_id, &id.to_string()).await?;
    Ok((base, configuration.state))
}

async fn apply(
    unit: &mut Unit,
    context: &Context<'_>,
    (tenant_id, id, base): (TenantId, ConfigurationId, Base),
    kind: ChangeKind,
    (state, reason): (ConfigurationState, Option<String>),
) -> Result<Configuration, ServiceError> {
    if state.status != ConfigurationStatus::Deactivated {
        if unit.triple_is_taken(tenant_id, id, &state).await? {
            return Err(ConfigurationRefusal::TripleTaken.into());
        }
        if unit.audience_is_taken(tenant_id, id, &state).await?
            || shares_the_issuer(context, tenant_id, &state)
        {
            return Err(ConfigurationRefusal::AudienceNotExclusive.into());
        }
    }
    let after =
        serde_json::to_value(&state).map_err(|error| ServiceError::Fault(error.to_string()))?;
    submit(
        unit,
        context,
        Submission {
            kind,
            tenant_id,
            target: id.to_string(),
            base,
            after,
            reason,
        },
    )
    .await?;
    unit.configuration(tenant_id, id)
        .await?
        .ok_or(ServiceError::NotFound)
}

/// Tokens of a configuration name nobody else. The ID of one that is deactivated is nobody's any more: what replaces it
/// may go by it. Others of the organization and of other ones are refused alike, and so is what looks like one.
async fn check_names(
    unit: &mut Unit,
    (tenant_id, id): (TenantId, ConfigurationId),
    state: &ConfigurationState,
    issuer: &Identifier,
) -> Result<(), ServiceError> {
    state.check_audience(issuer)?;
    for (field, named) in state.others_named(id) {
        let named = unit.configuration(tenant_id, named).await?;
        if named.is_none_or(|named| named.state.status != ConfigurationStatus::Deactivated) {
            return Err(ConfigurationRefusal::IdentifierOfAnother(field).into());
        }
    }
    Ok(())
}

/// The organization's issuer is the audience of every standard configuration, so no third party may claim it.
fn shares_the_issuer(
    context: &Context<'_>,
    tenant_id: TenantId,
    state: &ConfigurationState,
) -> bool {
    state.auth_type == AuthType::ThirdParty
        && state.verifier_audience == context.service.settings().public_url.issuer(tenant_id)
}

/// A key is registered once on the whole platform, for good (`docs/decisions/0005-keys-are-never-reused.md`), and no RSA
/// key shares a prime with another. Keys that the configuration had before, by their fingerprints, are not new.
async fn refuse_known_keys(
    unit: &mut Unit,
    context: &Context<'_>,
    before: &[KeyFingerprint],
    state: &ConfigurationState,
) -> Result<(), ServiceError> {
    let is_fresh = |key: &&RegisteredKey| !before.contains(&key.fingerprint_sha256);
    let mut moduli = Vec::new();
    for key in state.keys.iter().filter(is_fresh) {
        let fingerprint = key.fingerprint_sha256.to_string();
        if unit.key_is_registered(&fingerprint).await? {
            return Err(ConfigurationRefusal::KeyAlreadyRegistered.into());
        }
        let parsed = countersign_crypto::PublicKey::from_pem(&key.public_key)
            .map_err(|error| ServiceError::Fault(error.to_string()))?;
        moduli.extend(parsed.rsa_modulus().map(<[u8]>::to_vec));
    }
    shared_primes::refuse(unit, moduli, context.compared.as_ref()).await
}

/// Imports a public key off the request path: judging a long RSA key takes a noticeable time.
///
/// # Errors
/// As the import refuses.
async fn import(text: String, now: UnixTime) -> Result<Import, ServiceError> {
    let options = ImportOptions { now: now.seconds() };
    let imported = tokio::task::spawn_blocking(move || import_keys(text.as_bytes(), options)).await;
    Ok(imported.map_err(|error| ServiceError::Fault(error.to_string()))??)
}

impl Service {
    /// Reads a public key as it would be registered, and says what was repaired; stores nothing.
    ///
    /// # Errors
    /// As the import refuses; not found for a caller of another organization.
    pub async fn import_key(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        text: String,
    ) -> Result<Import, ServiceError> {
        caller.require_admin(tenant_id)?;
        self.known_organization(tenant_id).await?;
        import(text, self.now()).await
    }

    async fn known_organization(&self, tenant_id: TenantId) -> Result<(), ServiceError> {
        let found = self.snapshots().organization(tenant_id, self.now()).await?;
        found.map(drop).ok_or(ServiceError::NotFound)
    }

    /// One configuration.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization.
    pub async fn configuration(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        id: ConfigurationId,
    ) -> Result<Configuration, ServiceError> {
        caller.require_read(tenant_id)?;
        self.store()
            .read()
            .await?
            .configuration(tenant_id, id)
            .await?
            .ok_or(ServiceError::NotFound)
    }

    /// The configurations of an organization in the order of their IDs.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization.
    pub async fn configurations(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        status: Option<ConfigurationStatus>,
        page: &Page,
    ) -> Result<Vec<Configuration>, ServiceError> {
        caller.require_read(tenant_id)?;
        let mut unit = self.store().read().await?;
        unit.organization(tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        Ok(unit.configurations(tenant_id, status, page).await?)
    }
}

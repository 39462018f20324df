//! Signing keys and issued tokens: list, rotate, revoke.

use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;
use countersign_store::{StoredSigningKey, Unit};
use serde_json::json;

use crate::access::Caller;
use crate::changes::{Act, Context, note_act};
use crate::error::ServiceError;
use crate::{Service, keyring};

/// Rotates the signing keys of an organization out of schedule.
#[derive(Debug)]
pub struct RotateSigningKeys {
    /// The organization.
    pub tenant_id: TenantId,
    /// The key has leaked: replace it now and refuse what it has signed.
    pub emergency: bool,
}

/// Revokes an access token.
#[derive(Debug)]
pub struct RevokeToken {
    /// The organization.
    pub tenant_id: TenantId,
    /// The token.
    pub jti: String,
    /// When it ends.
    pub expires_at: UnixTime,
}

impl Act for RotateSigningKeys {
    type Output = Vec<StoredSigningKey>;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Vec<StoredSigningKey>, ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        let organization = unit
            .organization(self.tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        let target = (self.tenant_id, organization.state.signing_algorithm);
        let master = context.service.master();
        if self.emergency {
            keyring::rotate_emergency(unit, master, target, context.now).await?;
        } else {
            keyring::publish_next(unit, master, target, context.now).await?;
        }
        let detail = json!({"emergency": self.emergency});
        note_act(
            unit,
            context,
            (self.tenant_id, "signing_keys.rotated"),
            detail,
        )
        .await?;
        Ok(unit.signing_keys(self.tenant_id).await?)
    }
}

impl Act for RevokeToken {
    type Output = ();

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<(), ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        unit.organization(self.tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        unit.revoke_token(self.tenant_id, &self.jti, self.expires_at, context.now)
            .await?;
        note_act(
            unit,
            context,
            (self.tenant_id, "token.revoked"),
            json!({"jti": self.jti}),
        )
        .await
    }
}

impl Service {
    /// The signing keys of an organization, the newest first.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization.
    pub async fn signing_keys(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
    ) -> Result<Vec<StoredSigningKey>, ServiceError> {
        caller.require_read(tenant_id)?;
        let mut unit = self.store().read().await?;
        unit.organization(tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        Ok(unit.signing_keys(tenant_id).await?)
    }
}

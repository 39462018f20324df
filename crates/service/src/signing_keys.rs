//! Signing keys and issued tokens: list, rotate, revoke.

use countersign_crypto::SigningAlgorithm;
use countersign_crypto::import::has_private_key;
use countersign_domain::configurations::MAX_ACCESS_TOKEN_LIFETIME;
use countersign_domain::ids::TenantId;
use countersign_domain::signing_keys::SigningKeyState;
use countersign_domain::time::UnixTime;
use countersign_store::{StoredSigningKey, Unit};
use serde_json::json;

use crate::access::Caller;
use crate::changes::{Act, Context, note_act};
use crate::error::{Refused, RefusedKind, ServiceError};
use crate::{Service, keyring};

/// The longest `jti` that is taken, in characters; ours are shorter.
const MAX_JTI: usize = 64;

/// Rotates the signing keys of an organization out of schedule.
#[derive(Debug)]
pub struct RotateSigningKeys {
    /// The organization.
    pub tenant_id: TenantId,
    /// The key has leaked: replace it now and refuse what it has signed.
    pub emergency: bool,
}

/// A signing key as it may be shown: everything but its private part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyFacts {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The algorithm that it signs with.
    pub algorithm: SigningAlgorithm,
    /// Where it stands.
    pub state: SigningKeyState,
    /// Since when.
    pub since: UnixTime,
    /// When it was made.
    pub created_at: UnixTime,
    /// PEM `SubjectPublicKeyInfo`.
    pub public_key: String,
}

impl From<StoredSigningKey> for SigningKeyFacts {
    fn from(key: StoredSigningKey) -> Self {
        Self {
            kid: key.kid,
            algorithm: key.algorithm,
            state: key.state,
            since: key.since,
            created_at: key.created_at,
            public_key: key.public_key,
        }
    }
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
    type Output = Vec<SigningKeyFacts>;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<Vec<SigningKeyFacts>, ServiceError> {
        context.caller.require_admin(self.tenant_id)?;
        let organization = unit
            .organization(self.tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        let algorithm = organization.state.signing_algorithm;
        let master = context.service.master();
        if self.emergency {
            let key = context.spare.take(algorithm)?;
            keyring::replace_all(unit, master, (self.tenant_id, &key), context.now).await?;
        } else {
            let target = (self.tenant_id, algorithm, &context.spare);
            keyring::publish_next(unit, master, target, context.now).await?;
        }
        let detail = json!({"emergency": self.emergency});
        note_act(
            unit,
            context,
            (Some(self.tenant_id), "signing_keys.rotated"),
            detail,
        )
        .await?;
        shown(unit, self.tenant_id).await
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
        if !is_jti(&self.jti) {
            return Err(ServiceError::Refused(Refused {
                kind: RefusedKind::Invalid,
                code: "jti_malformed",
                detail: "jti must be that of an access token: 1 to 64 visible ASCII characters."
                    .to_owned(),
                pointer: Some("/jti".to_owned()),
            }));
        }
        // No token outlives this, so that nothing is remembered for longer.
        let latest = context.now.plus(i64::from(MAX_ACCESS_TOKEN_LIFETIME));
        let until = self.expires_at.min(latest);
        unit.revoke_token(self.tenant_id, &self.jti, until, context.now)
            .await?;
        note_act(
            unit,
            context,
            (Some(self.tenant_id), "token.revoked"),
            json!({"jti": self.jti}),
        )
        .await
    }
}

async fn shown(unit: &mut Unit, tenant_id: TenantId) -> Result<Vec<SigningKeyFacts>, ServiceError> {
    let keys = unit.signing_keys(tenant_id).await?;
    Ok(keys.into_iter().map(SigningKeyFacts::from).collect())
}

fn is_jti(text: &str) -> bool {
    (1..=MAX_JTI).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !has_private_key(text)
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
    ) -> Result<Vec<SigningKeyFacts>, ServiceError> {
        caller.require_read(tenant_id)?;
        let mut unit = self.store().read().await?;
        unit.organization(tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        shown(&mut unit, tenant_id).await
    }
}

//! API tokens: make, list, revoke.

use std::sync::atomic::Ordering;

use countersign_crypto::random_bytes;
use countersign_domain::api_tokens::{ApiRole, ApiScope, ApiToken, ApiTokenSecret, MAX_DAYS};
use countersign_domain::ids::{ApiTokenId, TenantId};
use countersign_domain::text::Label;
use countersign_domain::time::UnixTime;
use countersign_store::{ActivityEntry, Page, Unit};
use serde_json::{Value, json};

use crate::Service;
use crate::access::Caller;
use crate::changes::{Act, Context, note_act};
use crate::error::{Refused, RefusedKind, ServiceError};
use crate::transaction::until_settled;

/// Says that the first start has made its token.
pub(crate) const BOOTSTRAPPED: &str = "bootstrapped";

/// How long the token of the first start lives, in days.
const FIRST_TOKEN_DAYS: u32 = 30;

/// Makes an API token.
#[derive(Debug)]
pub struct CreateApiToken {
    /// What people will call it.
    pub name: String,
    /// Where it is valid.
    pub scope: ApiScope,
    /// What it may do.
    pub role: ApiRole,
    /// How long it lives, in days, 1 to 365.
    pub days: u32,
}

/// A new API token with its secret, which is shown this once.
#[derive(Debug)]
pub struct NewApiToken {
    /// What is remembered.
    pub token: ApiToken,
    /// What is not.
    pub secret: ApiTokenSecret,
}

/// Revokes an API token.
#[derive(Debug)]
pub struct RevokeApiToken {
    /// Which one.
    pub id: ApiTokenId,
}

impl Act for CreateApiToken {
    type Output = NewApiToken;

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<NewApiToken, ServiceError> {
        match self.scope {
            ApiScope::Platform => context.caller.require_platform_admin()?,
            ApiScope::Organization(tenant_id) => {
                context.caller.require_admin(tenant_id)?;
                unit.organization(tenant_id)
                    .await?
                    .ok_or(ServiceError::NotFound)?;
            }
        }
        let new = make(self, context.now)?;
        unit.insert_api_token(&new.token, new.secret.digest())
            .await?;
        let place = (concerned(self.scope), "api_token.created");
        note_act(unit, context, place, creation(&new.token)).await?;
        Ok(new)
    }
}

impl Act for RevokeApiToken {
    type Output = ();

    async fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> Result<(), ServiceError> {
        match context.caller.tenant() {
            Some(own) => context.caller.require_admin(own)?,
            None => context.caller.require_platform_admin()?,
        }
        let own = context.caller.tenant();
        let scope = unit.revoke_api_token(own, self.id, context.now).await?;
        context.revokes_callers.store(true, Ordering::Relaxed);
        let concerned = concerned(scope.ok_or(ServiceError::NotFound)?);
        let detail = json!({"id": self.id, "tenant_id": concerned});
        let place = (concerned, "api_token.revoked");
        note_act(unit, context, place, detail.clone()).await?;
        // What the platform takes away from an organization, both shall see.
        if own.is_none() && concerned.is_some() {
            note_act(unit, context, (None, "api_token.revoked"), detail).await?;
        }
        Ok(())
    }
}

/// The organization that an API token concerns; none for the platform.
const fn concerned(scope: ApiScope) -> Option<TenantId> {
    match scope {
        ApiScope::Organization(tenant_id) => Some(tenant_id),
        ApiScope::Platform => None,
    }
}

/// What the activity has of a new API token.
fn creation(token: &ApiToken) -> Value {
    json!({"id": token.id, "name": token.name, "role": token.role})
}

fn make(wanted: &CreateApiToken, now: UnixTime) -> Result<NewApiToken, ServiceError> {
    let invalid = |code, pointer: &str, detail: String| {
        let pointer = Some(pointer.to_owned());
        ServiceError::Refused(Refused {
            kind: RefusedKind::Invalid,
            code,
            detail,
            pointer,
        })
    };
    if !(1..=MAX_DAYS).contains(&wanted.days) {
        let detail = "expires_in_days must be between 1 and 365".to_owned();
        return Err(invalid("expiry_out_of_range", "/expires_in_days", detail));
    }
    let name = Label::parse(&wanted.name)
        .map_err(|error| invalid("text_malformed", "/name", format!("name {error}")))?;
    let token = ApiToken {
        id: ApiTokenId::from_random(random_bytes()),
        name,
        scope: wanted.scope,
        role: wanted.role,
        created_at: now,
        expires_at: now.plus(i64::from(wanted.days) * 86_400),
    };
    Ok(NewApiToken {
        token,
        secret: ApiTokenSecret::generate(),
    })
}

impl Service {
    /// Makes the platform's first API token; `None` when that has been done. `keep` puts the secret where somebody finds
    /// it, before the token counts: a crash in between leaves no instance without a way in. It is called again with
    /// another secret when the transaction collides.
    ///
    /// # Errors
    /// When `keep` fails or the store is unavailable; the next start makes another token then.
    pub async fn first_platform_token(
        &self,
        keep: impl Fn(&ApiTokenSecret) -> std::io::Result<()> + Sync,
    ) -> Result<Option<NewApiToken>, ServiceError> {
        until_settled(|| self.try_first_platform_token(&keep)).await
    }

    async fn try_first_platform_token(
        &self,
        keep: &(impl Fn(&ApiTokenSecret) -> std::io::Result<()> + Sync),
    ) -> Result<Option<NewApiToken>, ServiceError> {
        let mut unit = self.store().write().await?;
        if unit.instance_fact(BOOTSTRAPPED).await?.is_some() {
            return Ok(None);
        }
        let wanted = CreateApiToken {
            name: "first start".to_owned(),
            scope: ApiScope::Platform,
            role: ApiRole::Admin,
            days: FIRST_TOKEN_DAYS,
        };
        let new = make(&wanted, self.now())?;
        unit.insert_api_token(&new.token, new.secret.digest())
            .await?;
        unit.append_activity(&ActivityEntry {
            tenant_id: None,
            at: self.now(),
            kind: "api_token.created".to_owned(),
            correlation_id: crate::new_correlation_id().to_string(),
            actor: Caller::operator().to_string(),
            detail: creation(&new.token),
        })
        .await?;
        unit.set_instance_fact(BOOTSTRAPPED, "yes").await?;
        keep(&new.secret).map_err(|error| {
            ServiceError::Fault(format!("the platform token cannot be written: {error}"))
        })?;
        unit.commit().await?;
        Ok(Some(new))
    }

    /// The API tokens that the caller may see: of its organization, or of one of the platform's.
    ///
    /// # Errors
    /// When the caller's role does not allow it, or the store is unavailable.
    pub async fn api_tokens(
        &self,
        caller: &Caller,
        tenant_id: Option<TenantId>,
        page: &Page,
    ) -> Result<Vec<ApiToken>, ServiceError> {
        let tenant_id = match (caller.tenant(), tenant_id) {
            (Some(own), asked) => {
                caller.require_read(asked.unwrap_or(own))?;
                Some(own)
            }
            (None, asked) => {
                caller.require_platform()?;
                asked
            }
        };
        Ok(self
            .store()
            .read()
            .await?
            .api_tokens(tenant_id, page)
            .await?)
    }
}

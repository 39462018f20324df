//! Who calls the admin API, and what that caller may do.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use countersign_crypto::Digest32;
use countersign_domain::api_tokens::{ApiRole, ApiScope, ApiToken, ApiTokenSecret};
use countersign_domain::change::Maker;
use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;
use countersign_store::StoreError;

use crate::Service;
use crate::error::{Refused, RefusedKind, ServiceError, alarm};

/// How long a token that was found is believed without looking again, in seconds: the bound within which a revocation
/// on another node takes effect here.
const BELIEVED_FOR: i64 = 5;

/// The most tokens believed at once.
const MAX_BELIEVED: usize = 10_000;

/// An authenticated caller of the admin API.
#[derive(Clone, Debug)]
pub struct Caller(Identity);

#[derive(Clone, Debug)]
enum Identity {
    Operator,
    Token(ApiToken),
}

impl Caller {
    /// The operator at the console of the machine: first start, demonstration.
    #[must_use]
    pub const fn operator() -> Self {
        Self(Identity::Operator)
    }

    /// As whom the caller requests changes.
    #[must_use]
    pub fn maker(&self) -> Maker {
        match &self.0 {
            Identity::Operator => Maker::Operator,
            Identity::Token(token) => Maker::ApiToken { id: token.id },
        }
    }

    /// The organization that the caller is bound to; `None` for the platform.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match &self.0 {
            Identity::Token(ApiToken {
                scope: ApiScope::Organization(tenant_id),
                ..
            }) => Some(*tenant_id),
            Identity::Operator | Identity::Token(_) => None,
        }
    }

    /// The caller reads an organization.
    ///
    /// # Errors
    /// Not found, for another organization: exactly as for one that does not exist.
    pub fn require_read(&self, tenant_id: TenantId) -> Result<(), ServiceError> {
        self.require_tenant(tenant_id)?;
        self.require_role(|role| matches!(role, ApiRole::Admin | ApiRole::Auditor))
    }

    /// The caller requests changes in an organization.
    ///
    /// # Errors
    /// Not found for another organization, forbidden for another role.
    pub fn require_admin(&self, tenant_id: TenantId) -> Result<(), ServiceError> {
        self.require_tenant(tenant_id)?;
        self.require_role(|role| role == ApiRole::Admin)
    }

    /// The caller introspects tokens of an organization.
    ///
    /// # Errors
    /// Not found for another organization.
    pub fn require_introspection(&self, tenant_id: TenantId) -> Result<(), ServiceError> {
        self.require_tenant(tenant_id)
    }

    /// The caller reads the platform.
    ///
    /// # Errors
    /// Forbidden for a caller of an organization.
    pub fn require_platform(&self) -> Result<(), ServiceError> {
        match self.tenant() {
            None => self.require_role(|role| matches!(role, ApiRole::Admin | ApiRole::Auditor)),
            Some(_) => Err(forbidden(
                "platform_scope_required",
                "This needs an API token of the platform.",
            )),
        }
    }

    /// The caller administers the platform.
    ///
    /// # Errors
    /// Forbidden for a caller of an organization or of another role.
    pub fn require_platform_admin(&self) -> Result<(), ServiceError> {
        self.require_platform()?;
        self.require_role(|role| role == ApiRole::Admin)
    }

    fn require_tenant(&self, tenant_id: TenantId) -> Result<(), ServiceError> {
        match self.tenant() {
            Some(own) if own != tenant_id => Err(ServiceError::NotFound),
            _ => Ok(()),
        }
    }

    fn require_role(&self, allowed: impl Fn(ApiRole) -> bool) -> Result<(), ServiceError> {
        match &self.0 {
            Identity::Operator => Ok(()),
            Identity::Token(token) if allowed(token.role) => Ok(()),
            Identity::Token(_) => Err(forbidden(
                "role_not_allowed",
                "The role of this API token does not allow this.",
            )),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.maker(), f)
    }
}

fn forbidden(code: &'static str, detail: &str) -> ServiceError {
    ServiceError::Forbidden(Refused::new(RefusedKind::Invalid, code, detail))
}

/// Tokens that were found a moment ago.
#[derive(Default)]
pub struct CallerCache(RwLock<Believed>);

#[derive(Default)]
struct Believed {
    tokens: HashMap<Digest32, (ApiToken, UnixTime)>,
    /// Counts how often everything was forgotten: what was read from the store before is not believed after.
    age: u64,
}

impl CallerCache {
    fn find(&self, digest: Digest32, now: UnixTime) -> Option<ApiToken> {
        let believed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (token, since) = believed.tokens.get(&digest)?;
        (now < since.plus(BELIEVED_FOR) && now < token.expires_at).then(|| token.clone())
    }

    fn age(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).age
    }

    /// Believes a token that was read from the store at `age`, unless everything was forgotten since.
    fn keep(&self, digest: Digest32, (token, age): (&ApiToken, u64), now: UnixTime) {
        let mut believed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if believed.age != age {
            return;
        }
        if believed.tokens.len() >= MAX_BELIEVED {
            believed.tokens.clear();
        }
        believed.tokens.insert(digest, (token.clone(), now));
    }

    /// Forgets every token: one of them may just have been revoked.
    pub(crate) fn forget_all(&self) {
        let mut believed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        believed.tokens.clear();
        believed.age += 1;
    }
}

impl Service {
    /// The caller whose API token this is; `None` when it is not one that is valid now.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn authenticate(&self, bearer: &str) -> Result<Option<Caller>, ServiceError> {
        let Ok(secret) = ApiTokenSecret::parse(bearer) else {
            return Ok(None);
        };
        let (digest, now) = (secret.digest(), self.now());
        if let Some(token) = self.callers.find(digest, now) {
            return Ok(Some(Caller(Identity::Token(token))));
        }
        // Boxed: what is rarely needed must not make the future of every request large.
        Box::pin(self.look_up(digest, now)).await
    }

    /// Looks the digest of an API token up in the store.
    async fn look_up(
        &self,
        digest: Digest32,
        now: UnixTime,
    ) -> Result<Option<Caller>, ServiceError> {
        let age = self.callers.age();
        let found = self
            .store()
            .read()
            .await?
            .api_token_by_digest(digest, now)
            .await;
        let found = match found {
            // Whoever wrote the row, it was not this program: nobody is known by it.
            Err(error @ StoreError::Corrupt { .. }) => {
                alarm(&error);
                return Ok(None);
            }
            found => found?,
        };
        if let Some(token) = &found {
            self.callers.keep(digest, (token, age), now);
        }
        Ok(found.map(|token| Caller(Identity::Token(token))))
    }
}

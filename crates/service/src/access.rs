//! Who calls the admin API, and what that caller may do.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_crypto::Digest32;
use countersign_domain::api_tokens::{ApiRole, ApiScope, ApiToken, ApiTokenSecret};
use countersign_domain::change::Maker;
use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_domain::time::UnixTime;
use countersign_store::StoreError;

use crate::Service;
use crate::error::{self, RefusedKind, ServiceError, alarm};
use crate::recorder::{Recorder, Refused, What};

/// How long a token that was found is believed without looking again, in seconds: the bound within which a revocation
/// on another node takes effect here.
const BELIEVED_FOR: i64 = 5;

/// The most tokens believed at once.
const MAX_BELIEVED: usize = 10_000;

/// An authenticated caller of the admin API.
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Identity,
    witness: Option<Witness>,
}

/// Who notes what the caller is denied, and for which request.
#[derive(Clone)]
struct Witness {
    recorder: Arc<Recorder>,
    at: UnixTime,
    correlation_id: CorrelationId,
}

impl Witness {
    /// Notes a denial in the log, and in the activity of the organization that the API token belongs to.
    fn denied(&self, token: &ApiToken, code: &'static str) {
        let (correlation_id, id) = (self.correlation_id, token.id);
        let tenant_id = match token.scope {
            ApiScope::Organization(tenant_id) => Some(tenant_id),
            ApiScope::Platform => None,
        };
        if let Some(omitted) = self.recorder.line(tenant_id, self.at) {
            tracing::info!(%correlation_id, api_token = %id, code, omitted, "API token denied");
        }
        if let Some(tenant_id) = tenant_id {
            self.recorder.note(Refused {
                tenant_id,
                at: self.at,
                correlation_id,
                what: What::ApiToken(id, code),
            });
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Witness")
            .field(&self.correlation_id)
            .finish()
    }
}

#[derive(Clone, Debug)]
enum Identity {
    Operator,
    Token(ApiToken),
}

impl Caller {
    /// The operator at the console of the machine: first start, demonstration.
    #[must_use]
    pub const fn operator() -> Self {
        Self {
            identity: Identity::Operator,
            witness: None,
        }
    }

    /// As whom the caller requests changes.
    #[must_use]
    pub fn maker(&self) -> Maker {
        match &self.identity {
            Identity::Operator => Maker::Operator,
            Identity::Token(token) => Maker::ApiToken { id: token.id },
        }
    }

    /// The organization that the caller is bound to; `None` for the platform.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match &self.identity {
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

    /// The caller introspects tokens of its organization. The platform does not: an operator reads no organization's
    /// tokens (`product.md`).
    ///
    /// # Errors
    /// Not found for another organization, and for the platform.
    pub fn require_introspection(&self, tenant_id: TenantId) -> Result<(), ServiceError> {
        if self.tenant().is_none() {
            self.note_denial("organization_not_own");
            return Err(ServiceError::NotFound);
        }
        self.require_tenant(tenant_id)
    }

    /// The caller reads the platform.
    ///
    /// # Errors
    /// Forbidden for a caller of an organization.
    pub fn require_platform(&self) -> Result<(), ServiceError> {
        match self.tenant() {
            None => self.require_role(|role| matches!(role, ApiRole::Admin | ApiRole::Auditor)),
            Some(_) => Err(self.forbidden(
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
            Some(own) if own != tenant_id => {
                // To the caller it is as if there were none (conformance N3).
                self.note_denial("organization_not_own");
                Err(ServiceError::NotFound)
            }
            _ => Ok(()),
        }
    }

    fn require_role(&self, allowed: impl Fn(ApiRole) -> bool) -> Result<(), ServiceError> {
        match &self.identity {
            Identity::Operator => Ok(()),
            Identity::Token(token) if allowed(token.role) => Ok(()),
            Identity::Token(_) => Err(self.forbidden(
                "role_not_allowed",
                "The role of this API token does not allow this.",
            )),
        }
    }

    /// The refusal of what the caller may not do, which is noted.
    fn forbidden(&self, code: &'static str, detail: &str) -> ServiceError {
        self.note_denial(code);
        ServiceError::Forbidden(error::Refused::new(RefusedKind::Invalid, code, detail))
    }

    fn note_denial(&self, code: &'static str) {
        if let (Identity::Token(token), Some(witness)) = (&self.identity, &self.witness) {
            witness.denied(token, code);
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.maker(), f)
    }
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
    /// The caller whose API token this is; `None` when it is not one that is valid now, which the log has.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn authenticate(
        &self,
        bearer: &str,
        correlation_id: CorrelationId,
    ) -> Result<Option<Caller>, ServiceError> {
        let now = self.now();
        let token = match ApiTokenSecret::parse(bearer) {
            Ok(secret) => self.known_token(secret.digest(), now).await?,
            Err(_) => None,
        };
        if token.is_none() {
            metrics::counter!("countersign_api_tokens_refused_total").increment(1);
            if let Some(omitted) = self.activity.line(None, now) {
                tracing::info!(%correlation_id, omitted, "API token refused");
            }
        }
        Ok(token.map(|token| Caller {
            identity: Identity::Token(token),
            witness: Some(Witness {
                recorder: Arc::clone(&self.activity),
                at: now,
                correlation_id,
            }),
        }))
    }

    async fn known_token(
        &self,
        digest: Digest32,
        now: UnixTime,
    ) -> Result<Option<ApiToken>, ServiceError> {
        if let Some(token) = self.callers.find(digest, now) {
            return Ok(Some(token));
        }
        // Boxed: what is rarely needed must not make the future of every request large.
        Box::pin(self.look_up(digest, now)).await
    }

    /// Looks the digest of an API token up in the store.
    async fn look_up(
        &self,
        digest: Digest32,
        now: UnixTime,
    ) -> Result<Option<ApiToken>, ServiceError> {
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
        Ok(found)
    }
}

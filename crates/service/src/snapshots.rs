//! What each node holds in memory of an organization: its configurations with parsed keys, its signing keys, its
//! revocations. Replaced when something changes; never older than [`STALENESS_BOUND`].

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use countersign_crypto::MasterKey;
use countersign_domain::configurations::Configuration;
use countersign_domain::directory::{Directory, TrustedConfiguration};
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::organizations::{Organization, OrganizationState};
use countersign_domain::time::UnixTime;
use countersign_store::{FeedEvent, Page, Store, StoreError, Topic};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};

use crate::error::ServiceError;
use crate::keyring::Keyring;

/// How long after a change is committed every node acts on it, at most, in seconds.
pub const STALENESS_BOUND: u64 = 1;

/// Organizations read from the store at a time.
const PAGE: u32 = 1000;

/// One organization in memory.
pub struct OrganizationSnapshot {
    /// Its ID.
    pub tenant_id: TenantId,
    state: ArcSwap<OrganizationState>,
    /// The version of `state`; an older one never replaces it.
    version: AtomicU64,
    directory: RwLock<Directory>,
    keyring: ArcSwap<Keyring>,
    revoked: RwLock<HashMap<String, UnixTime>>,
    /// Counts what has changed of the state, the configurations and the signing keys.
    generation: AtomicU64,
    /// One reader of the store at a time: what is put in place last was also read last.
    refreshing: tokio::sync::Mutex<()>,
    budgets: Option<Budgets>,
}

/// What an organization may ask for in a second, by kind of request.
struct Budgets {
    tokens: DefaultDirectRateLimiter,
    questions: DefaultDirectRateLimiter,
    unproven: DefaultDirectRateLimiter,
}

impl Budgets {
    /// So many requests of each kind in a second. A burst of two seconds lets a fleet of servers start at once.
    fn of(rate: NonZeroU32) -> Self {
        let quota = Quota::per_second(rate).allow_burst(rate.saturating_mul(TWO));
        Self {
            tokens: DefaultDirectRateLimiter::direct(quota),
            questions: DefaultDirectRateLimiter::direct(quota),
            unproven: DefaultDirectRateLimiter::direct(quota),
        }
    }
}

/// Out of which budget a request is taken: gateways that introspect without pause leave the token endpoint its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Assertions whose signature has verified, for whatever they are used.
    Tokens,
    /// What programs with an API token ask about tokens and assertions.
    Questions,
    /// Assertions whose signature has not verified: anybody can send them.
    Unproven,
}

/// A guard under which the configurations do not change.
pub type DirectoryGuard<'a> = RwLockReadGuard<'a, Directory>;

impl OrganizationSnapshot {
    /// The organization's governed state.
    #[must_use]
    pub fn state(&self) -> Arc<OrganizationState> {
        self.state.load_full()
    }

    /// The configurations. Hold the guard only while selecting; never across an await.
    pub fn directory(&self) -> DirectoryGuard<'_> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// One configuration.
    #[must_use]
    pub fn configuration(&self, id: ConfigurationId) -> Option<Arc<TrustedConfiguration>> {
        self.directory().by_id(id).cloned()
    }

    /// The signing keys.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.load_full()
    }

    /// Grows with every change of the state, the configurations and the signing keys, once it has taken effect here.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Something of it has changed, or it is no longer what requests are answered by.
    fn has_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether an access token has been revoked.
    #[must_use]
    pub fn is_revoked(&self, jti: &str) -> bool {
        self.revoked
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(jti)
    }

    /// Takes one request out of the organization's budget.
    ///
    /// # Errors
    /// When the budget is used up: the seconds until there is some again.
    pub fn take_budget(&self, budget: Budget) -> Result<(), u32> {
        let limiter = match (&self.budgets, budget) {
            (None, _) => return Ok(()),
            (Some(budgets), Budget::Tokens) => &budgets.tokens,
            (Some(budgets), Budget::Questions) => &budgets.questions,
            (Some(budgets), Budget::Unproven) => &budgets.unproven,
        };
        limiter.check().map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            u32::try_from(wait.as_secs())
                .unwrap_or(u32::MAX)
                .saturating_add(1)
        })
    }

    /// Puts a newer state of the organization in place.
    fn renew(&self, organization: Organization) {
        if organization.version < self.version.load(Ordering::Acquire) {
            let id = organization.tenant_id.to_string();
            return alarm(self.tenant_id, &id, OLDER);
        }
        self.version.store(organization.version, Ordering::Release);
        self.state.store(Arc::new(organization.state));
        self.has_changed();
    }

    /// Puts a newer version of a configuration in place.
    fn put(&self, configuration: Configuration) {
        let mut directory = self.directory_mut();
        let known = directory.by_id(configuration.id);
        if known.is_some_and(|known| known.configuration().version > configuration.version) {
            return alarm(self.tenant_id, &configuration.id.to_string(), OLDER);
        }
        directory.put(configuration);
        drop(directory);
        self.has_changed();
    }

    fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// All organizations of the instance that this node has needed so far.
pub struct Snapshots {
    store: Store,
    master: Arc<MasterKey>,
    budget: Option<NonZeroU32>,
    known: RwLock<HashSet<TenantId>>,
    loaded: RwLock<HashMap<TenantId, Arc<OrganizationSnapshot>>>,
    /// Counts how often everything was forgotten: what was read from the store before is not kept after.
    age: AtomicU64,
    loading: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Snapshots {
    /// Reads which organizations there are; each is loaded when it is first asked for.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn new(
        store: Store,
        master: Arc<MasterKey>,
        requests_per_second: Option<NonZeroU32>,
    ) -> Result<Self, ServiceError> {
        let known = read_known(&store).await?;
        Ok(Self {
            store,
            master,
            budget: requests_per_second,
            known: RwLock::new(known),
            loaded: RwLock::default(),
            age: AtomicU64::new(0),
            loading: Mutex::default(),
        })
    }

    /// Forgets every organization; each is loaded anew when it is next asked for.
    ///
    /// # Errors
    /// When the store is unavailable; nothing is forgotten then.
    pub async fn forget_all(&self) -> Result<(), ServiceError> {
        let known = read_known(&self.store).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        self.age.fetch_add(1, Ordering::AcqRel);
        for (_, snapshot) in loaded.drain() {
            snapshot.has_changed();
        }
        Ok(())
    }

    /// The organization, loaded if need be; `None` when there is none with this ID.
    ///
    /// # Errors
    /// When it has to be loaded and the store is unavailable.
    pub async fn organization(
        &self,
        tenant_id: TenantId,
        now: UnixTime,
    ) -> Result<Option<Arc<OrganizationSnapshot>>, ServiceError> {
        if let Some(snapshot) = self.loaded(tenant_id) {
            return Ok(Some(snapshot));
        }
        if !self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&tenant_id)
        {
            return Ok(None);
        }
        // Boxed: what is rarely needed must not make the future of every request large.
        Box::pin(self.load_once(tenant_id, now)).await
    }

    /// Loads an organization; of several requests that need it, one does the work.
    async fn load_once(
        &self,
        tenant_id: TenantId,
        now: UnixTime,
    ) -> Result<Option<Arc<OrganizationSnapshot>>, ServiceError> {
        let gate = {
            let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loading.entry(tenant_id).or_default())
        };
        let _one_at_a_time = gate.lock().await;
        if let Some(snapshot) = self.loaded(tenant_id) {
            return Ok(Some(snapshot));
        }
        let snapshot = loop {
            let age = self.age.load(Ordering::Acquire);
            let snapshot = self.load(tenant_id, now).await?;
            let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
            // Read before everything was forgotten, it may be as old as what was forgotten.
            if age == self.age.load(Ordering::Acquire) {
                if let Some(snapshot) = &snapshot {
                    loaded.insert(tenant_id, Arc::clone(snapshot));
                }
                break snapshot;
            }
        };
        self.loading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&tenant_id);
        Ok(snapshot)
    }

    /// Every organization that there is, loaded or not.
    #[must_use]
    pub fn all_known(&self) -> Vec<TenantId> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }

    /// Looks again at what an event names.
    ///
    /// # Errors
    /// When the store is unavailable; the event must then be tried again.
    pub async fn refresh(&self, event: &FeedEvent, now: UnixTime) -> Result<(), ServiceError> {
        if event.topic == Topic::Organization {
            self.known
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(event.tenant_id);
        }
        // Waiting for a load in progress: it may have read the state before the change.
        let gate = self
            .loading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&event.tenant_id)
            .cloned();
        if let Some(gate) = gate {
            drop(gate.lock().await);
        }
        let Some(snapshot) = self.loaded(event.tenant_id) else {
            return Ok(());
        };
        match self.refresh_loaded(&snapshot, event, now).await {
            // Loaded anew at the next request, which fails closed; the changes of others must not wait for it.
            Err(ServiceError::Fault(cause)) => {
                tracing::error!(cause, tenant_id = %event.tenant_id, "the organization is not served");
                self.loaded
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&event.tenant_id);
                snapshot.has_changed();
                Ok(())
            }
            refreshed => refreshed,
        }
    }

    async fn refresh_loaded(
        &self,
        snapshot: &OrganizationSnapshot,
        event: &FeedEvent,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let _one_at_a_time = snapshot.refreshing.lock().await;
        let mut unit = self.store.read().await?;
        match event.topic {
            Topic::Organization => {
                if let Some(organization) = unit.organization(event.tenant_id).await? {
                    snapshot.renew(organization);
                }
            }
            Topic::Configuration => {
                let Ok(id) = event.subject.parse() else {
                    return Ok(());
                };
                match unit.configuration(event.tenant_id, id).await {
                    Ok(Some(configuration)) => snapshot.put(configuration),
                    Ok(None) => {}
                    Err(error @ StoreError::Corrupt { .. }) => {
                        alarm(event.tenant_id, &event.subject, &error.to_string());
                        snapshot.directory_mut().remove(id);
                        snapshot.has_changed();
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Topic::Revocation => {
                let revoked = unit.revoked_tokens(event.tenant_id, now).await?;
                *snapshot
                    .revoked
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = revoked.into_iter().collect();
            }
            Topic::SigningKeys => {
                let keys = unit.signing_keys(event.tenant_id).await?;
                snapshot
                    .keyring
                    .store(Arc::new(Keyring::open(&keys, &self.master)?));
                snapshot.has_changed();
            }
        }
        Ok(())
    }

    /// Whether requests are answered by this very snapshot.
    #[must_use]
    pub fn holds(&self, snapshot: &Arc<OrganizationSnapshot>) -> bool {
        self.loaded(snapshot.tenant_id)
            .is_some_and(|loaded| Arc::ptr_eq(&loaded, snapshot))
    }

    fn loaded(&self, tenant_id: TenantId) -> Option<Arc<OrganizationSnapshot>> {
        self.loaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&tenant_id)
            .cloned()
    }

    async fn load(
        &self,
        tenant_id: TenantId,
        now: UnixTime,
    ) -> Result<Option<Arc<OrganizationSnapshot>>, ServiceError> {
        let mut unit = self.store.read().await?;
        let Some(Organization { state, version, .. }) = unit.organization(tenant_id).await? else {
            return Ok(None);
        };
        let mut directory = Directory::default();
        let refused = unit
            .believable_configurations(tenant_id, |configuration| directory.put(configuration))
            .await?;
        for id in &refused {
            alarm(
                tenant_id,
                id,
                "its row was edited by hand, is an older one, or is missing",
            );
        }
        let keyring = Keyring::open(&unit.signing_keys(tenant_id).await?, &self.master)?;
        let revoked = unit
            .revoked_tokens(tenant_id, now)
            .await?
            .into_iter()
            .collect();
        Ok(Some(Arc::new(OrganizationSnapshot {
            tenant_id,
            state: ArcSwap::from_pointee(state),
            version: AtomicU64::new(version),
            directory: RwLock::new(directory),
            keyring: ArcSwap::from_pointee(keyring),
            revoked: RwLock::new(revoked),
            generation: AtomicU64::new(0),
            refreshing: tokio::sync::Mutex::default(),
            budgets: self.budget.map(Budgets::of),
        })))
    }
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

/// The organizations that there are.
async fn read_known(store: &Store) -> Result<HashSet<TenantId>, ServiceError> {
    let mut known = HashSet::new();
    let mut unit = store.read().await?;
    let mut page = Page {
        after: None,
        limit: PAGE,
    };
    loop {
        let ids = unit.organization_ids(&page).await?;
        page.after = ids.last().map(ToString::to_string);
        let last = ids.len() < PAGE as usize;
        known.extend(ids);
        if last {
            return Ok(known);
        }
    }
}

/// The row says what it said before a change that this node has seen.
const OLDER: &str = "an older version was put back";

/// A stored row that is not what this program wrote last is not served, and somebody must look at it.
fn alarm(tenant_id: TenantId, id: &str, cause: &str) {
    metrics::counter!("countersign_tampered_rows_total").increment(1);
    tracing::error!(%tenant_id, id, cause, "ALARM: a stored row cannot be believed and is refused");
}

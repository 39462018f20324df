//! What the server does: one use case, one transaction, one answer.
//!
//! A [`Service`] is made once by the binary and shared by every request. Reading order: `exchange` for the token path,
//! `changes` for the change path.

mod access;
mod activity;
mod api_tokens;
mod changes;
mod clock;
mod configurations;
mod decoys;
mod discovery;
mod error;
mod exchange;
mod explain;
mod instance;
mod introspection;
mod keyring;
mod ledger;
mod maintenance;
mod organizations;
mod recorder;
mod replay;
mod shared_primes;
mod signing_keys;
mod snapshots;
mod standing;

use std::num::NonZeroU32;
use std::sync::Arc;

use countersign_crypto::MasterKey;
use countersign_domain::organizations::PublicUrl;
use countersign_domain::time::UnixTime;
use countersign_store::Store;

pub use access::Caller;
pub use activity::ActivityPage;
pub use api_tokens::{CreateApiToken, NewApiToken, RevokeApiToken};
pub use changes::{Act, Context, Executed, Execution, Keep, Render};
pub use clock::{Clock, ClockDistrusted, MonotonicClock};
pub use configurations::{
    ChangeConfigurationStatus, CreateConfiguration, EditConfiguration, RotateConfiguration,
    StatusChange,
};
pub use error::{RETRY_AFTER, Refused, RefusedKind, ServiceError};
pub use exchange::{ExchangeError, ExchangeRequest, IssuedToken};
pub use explain::Explained;
pub use instance::{InstanceFacts, mark_restored};
pub use introspection::{ClientProof, Introspection, IntrospectionError, RevocationOutcome};
pub use organizations::{ChangeOrganizationStatus, CreateOrganization, EditOrganization};
pub use signing_keys::{RevokeToken, RotateSigningKeys, SigningKeyFacts};
pub use snapshots::STALENESS_BOUND;

// Types of the layers below that appear in the answers of this one.
pub use countersign_crypto::import::{Import, ImportedKey, Repair, has_private_key};
pub use countersign_crypto::{Algorithm, SigningAlgorithm};
pub use countersign_store::{
    ActivityFilter, IdempotencyKey, Page, RecordedActivity, StoredVersion,
};

/// A new correlation ID.
#[must_use]
pub fn new_correlation_id() -> countersign_domain::ids::CorrelationId {
    countersign_domain::ids::CorrelationId::from_random(countersign_crypto::random_id())
}

/// SHA-256 over parts, hexadecimal.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> String {
    countersign_crypto::sha256(parts).to_string()
}

/// The opaque cursor after an entry of a list.
#[must_use]
pub fn encode_cursor(last: &str) -> String {
    countersign_crypto::b64::encode(last)
}

/// The entry that a cursor names; `None` when it is none of ours.
#[must_use]
pub fn decode_cursor(cursor: &str) -> Option<String> {
    String::from_utf8(countersign_crypto::b64::decode_canonical(cursor).ok()?).ok()
}

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address under which the instance is reached.
    pub public_url: PublicUrl,
    /// Requests per second that one organization may make of its token endpoints; `None` for no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// How long issuances are kept after their tokens have ended, in seconds.
    pub keep_issuances: u32,
}

/// The server without its doors: every use case is a method of it.
pub struct Service {
    settings: Settings,
    store: Store,
    master: Arc<MasterKey>,
    clock: MonotonicClock,
    snapshots: snapshots::Snapshots,
    replay: Option<Arc<replay::ReplayMemory>>,
    ledger: ledger::Ledger,
    issued: metrics::Counter,
    decoys: decoys::Decoys,
    instance: instance::InstanceState,
    activity: Arc<recorder::Recorder>,
    strangers: exchange::Strangers,
    callers: access::CallerCache,
    verified: introspection::VerifiedTokens,
}

impl Service {
    /// Starts the service on the current runtime: reads what must be in memory before the first request, and begins
    /// the work in the background.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn start(
        settings: Settings,
        store: Store,
        master: MasterKey,
        clock: Box<dyn Clock>,
    ) -> Result<Arc<Self>, ServiceError> {
        let master = Arc::new(master);
        let instance = instance::InstanceState::read_or_create(&store, &master).await?;
        let wall = clock.now();
        let (replay, latest) = restore_replay_memory(&store, wall).await?;
        // Where nodes share a database, each is held against its clock, and the record may be another node's.
        let latest = latest.filter(|_| replay.is_some());
        let high_water = instance
            .clock_high_water()
            .max(latest.unwrap_or(UnixTime::from_seconds(0)));
        let snapshots = snapshots::Snapshots::new(
            store.clone(),
            Arc::clone(&master),
            settings.requests_per_second,
        )
        .await?;
        let position = store.read().await?.feed_position().await?;
        let service = Arc::new(Self {
            ledger: ledger::Ledger::start(
                store.clone(),
                replay.clone(),
                ledger::LedgerKeys {
                    replay: master.mac_key("replay"),
                    place: master.mac_key("jti-place"),
                },
            ),
            issued: metrics::counter!("countersign_tokens_issued_total"),
            activity: Arc::new(recorder::Recorder::start(store.clone())),
            strangers: exchange::Strangers::new(settings.requests_per_second),
            clock: MonotonicClock::new(clock, high_water),
            decoys: decoys::Decoys::new(),
            callers: access::CallerCache::default(),
            verified: introspection::VerifiedTokens::default(),
            settings,
            store,
            master,
            snapshots,
            replay,
            instance,
        });
        service.shared_now().await?;
        maintenance::spawn(&service, position);
        Ok(service)
    }

    /// What the operator has decided.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time now, never earlier than any time acted on before.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Remembers the clock and closes the database. Call it after the last request.
    pub async fn stop(&self) {
        if let Err(error) = self.remember_clock().await {
            tracing::warn!(?error, "the clock could not be remembered");
        }
        self.store.database().close().await;
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.master
    }

    pub(crate) const fn clock(&self) -> &MonotonicClock {
        &self.clock
    }

    pub(crate) const fn snapshots(&self) -> &snapshots::Snapshots {
        &self.snapshots
    }

    pub(crate) const fn ledger(&self) -> &ledger::Ledger {
        &self.ledger
    }

    pub(crate) const fn decoys(&self) -> &decoys::Decoys {
        &self.decoys
    }

    pub(crate) const fn instance(&self) -> &instance::InstanceState {
        &self.instance
    }
}

/// Rebuilds the replay memory from the record, where this process is the only writer. Also says what the latest moment
/// on record is.
async fn restore_replay_memory(
    store: &Store,
    now: UnixTime,
) -> Result<(Option<Arc<replay::ReplayMemory>>, Option<UnixTime>), ServiceError> {
    let one_writer = store.database().has_one_writer();
    let memory = one_writer.then(|| Arc::new(replay::ReplayMemory::default()));
    // An assertion lives at most an hour and a little; what was used before that has lapsed. The clock may have been
    // set forward since, so an hour more is read.
    // Where several nodes share the database nothing is rebuilt: the newest row alone tells the latest moment.
    let reach = match one_writer {
        true => 2 * i64::from(countersign_domain::configurations::MAX_ASSERTION_LIFETIME),
        false => 0,
    };
    let latest = store
        .replay_memory(now.plus(-reach), |entry| {
            if let Some(memory) = &memory {
                memory.restore(entry.replay_key, entry.remember_until);
            }
        })
        .await?;
    Ok((memory, latest))
}

//! The instance as a whole: its identity, its restores, and whether it may issue.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use countersign_crypto::{MasterKey, random_token};
use countersign_domain::ids::CorrelationId;
use countersign_domain::time::UnixTime;
use countersign_store::{ActivityEntry, Store, Unit};

use crate::Service;
use crate::access::Caller;
use crate::api_tokens::BOOTSTRAPPED;
use crate::error::ServiceError;
use crate::transaction::until_settled;

const INSTANCE_ID: &str = "instance_id";
const RESTORE_EPOCH: &str = "restore_epoch";
const RESTORED_AT: &str = "restored_at";
const ISSUANCE_HELD: &str = "issuance_held";
const CLOCK_HIGH_WATER: &str = "clock_high_water";
const MASTER_KEY_CHECK: &str = "master_key_check";

/// No restore yet.
const NEVER: i64 = -1;

/// What the instance knows of itself, in memory.
pub struct InstanceState {
    id: String,
    restore_epoch: AtomicU64,
    restored_at: AtomicI64,
    held: AtomicBool,
    clock_high_water: UnixTime,
}

/// What an operator may know of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceFacts {
    /// A random name of this database.
    pub id: String,
    /// How often it was restored from a backup.
    pub restore_epoch: u64,
    /// When it was last restored.
    pub restored_at: Option<UnixTime>,
    /// Whether issuance waits for somebody to confirm the restore.
    pub issuance_held: bool,
}

impl InstanceState {
    /// Reads the facts; names the instance at its first start, and binds it to the master key.
    pub(crate) async fn read_or_create(
        store: &Store,
        master: &MasterKey,
    ) -> Result<Self, ServiceError> {
        bind_master_key(store, master).await?;
        until_settled(|| Self::try_read_or_create(store)).await
    }

    async fn try_read_or_create(store: &Store) -> Result<Self, ServiceError> {
        let mut unit = store.write().await?;
        let id = match unit.instance_fact(INSTANCE_ID).await? {
            Some(id) => id,
            None => {
                let id = random_token(16);
                unit.set_instance_fact(INSTANCE_ID, &id).await?;
                id
            }
        };
        let state = Self {
            id,
            restore_epoch: AtomicU64::new(
                number(&mut unit, RESTORE_EPOCH)
                    .await?
                    .unwrap_or(0)
                    .unsigned_abs(),
            ),
            restored_at: AtomicI64::new(number(&mut unit, RESTORED_AT).await?.unwrap_or(NEVER)),
            held: AtomicBool::new(unit.instance_fact(ISSUANCE_HELD).await?.is_some()),
            clock_high_water: UnixTime::from_seconds(
                number(&mut unit, CLOCK_HIGH_WATER).await?.unwrap_or(0),
            ),
        };
        unit.commit().await?;
        Ok(state)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn restored_at(&self) -> Option<UnixTime> {
        match self.restored_at.load(Ordering::Relaxed) {
            NEVER => None,
            seconds => Some(UnixTime::from_seconds(seconds)),
        }
    }

    pub(crate) const fn clock_high_water(&self) -> UnixTime {
        self.clock_high_water
    }
}

async fn number(unit: &mut Unit, name: &str) -> Result<Option<i64>, ServiceError> {
    let value = unit.instance_fact(name).await?;
    value
        .map(|value| {
            value
                .parse()
                .map_err(|_| ServiceError::Fault(format!("instance fact {name} is not a number")))
        })
        .transpose()
}

impl Service {
    /// The facts of the instance.
    ///
    /// # Errors
    /// When the caller is not of the platform.
    pub fn instance_facts(&self, caller: &Caller) -> Result<InstanceFacts, ServiceError> {
        caller.require_platform()?;
        Ok(InstanceFacts {
            id: self.instance.id.clone(),
            restore_epoch: self.instance.restore_epoch.load(Ordering::Relaxed),
            restored_at: self.instance.restored_at(),
            issuance_held: self.instance.is_held(),
        })
    }

    /// Lets a restored instance issue again: somebody has looked at what was revoked or changed since the backup.
    ///
    /// # Errors
    /// When the caller may not administer the platform, or the store is unavailable.
    pub async fn confirm_restore(
        &self,
        caller: &Caller,
        correlation_id: CorrelationId,
    ) -> Result<InstanceFacts, ServiceError> {
        caller.require_platform_admin()?;
        until_settled(|| self.try_confirm_restore((caller, correlation_id))).await?;
        self.instance.held.store(false, Ordering::Relaxed);
        tracing::warn!(caller = %caller, "the restore was confirmed; issuing again");
        self.instance_facts(caller)
    }

    /// Looks whether a restore that this node waits for has been confirmed at another node.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn follow_confirmation(&self) -> Result<(), ServiceError> {
        if !self.instance.is_held() {
            return Ok(());
        }
        let held = self.store.read().await?.instance_fact(ISSUANCE_HELD).await;
        if held?.is_none() {
            self.instance.held.store(false, Ordering::Relaxed);
            tracing::warn!("the restore was confirmed at another node; issuing again");
        }
        Ok(())
    }

    async fn try_confirm_restore(&self, by: (&Caller, CorrelationId)) -> Result<(), ServiceError> {
        let mut unit = self.store.write().await?;
        let entry = restore_entry("instance.restore_confirmed", by, self.now());
        unit.append_activity(&entry).await?;
        unit.remove_instance_fact(ISSUANCE_HELD).await?;
        Ok(unit.commit().await?)
    }

    /// Whether the database answers and the instance may issue.
    ///
    /// # Errors
    /// When it is not ready.
    pub async fn readiness(&self) -> Result<(), ServiceError> {
        let position = self.store.read().await?.feed_position().await;
        position?;
        let unavailable = ServiceError::Unavailable {
            retry_after: crate::RETRY_AFTER,
        };
        let is_issuing = !self.instance.is_held() && self.ledger.is_writing();
        if !is_issuing || self.clock.now_for_issuing().is_err() {
            return Err(unavailable);
        }
        Ok(())
    }

    pub(crate) async fn remember_clock(&self) -> Result<(), ServiceError> {
        until_settled(|| self.try_remember_clock()).await
    }

    async fn try_remember_clock(&self) -> Result<(), ServiceError> {
        let mut unit = self.store.write().await?;
        unit.raise_clock(self.now().seconds()).await?;
        Ok(unit.commit().await?)
    }
}

/// Binds a database to the master key at its first start.
///
/// # Errors
/// When the database was made with another master key, or the store is unavailable.
async fn bind_master_key(store: &Store, master: &MasterKey) -> Result<(), ServiceError> {
    // Another node may start at the same moment; one of the two does the work.
    until_settled(|| try_bind(store, master)).await
}

async fn try_bind(store: &Store, master: &MasterKey) -> Result<(), ServiceError> {
    let mut unit = store.write().await?;
    check_master_key(&mut unit, master).await?;
    Ok(unit.commit().await?)
}

/// Refuses a master key other than the one that the database was made with, before anything is read with it: rows
/// would look edited by hand, and signing keys would not open. No row is ever given a keyed digest for it.
async fn check_master_key(unit: &mut Unit, master: &MasterKey) -> Result<(), ServiceError> {
    let tag = master.mac_key("master-key-check").tag(&[]);
    let made: String = tag.iter().map(|octet| format!("{octet:02x}")).collect();
    match unit.instance_fact(MASTER_KEY_CHECK).await? {
        Some(known) if known == made => Ok(()),
        Some(_) => Err(ServiceError::Fault(
            "the master key is not the one that this database was made with: give the right one \
             (the file master.key of the data directory, COUNTERSIGN_MASTER_KEY, or the systemd credential)"
                .to_owned(),
        )),
        None => Ok(unit.set_instance_fact(MASTER_KEY_CHECK, &made).await?),
    }
}

/// What the platform's activity has of a restore.
fn restore_entry(
    kind: &str,
    (caller, correlation_id): (&Caller, CorrelationId),
    at: UnixTime,
) -> ActivityEntry {
    ActivityEntry {
        tenant_id: None,
        at,
        kind: kind.to_owned(),
        correlation_id: correlation_id.to_string(),
        actor: caller.to_string(),
        detail: serde_json::json!({}),
    }
}

/// Marks a database as restored at `now`, in the use case that reads the backup: raises the epoch, holds issuance until
/// somebody confirms, revokes every API token, and lets the next start make a first one again (conformance Part 3
/// no. 20).
///
/// # Errors
/// When the master key is not that of the backup, or the store is unavailable.
pub async fn mark_restored(
    unit: &mut Unit,
    master: &MasterKey,
    now: UnixTime,
) -> Result<(), ServiceError> {
    check_master_key(unit, master).await?;
    let epoch = number(unit, RESTORE_EPOCH).await?.unwrap_or(0) + 1;
    unit.set_instance_fact(RESTORE_EPOCH, &epoch.to_string())
        .await?;
    unit.set_instance_fact(RESTORED_AT, &now.seconds().to_string())
        .await?;
    unit.set_instance_fact(ISSUANCE_HELD, "restore").await?;
    unit.raise_clock(now.seconds()).await?;
    unit.revoke_all_api_tokens(now).await?;
    let by = (&Caller::operator(), crate::new_correlation_id());
    unit.append_activity(&restore_entry("instance.restored", by, now))
        .await?;
    Ok(unit.remove_instance_fact(BOOTSTRAPPED).await?)
}

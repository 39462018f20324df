//! Work in the background: following changes of other nodes, rotating keys, forgetting what has lapsed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use countersign_domain::time::UnixTime;
use countersign_store::{FeedPage, StoreError};

use crate::error::{ServiceError, alarm};
use crate::transaction::until_settled;
use crate::{Service, keyring};

/// How often the feed is read; below the bound on staleness.
const FOLLOW_EVERY: Duration = Duration::from_millis(400);

/// How often lapsed rows are forgotten and the clock is remembered.
const TIDY_EVERY: Duration = Duration::from_secs(20);

/// How often it is looked whether a signing key is due.
const ROTATE_EVERY: Duration = Duration::from_secs(300);

/// Events read at a time.
const EVENTS: u32 = 500;

/// Issuances forgotten in one transaction, so that none holds the writer for long.
const FORGET: u32 = 5_000;

/// How long the feed is kept, in seconds.
const KEEP_FEED: i64 = 86_400;

/// Starts the work. It ends with the service.
pub(crate) fn spawn(service: &Arc<Service>, position: u64) {
    let weak = Arc::downgrade(service);
    tokio::spawn(follow(Weak::clone(&weak), position));
    tokio::spawn(every(
        TIDY_EVERY,
        Weak::clone(&weak),
        "tidying up",
        Service::tidy,
    ));
    tokio::spawn(every(
        ROTATE_EVERY,
        weak,
        "rotating signing keys",
        Service::rotate_signing_keys,
    ));
}

async fn follow(service: Weak<Service>, mut position: u64) {
    loop {
        tokio::time::sleep(FOLLOW_EVERY).await;
        let Some(service) = service.upgrade() else {
            return;
        };
        match service.follow_feed(position).await {
            Ok(reached) => position = reached,
            Err(error) => tracing::warn!(
                ?error,
                "changes of other nodes could not be read; trying again"
            ),
        }
        if let Err(error) = service.follow_confirmation().await {
            tracing::warn!(?error, "it is not known whether a restore was confirmed");
        }
    }
}

async fn every<F>(
    pause: Duration,
    service: Weak<Service>,
    what: &str,
    work: impl Fn(Arc<Service>) -> F,
) where
    F: Future<Output = Result<(), ServiceError>>,
{
    loop {
        let Some(alive) = service.upgrade() else {
            return;
        };
        if let Err(error) = work(alive).await {
            tracing::warn!(?error, what, "work in the background failed; trying again");
        }
        tokio::time::sleep(pause).await;
    }
}

impl Service {
    /// Acts on everything after `position`; returns the position reached. Stops at the first event that fails. Where
    /// events are gone, because this node was away for longer than they are kept, or cannot be read, because somebody
    /// wrote them by hand, it loads everything anew.
    async fn follow_feed(&self, mut position: u64) -> Result<u64, ServiceError> {
        loop {
            let mut unit = self.store().read().await?;
            let events = match unit.follow_feed(position, EVENTS).await {
                Ok(FeedPage::Events(events)) => events,
                Ok(FeedPage::Gap { position: newest }) => {
                    tracing::warn!(position, newest, "changes are no longer in the feed");
                    drop(unit);
                    return self.load_anew(newest).await;
                }
                Err(error @ StoreError::Corrupt { .. }) => {
                    alarm(&error);
                    let newest = unit.feed_position().await?;
                    drop(unit);
                    return self.load_anew(newest).await;
                }
                Err(error) => return Err(error.into()),
            };
            drop(unit);
            for event in &events {
                self.snapshots().refresh(event, self.now()).await?;
                position = event.position;
            }
            if events.len() < EVENTS as usize {
                return Ok(position);
            }
        }
    }

    /// Forgets everything that this node knows of organizations and callers, and goes on from a position.
    async fn load_anew(&self, position: u64) -> Result<u64, ServiceError> {
        metrics::counter!("countersign_feed_gaps_total").increment(1);
        self.snapshots().forget_all().await?;
        self.callers.forget_all();
        Ok(position)
    }

    async fn tidy(self: Arc<Self>) -> Result<(), ServiceError> {
        let now = self.now();
        // First the clock: what is forgotten below must never be accepted again, even if the clock is set back.
        self.remember_clock().await?;
        if let Some(replay) = &self.replay {
            replay.sweep(now);
            metrics::gauge!("countersign_replay_keys")
                .set(f64::from(u32::try_from(replay.len()).unwrap_or(u32::MAX)));
        }
        self.verified.sweep(now);
        let before = now.plus(-i64::from(self.settings().keep_issuances));
        while self.store().forget_issuances(before, now, FORGET).await? > 0 {
            tokio::task::yield_now().await;
        }
        until_settled(|| self.forget_lapsed(now)).await
    }

    async fn forget_lapsed(&self, now: UnixTime) -> Result<(), ServiceError> {
        let mut unit = self.store().write().await?;
        unit.forget_revocations(now).await?;
        unit.forget_answers(now.plus(-KEEP_FEED)).await?;
        unit.forget_feed(now.plus(-KEEP_FEED)).await?;
        Ok(unit.commit().await?)
    }

    async fn rotate_signing_keys(self: Arc<Self>) -> Result<(), ServiceError> {
        for tenant_id in self.snapshots().all_known() {
            if let Err(error) = self.rotate_keys_of(tenant_id, self.now()).await {
                tracing::warn!(?error, %tenant_id, "signing keys could not be rotated; trying again");
            }
        }
        Ok(())
    }

    async fn rotate_keys_of(
        &self,
        tenant_id: countersign_domain::ids::TenantId,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let mut unit = self.store().read().await?;
        let Some(organization) = unit.organization(tenant_id).await? else {
            return Ok(());
        };
        let position = unit.feed_position().await?;
        let target = (tenant_id, &organization.state);
        if !keyring::is_due(
            &unit.signing_keys(tenant_id).await?,
            &organization.state,
            now,
        ) {
            return Ok(());
        }
        drop(unit);
        if keyring::rotate_due(self.store(), self.master(), target, now).await? {
            let events = self
                .store()
                .read()
                .await?
                .feed_after(position, EVENTS)
                .await?;
            self.act_on(&events, now).await;
        }
        Ok(())
    }
}

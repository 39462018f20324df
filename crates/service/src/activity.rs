//! What happened: administrative acts with the change itself, refusals in the background.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_store::{ActivityEntry, ActivityFilter, Page, RecordedActivity, Store};
use serde_json::json;
use tokio::sync::mpsc;

use crate::Service;
use crate::access::Caller;
use crate::error::ServiceError;
use crate::exchange::ExchangeError;
use crate::transaction::until_settled;

/// Refusals that may wait to be recorded; beyond, they are counted and dropped, so that a flood costs nobody else.
const QUEUE: usize = 4096;

/// Refusals recorded in one transaction.
const GROUP: usize = 256;

/// Refusals kept per organization.
const KEEP_REFUSALS: u32 = 10_000;

/// A page of the activity of an organization.
pub type ActivityPage = Vec<RecordedActivity>;

/// Records refusals in the background.
pub struct Recorder {
    queue: mpsc::Sender<ActivityEntry>,
    dropped: AtomicU64,
}

impl Recorder {
    /// Starts recording on the current runtime.
    pub(crate) fn start(store: Store) -> Self {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                if let Err(error) = until_settled(|| record(&store, &group)).await {
                    tracing::error!(?error, lost = group.len(), "refusals could not be recorded");
                }
                group.clear();
            }
        });
        Self {
            queue,
            dropped: AtomicU64::new(0),
        }
    }

    fn note(&self, entry: ActivityEntry) {
        if self.queue.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("countersign_activity_dropped_total").increment(1);
        }
    }
}

async fn record(store: &Store, group: &[ActivityEntry]) -> Result<(), ServiceError> {
    let mut unit = store.write().await?;
    for entry in group {
        unit.append_activity(entry).await?;
    }
    if let Some(tenant_id) = group.last().and_then(|entry| entry.tenant_id) {
        unit.trim_refusals(tenant_id, KEEP_REFUSALS).await?;
    }
    Ok(unit.commit().await?)
}

impl Service {
    /// Notes why an exchange gave no token: in the log, in the metrics, and in the organization's activity.
    pub(crate) fn note_refusal(
        &self,
        tenant_id: TenantId,
        correlation_id: CorrelationId,
        error: &ExchangeError,
    ) {
        let ExchangeError::Refused(refusal) = error else {
            metrics::counter!("countersign_tokens_unavailable_total").increment(1);
            return;
        };
        let reason = refusal.reason.code();
        metrics::counter!("countersign_tokens_refused_total", "reason" => reason).increment(1);
        tracing::info!(%tenant_id, %correlation_id, reason, "assertion refused");
        if refusal.reason == countersign_domain::assertion::Reason::UnknownOrganization {
            return;
        }
        self.activity.note(ActivityEntry {
            tenant_id: Some(tenant_id),
            at: self.now(),
            kind: "token.refused".to_owned(),
            correlation_id: correlation_id.to_string(),
            actor: "caller".to_owned(),
            detail: json!({"reason": reason, "seen": refusal.seen, "expected": refusal.expected}),
        });
    }

    /// The activity of an organization, newest first.
    ///
    /// # Errors
    /// Not found for another organization's caller; unavailable when the store is.
    pub async fn activity(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        filter: &ActivityFilter,
        page: &Page,
    ) -> Result<ActivityPage, ServiceError> {
        caller.require_read(tenant_id)?;
        let mut unit = self.store().read().await?;
        unit.organization(tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        Ok(unit.activity(tenant_id, filter, page).await?)
    }

    /// The activity of the platform itself, newest first: acts that concern no organization.
    ///
    /// # Errors
    /// Forbidden for a caller of an organization; unavailable when the store is.
    pub async fn platform_activity(
        &self,
        caller: &Caller,
        filter: &ActivityFilter,
        page: &Page,
    ) -> Result<ActivityPage, ServiceError> {
        caller.require_platform()?;
        let mut unit = self.store().read().await?;
        Ok(unit.activity(None, filter, page).await?)
    }
}

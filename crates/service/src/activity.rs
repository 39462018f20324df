//! What happened: administrative acts with the change itself, refusals in the background.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_domain::assertion::{Reason, Refusal};
use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_domain::time::UnixTime;
use countersign_store::{ActivityEntry, ActivityFilter, Page, RecordedActivity, Store, StoreError};
use serde_json::json;
use tokio::sync::mpsc;

use crate::Service;
use crate::access::Caller;
use crate::error::ServiceError;
use crate::exchange::ExchangeError;

/// Refusals that may wait to be recorded; beyond, they are counted and dropped, so that a flood costs nobody else.
const QUEUE: usize = 4096;

/// Refusals recorded in one transaction.
const GROUP: usize = 256;

/// Refusals kept per organization.
const KEEP_REFUSALS: u32 = 10_000;

/// A page of the activity of an organization.
pub type ActivityPage = Vec<RecordedActivity>;

/// A refused assertion that waits to be recorded.
struct Refused {
    tenant_id: TenantId,
    at: UnixTime,
    correlation_id: CorrelationId,
    refusal: Refusal,
}

impl Refused {
    fn entry(&self) -> ActivityEntry {
        let Refusal {
            reason,
            seen,
            expected,
            ..
        } = &self.refusal;
        ActivityEntry {
            tenant_id: Some(self.tenant_id),
            at: self.at,
            kind: "token.refused".to_owned(),
            correlation_id: self.correlation_id.to_string(),
            actor: "caller".to_owned(),
            detail: json!({"reason": reason, "seen": seen.to_string(), "expected": expected.to_string()}),
        }
    }
}

/// Records refusals in the background. The entry is written there too: what a refusal has to tell must not show in the
/// time that its answer takes (conformance D11).
pub struct Recorder {
    queue: mpsc::Sender<Refused>,
    dropped: AtomicU64,
}

impl Recorder {
    /// Starts recording on the current runtime.
    pub(crate) fn start(store: Store) -> Self {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut group, GROUP).await > 0 {
                if let Err(error) = record(&store, &group).await {
                    tracing::error!(error = %error, lost = group.len(), "refusals could not be recorded");
                }
                group.clear();
            }
        });
        Self {
            queue,
            dropped: AtomicU64::new(0),
        }
    }

    fn note(&self, refused: Refused) {
        if self.queue.try_send(refused).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("countersign_activity_dropped_total").increment(1);
        }
    }
}

async fn record(store: &Store, group: &[Refused]) -> Result<(), StoreError> {
    let mut unit = store.write().await?;
    for refused in group {
        unit.append_activity(&refused.entry()).await?;
    }
    let tenants: BTreeSet<TenantId> = group.iter().map(|refused| refused.tenant_id).collect();
    for tenant_id in tenants {
        unit.trim_refusals(tenant_id, KEEP_REFUSALS).await?;
    }
    unit.commit().await
}

impl Service {
    /// Notes why an exchange gave no token: in the log, in the metrics, and in the organization's activity.
    pub(crate) fn note_refusal(
        &self,
        tenant_id: TenantId,
        correlation_id: CorrelationId,
        error: &ExchangeError,
    ) {
        let refusal = match error {
            ExchangeError::Refused(refusal) => refusal,
            ExchangeError::Fault(cause) => {
                metrics::counter!("countersign_tokens_unavailable_total").increment(1);
                return tracing::error!(%tenant_id, %correlation_id, cause, "no token: a fault of ours");
            }
            ExchangeError::RateLimited { .. } | ExchangeError::Unavailable { .. } => {
                return metrics::counter!("countersign_tokens_unavailable_total").increment(1);
            }
        };
        let reason = refusal.reason.code();
        metrics::counter!("countersign_tokens_refused_total", "reason" => reason).increment(1);
        tracing::info!(%tenant_id, %correlation_id, reason, "assertion refused");
        if refusal.reason == Reason::UnknownOrganization {
            return;
        }
        self.activity.note(Refused {
            tenant_id,
            at: self.now(),
            correlation_id,
            refusal: refusal.clone(),
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

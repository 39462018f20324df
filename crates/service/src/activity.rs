//! What happened: administrative acts with the change itself, refusals in the background.

use countersign_domain::assertion::Reason;
use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_store::{ActivityFilter, Page, RecordedActivity};

use crate::Service;
use crate::access::Caller;
use crate::error::ServiceError;
use crate::exchange::ExchangeError;
use crate::recorder::{Refused, What};

/// A page of the activity of an organization.
pub type ActivityPage = Vec<RecordedActivity>;

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
        let (reason, now) = (refusal.reason.code(), self.now());
        metrics::counter!("countersign_tokens_refused_total", "reason" => reason).increment(1);
        // What is said of organizations that do not exist has one place: anybody can think of new ones.
        let exists = refusal.reason != Reason::UnknownOrganization;
        if let Some(omitted) = self.activity.line(exists.then_some(tenant_id), now) {
            tracing::info!(%tenant_id, %correlation_id, reason, omitted, "assertion refused");
        }
        if exists {
            self.activity.note(Refused {
                tenant_id,
                at: now,
                correlation_id,
                what: What::Assertion(refusal.clone()),
            });
        }
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

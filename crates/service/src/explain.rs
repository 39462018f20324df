//! The workbench: why an assertion is refused. It runs the token endpoint's own code and burns nothing.

use countersign_domain::assertion::{
    Check, Conditions, Hint, Reason, Refusal, Step, Trace, near_misses,
};
use countersign_domain::grant::{self, Grant};
use countersign_domain::ids::TenantId;

use crate::Service;
use crate::access::Caller;
use crate::error::ServiceError;
use crate::exchange::ExchangeRequest;
use crate::snapshots::{Budget, OrganizationSnapshot};

/// The explanation.
#[derive(Debug)]
pub struct Explained {
    /// The checks that passed, in order.
    pub passed: Vec<Step>,
    /// The one that failed, if any.
    pub refusal: Option<Refusal>,
    /// Guesses about the cause.
    pub hints: Vec<Hint>,
    /// What a token would be granted.
    pub grant: Option<Grant>,
}

impl Explained {
    /// The check that failed: the first one after those that passed. A reason has a check of its own, but a malformed
    /// claim can already stand in the way of finding the configuration.
    #[must_use]
    pub fn failed_check(&self) -> Option<Check> {
        self.refusal.as_ref()?;
        let passed = self
            .passed
            .last()
            .map_or(0, |step| usize::from(step.check.number()));
        Check::ALL.get(passed).copied()
    }
}

impl Service {
    /// Explains what the token endpoint would say to an assertion.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization; too many, when the organization has used up its budget.
    pub async fn explain(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
    ) -> Result<Explained, ServiceError> {
        caller.require_read(tenant_id)?;
        let now = self.now();
        let found = self.snapshots().organization(tenant_id, now).await?;
        let organization = found.ok_or(ServiceError::NotFound)?;
        organization
            .take_budget(Budget::Questions)
            .map_err(|retry_after| ServiceError::RateLimited { retry_after })?;
        let conditions = Conditions {
            now,
            restored_at: self.instance().restored_at(),
        };
        let mut trace = Trace::on();
        let outcome = self.try_explain(&organization, request, conditions, &mut trace);
        let issuer = self.settings().public_url.issuer(tenant_id);
        let hints = match &outcome {
            Ok(_) => Vec::new(),
            Err(refusal) => near_misses(
                request.assertion,
                refusal,
                &organization.directory(),
                &issuer,
                now,
            ),
        };
        let (grant, refusal) = match outcome {
            Ok(grant) => (Some(grant), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Ok(Explained {
            passed: trace.steps().to_vec(),
            refusal,
            hints,
            grant,
        })
    }

    fn try_explain(
        &self,
        organization: &OrganizationSnapshot,
        request: ExchangeRequest<'_>,
        conditions: Conditions,
        trace: &mut Trace,
    ) -> Result<Grant, Refusal> {
        let now = conditions.now;
        let accepted = self.judge(organization, request, conditions, trace)?;
        let state = organization.state();
        let granted = grant::decide(accepted, &state, request.asked(), now, trace)?;
        if self.ledger().is_used(granted.assertion(), now) {
            return Err(Refusal::new(
                Reason::AssertionReplayed,
                "used before",
                "a jti never used before",
            )
            .after_the_signature());
        }
        trace.passed(Check::SingleUse, || {
            ("not used yet".into(), "a jti never used before".into())
        });
        Ok(granted)
    }
}

//! The workbench: why an assertion is refused. It runs the token endpoint's own code and burns nothing.

use countersign_domain::assertion::{Check, Flow, Hint, Reason, Refusal, Step, Trace, near_misses};
use countersign_domain::assertion::{Conditions, OrganizationStanding, UnverifiedAssertion};
use countersign_domain::grant::{self, Grant};
use countersign_domain::ids::TenantId;

use crate::Service;
use crate::access::Caller;
use crate::error::ServiceError;
use crate::snapshots::OrganizationSnapshot;

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub struct ExplainRequest<'a> {
    /// The JWT.
    pub assertion: &'a str,
    /// How it would be sent.
    pub flow: Flow,
    /// The `scope` parameter.
    pub scope: Option<&'a str>,
}

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
    /// Not found, also for a caller of another organization.
    pub async fn explain(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        request: ExplainRequest<'_>,
    ) -> Result<Explained, ServiceError> {
        caller.require_read(tenant_id)?;
        let now = self.now();
        let found = self.snapshots().organization(tenant_id, now).await?;
        let organization = found.ok_or(ServiceError::NotFound)?;
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
        request: ExplainRequest<'_>,
        conditions: Conditions,
        trace: &mut Trace,
    ) -> Result<Grant, Refusal> {
        let now = conditions.now;
        let unverified = UnverifiedAssertion::parse(request.assertion, request.flow, trace)?;
        let state = organization.state();
        let candidate = {
            let directory = organization.directory();
            let standing = OrganizationStanding {
                status: state.status,
                directory: &directory,
            };
            unverified.select(standing, None, now, trace)?
        };
        let accepted = unverified
            .verify(candidate, trace)?
            .accept(conditions, trace)?;
        let granted = grant::decide(&accepted, &state, request.scope, now, trace)?;
        if self.ledger().is_used(&accepted, now) {
            return Err(Refusal::new(
                Reason::AssertionReplayed,
                "used before",
                "a jti never used before",
            ));
        }
        trace.passed(Check::SingleUse, || {
            ("not used yet".into(), "a jti never used before".into())
        });
        Ok(granted)
    }
}

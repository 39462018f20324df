//! One exchange: an assertion for an access token. The order of the steps is the order of `tokens.md`.

use std::num::NonZeroU32;
use std::sync::Arc;

use countersign_domain::access_token::UnrecordedToken;
use countersign_domain::assertion::{
    AcceptedAssertion, Conditions, Flow, OrganizationStanding, Reason, Refusal, Trace,
    UnverifiedAssertion,
};
use countersign_domain::grant::{self, Asked};
use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_domain::time::UnixTime;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::Service;
use crate::error::RETRY_AFTER;
use crate::ledger::NotRecorded;
use crate::snapshots::{Budget, OrganizationSnapshot};
use crate::standing::Basis;

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeRequest<'a> {
    /// How it asks.
    pub flow: Flow,
    /// The signed JWT.
    pub assertion: &'a str,
    /// The `scope` parameter.
    pub scope: Option<&'a str>,
    /// The `resource` parameters (RFC 8707).
    pub resources: &'a [&'a str],
    /// The `client_id` parameter.
    pub client_id: Option<&'a str>,
    /// Ties the answer to the log.
    pub correlation_id: CorrelationId,
}

impl<'a> ExchangeRequest<'a> {
    /// What it asks for beside the assertion.
    pub(crate) const fn asked(&self) -> Asked<'a> {
        Asked {
            scope: self.scope,
            resources: self.resources,
        }
    }
}

/// An access token and what to tell about it (RFC 6749 §5.1).
#[derive(Debug)]
pub struct IssuedToken {
    /// The signed JWT.
    pub access_token: String,
    /// Seconds until it ends.
    pub expires_in: i64,
    /// The permission groups, separated by spaces.
    pub scope: String,
}

/// An exchange that gave no token.
#[derive(Debug)]
pub enum ExchangeError {
    /// A check did not hold.
    Refused(Refusal),
    /// Ours: logged in full, told to nobody.
    Fault(String),
    /// The organization has used up its budget.
    RateLimited {
        /// Seconds until there is some again.
        retry_after: u32,
    },
    /// The store cannot write, or the instance must not issue now.
    Unavailable {
        /// When to try again, in seconds.
        retry_after: u32,
    },
}

/// What a request has passed: what it was judged by, the accepted assertion and the moment.
pub(crate) struct Accepted {
    pub(crate) basis: Basis,
    pub(crate) assertion: AcceptedAssertion,
    pub(crate) now: UnixTime,
}

impl Service {
    /// Exchanges an assertion for an access token at the organization's token endpoint.
    ///
    /// # Errors
    /// [`ExchangeError`]. An assertion is burned only when a token was recorded for it.
    pub async fn exchange(
        &self,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
    ) -> Result<IssuedToken, ExchangeError> {
        let result = self.try_exchange(tenant_id, request).await;
        match &result {
            Ok(_) => self.issued.increment(1),
            Err(error) => self.note_refusal(tenant_id, request.correlation_id, error),
        }
        result
    }

    /// Exchanges an assertion that names its organization in the claim `tenant_id` (the compatibility route).
    ///
    /// # Errors
    /// As [`Service::exchange`].
    pub async fn exchange_by_claim(
        &self,
        request: ExchangeRequest<'_>,
    ) -> Result<IssuedToken, ExchangeError> {
        let result = match named_organization(request) {
            Ok(tenant_id) => self.exchange(tenant_id, request).await,
            Err(refusal) => {
                self.note_nameless(request.correlation_id, refusal.reason);
                return Err(self.strangers.refuse(refusal));
            }
        };
        match result {
            Err(ExchangeError::Refused(refusal))
                if refusal.reason == Reason::UnknownOrganization =>
            {
                Err(self.strangers.refuse(refusal))
            }
            result => result,
        }
    }

    /// No organization is known whose activity could have the refusal: the log must.
    fn note_nameless(&self, correlation_id: CorrelationId, reason: Reason) {
        let reason = reason.code();
        metrics::counter!("countersign_tokens_refused_total", "reason" => reason).increment(1);
        if let Some(omitted) = self.activity.line(None, self.now()) {
            tracing::info!(%correlation_id, reason, omitted, "assertion refused");
        }
    }

    async fn try_exchange(
        &self,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
    ) -> Result<IssuedToken, ExchangeError> {
        let trace = &mut Trace::off();
        let Accepted {
            basis,
            assertion,
            now,
        } = self.accept(tenant_id, request, trace).await?;
        let organization = basis.organization();
        let configuration = Arc::clone(assertion.configuration());
        let asked = request.asked();
        let granted = grant::decide(assertion, &organization.state(), asked, now, trace)
            .map_err(ExchangeError::Refused)?;
        let token = UnrecordedToken::new(granted, now)
            .map_err(|error| ExchangeError::Fault(error.to_string()))?;
        let keyless = || ExchangeError::Fault(format!("{tenant_id} has no signing key"));
        // Looked for before the record: no assertion is burned for a token that cannot be signed.
        organization.keyring().current().ok_or_else(keyless)?;
        let recorded = self.ledger().record(token).await.map_err(not_recorded)?;
        let (token, keyring) = basis.confirm(recorded, &configuration, self.snapshots())?;
        let (configuration, correlation_id) =
            (configuration.configuration().id, request.correlation_id);
        tracing::debug!(%tenant_id, %configuration, %correlation_id, "access token issued");
        Ok(keyring.current().ok_or_else(keyless)?.sign(token))
    }

    /// Checks 1 to 11, where tokens are issued and assertions used up.
    pub(crate) async fn accept(
        &self,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
        trace: &mut Trace,
    ) -> Result<Accepted, ExchangeError> {
        let conditions = self.issuing_conditions()?;
        let now = conditions.now;
        let organization = self.find_organization(tenant_id, now).await?;
        let basis = Basis::of(&organization);
        let judged = self.judge(&organization, request, conditions, trace);
        // Whoever knows the organization's address can send what nobody has signed. It has a budget of its own, so that
        // it uses up none of those who prove who they are. Which one it is shows only after the signature check, which
        // takes its time whether or not there is any budget left (conformance D11).
        let proven = judged.as_ref().map_or_else(Refusal::is_disclosed, |_| true);
        let budget = if proven {
            Budget::Tokens
        } else {
            Budget::Unproven
        };
        organization
            .take_budget(budget)
            .map_err(|retry_after| ExchangeError::RateLimited { retry_after })?;
        let assertion = judged.map_err(ExchangeError::Refused)?;
        Ok(Accepted {
            basis,
            assertion,
            now,
        })
    }

    /// Checks 1 to 11: the one way to an accepted assertion, for the token endpoint and the workbench alike.
    pub(crate) fn judge(
        &self,
        organization: &OrganizationSnapshot,
        request: ExchangeRequest<'_>,
        conditions: Conditions,
        trace: &mut Trace,
    ) -> Result<AcceptedAssertion, Refusal> {
        let unverified = UnverifiedAssertion::parse(request.assertion, request.flow, trace)?;
        let selected = {
            let directory = organization.directory();
            let standing = OrganizationStanding {
                status: organization.state().status,
                directory: &directory,
            };
            unverified.select(standing, request.client_id, conditions.now, trace)
        };
        let decoys = |algorithm, octets| self.decoys().for_signature(algorithm, octets);
        selected
            .map_err(|nothing| nothing.refusal(&decoys))?
            .verify(&decoys, trace)?
            .accept(conditions, trace)
    }

    pub(crate) async fn find_organization(
        &self,
        tenant_id: TenantId,
        now: UnixTime,
    ) -> Result<Arc<OrganizationSnapshot>, ExchangeError> {
        let found = self
            .snapshots()
            .organization(tenant_id, now)
            .await
            .map_err(|error| {
                tracing::error!(?error, %tenant_id, "the organization could not be loaded");
                ExchangeError::Unavailable {
                    retry_after: RETRY_AFTER,
                }
            })?;
        found.ok_or_else(|| {
            ExchangeError::Refused(Refusal::new(
                Reason::UnknownOrganization,
                tenant_id.to_string(),
                "",
            ))
        })
    }

    fn issuing_conditions(&self) -> Result<Conditions, ExchangeError> {
        let refuse = |why: &str| {
            tracing::error!(why, "nothing is issued");
            Err(ExchangeError::Unavailable {
                retry_after: RETRY_AFTER,
            })
        };
        if self.instance().is_held() {
            return refuse("the instance was restored from a backup and nobody has confirmed it");
        }
        match self.clock().now_for_issuing() {
            Ok(now) => Ok(Conditions {
                now,
                restored_at: self.instance().restored_at(),
            }),
            Err(distrusted) => refuse(&distrusted.to_string()),
        }
    }
}

/// The organization that the claim `tenant_id` names.
fn named_organization(request: ExchangeRequest<'_>) -> Result<TenantId, Refusal> {
    let trace = &mut Trace::off();
    let peeked = UnverifiedAssertion::parse(request.assertion, request.flow, trace)?;
    let named = peeked.peek("tenant_id").and_then(|id| id.parse().ok());
    named.ok_or_else(|| Refusal::new(Reason::UnknownOrganization, "", "a tenant_id claim"))
}

/// The budget of requests at the compatibility route that name no organization which there is, together.
pub(crate) struct Strangers(Option<DefaultDirectRateLimiter>);

impl Strangers {
    /// So many in a second as one organization may make; `None` for no limit.
    pub(crate) fn new(requests_per_second: Option<NonZeroU32>) -> Self {
        Self(requests_per_second.map(|rate| RateLimiter::direct(Quota::per_second(rate))))
    }

    /// The refusal, or that there were too many.
    fn refuse(&self, refusal: Refusal) -> ExchangeError {
        match self.0.as_ref().map(RateLimiter::check) {
            Some(Err(_)) => ExchangeError::RateLimited { retry_after: 1 },
            Some(Ok(())) | None => ExchangeError::Refused(refusal),
        }
    }
}

/// Check 14, and what else keeps a use from being recorded.
pub(crate) fn not_recorded(cause: NotRecorded) -> ExchangeError {
    match cause {
        NotRecorded::Replayed => {
            let refusal = Refusal::new(Reason::AssertionReplayed, "", "");
            ExchangeError::Refused(refusal.after_the_signature())
        }
        NotRecorded::Unavailable => ExchangeError::Unavailable {
            retry_after: RETRY_AFTER,
        },
    }
}

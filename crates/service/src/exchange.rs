//! One exchange: an assertion for an access token. The order of the steps is the order of `tokens.md`.

use std::sync::Arc;

use countersign_domain::access_token::AccessTokenClaims;
use countersign_domain::assertion::{
    AcceptedAssertion, Conditions, Flow, OrganizationStanding, Reason, Refusal, Trace,
    UnverifiedAssertion,
};
use countersign_domain::grant::{self, Grant};
use countersign_domain::ids::{CorrelationId, TenantId};
use countersign_domain::permission_groups::to_scope;
use countersign_domain::time::UnixTime;

use crate::Service;
use crate::error::RETRY_AFTER;
use crate::ledger::{NotRecorded, Recorded};
use crate::snapshots::OrganizationSnapshot;

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
    /// Ours.
    Fault,
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

/// What a request has passed: its organization, the accepted assertion and the moment.
pub(crate) struct Accepted {
    pub(crate) organization: Arc<OrganizationSnapshot>,
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
        let correlation_id = request.correlation_id;
        // No organization is known whose activity could have it: the log must.
        let refused = |refusal: Refusal| {
            let reason = refusal.reason.code();
            metrics::counter!("countersign_tokens_refused_total", "reason" => reason).increment(1);
            tracing::info!(%correlation_id, reason, "assertion refused");
            ExchangeError::Refused(refusal)
        };
        let unknown = || Refusal::new(Reason::UnknownOrganization, "", "a tenant_id claim");
        let peeked = UnverifiedAssertion::parse(request.assertion, request.flow, &mut Trace::off())
            .map_err(refused)?;
        let tenant_id = peeked
            .peek("tenant_id")
            .and_then(|tenant| tenant.parse().ok())
            .ok_or_else(|| refused(unknown()))?;
        self.exchange(tenant_id, request).await
    }

    async fn try_exchange(
        &self,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
    ) -> Result<IssuedToken, ExchangeError> {
        let trace = &mut Trace::off();
        let Accepted {
            organization,
            assertion,
            now,
        } = self.accept(tenant_id, request, trace).await?;
        grant::check_resources(&assertion, request.resources).map_err(ExchangeError::Refused)?;
        let granted = grant::decide(&assertion, &organization.state(), request.scope, now, trace)
            .map_err(ExchangeError::Refused)?;
        let recorded = self.record(&assertion, granted.expires_at(), now).await?;
        let jti = |content: &[u8]| self.ledger().jti(&recorded, content);
        sign(&organization, &assertion, &granted, jti, now)
    }

    /// Checks 1 to 11.
    pub(crate) async fn accept(
        &self,
        tenant_id: TenantId,
        request: ExchangeRequest<'_>,
        trace: &mut Trace,
    ) -> Result<Accepted, ExchangeError> {
        let conditions = self.issuing_conditions()?;
        let now = conditions.now;
        let organization = self.find_organization(tenant_id, now).await?;
        organization
            .take_budget()
            .map_err(|retry_after| ExchangeError::RateLimited { retry_after })?;
        let unverified = UnverifiedAssertion::parse(request.assertion, request.flow, trace)
            .map_err(ExchangeError::Refused)?;
        let selected = {
            let directory = organization.directory();
            let standing = OrganizationStanding {
                status: organization.state().status,
                directory: &directory,
            };
            unverified.select(standing, request.client_id, now, trace)
        };
        let candidate = match selected {
            Ok(candidate) => candidate,
            Err(refusal) => {
                self.spend_a_verification(unverified);
                return Err(ExchangeError::Refused(refusal));
            }
        };
        let assertion = unverified
            .verify(candidate, trace)
            .and_then(|verified| verified.accept(conditions, trace))
            .map_err(ExchangeError::Refused)?;
        Ok(Accepted {
            organization,
            assertion,
            now,
        })
    }

    /// Check 14, and the durable record.
    pub(crate) async fn record(
        &self,
        assertion: &AcceptedAssertion,
        token_expires_at: UnixTime,
        now: UnixTime,
    ) -> Result<Recorded, ExchangeError> {
        self.ledger()
            .record(assertion, token_expires_at, now)
            .await
            .map_err(|cause| match cause {
                NotRecorded::Replayed => {
                    ExchangeError::Refused(Refusal::new(Reason::AssertionReplayed, "", ""))
                }
                NotRecorded::Unavailable => ExchangeError::Unavailable {
                    retry_after: RETRY_AFTER,
                },
            })
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
            Err(stepped) => refuse(&format!(
                "the clock has stepped back by {} s",
                stepped.seconds
            )),
        }
    }

    /// A caller that nobody knows takes as long as one with a bad signature.
    fn spend_a_verification(&self, unverified: UnverifiedAssertion<'_>) {
        let decoy = self.decoys().for_algorithm(unverified.algorithm());
        unverified.verify_against_decoy(decoy);
    }
}

/// Signs the token. `jti` comes from the ledger, which makes one only out of a record.
fn sign(
    organization: &OrganizationSnapshot,
    assertion: &AcceptedAssertion,
    granted: &Grant,
    jti: impl FnOnce(&[u8]) -> String,
    now: UnixTime,
) -> Result<IssuedToken, ExchangeError> {
    let trusted = assertion.configuration();
    let claims = AccessTokenClaims::new(trusted.configuration(), granted, now)
        .to_json(jti)
        .map_err(|_| ExchangeError::Fault)?;
    let keyring = organization.keyring();
    let signer = keyring.current().ok_or(ExchangeError::Fault)?;
    Ok(IssuedToken {
        access_token: signer.sign(&claims),
        expires_in: granted.expires_at().seconds() - now.seconds(),
        scope: to_scope(granted.scope()),
    })
}

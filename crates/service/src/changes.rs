//! The change path: what is asked for becomes an immutable change request, and is applied in the same transaction
//! where no approval is needed (`approvals.md` P1).

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_crypto::{SigningAlgorithm, SigningKey};
use countersign_domain::approval::Containments;
use countersign_domain::change::{
    Base, Change, ChangeKind, ChangeRequest, ChangeState, Matter, Proposal, Settled, Situation,
    Unauthorized, terms,
};
use countersign_domain::ids::{ChangeRequestId, CorrelationId, TenantId};
use countersign_domain::roster::Roster;
use countersign_domain::time::UnixTime;
use countersign_store::{
    ActivityEntry, FeedEvent, IdempotencyKey, Page, StoreError, StoredVersion, UniqueRule, Unit,
};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::error::{Refused, RefusedKind, ServiceError};
use crate::keyring::{self, SpareKey};
use crate::shared_primes::{self, Compared, Modulus};
use crate::transaction::{TRIES, pause};
use crate::{Service, chance};

/// One use case that writes. It runs in one transaction, possibly several times, of which one counts.
pub trait Act: Sync {
    /// What it results in.
    type Output: Send;

    /// Does the work inside the transaction.
    fn perform<'a>(
        &'a self,
        unit: &'a mut Unit,
        context: &'a Context<'a>,
    ) -> impl Future<Output = Result<Self::Output, ServiceError>> + Send + 'a;
}

/// What a use case may know beside its own input.
pub struct Context<'a> {
    /// The service.
    pub service: &'a Service,
    /// Who asks.
    pub caller: &'a Caller,
    /// Ties the answer to the log.
    pub correlation_id: CorrelationId,
    /// The moment.
    pub now: UnixTime,
    /// A signing key made ahead.
    pub(crate) spare: SpareKey,
    /// An API token was revoked: none that was found a moment ago is believed after the commit.
    pub(crate) revokes_callers: AtomicBool,
    /// New RSA keys, compared ahead with those that are registered.
    pub(crate) compared: Option<Compared>,
}

/// What a use case needs that takes too long for a transaction: done outside, after a first attempt has asked for it.
#[derive(Clone, Default)]
struct Ahead {
    key: Option<SigningKey>,
    compared: Option<Compared>,
}

/// Writes an outcome down as the answer that is kept. What it says is between those who keep it and read it.
pub type Render<'a, T> = &'a (dyn Fn(&T) -> Result<String, ServiceError> + Send + Sync);

/// Keep the answer for repetitions of the request.
pub struct Keep<'a, T> {
    /// Whose request, and which.
    pub key: IdempotencyKey,
    /// The answer to keep.
    pub render: Render<'a, T>,
}

/// How a use case is run.
pub struct Execution<'a, T> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Ties the answer to the log.
    pub correlation_id: CorrelationId,
    /// Try it and undo everything.
    pub dry_run: bool,
    /// Keep the answer for repetitions.
    pub keep: Option<Keep<'a, T>>,
}

/// What a run resulted in.
#[derive(Debug)]
pub enum Executed<T> {
    /// It was done now.
    Done(T),
    /// It was done before; this is the answer that was kept.
    Repeated(String),
}

impl Service {
    /// Runs a use case: one transaction, tried again when it collides, and acted on by this node before it returns.
    ///
    /// # Errors
    /// As the use case refuses, or when the store is unavailable. Nothing is half done.
    pub async fn execute<A: Act>(
        &self,
        act: &A,
        run: &Execution<'_, A::Output>,
    ) -> Result<Executed<A::Output>, ServiceError> {
        let mut ahead = Ahead::default();
        for attempt in 1.. {
            match self.try_execute(act, run, ahead.clone()).await {
                Err(Attempt::ComparisonNeeded(moduli)) if attempt < TRIES => {
                    ahead.compared = Some(shared_primes::compare(self.store(), moduli).await?);
                }
                Err(Attempt::KeyNeeded(algorithm)) if attempt < TRIES => {
                    ahead.key = Some(keyring::make(algorithm).await?);
                }
                Err(Attempt::Collided) if attempt < TRIES => {
                    pause(attempt).await;
                }
                Err(Attempt::Collided | Attempt::ComparisonNeeded(_) | Attempt::KeyNeeded(_)) => {
                    return Err(ServiceError::Unavailable { retry_after: 1 });
                }
                Err(Attempt::Failed(error)) => return Err(error),
                Ok(executed) => return Ok(executed),
            }
        }
        Err(ServiceError::Unavailable { retry_after: 1 })
    }

    async fn try_execute<A: Act>(
        &self,
        act: &A,
        run: &Execution<'_, A::Output>,
        ahead: Ahead,
    ) -> Result<Executed<A::Output>, Attempt> {
        let now = self.now();
        let mut unit = self.store().write().await?;
        if let Some(keep) = &run.keep
            && let Some(kept) = unit.kept_answer(&keep.key, now).await?
        {
            return if kept.request_digest == keep.key.request_digest {
                Ok(Executed::Repeated(kept.answer))
            } else {
                Err(Attempt::Failed(ServiceError::Refused(Refused::new(
                    RefusedKind::Invalid,
                    "idempotency_key_reused",
                    "This Idempotency-Key was used for another request; use a new one.",
                ))))
            };
        }
        let before = unit.feed_position().await?;
        let context = Context {
            service: self,
            caller: run.caller,
            correlation_id: run.correlation_id,
            now,
            spare: SpareKey::new(ahead.key),
            revokes_callers: AtomicBool::new(false),
            compared: ahead.compared,
        };
        let output = act.perform(&mut unit, &context).await?;
        if run.dry_run {
            return Ok(Executed::Done(output));
        }
        if let Some(keep) = &run.keep {
            let answer = (keep.render)(&output)?;
            unit.keep_answer(&keep.key, &answer, now).await?;
        }
        let events = unit.feed_after(before, 1000).await?;
        unit.commit().await?;
        if context.revokes_callers.load(Ordering::Relaxed) {
            self.callers.forget_all();
        }
        self.act_on(&events, now).await;
        Ok(Executed::Done(output))
    }

    /// Acts on committed changes at once; what fails here is taken up by the follower of the feed.
    pub(crate) async fn act_on(&self, events: &[FeedEvent], now: UnixTime) {
        for event in events {
            if let Err(error) = self.snapshots().refresh(event, now).await {
                tracing::warn!(
                    ?error,
                    ?event,
                    "a change is not in memory yet; trying again shortly"
                );
            }
        }
    }

    /// One change request of an organization.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization.
    pub async fn change(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        number: u64,
    ) -> Result<ChangeRequest, ServiceError> {
        caller.require_read(tenant_id)?;
        self.store()
            .read()
            .await?
            .change(tenant_id, number)
            .await?
            .ok_or(ServiceError::NotFound)
    }

    /// The change requests of an organization, newest first.
    ///
    /// # Errors
    /// Not found for a caller of another organization.
    pub async fn changes(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        page: &Page,
    ) -> Result<Vec<ChangeRequest>, ServiceError> {
        caller.require_read(tenant_id)?;
        let mut unit = self.store().read().await?;
        unit.organization(tenant_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        Ok(unit.changes(tenant_id, page).await?)
    }

    /// The versions of something governed, newest first; `page.after` is a version.
    ///
    /// # Errors
    /// Not found, also for a caller of another organization.
    pub async fn versions(
        &self,
        caller: &Caller,
        tenant_id: TenantId,
        target: &str,
        page: &Page,
    ) -> Result<Vec<StoredVersion>, ServiceError> {
        caller.require_read(tenant_id)?;
        let versions = self
            .store()
            .read()
            .await?
            .versions(tenant_id, target, page)
            .await?;
        if versions.is_empty() && page.after.is_none() {
            Err(ServiceError::NotFound)
        } else {
            Ok(versions)
        }
    }
}

/// How one attempt ended without success.
enum Attempt {
    Collided,
    ComparisonNeeded(Vec<Modulus>),
    Failed(ServiceError),
    KeyNeeded(SigningAlgorithm),
}

impl From<StoreError> for Attempt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Collision => Self::Collided,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<ServiceError> for Attempt {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Collided => Self::Collided,
            ServiceError::ComparisonNeeded(moduli) => Self::ComparisonNeeded(moduli),
            ServiceError::KeyNeeded(algorithm) => Self::KeyNeeded(algorithm),
            other => Self::Failed(other),
        }
    }
}

/// A change that is to be submitted.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) kind: ChangeKind,
    pub(crate) tenant_id: TenantId,
    pub(crate) target: String,
    pub(crate) base: Base,
    pub(crate) after: Value,
    pub(crate) reason: Option<String>,
}

/// Submits a change. Where no approval is needed it is applied in this same transaction.
///
/// # Errors
/// When another edit of the target is open, a unique rule refuses, or the store is unavailable.
pub(crate) async fn submit(
    unit: &mut Unit,
    context: &Context<'_>,
    submission: Submission,
) -> Result<ChangeRequest, ServiceError> {
    let Submission {
        kind,
        tenant_id,
        target,
        base,
        after,
        reason,
    } = submission;
    let proposal = Proposal {
        tenant_id,
        kind,
        target: target.clone(),
        base,
        after,
        maker: context.caller.maker(),
        contributors: Vec::new(),
        justification: reason,
    };
    let (roster, containments) = (Roster::unfounded(tenant_id), Containments::default());
    let policy = terms(
        &roster,
        &Matter::from(&proposal),
        &containments,
        context.now,
    );
    let id = ChangeRequestId::from_random(chance::octets());
    let change = Change::new(proposal, id, policy, context.now)
        .map_err(|error| ServiceError::Fault(error.to_string()))?;
    let number = unit.next_change_number(tenant_id).await?;
    let mut request = ChangeRequest {
        number,
        change,
        state: ChangeState::Pending,
    };
    unit.insert_change(&request).await.map_err(taken)?;
    let situation = Situation {
        roster: &roster,
        base: unit.base_of(tenant_id, &target).await?,
        token_stands: true,
        maker_statement: None,
        votes: &[],
        containments: &containments,
        after: Ok(()),
    };
    match countersign_domain::change::submit(&request, &situation, context.now) {
        Ok(Settled::Apply(authorized)) => {
            unit.apply(&authorized, number).await.map_err(taken)?;
            request.state = ChangeState::Applied { at: context.now };
        }
        Ok(Settled::Moved(state, _)) => request.state = state,
        Ok(Settled::Stays(_)) => {}
        Err(Unauthorized::BaseMoved) => return Err(base_moved()),
        Err(refusal) => {
            return Err(ServiceError::Fault(format!(
                "a new change request is refused: {refusal:?}"
            )));
        }
    }
    note(unit, context, &request).await?;
    Ok(request)
}

/// The resource is no longer what the caller saw.
pub(crate) fn base_moved() -> ServiceError {
    ServiceError::Refused(Refused::new(
        RefusedKind::PreconditionFailed,
        "base_moved",
        "The resource has changed since you read it; read it again and repeat the change.",
    ))
}

/// Names the unique rule that refused a write. Whose key it is stays unsaid.
fn taken(error: StoreError) -> ServiceError {
    use countersign_domain::configurations::ConfigurationRefusal;
    match error.unique_rule() {
        Some(UniqueRule::ConfigurationTriple) => ConfigurationRefusal::TripleTaken.into(),
        Some(UniqueRule::RegisteredKey) => ConfigurationRefusal::KeyAlreadyRegistered.into(),
        Some(UniqueRule::OpenEdit) => ServiceError::Refused(Refused::new(
            RefusedKind::Conflict,
            "change_request_pending",
            "Another change of this resource waits for approval.",
        )),
        None if matches!(error, StoreError::Taken(_)) => ServiceError::Collided,
        None => error.into(),
    }
}

/// Writes the act into the organization's activity, in the same transaction: no record, no act (conformance O5).
async fn note(
    unit: &mut Unit,
    context: &Context<'_>,
    request: &ChangeRequest,
) -> Result<(), ServiceError> {
    let envelope = request.change.envelope();
    let entry = ActivityEntry {
        tenant_id: Some(envelope.tenant_id),
        at: context.now,
        kind: format!("change.{}", request.state.as_str()),
        correlation_id: context.correlation_id.to_string(),
        actor: context.caller.to_string(),
        detail: json!({
            "request": request.number,
            "kind": envelope.kind,
            "target": envelope.target,
            "digest": request.change.digest(),
        }),
    };
    Ok(unit.append_activity(&entry).await?)
}

/// Writes an act that is no change request into the activity of what it concerns: of an organization, or of the platform.
pub(crate) async fn note_act(
    unit: &mut Unit,
    context: &Context<'_>,
    (tenant_id, kind): (Option<TenantId>, &str),
    detail: Value,
) -> Result<(), ServiceError> {
    let entry = ActivityEntry {
        tenant_id,
        at: context.now,
        kind: kind.to_owned(),
        correlation_id: context.correlation_id.to_string(),
        actor: context.caller.to_string(),
        detail,
    };
    Ok(unit.append_activity(&entry).await?)
}

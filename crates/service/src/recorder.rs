//! Refusals on their way into the activity and the log: in the background, each organization in a queue of its own, so that
//! a flood at one costs no other its record.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_domain::assertion::Refusal;
use countersign_domain::change::Maker;
use countersign_domain::ids::{ApiTokenId, CorrelationId, TenantId};
use countersign_domain::time::UnixTime;
use countersign_store::{ActivityEntry, Store};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::error::ServiceError;
use crate::transaction::until_settled;

/// Refusals of one organization that may wait to be recorded; beyond, they are counted.
const QUEUE: usize = 128;

/// Refusals of all organizations that may wait; beyond, each has one.
const ALL: usize = 4096;

/// Refusals recorded in one transaction.
const GROUP: usize = 256;

/// The pause after a full group, so that a flood leaves the writer to others.
const PAUSE: Duration = Duration::from_millis(50);

/// Refusals kept per organization.
const KEEP: u32 = 10_000;

/// Refusals of one organization that are logged in a second; beyond, they are counted.
const LOGGED_PER_SECOND: u32 = 10;

/// Something that was refused.
pub(crate) struct Refused {
    pub(crate) tenant_id: TenantId,
    pub(crate) at: UnixTime,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) what: What,
}

/// What was refused.
pub(crate) enum What {
    /// An assertion.
    Assertion(Refusal),
    /// What the holder of an API token wanted to do, with the code that it was answered.
    ApiToken(ApiTokenId, &'static str),
}

impl What {
    /// Kind, actor and particulars of the entry.
    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::Assertion(Refusal {
                reason,
                seen,
                expected,
                ..
            }) => {
                let (seen, expected) = (seen.to_string(), expected.to_string());
                let detail = json!({"reason": reason, "seen": seen, "expected": expected});
                ("token.refused", "caller".to_owned(), detail)
            }
            Self::ApiToken(id, code) => {
                let actor = Maker::ApiToken { id: *id }.to_string();
                ("api_token.denied", actor, json!({"code": code}))
            }
        }
    }
}

/// What becomes an entry of the activity.
enum Turn {
    Refused(Refused),
    /// So many refusals of the organization are on no record.
    Omitted(TenantId, UnixTime, u64),
}

impl Turn {
    const fn tenant_id(&self) -> TenantId {
        match self {
            Self::Refused(refused) => refused.tenant_id,
            Self::Omitted(tenant_id, ..) => *tenant_id,
        }
    }

    fn entry(&self) -> ActivityEntry {
        let (at, correlation_id, (kind, actor, detail)) = match self {
            Self::Refused(refused) => (refused.at, refused.correlation_id, refused.what.told()),
            Self::Omitted(_, at, count) => {
                let detail = json!({"reason": "refusals_omitted", "omitted": count});
                let told = ("token.refused", "server".to_owned(), detail);
                (*at, crate::new_correlation_id(), told)
            }
        };
        ActivityEntry {
            tenant_id: Some(self.tenant_id()),
            at,
            kind: kind.to_owned(),
            correlation_id: correlation_id.to_string(),
            actor,
            detail,
        }
    }
}

/// What waits, in one queue per organization that has something waiting.
#[derive(Default)]
struct Queues {
    by_tenant: HashMap<TenantId, Queue>,
    /// Whose turn it is next.
    order: VecDeque<TenantId>,
    waiting: usize,
}

#[derive(Default)]
struct Queue {
    refused: VecDeque<Refused>,
    omitted: u64,
}

impl Queues {
    /// Takes a refusal in, or counts it where there is no room. An organization always has room for one.
    fn add(&mut self, refused: Refused) -> bool {
        let queue = self.by_tenant.entry(refused.tenant_id).or_default();
        let length = queue.refused.len();
        if length >= QUEUE || (self.waiting >= ALL && length > 0) {
            queue.omitted += 1;
            return false;
        }
        if length == 0 {
            self.order.push_back(refused.tenant_id);
        }
        queue.refused.push_back(refused);
        self.waiting += 1;
        true
    }

    /// The next group: one refusal of each organization in turn. What was omitted is told after the last that waited.
    fn take(&mut self) -> Vec<Turn> {
        let mut group = Vec::new();
        while group.len() < GROUP
            && let Some(tenant_id) = self.order.pop_front()
        {
            let Some(queue) = self.by_tenant.get_mut(&tenant_id) else {
                continue;
            };
            let Some(refused) = queue.refused.pop_front() else {
                continue;
            };
            self.waiting -= 1;
            let (at, omitted) = (refused.at, queue.omitted);
            group.push(Turn::Refused(refused));
            if !queue.refused.is_empty() {
                self.order.push_back(tenant_id);
                continue;
            }
            if omitted > 0 {
                group.push(Turn::Omitted(tenant_id, at, omitted));
            }
            self.by_tenant.remove(&tenant_id);
        }
        group
    }
}

/// Lines of the log about one organization, or about none that there is.
#[derive(Default)]
struct Lines {
    second: i64,
    logged: u32,
    omitted: u64,
}

impl Lines {
    /// How many lines were left out before this one; `None` when this one is left out, too.
    fn next(&mut self, second: i64) -> Option<u64> {
        if self.second != second {
            (self.second, self.logged) = (second, 0);
        }
        if self.logged == LOGGED_PER_SECOND {
            self.omitted += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.omitted))
    }
}

#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    lines: Mutex<HashMap<Option<TenantId>, Lines>>,
    added: Notify,
    closed: AtomicBool,
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "leaves the writer to others for a while"
    )]
    async fn write_all(&self, store: &Store) {
        loop {
            let group = self.queues().take();
            if group.is_empty() {
                if self.closed.load(Ordering::Acquire) {
                    return;
                }
                self.added.notified().await;
                continue;
            }
            if let Err(error) = until_settled(|| record(store, &group)).await {
                tracing::error!(?error, lost = group.len(), "refusals could not be recorded");
            }
            if group.len() >= GROUP {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Records refusals in the background. The entry is written there too: what a refusal has to tell must not show in the
/// time that its answer takes (conformance D11).
pub(crate) struct Recorder(Arc<Shared>);

impl Recorder {
    /// Starts recording on the current runtime.
    pub(crate) fn start(store: Store) -> Self {
        let shared = Arc::new(Shared::default());
        let writing = Arc::clone(&shared);
        tokio::spawn(async move { writing.write_all(&store).await });
        Self(shared)
    }

    /// Notes a refusal for the activity of its organization.
    pub(crate) fn note(&self, refused: Refused) {
        if !self.0.queues().add(refused) {
            metrics::counter!("countersign_activity_dropped_total").increment(1);
        }
        self.0.added.notify_one();
    }

    /// Whether the log has room for a line about an organization, or about none that there is: how many lines were left
    /// out before it; `None` when it has no room.
    pub(crate) fn line(&self, tenant_id: Option<TenantId>, now: UnixTime) -> Option<u64> {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(tenant_id).or_default().next(now.seconds())
    }
}

/// What waits is still written; then the task ends.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.added.notify_one();
    }
}

async fn record(store: &Store, group: &[Turn]) -> Result<(), ServiceError> {
    let mut unit = store.write().await?;
    for turn in group {
        unit.append_activity(&turn.entry()).await?;
    }
    let tenants: BTreeSet<TenantId> = group.iter().map(Turn::tenant_id).collect();
    for tenant_id in tenants {
        unit.trim_refusals(tenant_id, KEEP).await?;
    }
    Ok(unit.commit().await?)
}

#[cfg(test)]
mod tests {
    use countersign_domain::assertion::Reason;

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn refused(tenant: u8) -> Refused {
        Refused {
            tenant_id: TenantId::from_random([tenant; 16]),
            at: NOW,
            correlation_id: crate::new_correlation_id(),
            what: What::Assertion(Refusal::new(Reason::SignatureInvalid, "", "")),
        }
    }

    #[test]
    fn attack_25_a_flood_of_refusals_costs_no_other_organization_its_own() {
        let mut queues = Queues::default();
        for _ in 0..10_000 {
            queues.add(refused(1));
        }
        for _ in 0..30 {
            assert!(queues.add(refused(2)));
        }
        let (mut of_flood, mut of_other, mut omitted) = (0, 0, 0);
        for turn in std::iter::from_fn(|| Some(queues.take()).filter(|group| !group.is_empty())) {
            for turn in turn {
                match turn {
                    Turn::Omitted(_, _, count) => omitted += count,
                    Turn::Refused(refused) if refused.tenant_id == self::refused(2).tenant_id => {
                        of_other += 1;
                        assert!(of_flood <= of_other, "in turn");
                    }
                    Turn::Refused(_) => of_flood += 1,
                }
            }
        }
        assert_eq!((of_flood, of_other, omitted), (QUEUE, 30, 10_000 - 128));
        assert!(queues.by_tenant.is_empty() && queues.order.is_empty());
        assert_eq!(queues.waiting, 0);
    }

    #[test]
    fn attack_25_floods_at_many_organizations_leave_room_for_one_more() {
        let mut queues = Queues::default();
        for tenant in 0..100 {
            for _ in 0..QUEUE {
                queues.add(refused(tenant));
            }
        }
        assert!(queues.waiting < ALL + 100);
        assert!(queues.add(refused(200)));
        assert!(!queues.add(refused(200)));
    }

    #[test]
    fn attack_25_the_log_has_a_few_lines_of_a_flood_and_their_number() {
        let mut lines = Lines::default();
        let logged = (0..1000).filter_map(|_| lines.next(7)).count();
        assert_eq!(logged, 10);
        assert_eq!(lines.next(8), Some(990));
        assert_eq!(lines.next(8), Some(0));
    }
}

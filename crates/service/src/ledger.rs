//! The ledger: the replay key and the issuance record are durable before a token leaves (`tokens.md`).
//!
//! Requests in flight share one commit: while one group is being written, the next gathers. Only the ledger makes a
//! [`RecordedToken`], and only what was made of one can be signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_crypto::{MacKey, b64};
use countersign_domain::access_token::{TokenClaims, UnrecordedToken};
use countersign_domain::assertion::AcceptedAssertion;
use countersign_domain::directory::TrustedConfiguration;
use countersign_domain::time::UnixTime;
use countersign_store::{Issuance, Store, StoreError};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::yield_now;

use crate::chance;
use crate::replay::ReplayMemory;
use crate::supervision::supervise;

/// Requests that may wait for a commit; more wait for a place in the queue.
const QUEUE: usize = 8192;

/// The most rows in one commit.
const GROUP: usize = 512;

/// A token whose issuance is on disk: the value that is held once more against what it was granted by, before it is signed.
#[derive(Debug)]
pub struct RecordedToken(TokenClaims);

impl RecordedToken {
    /// The claims to sign.
    #[must_use]
    pub fn into_claims(self) -> TokenClaims {
        self.0
    }
}

/// Why an issuance was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRecorded {
    /// The assertion has been used.
    Replayed,
    /// The store cannot write.
    Unavailable,
}

/// Writes issuances in groups.
pub struct Ledger {
    queue: mpsc::Sender<Waiting>,
    memory: Option<Arc<ReplayMemory>>,
    keys: LedgerKeys,
    writes: Arc<AtomicBool>,
}

/// What the ledger keeps from those who do not run the instance.
pub struct LedgerKeys {
    /// Makes replay keys.
    pub replay: MacKey,
    /// Hides the order of issuances from those who see a `jti`.
    pub place: MacKey,
}

/// A row that waits for its commit, and who waits for it.
struct Waiting {
    row: Issuance,
    done: oneshot::Sender<Result<i64, NotRecorded>>,
}

impl Ledger {
    /// Starts the ledger on the current runtime. `memory` decides uniqueness where this process is the only writer;
    /// without it the database does.
    #[must_use]
    pub fn start(store: Store, memory: Option<Arc<ReplayMemory>>, keys: LedgerKeys) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (waiting, writes) = (
            Arc::new(Mutex::new(waiting)),
            Arc::new(AtomicBool::new(true)),
        );
        let begin = {
            let memory = memory.clone();
            move || {
                let writer = Writer {
                    store: store.clone(),
                    memory: memory.clone(),
                    next: 0,
                    left: 0,
                };
                let waiting = Arc::clone(&waiting);
                async move { writer.run(&mut *waiting.lock().await).await }
            }
        };
        supervise("ledger", Arc::clone(&writes), begin);
        Self {
            queue,
            memory,
            keys,
            writes,
        }
    }

    /// Whether the task that writes runs. Without it no token is issued.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.writes.load(Ordering::Relaxed)
    }

    /// Records a token, and burns the assertion that it is issued for.
    ///
    /// Returns once both are durable. When they cannot be made durable, the assertion is not burned.
    ///
    /// # Errors
    /// [`NotRecorded`]: the assertion was used before, or the store cannot write.
    pub async fn record(&self, token: UnrecordedToken) -> Result<RecordedToken, NotRecorded> {
        let now = token.issued_at();
        let row = self.issuance(token.assertion(), token.expires_at(), now);
        let random = row.jti;
        let row = self.write(row, now).await?;
        let jti = |content: &[u8]| self.jti(random, row, content);
        Ok(RecordedToken(token.complete(jti)))
    }

    /// Burns an assertion that only proves who its sender is: the record is of its use, and of a token that ends as it
    /// begins and never existed.
    ///
    /// # Errors
    /// As [`Ledger::record`].
    pub async fn burn(
        &self,
        accepted: AcceptedAssertion,
        now: UnixTime,
    ) -> Result<Arc<TrustedConfiguration>, NotRecorded> {
        self.write(self.issuance(&accepted, now, now), now).await?;
        Ok(Arc::clone(accepted.configuration()))
    }

    async fn write(&self, row: Issuance, now: UnixTime) -> Result<i64, NotRecorded> {
        let slot = self
            .queue
            .reserve()
            .await
            .map_err(|_| NotRecorded::Unavailable)?;
        if let Some(memory) = self.memory.as_ref().filter(|_| row.single_use)
            && !memory.claim(row.replay_key, row.remember_until, now)
        {
            return Err(NotRecorded::Replayed);
        }
        let (done, written) = oneshot::channel();
        slot.send(Waiting { row, done });
        written.await.map_err(|_| NotRecorded::Unavailable)?
    }

    /// Whether the assertion has been used, without using it. Only the embedded database can tell ahead of time.
    #[must_use]
    pub fn is_used(&self, accepted: &AcceptedAssertion, now: UnixTime) -> bool {
        let key = accepted.replay_key(&self.keys.replay);
        self.memory
            .as_ref()
            .is_some_and(|memory| accepted.is_single_use() && memory.is_used(key, now))
    }

    /// The `jti` of an access token with this content: 128 random bits, and the row, masked. The mask is made from the
    /// content, so a `jti` under another content leads to no row; and it hides how many tokens are issued.
    fn jti(&self, random: [u8; 16], row: i64, content: &[u8]) -> String {
        let mut octets = [0; 24];
        octets[..16].copy_from_slice(&random);
        let row = row ^ self.masked(random, content);
        octets[16..].copy_from_slice(&row.to_be_bytes());
        b64::encode(octets)
    }

    /// The random half and the row that a `jti` under this content names; `None` when it is none of ours.
    #[must_use]
    pub fn place(&self, jti: &str, content: &[u8]) -> Option<([u8; 16], i64)> {
        let octets: [u8; 24] = b64::decode_canonical(jti).ok()?.try_into().ok()?;
        let (random, row) = octets.split_at(16);
        let random: [u8; 16] = random.try_into().ok()?;
        let row = i64::from_be_bytes(row.try_into().ok()?);
        Some((random, row ^ self.masked(random, content)))
    }

    fn issuance(
        &self,
        accepted: &AcceptedAssertion,
        token_expires_at: UnixTime,
        now: UnixTime,
    ) -> Issuance {
        let configuration = accepted.configuration().configuration();
        Issuance {
            id: 0,
            tenant: *configuration.tenant_id.as_bytes(),
            configuration: *configuration.id.as_bytes(),
            jti: chance::id(),
            replay_key: accepted.replay_key(&self.keys.replay),
            single_use: accepted.is_single_use(),
            issued_at: now,
            expires_at: token_expires_at,
            remember_until: accepted.remember_until(),
        }
    }

    fn masked(&self, random: [u8; 16], content: &[u8]) -> i64 {
        let digest = self.keys.place.digest128(&[&random[..], content].concat());
        let [a, b, c, d, e, f, g, h, ..] = digest.to_be_bytes();
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The one task that writes. It holds the block of rows that this node may use.
struct Writer {
    store: Store,
    memory: Option<Arc<ReplayMemory>>,
    next: i64,
    left: i64,
}

impl Writer {
    /// What waited in a group when this panics is told that it is not recorded; its assertions stay used, because they
    /// may be.
    async fn run(mut self, waiting: &mut mpsc::Receiver<Waiting>) {
        let mut group = Vec::with_capacity(GROUP);
        while waiting.recv_many(&mut group, GROUP).await > 0 {
            gather(&mut group, waiting).await;
            let (mut rows, requests): (Vec<Issuance>, Vec<_>) = group
                .drain(..)
                .map(|waiting| (waiting.row, waiting.done))
                .unzip();
            match self.append(&mut rows).await {
                Ok(stands) => {
                    for ((row, request), stands) in rows.iter().zip(requests).zip(stands) {
                        // A caller that has gone away leaves a used assertion and an unknown token behind: safe.
                        let _gone = request.send(if stands {
                            Ok(row.id)
                        } else {
                            Err(NotRecorded::Replayed)
                        });
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error, rows = rows.len(), "issuances could not be recorded");
                    self.give_back(&rows);
                    for request in requests {
                        let _gone = request.send(Err(NotRecorded::Unavailable));
                    }
                }
            }
        }
    }

    async fn append(&mut self, rows: &mut [Issuance]) -> Result<Vec<bool>, StoreError> {
        for row in rows.iter_mut() {
            if self.left == 0 {
                (self.next, self.left) = self.store.reserve_issuance_ids().await?;
            }
            row.id = self.next;
            self.next += 1;
            self.left -= 1;
        }
        self.store.append_issuances(rows).await
    }

    /// No token has left for these rows, so their assertions are not burned.
    fn give_back(&self, rows: &[Issuance]) {
        if let Some(memory) = &self.memory {
            rows.iter()
                .filter(|row| row.single_use)
                .for_each(|row| memory.release(row.replay_key));
        }
    }
}

/// Lets every request that can go on do so first, and takes those that come to wait. A commit costs the same for many as
/// for one; nobody is waited for who waits for something else.
async fn gather(group: &mut Vec<Waiting>, waiting: &mut mpsc::Receiver<Waiting>) {
    let mut known = 0;
    while known < group.len() && group.len() < GROUP {
        known = group.len();
        yield_now().await;
        while group.len() < GROUP
            && let Ok(another) = waiting.try_recv()
        {
            group.push(another);
        }
    }
}

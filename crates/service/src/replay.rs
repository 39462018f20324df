//! The replay memory of the embedded database: one process is the only writer, so it decides races in memory.
//!
//! The promise is the store's: whatever is claimed here is on disk before a token leaves, and the memory is rebuilt
//! from disk at start. Several nodes share PostgreSQL instead, whose primary key decides.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Mutex;

use countersign_domain::time::UnixTime;

/// Independent parts, so that a sweep never stops every request.
const SHARDS: usize = 16;

/// Keyed digest of (configuration, `jti`).
pub type ReplayKey = [u8; 16];

/// A replay key is evenly distributed, and nobody can make keys that are alike: its first octets are its hash.
#[derive(Default)]
struct FirstOctets(u64);

impl Hasher for FirstOctets {
    fn write(&mut self, octets: &[u8]) {
        if let Some(first) = octets.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length of the key, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

type Remembered = HashMap<ReplayKey, u32, BuildHasherDefault<FirstOctets>>;

/// The used assertions that have not lapsed.
#[derive(Default)]
pub struct ReplayMemory {
    shards: [Mutex<Remembered>; SHARDS],
}

impl ReplayMemory {
    /// Claims a replay key for one use. `false`: it is in use, or was used and has not lapsed at `now`.
    pub fn claim(&self, key: ReplayKey, remember_until: UnixTime, now: UnixTime) -> bool {
        let mut shard = self.shard(key);
        let known = shard.get(&key).is_some_and(|end| holds(*end, now));
        if !known {
            shard.insert(key, end(remember_until));
        }
        !known
    }

    /// Whether a key is in use, or was used and has not lapsed at `now`.
    pub fn is_used(&self, key: ReplayKey, now: UnixTime) -> bool {
        self.shard(key)
            .get(&key)
            .is_some_and(|end| holds(*end, now))
    }

    /// Takes up what the record says was used; for the start, before any request.
    pub fn restore(&self, key: ReplayKey, remember_until: UnixTime) {
        self.shard(key).insert(key, end(remember_until));
    }

    /// Gives a claim back: what it was made for has not happened.
    pub fn release(&self, key: ReplayKey) {
        self.shard(key).remove(&key);
    }

    /// Forgets what has lapsed at `now`.
    pub fn sweep(&self, now: UnixTime) {
        for shard in &self.shards {
            let mut shard = shard
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            shard.retain(|_, end| holds(*end, now));
            if shard.capacity() > 4 * shard.len().max(256) {
                shard.shrink_to_fit();
            }
        }
    }

    /// How many assertions are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| {
                shard
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .len()
            })
            .sum()
    }

    fn shard(&self, key: ReplayKey) -> std::sync::MutexGuard<'_, Remembered> {
        // The last octet: the first ones find the place within the shard. A poisoned shard is still a sound map.
        let shard = &self.shards[usize::from(key[15]) % SHARDS];
        shard
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether a key that is remembered until `end` is still remembered at `now`. The latest end that can be said is no end:
/// a clock that leaps past it must not bring used assertions back.
fn holds(end: u32, now: UnixTime) -> bool {
    end == u32::MAX || i64::from(end) > now.seconds()
}

/// Seconds in 32 bits last until the year 2106; beyond, remember for as long as can be said.
fn end(moment: UnixTime) -> u32 {
    u32::try_from(moment.seconds()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    #[test]
    fn f1_a_key_is_claimed_once_until_it_lapses_or_is_released() {
        let memory = ReplayMemory::default();
        assert!(memory.claim([1; 16], NOW.plus(60), NOW));
        assert!(!memory.claim([1; 16], NOW.plus(60), NOW.plus(59)));
        assert!(memory.claim([2; 16], NOW.plus(60), NOW));
        memory.release([1; 16]);
        assert!(memory.claim([1; 16], NOW.plus(60), NOW));
        assert!(memory.claim([1; 16], NOW.plus(90), NOW.plus(60)));
    }

    #[test]
    fn a_sweep_forgets_only_what_has_lapsed() {
        let memory = ReplayMemory::default();
        memory.claim([1; 16], NOW.plus(10), NOW);
        memory.claim([2; 16], NOW.plus(20), NOW);
        memory.sweep(NOW.plus(10));
        assert_eq!(memory.len(), 1);
        assert!(!memory.claim([2; 16], NOW.plus(20), NOW.plus(10)));
    }

    #[test]
    fn f1_of_many_parallel_claims_exactly_one_succeeds() {
        let memory = ReplayMemory::default();
        let won: usize = std::thread::scope(|scope| {
            let claim = || usize::from(memory.claim([7; 16], NOW.plus(60), NOW));
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(claim)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(won, 1);
    }
}

//! The configurations of one organization, arranged so that an assertion finds its own in constant time.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use countersign_crypto::{Algorithm, PublicKey, VerifyingKey};
use hashbrown::HashTable;

use crate::configurations::{Configuration, ConfigurationStatus, KeyUse, RegisteredKey};
use crate::ids::ConfigurationId;
use crate::time::UnixTime;

/// A configuration with its keys, each parsed once, at its first use.
pub struct TrustedConfiguration {
    configuration: Configuration,
    parsed: Box<[OnceLock<Option<VerifyingKey>>]>,
}

impl TrustedConfiguration {
    /// Wraps a configuration for use on the token path.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        let parsed = configuration
            .state
            .keys
            .iter()
            .map(|_| OnceLock::new())
            .collect();
        Self {
            configuration,
            parsed,
        }
    }

    /// The configuration.
    #[must_use]
    pub const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The registered keys that could verify an assertion with this `kid` and `alg`, by position.
    pub fn candidates<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = (usize, &'a RegisteredKey)> {
        self.configuration
            .state
            .keys
            .iter()
            .enumerate()
            .filter(move |(_, key)| {
                key.algorithm == algorithm && kid.is_none_or(|kid| key.kid.as_str() == kid)
            })
    }

    /// The registered keys that verify assertions at a moment.
    pub fn active_keys(&self, now: UnixTime) -> impl Iterator<Item = &RegisteredKey> {
        let keys = self.configuration.state.keys.iter();
        keys.filter(move |key| key.state.usable(key.expires_at, now) == KeyUse::Active)
    }

    /// The parsed key at `position`; `None` when the stored key cannot be used, which fails closed.
    #[must_use]
    pub fn verifying_key(&self, position: usize) -> Option<&VerifyingKey> {
        let key = self.configuration.state.keys.get(position)?;
        self.parsed
            .get(position)?
            .get_or_init(|| parse(key))
            .as_ref()
    }
}

/// Parses a stored key and holds it against its stored fingerprint.
fn parse(key: &RegisteredKey) -> Option<VerifyingKey> {
    let public_key = PublicKey::from_pem(&key.public_key).ok()?;
    let same = public_key.fingerprint() == key.fingerprint_sha256;
    same.then(|| VerifyingKey::new(public_key, key.algorithm).ok())
        .flatten()
}

impl fmt::Debug for TrustedConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustedConfiguration")
            .field(&self.configuration.id)
            .finish()
    }
}

/// Which of the three values that select a configuration is the first that nothing matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// No configuration has the issuer.
    Issuer,
    /// No configuration has the issuer and the subject.
    Subject,
    /// No configuration has all three.
    Audience,
}

/// All configurations of one organization, indexed by (`iss`, `sub`, `aud`) and by ID.
#[derive(Default)]
pub struct Directory {
    hasher: RandomState,
    by_triple: HashTable<Arc<TrustedConfiguration>>,
    by_id: HashMap<ConfigurationId, Arc<TrustedConfiguration>>,
    /// How many entries of `by_triple` have an issuer, and an issuer and subject: only to name a mismatch.
    prefixes: HashMap<u64, u32>,
}

impl Directory {
    /// Adds a configuration, or replaces an older version of it. An older version never replaces a newer one.
    pub fn put(&mut self, configuration: Configuration) {
        let known = self.by_id.get(&configuration.id);
        if known.is_some_and(|known| known.configuration.version >= configuration.version) {
            return;
        }
        self.remove(configuration.id);
        let trusted = Arc::new(TrustedConfiguration::new(configuration));
        self.by_id
            .insert(trusted.configuration.id, Arc::clone(&trusted));
        self.index(trusted);
    }

    /// Removes a configuration; used when its stored row can no longer be trusted.
    pub fn remove(&mut self, id: ConfigurationId) {
        let Some(old) = self.by_id.remove(&id) else {
            return;
        };
        let (issuer, subject, audience) = triple(&old);
        let hash = self.hasher.hash_one((issuer, subject, audience));
        let Ok(entry) = self
            .by_triple
            .find_entry(hash, |entry| Arc::ptr_eq(entry, &old))
        else {
            return;
        };
        entry.remove();
        for prefix in [
            self.hasher.hash_one(issuer),
            self.hasher.hash_one((issuer, subject)),
        ] {
            if let Some(count) = self.prefixes.get_mut(&prefix) {
                *count -= 1;
                if *count == 0 {
                    self.prefixes.remove(&prefix);
                }
            }
        }
    }

    /// An active configuration owns its triple; a deactivated one answers for it only while no other does.
    fn index(&mut self, trusted: Arc<TrustedConfiguration>) {
        let (issuer, subject, audience) = triple(&trusted);
        let hash = self.hasher.hash_one((issuer, subject, audience));
        let same = |entry: &Arc<TrustedConfiguration>| triple(entry) == (issuer, subject, audience);
        let keep = self
            .by_triple
            .find(hash, same)
            .is_some_and(|owner| !is_deactivated(owner));
        if keep && is_deactivated(&trusted) {
            return;
        }
        for prefix in [
            self.hasher.hash_one(issuer),
            self.hasher.hash_one((issuer, subject)),
        ] {
            *self.prefixes.entry(prefix).or_default() += 1;
        }
        let replaced = self
            .by_triple
            .find_entry(hash, same)
            .map(|entry| entry.remove().0);
        if let Ok(replaced) = replaced {
            let (issuer, subject, _) = triple(&replaced);
            for prefix in [
                self.hasher.hash_one(issuer),
                self.hasher.hash_one((issuer, subject)),
            ] {
                if let Some(count) = self.prefixes.get_mut(&prefix) {
                    *count -= 1;
                }
            }
        }
        let hasher = &self.hasher;
        self.by_triple
            .insert_unique(hash, trusted, |entry| hasher.hash_one(triple(entry)));
    }

    /// The configuration that the three values select, compared exactly.
    ///
    /// # Errors
    /// The first of the three values that nothing matches.
    pub fn find(
        &self,
        issuer: &str,
        subject: &str,
        audience: &str,
    ) -> Result<&Arc<TrustedConfiguration>, Unmatched> {
        let hash = self.hasher.hash_one((issuer, subject, audience));
        let found = self
            .by_triple
            .find(hash, |entry| triple(entry) == (issuer, subject, audience));
        found.ok_or_else(|| {
            if !self.prefixes.contains_key(&self.hasher.hash_one(issuer)) {
                Unmatched::Issuer
            } else if !self
                .prefixes
                .contains_key(&self.hasher.hash_one((issuer, subject)))
            {
                Unmatched::Subject
            } else {
                Unmatched::Audience
            }
        })
    }

    /// The configuration with this ID.
    #[must_use]
    pub fn by_id(&self, id: ConfigurationId) -> Option<&Arc<TrustedConfiguration>> {
        self.by_id.get(&id)
    }

    /// Every configuration, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TrustedConfiguration>> {
        self.by_id.values()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("configurations", &self.by_id.len())
            .finish_non_exhaustive()
    }
}

fn triple(trusted: &TrustedConfiguration) -> (&str, &str, &str) {
    let state = &trusted.configuration.state;
    (
        state.verifier_issuer.as_str(),
        state.verifier_subject.as_str(),
        state.verifier_audience.as_str(),
    )
}

fn is_deactivated(trusted: &TrustedConfiguration) -> bool {
    trusted.configuration.state.status == ConfigurationStatus::Deactivated
}

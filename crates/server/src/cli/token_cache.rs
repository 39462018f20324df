//! Access tokens kept until shortly before they expire, so that a script may ask for one as often as it likes.
//!
//! An entry is a file of its owner, named by a digest of everything that decides which token it is; the digest is
//! repeated inside, so that a file that was moved serves nobody.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_crypto::{KeyFingerprint, random_token, sha256};
use serde_json::{Value, json};

use super::failure::Failure;
use super::files::{self, PRIVATE};

/// Seconds before its end at which a token is no longer handed out: time enough to use it.
const MARGIN: i64 = 30;

/// Everything that decides which token a request gives.
#[derive(Clone, Debug)]
pub(crate) struct CacheKey<'a> {
    /// The organization's issuer, below the server's address.
    pub(crate) issuer: &'a str,
    /// The configuration.
    pub(crate) configuration: &'a str,
    /// What was asked for; `None` is everything granted.
    pub(crate) scope: Option<&'a str>,
    /// `iss`, `sub` and `aud` as far as the user gave them.
    pub(crate) identity: [Option<&'a str>; 3],
    /// The key that signs.
    pub(crate) fingerprint: KeyFingerprint,
}

impl CacheKey<'_> {
    fn digest(&self) -> String {
        // JSON keeps the parts apart: no two keys have the same text.
        let text = json!([
            "countersign/token-cache/v1",
            self.issuer,
            self.configuration,
            self.scope,
            self.identity,
            self.fingerprint.to_string(),
        ]);
        sha256(&[text.to_string().as_bytes()]).to_string()
    }
}

/// Where the user keeps things, as the environment says.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UserPlaces {
    /// Directory of the user's caches
    #[arg(long, value_name = "DIR", env = "XDG_CACHE_HOME", hide = true)]
    cache_home: Option<OsString>,
    /// The user's home
    #[arg(long, value_name = "DIR", env = "HOME", hide = true)]
    home: Option<OsString>,
}

/// A directory of tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenCache(PathBuf);

impl TokenCache {
    /// The user's: `$XDG_CACHE_HOME/countersign`, else `~/.cache/countersign`; `None` without a home.
    pub(crate) fn of_user(user: &UserPlaces) -> Option<Self> {
        Self::below(user.cache_home.clone(), user.home.clone())
    }

    /// A cache in this directory.
    #[cfg(test)]
    pub(crate) fn at(directory: PathBuf) -> Self {
        Self(directory)
    }

    fn below(cache_home: Option<OsString>, home: Option<OsString>) -> Option<Self> {
        // The XDG specification has relative paths ignored.
        let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        let place = cache_home
            .and_then(absolute)
            .or_else(|| home.and_then(absolute).map(|home| home.join(".cache")))?;
        Some(Self(place.join("countersign")))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a name that no other process has, and that means nothing"
    )]
    fn beside(&self, digest: &str) -> PathBuf {
        self.0.join(format!("{digest}.{}", random_token(8)))
    }

    /// The server's answer of an earlier request, with `expires_in` as of `now` (Unix seconds); `None` when there is
    /// none that may still be used. A file that others could have written or read is none.
    pub(crate) fn find(&self, key: &CacheKey<'_>, now: i64) -> Option<Value> {
        let digest = key.digest();
        let mut file = OpenOptions::new()
            .read(true)
            .open(self.place(&digest))
            .ok()?;
        let facts = file.metadata().ok()?;
        let is_private =
            facts.is_file() && facts.mode() & 0o077 == 0 && facts.uid() == self.owner()?;
        if !is_private {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let mut entry: Value = serde_json::from_str(&text).ok()?;
        let left = entry["expires_at"].as_i64()?.checked_sub(now)?;
        // A clock that was set back must not stretch the life of a token.
        let is_usable =
            entry["key"] == digest.as_str() && left > MARGIN && entry["stored_at"].as_i64()? <= now;
        let mut answer = is_usable.then(|| entry["answer"].take())?;
        answer["expires_in"] = left.into();
        Some(answer)
    }

    /// Keeps an answer that was asked for at `now` (Unix seconds); one without a known end is not kept.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub(crate) fn keep(&self, key: &CacheKey<'_>, answer: &Value, now: i64) -> Result<(), Failure> {
        let Some(lifetime) = answer["expires_in"].as_i64() else {
            return Ok(());
        };
        files::create_directory(&self.0)?;
        self.remove_expired(now);
        let digest = key.digest();
        let entry = json!({
            "key": digest, "answer": answer, "stored_at": now, "expires_at": now.saturating_add(lifetime),
        });
        // Written beside and renamed, so that nobody reads half of it.
        let beside = self.beside(&digest);
        files::create(&beside, PRIVATE, entry.to_string().as_bytes())?;
        let place = self.place(&digest);
        fs::rename(&beside, &place).map_err(|cause| {
            let _removed = fs::remove_file(&beside);
            Failure::FileUnwritable { path: place, cause }
        })
    }

    fn place(&self, digest: &str) -> PathBuf {
        self.0.join(format!("{digest}.json"))
    }

    /// Who owns the directory; its entries must be of the same user.
    fn owner(&self) -> Option<u32> {
        fs::metadata(&self.0).ok().map(|facts| facts.uid())
    }

    /// Removes entries that have ended, so that the directory does not grow.
    fn remove_expired(&self, now: i64) {
        let files = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let entries = files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"));
        for path in entries.filter(|path| has_ended(path, now)) {
            let _removed = fs::remove_file(path);
        }
    }
}

fn has_ended(path: &Path, now: i64) -> bool {
    let entry = fs::read(path).ok();
    let entry: Option<Value> = entry.and_then(|octets| serde_json::from_slice(&octets).ok());
    entry.is_some_and(|entry| entry["expires_at"].as_i64().is_some_and(|end| end <= now))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use countersign_crypto::{SigningAlgorithm, SigningKey};

    use super::super::files::tests::mode;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn fingerprint() -> KeyFingerprint {
        let key = SigningKey::generate(SigningAlgorithm::Es256);
        key.public_key().fingerprint()
    }

    fn key(fingerprint: KeyFingerprint) -> CacheKey<'static> {
        CacheKey {
            issuer: "http://h/t/tn-1",
            configuration: "ac-1",
            scope: Some("a"),
            identity: [None; 3],
            fingerprint,
        }
    }

    fn answer() -> Value {
        json!({"access_token": "secret", "token_type": "Bearer", "expires_in": 600})
    }

    fn cache() -> (tempfile::TempDir, TokenCache) {
        let place = tempfile::tempdir().unwrap();
        let cache = TokenCache(place.path().join("countersign"));
        (place, cache)
    }

    #[test]
    fn a_kept_token_is_found_until_30_seconds_before_its_end() {
        let (_place, cache) = cache();
        let key = key(fingerprint());
        cache.keep(&key, &answer(), NOW).unwrap();
        let found = cache.find(&key, NOW + 569).unwrap();
        assert_eq!(found["access_token"], "secret");
        assert_eq!(found["expires_in"], 31);
        assert_eq!(cache.find(&key, NOW + 570), None);
        assert_eq!(cache.find(&key, NOW - 1), None, "a clock that was set back");
    }

    #[test]
    fn a_token_is_never_served_for_anything_but_what_it_was_issued_for() {
        let (_place, cache) = cache();
        let kept = key(fingerprint());
        cache.keep(&kept, &answer(), NOW).unwrap();
        let others = [
            CacheKey {
                fingerprint: fingerprint(),
                ..kept.clone()
            },
            CacheKey {
                issuer: "http://h/t/tn-2",
                ..kept.clone()
            },
            CacheKey {
                configuration: "ac-2",
                ..kept.clone()
            },
            CacheKey {
                scope: None,
                ..kept.clone()
            },
            CacheKey {
                scope: Some("b"),
                ..kept.clone()
            },
            CacheKey {
                identity: [Some("i"), None, None],
                ..kept.clone()
            },
            CacheKey {
                identity: [None, Some("i"), None],
                ..kept.clone()
            },
        ];
        for other in others {
            assert_eq!(cache.find(&other, NOW), None, "{other:?}");
        }
        assert!(cache.find(&kept, NOW).is_some());
    }

    #[test]
    fn an_entry_moved_to_another_name_serves_nobody() {
        let (_place, cache) = cache();
        let (mine, other) = (key(fingerprint()), key(fingerprint()));
        cache.keep(&mine, &answer(), NOW).unwrap();
        fs::rename(cache.place(&mine.digest()), cache.place(&other.digest())).unwrap();
        assert_eq!(cache.find(&other, NOW), None);
    }

    #[test]
    fn entries_are_their_owners_and_one_that_others_can_read_is_ignored() {
        let (_place, cache) = cache();
        let key = key(fingerprint());
        cache.keep(&key, &answer(), NOW).unwrap();
        let file = cache.place(&key.digest());
        assert_eq!((mode(&file), mode(&cache.0)), (0o600, 0o700));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(cache.find(&key, NOW), None);
        cache.keep(&key, &answer(), NOW).unwrap();
        assert_eq!(mode(&file), 0o600);
        assert!(cache.find(&key, NOW).is_some());
    }

    #[test]
    fn what_has_ended_is_removed() {
        let (_place, cache) = cache();
        let (old, new) = (key(fingerprint()), key(fingerprint()));
        cache.keep(&old, &answer(), NOW).unwrap();
        cache.keep(&new, &answer(), NOW + 600).unwrap();
        assert!(!cache.place(&old.digest()).exists());
        assert_eq!(fs::read_dir(&cache.0).unwrap().count(), 1);
    }

    #[test]
    fn the_directory_follows_the_xdg_specification() {
        let below = |cache: Option<&str>, home: Option<&str>| {
            TokenCache::below(cache.map(Into::into), home.map(Into::into)).map(|cache| cache.0)
        };
        assert_eq!(below(Some("/c"), Some("/h")), Some("/c/countersign".into()));
        assert_eq!(
            below(Some("relative"), Some("/h")),
            Some("/h/.cache/countersign".into())
        );
        assert_eq!(below(None, None), None);
    }
}

//! The versions of everything governed: append-only, and bound together so that an older one put back is noticed.
//!
//! Each version carries a keyed digest of itself and of its place in the order in which the organization's changes were
//! applied; the row as it stands carries one that covers the newest version's; and the head of the organization says,
//! under a keyed digest, how many there are. Every application adds one version, so the newest versions of everything
//! that the organization governs must add up to the head. Whoever puts an older row back must therefore put the whole
//! organization back as it was at one moment.

use countersign_crypto::Digest32;
use countersign_domain::change::{AuthorizedChange, Base, state_digest};
use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::organizations::{canonical_text, same};
use crate::{Page, StoreError, Unit, from_int, to_int};

const TABLE: &str = "versions";
const HEADS: &str = "version_heads";

/// One version of something governed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// Counts from 1.
    pub version: u64,
    /// Canonical JSON of the whole state.
    pub state: String,
    /// SHA-256 of `state`.
    pub digest: Digest32,
    /// The number of the request that made it.
    pub change_request: u64,
    /// When it took effect.
    pub applied_at: UnixTime,
}

/// What the keyed digest of a version covers.
struct VersionFacts<'a> {
    tenant: &'a str,
    target: &'a str,
    version: i64,
    position: i64,
    change_number: i64,
    applied_at: i64,
    /// SHA-256 of the state, hexadecimal.
    digest: &'a str,
}

/// A version that is about to be written.
pub(crate) struct NextVersion {
    position: i64,
    digest: String,
    pub(crate) mac: Vec<u8>,
}

/// The newest version of something, proven by its keyed digest.
pub(crate) struct NewestVersion {
    pub(crate) version: i64,
    pub(crate) change_number: i64,
    pub(crate) position: i64,
    pub(crate) mac: Vec<u8>,
}

impl Unit {
    /// The version and digest of something governed, as they are now; [`Base::NOTHING`] when it does not exist.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn base_of(&mut self, tenant_id: TenantId, target: &str) -> Result<Base, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT version, state, digest, change_number, applied_at, position, mac FROM versions
                 WHERE tenant_id = $1 AND target = $2 ORDER BY version DESC LIMIT 1",
                args![tenant_id.to_string(), target],
            )
            .await?;
        let Some(row) = row else {
            return Ok(Base::NOTHING);
        };
        let newest = self.read_version(&row, &tenant_id.to_string(), target)?;
        Ok(Base {
            version: newest.version,
            digest: Some(newest.digest),
        })
    }

    /// The versions of something governed, newest first; `page.after` is a version.
    ///
    /// # Errors
    /// When the database is unavailable, a row cannot be believed, or one is missing.
    pub async fn versions(
        &mut self,
        tenant_id: TenantId,
        target: &str,
        page: &Page,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        let tenant = tenant_id.to_string();
        let after = page.after.as_deref();
        let before: Option<i64> = after.and_then(|after| after.parse().ok());
        let rows = self
            .tx
            .fetch_all(
                "SELECT version, state, digest, change_number, applied_at, position, mac FROM versions
                 WHERE tenant_id = $1 AND target = $2 AND version < $3 ORDER BY version DESC LIMIT $4",
                args![
                    tenant.clone(),
                    target,
                    before.unwrap_or(i64::MAX),
                    i64::from(page.limit),
                ],
            )
            .await?;
        let versions: Vec<StoredVersion> = rows
            .iter()
            .map(|row| self.read_version(row, &tenant, target))
            .collect::<Result<_, _>>()?;
        if is_without_hole(&versions, before, page.limit) {
            Ok(versions)
        } else {
            Err(StoreError::corrupt(TABLE, "version", target))
        }
    }

    /// Gives the version that an authorized change results in its place, and moves the head of the organization there.
    pub(crate) async fn next_version(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
    ) -> Result<NextVersion, StoreError> {
        let envelope = authorized.change().envelope();
        let tenant = envelope.tenant_id.to_string();
        let is_first = envelope.target == tenant && authorized.version() == 1;
        let position = self.advance_head(&tenant, is_first).await?;
        let digest = state_digest(authorized.change().canonical_after()).to_string();
        let mac = self.version_mac(&VersionFacts {
            tenant: &tenant,
            target: &envelope.target,
            version: to_int(authorized.version()),
            position,
            change_number: to_int(number),
            applied_at: authorized.at().seconds(),
            digest: &digest,
        });
        Ok(NextVersion {
            position,
            digest,
            mac,
        })
    }

    /// Appends a version to the log.
    pub(crate) async fn insert_version(
        &mut self,
        authorized: &AuthorizedChange,
        number: u64,
        next: NextVersion,
    ) -> Result<(), StoreError> {
        let change = authorized.change();
        let envelope = change.envelope();
        self.tx
            .execute_one(
                "INSERT INTO versions
                    (tenant_id, target, version, state, digest, change_number, applied_at, position, mac)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                args![
                    envelope.tenant_id.to_string(),
                    envelope.target.clone(),
                    to_int(authorized.version()),
                    canonical_text(change.canonical_after(), TABLE, &envelope.target)?,
                    next.digest,
                    to_int(number),
                    authorized.at().seconds(),
                    next.position,
                    next.mac,
                ],
            )
            .await
    }

    /// How many changes of an organization have been applied; `None` when its head is missing.
    ///
    /// # Errors
    /// When the database is unavailable, or the head cannot be believed.
    pub(crate) async fn head(&mut self, tenant: &str) -> Result<Option<i64>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT applied, mac FROM version_heads WHERE tenant_id = $1",
                args![tenant],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let applied = row.int("applied")?;
        if !same(&self.head_mac(tenant, applied), &row.blob("mac")?) {
            return Err(StoreError::corrupt(HEADS, "mac", tenant));
        }
        Ok(Some(applied))
    }

    async fn advance_head(&mut self, tenant: &str, is_first: bool) -> Result<i64, StoreError> {
        match self.head(tenant).await? {
            Some(applied) => {
                let next = applied + 1;
                let mac = self.head_mac(tenant, next);
                self.tx
                    .execute_one(
                        "UPDATE version_heads SET applied = $2, mac = $3 WHERE tenant_id = $1 AND applied = $2 - 1",
                        args![tenant, next, mac],
                    )
                    .await?;
                Ok(next)
            }
            // Only the creation of an organization finds none: anything else would begin to count anew.
            None if is_first => {
                let mac = self.head_mac(tenant, 1);
                self.tx
                    .execute_one(
                        "INSERT INTO version_heads (tenant_id, applied, mac) VALUES ($1, 1, $2)",
                        args![tenant, mac],
                    )
                    .await?;
                Ok(1)
            }
            None => Err(StoreError::corrupt(HEADS, "tenant_id", tenant)),
        }
    }

    fn head_mac(&self, tenant: &str, applied: i64) -> Vec<u8> {
        let parts: [&[u8]; 3] = [b"version head", tenant.as_bytes(), &applied.to_be_bytes()];
        self.row_key.tag(&parts).to_vec()
    }

    fn version_mac(&self, facts: &VersionFacts<'_>) -> Vec<u8> {
        let parts: [&[u8]; 8] = [
            b"version",
            facts.tenant.as_bytes(),
            facts.target.as_bytes(),
            &facts.version.to_be_bytes(),
            &facts.position.to_be_bytes(),
            &facts.change_number.to_be_bytes(),
            &facts.applied_at.to_be_bytes(),
            facts.digest.as_bytes(),
        ];
        self.row_key.tag(&parts).to_vec()
    }

    /// The newest version that a query has found beside a row, in columns that begin with `newest_`.
    pub(crate) fn newest_version(
        &self,
        row: &Row,
        tenant: &str,
        target: &str,
    ) -> Result<NewestVersion, StoreError> {
        let missing = || StoreError::corrupt(TABLE, "mac", target);
        let int = |column| row.opt_int(column)?.ok_or_else(missing);
        let digest = row.opt_text("newest_digest")?.ok_or_else(missing)?;
        let stored = row.opt_blob("newest_mac")?.ok_or_else(missing)?;
        let facts = VersionFacts {
            tenant,
            target,
            version: int("newest_version")?,
            position: int("newest_position")?,
            change_number: int("newest_change_number")?,
            applied_at: int("newest_applied_at")?,
            digest: &digest,
        };
        if !same(&self.version_mac(&facts), &stored) {
            return Err(missing());
        }
        Ok(NewestVersion {
            version: facts.version,
            change_number: facts.change_number,
            position: facts.position,
            mac: stored,
        })
    }

    fn read_version(
        &self,
        row: &Row,
        tenant: &str,
        target: &str,
    ) -> Result<StoredVersion, StoreError> {
        let corrupt = |column| StoreError::corrupt(TABLE, column, target);
        let (state, written) = (row.text("state")?, row.text("digest")?);
        let digest = state_digest(state.as_bytes());
        if digest.to_string() != written {
            return Err(corrupt("digest"));
        }
        let facts = VersionFacts {
            tenant,
            target,
            version: row.int("version")?,
            position: row.int("position")?,
            change_number: row.int("change_number")?,
            applied_at: row.int("applied_at")?,
            digest: &written,
        };
        if !same(&self.version_mac(&facts), &row.blob("mac")?) {
            return Err(corrupt("mac"));
        }
        Ok(StoredVersion {
            version: from_int(facts.version, TABLE, "version")?,
            state,
            digest,
            change_request: from_int(facts.change_number, TABLE, "change_number")?,
            applied_at: UnixTime::from_seconds(facts.applied_at),
        })
    }
}

/// Whether a page of versions, newest first, goes on from the one before, and ends at the first version if it is the last.
fn is_without_hole(versions: &[StoredVersion], before: Option<i64>, limit: u32) -> bool {
    let oldest = versions.last().map_or(0, |version| version.version);
    let counts = (oldest..).zip(versions.iter().rev());
    let is_last = versions.len() < limit as usize;
    let newest = versions.first().map(|version| to_int(version.version));
    counts
        .into_iter()
        .all(|(count, version)| version.version == count)
        && before
            .zip(newest)
            .is_none_or(|(before, newest)| newest == before - 1)
        && (!is_last || oldest <= 1)
}

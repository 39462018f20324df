//! What happened, per organization and on the platform: refusals and administrative acts.

use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::{Page, StoreError, Unit, from_int};

/// What the column of the organization says of the platform itself.
const PLATFORM: &str = "platform";

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityEntry {
    /// The organization; none for the platform itself.
    pub tenant_id: Option<TenantId>,
    /// When.
    pub at: UnixTime,
    /// What kind of thing, for example `token.refused`.
    pub kind: String,
    /// Ties it to the answer that the caller got.
    pub correlation_id: String,
    /// Who.
    pub actor: String,
    /// The particulars.
    pub detail: serde_json::Value,
}

/// An entry with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedActivity {
    /// Its place; grows with time.
    pub id: u64,
    /// What happened.
    pub entry: ActivityEntry,
}

/// Which entries to look for; empty fields do not restrict.
#[derive(Clone, Debug, Default)]
pub struct ActivityFilter {
    /// Entries of one answer.
    pub correlation_id: Option<String>,
    /// Entries of one kind.
    pub kind: Option<String>,
}

impl Unit {
    /// Appends an entry.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn append_activity(&mut self, entry: &ActivityEntry) -> Result<(), StoreError> {
        self.tx
            .execute_one(
                "INSERT INTO activity (tenant_id, at, kind, correlation_id, actor, detail)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                args![
                    column(entry.tenant_id),
                    entry.at.seconds(),
                    entry.kind.clone(),
                    entry.correlation_id.clone(),
                    entry.actor.clone(),
                    entry.detail.to_string(),
                ],
            )
            .await
    }

    /// Entries of an organization, or of the platform, newest first; `page.after` is the place of the last entry seen.
    ///
    /// # Errors
    /// When the database is unavailable, or an entry cannot be read.
    pub async fn activity(
        &mut self,
        tenant_id: impl Into<Option<TenantId>>,
        filter: &ActivityFilter,
        page: &Page,
    ) -> Result<Vec<RecordedActivity>, StoreError> {
        let tenant_id = tenant_id.into();
        let before = page
            .after
            .as_deref()
            .and_then(|after| after.parse().ok())
            .unwrap_or(i64::MAX);
        let rows = self
            .tx
            .fetch_all(
                "SELECT id, at, kind, correlation_id, actor, detail FROM activity
                 WHERE tenant_id = $1 AND id < $2 AND ($3 = '' OR correlation_id = $3) AND ($4 = '' OR kind = $4)
                 ORDER BY id DESC LIMIT $5",
                args![
                    column(tenant_id),
                    before,
                    filter.correlation_id.clone().unwrap_or_default(),
                    filter.kind.clone().unwrap_or_default(),
                    i64::from(page.limit),
                ],
            )
            .await?;
        rows.iter().map(|row| read(row, tenant_id)).collect()
    }

    /// Forgets the oldest entries of an organization beyond `keep`: a flood of refusals cannot fill the disk, and
    /// costs only the organization that it is aimed at.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn trim_refusals(
        &mut self,
        tenant_id: TenantId,
        keep: u32,
    ) -> Result<u64, StoreError> {
        self.tx
            .execute(
                "DELETE FROM activity
                 WHERE tenant_id = $1 AND kind IN ('token.refused', 'api_token.denied') AND id <= COALESCE((
                     SELECT id FROM activity WHERE tenant_id = $1 AND kind IN ('token.refused', 'api_token.denied')
                     ORDER BY id DESC LIMIT 1 OFFSET $2), 0)",
                args![tenant_id.to_string(), i64::from(keep)],
            )
            .await
    }
}

fn column(tenant_id: Option<TenantId>) -> String {
    tenant_id.map_or_else(|| PLATFORM.to_owned(), |tenant_id| tenant_id.to_string())
}

fn read(row: &Row, tenant_id: Option<TenantId>) -> Result<RecordedActivity, StoreError> {
    let id = row.int("id")?;
    let detail = row.text("detail")?;
    Ok(RecordedActivity {
        id: from_int(id, "activity", "id")?,
        entry: ActivityEntry {
            tenant_id,
            at: UnixTime::from_seconds(row.int("at")?),
            kind: row.text("kind")?,
            correlation_id: row.text("correlation_id")?,
            actor: row.text("actor")?,
            detail: serde_json::from_str(&detail)
                .map_err(|_| StoreError::corrupt("activity", "detail", id))?,
        },
    })
}

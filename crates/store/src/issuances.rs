//! The issuance record and the replay memory: one durable, batched write per group of tokens.

use countersign_domain::time::UnixTime;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Row as _};

use crate::database::{Transaction, args, replace_read_only};
use crate::instance::CLOCK_TOLERANCE;
use crate::{Database, Store, StoreError};

/// Columns of `issuances`.
const COLUMNS: usize = 8;

/// One access token, as it is recorded before it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuance {
    /// Its place in the record; unique on the instance.
    pub id: i64,
    /// The organization.
    pub tenant: [u8; 16],
    /// The configuration.
    pub configuration: [u8; 16],
    /// The random part of the access token's `jti`.
    pub jti: [u8; 16],
    /// Keyed digest of (configuration, `jti` of the assertion).
    pub replay_key: [u8; 16],
    /// Whether the assertion may be used once only.
    pub single_use: bool,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// When the access token ends.
    pub expires_at: UnixTime,
    /// Until when the assertion must not be accepted again.
    pub remember_until: UnixTime,
}

/// A used assertion, read back at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayEntry {
    /// Keyed digest of (configuration, `jti` of the assertion).
    pub replay_key: [u8; 16],
    /// Until when it must not be accepted again.
    pub remember_until: UnixTime,
}

impl Store {
    /// Writes a group of issuances in one transaction and says, in their order, which ones stand: where several nodes
    /// share the database, an assertion that another node (or another row of the group) used first does not.
    ///
    /// On the embedded database the one writer has decided uniqueness before, in memory, so every row stands.
    ///
    /// A group has at most 2,048 rows: one statement has no more values.
    ///
    /// # Errors
    /// [`StoreError::ClockApart`] when a row says another time than the database that nodes share; otherwise when the
    /// database refuses. Nothing is kept then.
    pub async fn append_issuances(&self, rows: &[Issuance]) -> Result<Vec<bool>, StoreError> {
        match self.database() {
            Database::Sqlite { writer, .. } => {
                append_sqlite(writer, rows).await?;
                Ok(vec![true; rows.len()])
            }
            Database::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                let stands = append_postgres(&mut tx, rows).await?;
                tx.commit().await?;
                Ok(stands)
            }
        }
    }

    /// The first of a block of record places that nobody else uses, and how many there are.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn reserve_issuance_ids(&self) -> Result<(i64, i64), StoreError> {
        let mut tx = self.database().begin_write().await?;
        let sql = tx.dialect(
            "SELECT COALESCE(MAX(id), 0) + 1 AS first FROM issuances",
            "SELECT nextval('issuance_ids') AS first",
        );
        let row = tx.fetch_optional(sql, args![]).await?;
        let first = row
            .ok_or_else(|| StoreError::corrupt("issuances", "id", "max"))?
            .int("first")?;
        let count = if self.database().has_one_writer() {
            i64::MAX - first
        } else {
            1000
        };
        tx.commit().await?;
        Ok((first, count))
    }

    /// The latest moment on record.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be read.
    pub async fn latest_issuance(&self) -> Result<Option<UnixTime>, StoreError> {
        let mut tx = self.database().begin_read().await?;
        // One writer hands ids out in the order of time; several nodes take blocks of them.
        let sql = tx.dialect(
            "SELECT issued_at AS latest FROM issuances ORDER BY id DESC LIMIT 1",
            "SELECT MAX(issued_at) AS latest FROM issuances",
        );
        let row = tx.fetch_optional(sql, args![]).await?;
        let latest = row.map(|row| row.opt_int("latest")).transpose()?;
        Ok(latest.flatten().map(UnixTime::from_seconds))
    }

    /// The used assertions that must still be remembered, of the embedded database.
    ///
    /// Its record is in the order of time, so reading backwards ends at the first row older than `oldest`, the moment
    /// before which no assertion can have been used that is still alive.
    ///
    /// # Errors
    /// When the database is unavailable, or a row cannot be read.
    pub async fn replay_memory(
        &self,
        oldest: UnixTime,
        mut visit: impl FnMut(ReplayEntry),
    ) -> Result<(), StoreError> {
        const PAGE: i64 = 20_000;
        let mut before = i64::MAX;
        loop {
            let mut tx = self.database().begin_read().await?;
            let rows = tx
                .fetch_all(
                    "SELECT id, replay_key, issued_at, remember_until FROM issuances
                     WHERE id < $1 ORDER BY id DESC LIMIT $2",
                    args![before, PAGE],
                )
                .await?;
            drop(tx);
            let full = rows.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
            for row in rows {
                before = row.int("id")?;
                if UnixTime::from_seconds(row.int("issued_at")?) < oldest {
                    return Ok(());
                }
                let replay_key = fixed(row.blob("replay_key")?, "replay_key", before)?;
                visit(ReplayEntry {
                    replay_key,
                    remember_until: UnixTime::from_seconds(row.int("remember_until")?),
                });
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// The issuance at a place of the record.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be read.
    pub async fn issuance(&self, id: i64) -> Result<Option<Issuance>, StoreError> {
        let mut tx = self.database().begin_read().await?;
        let row = tx
            .fetch_optional(
                "SELECT tenant, configuration, jti, replay_key, issued_at, expires_at, remember_until
                 FROM issuances WHERE id = $1",
                args![id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Issuance {
            id,
            tenant: fixed(row.blob("tenant")?, "tenant", id)?,
            configuration: fixed(row.blob("configuration")?, "configuration", id)?,
            jti: fixed(row.blob("jti")?, "jti", id)?,
            replay_key: fixed(row.blob("replay_key")?, "replay_key", id)?,
            single_use: true,
            issued_at: UnixTime::from_seconds(row.int("issued_at")?),
            expires_at: UnixTime::from_seconds(row.int("expires_at")?),
            remember_until: UnixTime::from_seconds(row.int("remember_until")?),
        }))
    }

    /// Forgets issuances older than `before`, and replay keys that have lapsed at `now`, at most `limit` of each. Returns
    /// how many rows went; 0 when there is nothing more to forget.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn forget_issuances(
        &self,
        before: UnixTime,
        now: UnixTime,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let limit = i64::from(limit);
        let mut tx = match self.database() {
            Database::Sqlite { .. } => self.database().begin_write().await?,
            // Nothing is decided here that another transaction could change: nodes that do the same step over each other.
            Database::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        };
        let oldest = tx.dialect(
            "DELETE FROM issuances WHERE id IN (
                 SELECT id FROM issuances
                 WHERE id < (SELECT COALESCE(MIN(id), 0) FROM issuances) + $2 AND issued_at < $1
                   AND remember_until < $3 AND expires_at < $3)",
            "DELETE FROM issuances WHERE id IN (
                 SELECT id FROM issuances WHERE issued_at < $1 AND remember_until < $3 AND expires_at < $3
                 ORDER BY issued_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        );
        let mut gone = tx
            .execute(oldest, args![before.seconds(), limit, now.seconds()])
            .await?;
        if matches!(tx, Transaction::Postgres(_)) {
            gone += tx
                .execute(
                    "DELETE FROM replay_keys WHERE replay_key IN (
                         SELECT replay_key FROM replay_keys WHERE remember_until < $1
                         ORDER BY remember_until LIMIT $2 FOR UPDATE SKIP LOCKED)",
                    args![now.seconds(), limit],
                )
                .await?;
        }
        tx.commit().await?;
        Ok(gone)
    }
}

fn fixed<const N: usize>(
    bytes: Vec<u8>,
    column: &'static str,
    id: i64,
) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::corrupt("issuances", column, id))
}

/// One statement for the whole group, and so one transaction: everything is kept or nothing. Each statement is a visit to
/// the thread of the connection, and there is one core to spare for it at best.
async fn append_sqlite(writer: &SqlitePool, rows: &[Issuance]) -> Result<(), StoreError> {
    let slots = rows.len().next_power_of_two();
    let mut query = sqlx::query(AssertSqlSafe(insert_statement(slots)));
    for row in rows {
        query = query
            .bind(row.id)
            .bind(&row.tenant[..])
            .bind(&row.configuration[..])
            .bind(&row.jti[..])
            .bind(&row.replay_key[..])
            .bind(row.issued_at.seconds())
            .bind(row.expires_at.seconds())
            .bind(row.remember_until.seconds());
    }
    match query.execute(writer).await {
        Ok(done) if done.rows_affected() == rows.len() as u64 => Ok(()),
        Ok(_) => Err(StoreError::Collision),
        Err(error) => {
            replace_read_only(writer, &error).await;
            Err(error.into())
        }
    }
}

/// `INSERT … VALUES` with room for a fixed number of rows, of which those stand that have an id: few sizes, so few
/// prepared statements. What is not bound is NULL. Built from constants only.
fn insert_statement(slots: usize) -> String {
    let mut sql = String::with_capacity(240 + slots * COLUMNS * 2);
    sql.push_str(
        "INSERT INTO issuances
         (id, tenant, configuration, jti, replay_key, issued_at, expires_at, remember_until)
         SELECT * FROM (VALUES ",
    );
    for slot in 0..slots {
        sql.push_str(if slot == 0 { "(?" } else { ",(?" });
        for _ in 1..COLUMNS {
            sql.push_str(",?");
        }
        sql.push(')');
    }
    sql.push_str(") WHERE column1 IS NOT NULL");
    sql
}

/// One statement for the whole group: the primary key of `replay_keys` decides, and only winners are recorded. It also
/// tells the time, so that no node records by a clock of its own.
const APPEND_POSTGRES: &str = "
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[],
                         $8::bigint[], $9::boolean[])
        AS t(id, tenant, configuration, jti, replay_key, issued_at, expires_at, remember_until, single_use)
), won AS (
    INSERT INTO replay_keys (replay_key, remember_until)
    SELECT replay_key, MAX(remember_until) FROM input WHERE single_use GROUP BY replay_key ORDER BY replay_key
    ON CONFLICT (replay_key) DO NOTHING
    RETURNING replay_key
), standing AS (
    SELECT DISTINCT ON (input.replay_key) input.* FROM input JOIN won USING (replay_key) WHERE single_use
    UNION ALL
    SELECT * FROM input WHERE NOT single_use
), recorded AS (
    INSERT INTO issuances (id, tenant, configuration, jti, replay_key, issued_at, expires_at, remember_until)
    SELECT id, tenant, configuration, jti, replay_key, issued_at, expires_at, remember_until FROM standing
    RETURNING id
)
SELECT recorded.id, clock.seconds
FROM (SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp())) AS BIGINT) AS seconds) AS clock
LEFT JOIN recorded ON TRUE";

async fn append_postgres(
    tx: &mut sqlx::Transaction<'static, sqlx::Postgres>,
    rows: &[Issuance],
) -> Result<Vec<bool>, StoreError> {
    fn column<T>(rows: &[Issuance], value: impl Fn(&Issuance) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let standing = sqlx::query(APPEND_POSTGRES)
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.tenant.to_vec()))
        .bind(column(rows, |row| row.configuration.to_vec()))
        .bind(column(rows, |row| row.jti.to_vec()))
        .bind(column(rows, |row| row.replay_key.to_vec()))
        .bind(column(rows, |row| row.issued_at.seconds()))
        .bind(column(rows, |row| row.expires_at.seconds()))
        .bind(column(rows, |row| row.remember_until.seconds()))
        .bind(column(rows, |row| row.single_use))
        .fetch_all(&mut **tx)
        .await?;
    let mut ids: Vec<i64> = Vec::with_capacity(standing.len());
    if let Some(row) = standing.first() {
        refuse_another_time(rows, row.try_get("seconds")?)?;
    }
    for row in standing {
        ids.extend(row.try_get::<Option<i64>, _>("id")?);
    }
    ids.sort_unstable();
    Ok(rows
        .iter()
        .map(|row| ids.binary_search(&row.id).is_ok())
        .collect())
}

/// What is recorded says the time of the database: what is remembered is forgotten by it.
fn refuse_another_time(rows: &[Issuance], now: i64) -> Result<(), StoreError> {
    let apart = rows.iter().map(|row| row.issued_at.seconds() - now);
    match apart.max_by_key(|seconds| seconds.abs()) {
        Some(seconds) if seconds.abs() > CLOCK_TOLERANCE => Err(StoreError::ClockApart { seconds }),
        _ => Ok(()),
    }
}

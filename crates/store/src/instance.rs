//! Facts about the instance as a whole.

use countersign_domain::time::UnixTime;

use crate::database::{Transaction, args};
use crate::{StoreError, Unit};

/// The name of the highest moment that the instance has acted on.
const CLOCK_HIGH_WATER: &str = "clock_high_water";

/// How far the clock of a node may be from that of the database that it shares with others, in seconds. Nothing is
/// recorded beyond.
pub const CLOCK_TOLERANCE: i64 = 30;

impl Unit {
    /// A fact, if it is known.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn instance_fact(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let row = self
            .tx
            .fetch_optional("SELECT value FROM instance WHERE name = $1", args![name])
            .await?;
        row.map(|row| row.text("value")).transpose()
    }

    /// Sets a fact.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn set_instance_fact(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.tx
            .execute_one(
                "INSERT INTO instance (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                args![name, value],
            )
            .await
    }

    /// Removes a fact.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn remove_instance_fact(&mut self, name: &str) -> Result<(), StoreError> {
        self.tx
            .execute("DELETE FROM instance WHERE name = $1", args![name])
            .await
            .map(drop)
    }

    /// The highest moment that this instance has acted on, if it is known.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the fact is no moment, or the database is unavailable.
    pub async fn clock_high_water(&mut self) -> Result<Option<UnixTime>, StoreError> {
        let known = self.instance_fact(CLOCK_HIGH_WATER).await?;
        known
            .map(|value| {
                let seconds = value
                    .parse()
                    .map_err(|_| StoreError::corrupt("instance", "value", CLOCK_HIGH_WATER))?;
                Ok(UnixTime::from_seconds(seconds))
            })
            .transpose()
    }

    /// The time by the database's own clock, which is one for all nodes that share it; `None` for the embedded database,
    /// which has the clock of its one process.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn database_time(&mut self) -> Result<Option<UnixTime>, StoreError> {
        if matches!(self.tx, Transaction::Sqlite(_)) {
            return Ok(None);
        }
        let sql = "SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp())) AS BIGINT) AS seconds";
        let row = self.tx.fetch_optional(sql, args![]).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("instance", "seconds", "clock"))?;
        Ok(Some(UnixTime::from_seconds(row.int("seconds")?)))
    }

    /// Raises the highest moment that this instance has acted on; it never sinks.
    ///
    /// # Errors
    /// As [`Unit::clock_high_water`].
    pub async fn raise_clock(&mut self, now: UnixTime) -> Result<(), StoreError> {
        if self
            .clock_high_water()
            .await?
            .is_some_and(|known| known >= now)
        {
            return Ok(());
        }
        self.set_instance_fact(CLOCK_HIGH_WATER, &now.seconds().to_string())
            .await
    }
}

//! One use case, one transaction. Dropping it rolls back.

use sqlx::{Postgres, Sqlite};

use super::args::{Arg, bind_all};
use super::row::{Row, Values, table_of};
use crate::StoreError;

/// An open transaction on either driver.
pub enum Transaction {
    /// On PostgreSQL.
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Transaction {
    /// Runs a statement and says how many rows it touched.
    ///
    /// # Errors
    /// [`StoreError`] as the database answers.
    pub async fn execute(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Postgres(tx) => bind_all!(sqlx::query(sql), args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
            Self::Sqlite(tx) => bind_all!(sqlx::query(sql), args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
        })
    }

    /// Runs a statement that must touch exactly one row.
    ///
    /// # Errors
    /// [`StoreError::Collision`] when it touched none or several: what was read before has changed.
    pub async fn execute_one(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<(), StoreError> {
        match self.execute(sql, args).await? {
            1 => Ok(()),
            _ => Err(StoreError::Collision),
        }
    }

    /// The row that a query finds, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] as the database answers.
    pub async fn fetch_optional(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        let values = match self {
            Self::Postgres(tx) => bind_all!(sqlx::query(sql), args)
                .fetch_optional(&mut **tx)
                .await?
                .map(Values::Postgres),
            Self::Sqlite(tx) => bind_all!(sqlx::query(sql), args)
                .fetch_optional(&mut **tx)
                .await?
                .map(Values::Sqlite),
        };
        Ok(values.map(|values| Row::of(table_of(sql), values)))
    }

    /// Every row that a query finds.
    ///
    /// # Errors
    /// [`StoreError`] as the database answers.
    pub async fn fetch_all(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, StoreError> {
        let table = table_of(sql);
        let row = |values| Row::of(table, values);
        Ok(match self {
            Self::Postgres(tx) => {
                let rows = bind_all!(sqlx::query(sql), args)
                    .fetch_all(&mut **tx)
                    .await?;
                rows.into_iter().map(Values::Postgres).map(row).collect()
            }
            Self::Sqlite(tx) => {
                let rows = bind_all!(sqlx::query(sql), args)
                    .fetch_all(&mut **tx)
                    .await?;
                rows.into_iter().map(Values::Sqlite).map(row).collect()
            }
        })
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// [`StoreError`] as the database answers; nothing is kept then.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.commit().await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// The two texts of a statement that the dialects spell differently: SQLite first.
    #[must_use]
    pub fn dialect(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Postgres(_) => postgres,
            Self::Sqlite(_) => sqlite,
        }
    }
}

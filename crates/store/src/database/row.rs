//! Values on their way out of a row.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// A row of either driver. Columns are read by name.
#[derive(Debug)]
pub struct Row {
    values: Values,
    table: &'static str,
}

#[derive(Debug)]
pub(super) enum Values {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`StoreError::Corrupt`] when the value has another type: on SQLite, a column takes any. Otherwise when there
        /// is no such column.
        pub fn $name(&self, column: &'static str) -> Result<$type, StoreError> {
            let value = match &self.values {
                Values::Postgres(row) => row.try_get(column),
                Values::Sqlite(row) => row.try_get(column),
            };
            value.map_err(|error| self.unreadable(column, error))
        }
    )*};
}

/// The table that a query looks into first.
pub(super) fn table_of(sql: &'static str) -> &'static str {
    let mut words = sql.split_whitespace().skip_while(|word| *word != "FROM");
    words.nth(1).unwrap_or("none")
}

impl Row {
    /// A row that a query has found in a table.
    pub(super) const fn of(table: &'static str, values: Values) -> Self {
        Self { values, table }
    }

    getters! {
        /// Bytes.
        blob -> Vec<u8>;
        /// An integer.
        int -> i64;
        /// Bytes or `NULL`.
        opt_blob -> Option<Vec<u8>>;
        /// An integer or `NULL`.
        opt_int -> Option<i64>;
        /// Text or `NULL`.
        opt_text -> Option<String>;
        /// Text.
        text -> String;
    }

    fn unreadable(&self, column: &'static str, error: sqlx::Error) -> StoreError {
        match error {
            sqlx::Error::ColumnDecode { .. } => {
                StoreError::corrupt(self.table, column, self.first_value())
            }
            other => other.into(),
        }
    }

    /// What queries put first tells rows apart.
    fn first_value(&self) -> String {
        macro_rules! first {
            ($row:expr) => {
                $row.try_get::<String, _>(0)
                    .or_else(|_| $row.try_get::<i64, _>(0).map(|value| value.to_string()))
            };
        }
        let first = match &self.values {
            Values::Postgres(row) => first!(row),
            Values::Sqlite(row) => first!(row),
        };
        first.unwrap_or_else(|_| "unknown".to_owned())
    }
}

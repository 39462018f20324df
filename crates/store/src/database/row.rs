//! Values on their way out of a row.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// A row of either driver. Columns are read by name.
#[derive(Debug)]
pub enum Row {
    /// From PostgreSQL.
    Postgres(PgRow),
    /// From SQLite.
    Sqlite(SqliteRow),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// When there is no such column or its value has another type.
        pub fn $name(&self, column: &str) -> Result<$type, StoreError> {
            let value = match self {
                Self::Postgres(row) => row.try_get(column),
                Self::Sqlite(row) => row.try_get(column),
            };
            value.map_err(StoreError::from)
        }
    )*};
}

impl Row {
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
}

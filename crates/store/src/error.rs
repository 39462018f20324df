//! What can go wrong in the store, told apart by what the caller should do.

/// A store operation that failed. An absence is never an error, and an error never becomes an absence.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A backup is damaged, forged, or none that this program and this master key can take.
    #[error("the backup cannot be read: {0}")]
    Backup(String),
    /// The clock of this node is not that of the database which it shares with others: used assertions could be forgotten
    /// too early, or tokens be given a wrong end.
    #[error("the clock of this node is {seconds} s ahead of the database's")]
    ClockApart {
        /// How far ahead; negative when it is behind.
        seconds: i64,
    },
    /// Two transactions collided; the whole use case may be tried again.
    #[error("the transaction collided with another one")]
    Collision,
    /// A stored value cannot be what this program wrote: damaged or tampered with.
    #[error("table {table}, row {id}: {column} cannot be believed")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// A cursor names no entry of the list: whoever passes it on has not looked at it.
    #[error("the cursor `{0}` names no entry of this list")]
    Cursor(String),
    /// The database was written by a newer version of this program.
    #[error(
        "the database is at schema version {found}, this program knows {known}: start the newer version of Countersign"
    )]
    DatabaseIsNewer {
        /// In the database.
        found: i64,
        /// In this program.
        known: i64,
    },
    /// The database was written by an older version of this program and has not been brought up to date.
    #[error(
        "the database is at schema version {found}, this program needs {known}: stop the older version and run `countersign migrate`, or use the older version's command"
    )]
    DatabaseIsOlder {
        /// In the database; 0 when there is nothing in it.
        found: i64,
        /// In this program.
        known: i64,
    },
    /// The database URL is not understood.
    #[error("the database URL must be sqlite:PATH or postgres://…: {0}")]
    DatabaseUrl(String),
    /// A migration that has run is not the one in this program.
    #[error(
        "migration {0} in the database is not the one of this program: the schema was changed by hand, or a build that was never released made it; begin with a new data directory and database, or use the program that made this one"
    )]
    MigrationChanged(i64),
    /// A unique rule of the database refused the write.
    #[error("the database refused a duplicate ({0})")]
    Taken(String),
    /// The database does not answer, is full or is read-only.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self::Unavailable(error.to_string());
        };
        let code = database.code();
        if database.is_unique_violation() {
            let rule = database
                .constraint()
                .map_or_else(|| database.message().to_owned(), str::to_owned);
            return Self::Taken(rule);
        }
        match code.as_deref() {
            // PostgreSQL: serialization failure, deadlock. SQLite: SQLITE_BUSY_SNAPSHOT. A plain SQLITE_BUSY comes after
            // the whole patience was spent on another process's lock: trying again at once would only wait longer.
            Some("40001" | "40P01" | "517") => Self::Collision,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl StoreError {
    /// A stored value that cannot be believed.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have a text, a number or a reference, and no further use for it"
    )]
    pub fn corrupt(table: &'static str, column: &'static str, id: impl ToString) -> Self {
        Self::Corrupt {
            table,
            column,
            id: id.to_string(),
        }
    }
}

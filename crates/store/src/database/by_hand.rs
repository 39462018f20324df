//! Raw SQL for tests that play somebody with access to the database. Nothing that is shipped is built with it.

use super::{Database, Transaction};
use crate::StoreError;

impl Database {
    /// Begins a transaction of any statements that may write.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn write(&self) -> Result<Transaction, StoreError> {
        self.begin_write().await
    }

    /// Begins a transaction of any statements that only read.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn read(&self) -> Result<Transaction, StoreError> {
        self.begin_read().await
    }
}

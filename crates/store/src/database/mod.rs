//! One small face for two drivers: SQL is written once with `$1` placeholders and portable types.

mod args;
#[cfg(feature = "by-hand")]
mod by_hand;
mod migrations;
mod open;
mod row;
mod transaction;

pub use args::Arg;
pub(crate) use args::args;
pub use migrations::SCHEMA_VERSION;
pub(crate) use open::replace_read_only;
pub use open::{Database, DatabaseUrl};
pub use row::Row;
pub use transaction::Transaction;

//! What the store promises, proven on SQLite and, where `COUNTERSIGN_TEST_POSTGRES` names a server, on PostgreSQL.
//!
//! Each test gets a database of its own and runs once per database, as `module::rule::sqlite` and
//! `module::rule::postgres`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the helpers of a test are part of the test: they panic and say what was skipped"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "each test has a database and names of its own"
)]

#[macro_use]
#[path = "contract/world.rs"]
mod world;

#[path = "contract/activity.rs"]
mod activity;
#[path = "contract/api_tokens.rs"]
mod api_tokens;
#[path = "contract/backup.rs"]
mod backup;
#[path = "contract/changes.rs"]
mod changes;
#[path = "contract/configurations.rs"]
mod configurations;
#[path = "contract/database.rs"]
mod database;
#[path = "contract/feed.rs"]
mod feed;
#[path = "contract/idempotency.rs"]
mod idempotency;
#[path = "contract/instance.rs"]
mod instance;
#[path = "contract/issuances.rs"]
mod issuances;
#[path = "contract/migrations.rs"]
mod migrations;
#[path = "contract/organizations.rs"]
mod organizations;
#[path = "contract/registered_keys.rs"]
mod registered_keys;
#[path = "contract/revocations.rs"]
mod revocations;
#[path = "contract/signing_keys.rs"]
mod signing_keys;
#[path = "contract/statements.rs"]
mod statements;
#[path = "contract/tenants.rs"]
mod tenants;

//! The admin API through the real router on SQLite in memory. One module per rule book; every answer of every test is
//! checked against the OpenAPI document, `docs/errors.md` and the rules that hold for all answers (`support`).
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the environment says whether golden files are written anew"
)]

mod activity;
mod api_tokens;
mod authentication;
mod bodies;
mod callers;
mod conditional;
mod contract;
mod dry_run;
mod errors;
mod hostile_text;
mod idempotency;
mod key_formats;
mod key_refusals;
mod keys;
mod lifecycle;
mod methods;
mod openapi;
mod organizations;
mod pagination;
mod private_keys;
mod rotation;
mod schema;
mod signing_keys;
mod support;
mod tenants;
mod uniqueness;

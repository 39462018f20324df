//! The OAuth endpoints as callers and attackers see them: every request goes through the real router to a real
//! database. The names begin with the line of `docs/conformance.md` that they prove.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod attacks_callers;
mod attacks_load;
mod attacks_outsiders;
mod attacks_records;
mod attacks_state;
mod discovery_documents;
mod introspection_state;
mod node_clocks;
mod oauth_conformance;
mod oauth_reasons;
mod oauth_workbench;
mod secrets;
mod size;
mod support;
mod token_algorithms;
mod token_claims;
mod token_clients;
mod token_header;
mod token_parameters;
mod token_replay;
mod token_response;
mod token_structure;
mod token_transport;
mod waiting;

//! The vector of the oracle: the digests that another implementation computes come out of ours.

use std::path::Path;

use countersign_crypto::{b64, canonical_json};
use serde_json::Value;

use crate::approval::challenge;
use crate::change::change_digest;

#[test]
fn c12_digest_and_challenges_are_those_of_the_independent_implementation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    let Ok(text) = std::fs::read_to_string(folder.join("vector.json")) else {
        println!("skipped: ../shared/oracles/vector.json is not there");
        return;
    };
    let vector: Value = serde_json::from_str(&text).unwrap();
    let bundle = &vector["bundle"];
    let envelope = canonical_json(&bundle["envelope"]).unwrap();
    assert_eq!(
        change_digest(&envelope).to_string(),
        vector["change_digest"]
    );
    let parts = [&bundle["maker"], &bundle["approvals"][0]];
    let challenges = parts.map(|part| {
        let statement = canonical_json(&part["statement"]).unwrap();
        let computed = b64::encode(challenge(&statement).as_bytes());
        let client = part["assertion"]["client_data_json"].as_str().unwrap();
        let client = b64::decode_canonical(client).unwrap();
        let signed: Value = serde_json::from_slice(&client).unwrap();
        assert_eq!(signed["challenge"], computed);
        computed
    });
    assert_eq!(challenges[1], vector["checker_challenge"]);
}

//! Envelopes from before there were people, taken over once.

use countersign_crypto::{canonical_json, sha256};
use serde::Deserialize;
use serde_json::Value;

use super::{Change, NotCanonical, PolicySnapshot};
use crate::ids::ApiTokenId;

/// What separated the digest of a change then.
const LABEL: &[u8] = b"countersign/change/v1\0";

/// Who asked for a change then.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Requester {
    ApiToken { id: ApiTokenId },
    Operator,
}

impl Change {
    /// Reads an envelope from before there were people: its requester was an object, its policy a number, nobody had
    /// signed it, and every such request was applied at once. `digest` is the one that was stored, in hexadecimal.
    ///
    /// # Errors
    /// [`NotCanonical`] when the envelope is not of that form, asked for an approval, or does not have this digest.
    pub fn adopt(envelope: &[u8], digest: &str) -> Result<Self, NotCanonical> {
        let mut value: Value = serde_json::from_slice(envelope).map_err(|_| NotCanonical)?;
        let canonical = canonical_json(&value).map_err(|_| NotCanonical)?;
        let is_known = canonical == envelope
            && sha256(&[LABEL, envelope]).to_string() == digest
            && value["policy"] == serde_json::json!({"quorum": 0, "version": 0});
        if !is_known {
            return Err(NotCanonical);
        }
        let requester = Requester::deserialize(&value["requester"]);
        value["requester"] = match requester.map_err(|_| NotCanonical)? {
            Requester::ApiToken { id } => id.to_string().into(),
            Requester::Operator => "operator".into(),
        };
        value["policy"] = serde_json::to_value(PolicySnapshot::OFF).map_err(|_| NotCanonical)?;
        let renewed = canonical_json(&value).map_err(|_| NotCanonical)?;
        Self::from_canonical(&renewed)
    }
}

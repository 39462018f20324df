//! Strict JSON: never a panic; what parses is JSON to another reader, too, and writes and parses again as the same object.
#![no_main]

use countersign_crypto::canonical_json;
use countersign_crypto::json::{Limits, StrictObject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(object) = StrictObject::parse(text, Limits::TOKEN) {
        let value = serde_json_value(&object);
        assert!(serde_json::from_slice::<serde_json::Value>(text).is_ok_and(|other| other.is_object()));
        if let Ok(canonical) = canonical_json(&value) {
            let again = StrictObject::parse(&canonical, Limits::TOKEN).expect("canonical JSON is strict JSON");
            assert_eq!(serde_json_value(&again), value);
        }
    }
});

fn serde_json_value(object: &StrictObject) -> serde_json::Value {
    serde_json::Value::Object(object.members().clone())
}

//! Key import: never a panic; what is accepted reads back as the same key; a private key is never accepted.
#![no_main]

use countersign_crypto::PublicKey;
use countersign_crypto::import::{ImportOptions, import_keys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(import) = import_keys(input, ImportOptions { now: 1_800_000_000 }) {
        assert!(!String::from_utf8_lossy(input).contains("PRIVATE KEY-----"));
        for found in import.keys {
            assert_eq!(PublicKey::from_pem(&found.key.to_pem()).expect("what was imported is a key"), found.key);
        }
    }
});

//! SSH signatures and the keys of people: never a panic; a key has one form and reads back from it.
#![no_main]

use countersign_crypto::ssh::{PersonKey, UnverifiedSshSignature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(signature) = UnverifiedSshSignature::parse(input) {
        assert!(signature.key_fingerprint().starts_with("SHA256:"));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok((key, comment)) = PersonKey::parse_line(text) {
        assert_eq!(key.to_string().parse::<PersonKey>().as_ref(), Ok(&key));
        assert_eq!(key.kind().is_security_key(), key.application().is_some());
        assert!(!comment.unwrap_or_default().contains(char::is_control));
    }
});

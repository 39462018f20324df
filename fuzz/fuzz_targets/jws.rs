//! A compact JWS: never a panic, and what parses has exactly one spelling.
#![no_main]

use countersign_crypto::UnverifiedJws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(jws) = UnverifiedJws::parse(text) {
        assert_eq!(text.split('.').count(), 3);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
        let _ = jws.peek_claims();
    }
});

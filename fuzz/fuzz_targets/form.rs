//! Forms: never a panic, no parameter twice, no empty value.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/http/src/form/parameters.rs"]
mod parameters;

fuzz_target!(|body: &[u8]| {
    match parameters::parse(body) {
        Ok(found) => {
            for (position, (name, value)) in found.iter().enumerate() {
                assert!(!value.is_empty() && !value.contains('\0'));
                assert!(name == "resource" || found[..position].iter().all(|(earlier, _)| earlier != name));
            }
        }
        Err(malformed) => assert!(!malformed.sentence().is_empty()),
    }
});

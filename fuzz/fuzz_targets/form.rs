//! Forms: never a panic, no parameter twice, no empty value.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Some(parameters) = countersign_http::parse_form(body) {
        for (position, (name, value)) in parameters.iter().enumerate() {
            assert!(!value.is_empty() && !value.contains('\0'));
            assert!(name == "resource" || parameters[..position].iter().all(|(earlier, _)| earlier != name));
        }
    }
});

//! The Python package `badkeys` as an independent oracle for weak RSA keys.
//!
//! Not applicable, and left out by the script or named here: `blocklist` (a download of gigabytes of leaked keys),
//! `sharedprimes` (its table of primes seen on the Internet; here a key is compared with all keys registered), and
//! the findings about sizes and exponents that are unusual but sound.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot ask its oracle has failed, and a skipped one says so"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::PublicKey;
use countersign_crypto::import::{ImportOptions, ImportRefusal, import_keys};
use serde_json::Value;

/// Python with badkeys: the one named by the environment, or the system's.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command names the interpreter it prepared"
)]
fn python() -> Option<String> {
    let python = std::env::var("COUNTERSIGN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports = Command::new(&python)
        .args(["-c", "import badkeys"])
        .output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: {python} cannot import badkeys (pip install badkeys, COUNTERSIGN_PYTHON)");
    None
}

/// What the oracle says about the keys on `stdin`, or about those it makes itself.
fn ask(python: &str, stdin: &str) -> Vec<Value> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../interop/python/badkeys_oracle.py"
    );
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The codes with which we answer each finding; the first question that finds something answers.
fn codes_for(check: &str) -> &'static [&'static str] {
    match check.split(':').next().unwrap() {
        "fermat" => &["rsa_primes_close", "rsa_modulus_square"],
        "roca" => &["rsa_roca"],
        "rsainvalid" => &["rsa_exponent_one", "rsa_exponent_too_large"],
        "rsapoly" | "rsabias" => &["rsa_modulus_biased", "rsa_modulus_pattern"],
        "smalld" => &["rsa_exponent_too_large"],
        "smallfactors" => &["rsa_small_factor"],
        "rsawarnings" => &["rsa_exponent_too_small", "rsa_modulus_too_small"],
        "pattern" => &["rsa_modulus_pattern"],
        "xzbackdoor" => &["rsa_modulus_payload"],
        other => panic!("badkeys has a new check: {other}"),
    }
}

#[test]
fn k3_every_key_that_badkeys_calls_vulnerable_is_refused_for_the_same_reason() {
    let Some(python) = python() else { return };
    let weak = ask(&python, "");
    assert!(weak.len() >= 20, "{}", weak.len());
    for key in weak {
        let pem = key["pem"].as_str().unwrap();
        let code = import_keys(pem.as_bytes(), ImportOptions { now: 0 })
            .map_or_else(ImportRefusal::code, |_| "accepted");
        let mut checks = key["check"].as_str().unwrap().split('+');
        assert!(
            checks.any(|check| codes_for(check).contains(&code)),
            "{code}: {key}"
        );
    }
}

#[test]
fn keys_that_we_accept_are_sound_to_badkeys() {
    let Some(python) = python() else { return };
    let mut lines = String::new();
    for index in 0..8 {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
        let imported = import_keys(public.as_ref(), ImportOptions { now: 0 }).unwrap();
        let key: &PublicKey = &imported.keys[0].key;
        let body = STANDARD.encode(key.spki_der());
        lines.push_str(&format!(
            "{index}\t-----BEGIN PUBLIC KEY-----\\n{body}\\n-----END PUBLIC KEY-----\\n\n"
        ));
    }
    let answers = ask(&python, &lines);
    assert_eq!(answers.len(), 8);
    assert!(
        answers.iter().all(|answer| answer["check"] == ""),
        "{answers:?}"
    );
}

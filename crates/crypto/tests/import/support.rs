//! Keys to import, made here or with the openssl command line.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_crypto::import::{Import, ImportOptions, ImportRefusal, import_keys};
use countersign_crypto::sha256;
use num_bigint::BigUint;

/// 2026-11-23, in Unix seconds.
pub(crate) const NOW: i64 = 1_795_392_000;

pub(crate) fn import(input: impl AsRef<[u8]>) -> Result<Import, ImportRefusal> {
    import_keys(input.as_ref(), ImportOptions { now: NOW })
}

/// The code with which `input` is refused, or `accepted`.
pub(crate) fn code(input: impl AsRef<[u8]>) -> &'static str {
    code_at(input, NOW)
}

/// As [`code`], at another time in Unix seconds.
pub(crate) fn code_at(input: impl AsRef<[u8]>, now: i64) -> &'static str {
    import_keys(input.as_ref(), ImportOptions { now })
        .map_or_else(ImportRefusal::code, |_| "accepted")
}

/// Runs openssl; `None`, and a line that says so, when it is not installed.
pub(crate) fn openssl(arguments: &str, stdin: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: openssl is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output.stdout)
}

/// Octets that look random and are the same every time.
pub(crate) fn noise(seed: &str, length: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|counter| *sha256(&[seed.as_bytes(), &counter.to_be_bytes()]).as_bytes())
        .take(length)
        .collect()
}

/// An odd number of exactly `bits` bits, the two highest set.
pub(crate) fn odd(seed: &str, bits: usize) -> BigUint {
    let mut octets = noise(seed, bits / 8);
    octets[0] |= 0xc0;
    octets[bits / 8 - 1] |= 1;
    BigUint::from_bytes_be(&octets)
}

/// A prime of 1024 bits: the first one after [`odd`], whose distance was found with another program.
pub(crate) fn prime(name: &str) -> BigUint {
    let distance = match name {
        "p" => 774u32,
        "q" => 124,
        "r" => 1052,
        _ => unreachable!("no such prime"),
    };
    odd(name, 1024) + distance
}

/// The product of two primes: a good modulus.
pub(crate) fn good_modulus() -> BigUint {
    prime("p") * prime("q")
}

pub(crate) fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

pub(crate) fn rsa_jwk(n: &BigUint, e: &BigUint) -> String {
    let (n, e) = (base64url(&n.to_bytes_be()), base64url(&e.to_bytes_be()));
    format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)
}

/// A JWK with exponent 65537.
pub(crate) fn modulus_jwk(n: &BigUint) -> String {
    rsa_jwk(n, &BigUint::from(65_537u32))
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// One DER element.
pub(crate) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        length @ 0..0x80 => out.push(u8::try_from(length).unwrap()),
        length => {
            out.push(0x82);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
            // Lengths below 256 take the shorter form.
            if length < 0x100 {
                out.truncate(1);
                out.extend([0x81, u8::try_from(length).unwrap()]);
            }
        }
    }
    out.extend(content);
    out
}

pub(crate) fn integer(number: &BigUint) -> Vec<u8> {
    let octets = number.to_bytes_be();
    let sign: &[u8] = if octets[0] >= 0x80 { &[0] } else { &[] };
    der(2, &[sign, &octets])
}

pub(crate) const ED25519_IDENTIFIER: &[u8] = b"\x06\x03\x2b\x65\x70";
pub(crate) const P256_IDENTIFIER: &[u8] =
    b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
pub(crate) const RSA_IDENTIFIER: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

pub(crate) fn spki(identifier: &[u8], subject: &[u8]) -> Vec<u8> {
    der(
        0x30,
        &[&der(0x30, &[identifier]), &der(3, &[&[0], subject])],
    )
}

pub(crate) fn pkcs1(n: &BigUint, e: &BigUint) -> Vec<u8> {
    der(0x30, &[&integer(n), &integer(e)])
}

/// A fresh P-256 key pair.
pub(crate) fn p256() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

/// The raw public key of a key pair: an encoded point, or 32 octets.
pub(crate) fn point(pair: &rcgen::KeyPair) -> Vec<u8> {
    rcgen::PublicKeyData::der_bytes(pair).to_vec()
}

/// The JWK of a P-256 key, with more members in front: `"alg":"ES256",`.
pub(crate) fn ec_jwk(pair: &rcgen::KeyPair, members: &str) -> String {
    let point = point(pair);
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    format!(r#"{{{members}"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)
}

/// The path of a file of the shared test vectors, or `None` and a line that says so.
pub(crate) fn vector(name: &str) -> Option<serde_json::Value> {
    let path = format!(
        "{}/../../../shared/vectors/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            println!("skipped: shared/vectors/{name} is absent");
            None
        }
    }
}

//! `import`: what it costs to read and judge a public key, by format; then the preview over HTTP.

use std::hint::black_box;
use std::time::{Duration, Instant};

use countersign_crypto::import::{ImportOptions, import_keys};

use crate::cores;
use crate::latency::median;
use crate::options::Options;
use crate::server::Launcher;
use crate::steady;
use crate::table::{Table, grouped};

/// A time at which the certificates among the fixtures are valid, in Unix seconds.
const NOW: i64 = 1_800_000_000;

/// Slices of a measurement; their median is the result.
const SLICES: u32 = 5;

/// Keys that were made for this purpose; nobody has their private parts.
const FIXTURES: [(&str, &str); 11] = [
    (
        "RSA-2048 SPKI PEM",
        include_str!("../fixtures/rsa2048-spki.pem"),
    ),
    (
        "RSA-2048 PKCS#1 PEM",
        include_str!("../fixtures/rsa2048-pkcs1.pem"),
    ),
    (
        "RSA-2048 certificate PEM",
        include_str!("../fixtures/rsa2048-certificate.pem"),
    ),
    ("RSA-2048 JWK", include_str!("../fixtures/rsa2048.jwk.json")),
    (
        "RSA-2048 ssh-rsa",
        include_str!("../fixtures/rsa2048-ssh.pub"),
    ),
    (
        "RSA-4096 SPKI PEM",
        include_str!("../fixtures/rsa4096-spki.pem"),
    ),
    ("P-256 SPKI PEM", include_str!("../fixtures/p256-spki.pem")),
    (
        "P-256 certificate PEM",
        include_str!("../fixtures/p256-certificate.pem"),
    ),
    ("P-256 JWK", include_str!("../fixtures/p256.jwk.json")),
    (
        "Ed25519 ssh-ed25519",
        include_str!("../fixtures/ed25519-ssh.pub"),
    ),
    (
        "JWKS with one of each kind",
        include_str!("../fixtures/three.jwks.json"),
    ),
];

/// Runs both parts and prints their tables.
///
/// # Errors
/// A sentence, when a key is refused or the server cannot be measured.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<(), String> {
    in_process(launcher, options)?;
    let over_http = ["RSA-2048 SPKI PEM", "P-256 SPKI PEM"];
    let keys: Vec<(&str, &str)> = FIXTURES
        .into_iter()
        .filter(|(name, _)| over_http.contains(name))
        .collect();
    steady::preview(launcher, options, &keys)
}

fn in_process(launcher: &Launcher, options: &Options) -> Result<(), String> {
    cores::pin(launcher.cores.server)?;
    let table = Table::begin(&[
        "import in process             ",
        "µs per import",
        "imports/s",
    ]);
    for (name, text) in FIXTURES {
        let us = cost(text, options.timing().limit).map_err(|code| format!("{name}: {code}"))?;
        table.row(&[name.to_owned(), format!("{us:.1}"), grouped(1e6 / us)]);
    }
    cores::pin(launcher.cores.generator)
}

/// The time of one import, in microseconds.
fn cost(text: &str, time: Duration) -> Result<f64, String> {
    let import = || import_keys(black_box(text.as_bytes()), ImportOptions { now: NOW });
    import().map_err(|refusal| refusal.to_string())?;
    let slice = time / SLICES;
    Ok(median((0..SLICES).map(|_| {
        let started = Instant::now();
        let mut count = 0.0;
        while started.elapsed() < slice {
            assert!(black_box(import()).is_ok(), "it was accepted before");
            count += 1.0;
        }
        started.elapsed().as_secs_f64() * 1e6 / count
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixture_is_accepted() {
        for (name, text) in FIXTURES {
            let cost = cost(text, Duration::from_millis(1));
            assert!(cost.as_ref().is_ok_and(|us| *us > 0.1), "{name}: {cost:?}");
        }
    }
}

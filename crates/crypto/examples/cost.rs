//! What one step costs: `cargo run --release -p countersign-crypto --example cost`.
#![expect(clippy::print_stdout, reason = "the table is the purpose")]

use std::hint::black_box;
use std::time::Instant;

use countersign_crypto::json::{Limits, StrictObject};
use countersign_crypto::{
    JwsSigner, KeyKind, MacKey, PublicKey, SigningAlgorithm, SigningKey, UnverifiedJws,
    VerifyingKey, sha256,
};

const CLAIMS: &str = r#"{"iss":"9f0c2b4e-5d1a-7c3e-8b6f-0a1b2c3d4e5f","sub":"9f0c2b4e-5d1a-7c3e-8b6f-0a1b2c3d4e5f","aud":"https://id.example.com/t/018f2c3d-4e5f-7a6b-8c9d-0e1f2a3b4c5d","iat":1700000000,"nbf":1700000000,"exp":1700000060,"jti":"mYpQ2vXz7LrT4sWk1NbC9A","scope":"payments:read payments:write","uid":"customer-4711"}"#;

/// The median of 21 rounds, in microseconds.
fn measure(what: &str, per_round: u32, mut step: impl FnMut()) {
    let mut rounds = (0..21)
        .map(|_| {
            let start = Instant::now();
            (0..per_round).for_each(|_| step());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(per_round)
        })
        .collect::<Vec<_>>();
    rounds.sort_by(f64::total_cmp);
    println!("{what:<44} {:>8.2} µs", rounds[10]);
}

fn token(algorithm: SigningAlgorithm) -> (String, VerifyingKey, JwsSigner) {
    let key = SigningKey::generate(algorithm);
    let verifying = VerifyingKey::new(key.public_key().clone(), algorithm.algorithm())
        .expect("the algorithm fits");
    let signer = JwsSigner::new(key, Some("JWT"), Some("2026-11-a"));
    (signer.sign(CLAIMS.as_bytes()), verifying, signer)
}

fn main() {
    println!("claims set of {} octets", CLAIMS.len());
    measure("strict parse", 5_000, || {
        black_box(StrictObject::parse(
            black_box(CLAIMS.as_bytes()),
            Limits::TOKEN,
        ))
        .expect("strict");
    });
    for algorithm in SigningAlgorithm::ALL {
        let (token, key, signer) = token(algorithm);
        let jws = token.as_str();
        measure(&format!("{algorithm} parse"), 2_000, || {
            black_box(UnverifiedJws::parse(black_box(jws))).expect("well-formed");
        });
        let (input, signature) = jws.rsplit_once('.').expect("three segments");
        let signature = countersign_crypto::b64::decode_canonical(signature).expect("canonical");
        measure(&format!("{algorithm} signature check alone"), 300, || {
            key.verify(black_box(input.as_bytes()), &signature)
                .expect("valid");
        });
        measure(&format!("{algorithm} parse and verify"), 300, || {
            let jws = UnverifiedJws::parse(black_box(jws)).expect("well-formed");
            black_box(jws.verify(&key)).expect("valid");
        });
        measure(&format!("{algorithm} sign a token"), 50, || {
            black_box(signer.sign(black_box(CLAIMS.as_bytes())));
        });
    }
    let mac = MacKey::new([7; 32]);
    measure("keyed digest, 60 octets", 20_000, || {
        black_box(mac.digest128(black_box(&CLAIMS.as_bytes()[..60])));
    });
    measure("SHA-256, 500 octets", 20_000, || {
        black_box(sha256(&[
            black_box(&CLAIMS.as_bytes()[..300]),
            &CLAIMS.as_bytes()[..200],
        ]));
    });
    for algorithm in [
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ] {
        let key = SigningKey::generate(algorithm);
        let spki = key.public_key().spki_der();
        let what = match key.public_key().kind() {
            KeyKind::Rsa { .. } => "load an RSA public key",
            KeyKind::Ed25519 => "load an Ed25519 public key",
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => "load a P-256 public key",
        };
        measure(what, 500, || {
            black_box(PublicKey::from_spki_der(black_box(spki))).expect("a key");
        });
    }
}

//! K1 to K3: RSA keys.

use std::time::Instant;

use countersign_crypto::import::{SharedFactorCheck, shares_factor};
use num_bigint::BigUint;

use crate::support::*;

fn two_to(exponent: u32) -> BigUint {
    BigUint::from(1u32) << exponent
}

#[test]
fn k1_rsa_2048_is_accepted() {
    assert_eq!(code(modulus_jwk(&good_modulus())), "accepted");
}

#[test]
fn k1_rsa_1024_and_2047_are_refused() {
    assert_eq!(
        code(modulus_jwk(&odd("small", 1024))),
        "rsa_modulus_too_small"
    );
    assert_eq!(
        code(modulus_jwk(&(odd("small", 2048) >> 1u32))),
        "rsa_modulus_too_small"
    );
}

#[test]
fn k1_rsa_above_8192_bits_is_refused_before_any_arithmetic() {
    assert_eq!(
        code(modulus_jwk(&odd("large", 8200))),
        "rsa_modulus_too_large"
    );
    let input = modulus_jwk(&odd("large", 16_384));
    let start = Instant::now();
    assert_eq!(code(input), "rsa_modulus_too_large");
    assert!(start.elapsed().as_millis() < 50, "{:?}", start.elapsed());
}

#[test]
fn k2_each_bad_exponent_is_refused_with_its_reason() {
    let n = good_modulus();
    for (e, expected) in [
        (BigUint::from(0u32), "rsa_exponent_even"),
        (BigUint::from(65_536u32), "rsa_exponent_even"),
        (BigUint::from(1u32), "rsa_exponent_one"),
        (BigUint::from(3u32), "rsa_exponent_too_small"),
        (BigUint::from(17u32), "rsa_exponent_too_small"),
        (BigUint::from(65_535u32), "rsa_exponent_too_small"),
        (two_to(33) + 1u32, "rsa_exponent_too_large"),
        (&n - 2u32, "rsa_exponent_too_large"),
        (&n + 2u32, "rsa_exponent_too_large"),
        (BigUint::from(65_537u32), "accepted"),
        (two_to(33) - 1u32, "accepted"),
    ] {
        assert_eq!(code(rsa_jwk(&n, &e)), expected, "{e}");
    }
}

#[test]
fn k3_wiener_small_private_exponent_is_refused_by_its_public_exponent() {
    // d = 65537: the public exponent is its inverse, as long as the modulus.
    let phi = (prime("p") - 1u32) * (prime("q") - 1u32);
    let e = BigUint::from(65_537u32).modinv(&phi).unwrap();
    assert_eq!(code(rsa_jwk(&good_modulus(), &e)), "rsa_exponent_too_large");
}

#[test]
fn k3_zero_and_even_moduli_are_refused() {
    assert_eq!(code(modulus_jwk(&BigUint::ZERO)), "rsa_modulus_zero");
    assert_eq!(
        code(modulus_jwk(&(odd("even", 2048) - 1u32))),
        "rsa_modulus_even"
    );
}

#[test]
fn k3_a_prime_modulus_is_refused() {
    assert_eq!(
        code(modulus_jwk(&(odd("n", 2048) + 292u32))),
        "rsa_modulus_prime"
    );
    assert_eq!(
        code(modulus_jwk(&(odd("n", 4096) + 8332u32))),
        "rsa_modulus_prime"
    );
}

#[test]
fn k3_small_factors_are_refused() {
    for factor in [3u32, 5, 257, 65_521, 65_537] {
        let n = prime("p") * prime("q") * factor;
        assert_eq!(code(modulus_jwk(&n)), "rsa_small_factor", "{factor}");
    }
}

#[test]
fn k3_a_composite_smooth_modulus_is_refused() {
    let primes = (3u32..)
        .step_by(2)
        .filter(|n| (3..*n).step_by(2).all(|d| n % d != 0));
    let mut n = BigUint::from(1u32);
    for prime in primes {
        n *= prime;
        if n.bits() >= 2048 {
            break;
        }
    }
    assert_eq!(code(modulus_jwk(&n)), "rsa_small_factor");
}

#[test]
fn k3_perfect_squares_and_close_primes_are_refused() {
    let p = prime("p");
    assert_eq!(code(modulus_jwk(&(&p * &p))), "rsa_modulus_square");
    // Fermat's method finds factors whether they are prime or not. At a distance d it takes d^2 / (8 sqrt(n)) steps.
    let close = |distance: &BigUint| code(modulus_jwk(&(&p * (&p + distance))));
    let found = (1u32..100)
        .map(|k| close(&(two_to(500) * (2 * k))))
        .filter(|code| *code == "rsa_primes_close");
    assert!(found.count() > 5);
}

#[test]
fn k3_roca_keys_are_refused() {
    let primes = (3u32..=167).filter(|n| (2..*n).all(|d| n % d != 0));
    let m = primes.fold(BigUint::from(2u32), |m, prime| m * prime);
    let mut found = 0;
    for exponent in 1000u32..1040 {
        let residue = BigUint::from(65_537u32).modpow(&exponent.into(), &m);
        let n = odd(&format!("roca {exponent}"), 2048) / &m * &m + residue;
        found += match code(modulus_jwk(&n)) {
            "rsa_roca" => 1,
            "rsa_small_factor" => 0,
            other => panic!("{other}"),
        };
    }
    assert!(found > 5, "{found}");
}

#[test]
fn k3_patterns_and_biases_are_refused() {
    let mut octets = noise("pattern", 256);
    octets[0] |= 0x80;
    octets[255] |= 1;
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = octets.clone();
        change(&mut changed);
        modulus_jwk(&BigUint::from_bytes_be(&changed))
    };
    let repeated = with(&|n| n[40..57].fill(0xa5));
    assert_eq!(code(repeated), "rsa_modulus_pattern");
    let block = with(&|n| (32..255).for_each(|index| n[index] = n[index - 32]));
    assert_eq!(code(block), "rsa_modulus_pattern");
    // Zero octets at every fourth place, as CompleteFTP made them; two of sixteen left, as Nautilus did.
    let complete =
        with(&|n| (1..255).for_each(|index| n[index] &= if index % 2 == 0 { 0 } else { 0xff }));
    assert_eq!(code(complete), "rsa_modulus_biased");
    let ones = with(&|n| n.iter_mut().for_each(|octet| *octet |= 0x11));
    assert_eq!(code(ones), "rsa_modulus_biased");
}

#[test]
fn k3_the_xz_payload_pattern_is_refused() {
    let mut n = noise("payload", 256);
    n[0] = 0x7f;
    n[255] |= 1;
    // The first octet has its highest bit clear, so the equation starts with it. 2047 bits are too few: one longer.
    let word = |at: usize| u64::from(u32::from_le_bytes(n[at..at + 4].try_into().unwrap()));
    let c = 1u64.wrapping_sub(word(0).wrapping_mul(word(4)));
    n[8..16].copy_from_slice(&c.to_le_bytes());
    n.push(1);
    assert_eq!(
        code(modulus_jwk(&BigUint::from_bytes_be(&n))),
        "rsa_modulus_payload"
    );
}

#[test]
fn k3_keys_of_one_set_that_share_a_prime_are_refused() {
    let first = modulus_jwk(&(prime("p") * prime("q")));
    let second = modulus_jwk(&(prime("p") * prime("r")));
    assert_eq!(
        code(format!(r#"{{"keys":[{first},{second}]}}"#)),
        "rsa_shared_factor"
    );
}

#[test]
fn k3_a_prime_shared_with_registered_keys_is_found() {
    let modulus = |p: &str, q: &str| (prime(p) * prime(q)).to_bytes_be();
    let (pq, pr) = (modulus("p", "q"), modulus("p", "r"));
    let unrelated: Vec<Vec<u8>> = (0..50)
        .map(|index| odd(&format!("unrelated {index}"), 2048).to_bytes_be())
        .collect();
    let unrelated = || unrelated.iter().map(Vec::as_slice);
    assert!(!shares_factor(&pq, unrelated().chain([pq.as_slice()])));
    assert!(shares_factor(&pq, unrelated().chain([pr.as_slice()])));

    let mut check = SharedFactorCheck::new(&pr);
    unrelated().for_each(|n| check.absorb(n));
    check.absorb(&pq);
    assert!(check.finish());
}

#[test]
fn k3_negative_and_padded_integers_are_refused() {
    let e = integer(&BigUint::from(65_537u32));
    let n = good_modulus().to_bytes_be();
    for sign in [&[][..], &[0, 0]] {
        let key = der(0x30, &[&der(2, &[sign, &n]), &e]);
        assert_eq!(code(pem("RSA PUBLIC KEY", &key)), "rsa_integer_invalid");
    }
    let zero = der(0x30, &[&der(2, &[&[0]]), &e]);
    assert_eq!(code(pem("RSA PUBLIC KEY", &zero)), "rsa_modulus_zero");
}

#[test]
fn k3_refusals_of_the_largest_moduli_are_cheap() {
    // One question is dearer: whether the modulus is prime. It is asked last, of keys good in all other respects.
    let square = (prime("p") * prime("q")).pow(4);
    let multiple = (odd("cheap", 8192) >> 17u32 | BigUint::from(1u32)) * 65_537u32;
    for (n, expected) in [
        (odd("cheap", 8192) - 1u32, "rsa_modulus_even"),
        (square, "rsa_modulus_square"),
        (multiple, "rsa_small_factor"),
    ] {
        let input = modulus_jwk(&n);
        code(&input); // The tables are made once.
        let start = Instant::now();
        assert_eq!(code(&input), expected);
        assert!(
            start.elapsed().as_millis() < 50,
            "{expected}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn known_sample_keys_are_refused() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0B\
             m4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5\
             z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7\
             aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let rfc7515 = format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#);
    assert_eq!(code(rfc7515), "known_sample_key");
    let rfc8037 =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(code(rfc8037), "known_sample_key");
    let jwt_io = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----";
    let refusal = import(jwt_io).unwrap_err();
    assert_eq!(refusal.code(), "known_sample_key");
    assert!(refusal.to_string().contains("jwt.io"));
    for (file, name) in [
        ("3_1.ec_public_key", "RFC 7520"),
        ("3_3.rsa_public_key", "RFC 7520"),
    ] {
        if let Some(jwk) = vector(&format!("jose-cookbook/jwk/{file}.json")) {
            assert!(
                import(jwk.to_string())
                    .unwrap_err()
                    .to_string()
                    .contains(name)
            );
        }
    }
}

//! K4 and K5: EC and Ed25519 keys.

use num_bigint::BigUint;

use crate::support::*;

fn p256_jwk(x: &[u8], y: &[u8]) -> String {
    let (x, y) = (base64url(x), base64url(y));
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)
}

fn p256_pem(point: &[u8]) -> String {
    pem("PUBLIC KEY", &spki(P256_IDENTIFIER, point))
}

fn ed25519_jwk(point: &[u8]) -> String {
    format!(
        r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#,
        base64url(point)
    )
}

#[test]
fn k4_a_point_off_its_curve_is_refused() {
    let mut point = point(&p256());
    assert_eq!(code(p256_pem(&point)), "accepted");
    point[64] ^= 1;
    assert_eq!(code(p256_pem(&point)), "ec_point_not_on_curve");
    assert_eq!(
        code(p256_jwk(&point[1..33], &point[33..])),
        "ec_point_not_on_curve"
    );
    assert_eq!(code(p256_jwk(&[0; 32], &[0; 32])), "ec_point_not_on_curve");
}

#[test]
fn k4_coordinates_at_or_above_p_are_refused() {
    // y^2 = x^3 - 3x + b has a solution for some small x; x + p is the same residue and still fits 256 bits.
    let p = BigUint::parse_bytes(
        b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        16,
    )
    .unwrap();
    let b = BigUint::parse_bytes(
        b"5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        16,
    )
    .unwrap();
    let (x, y) = (1u32..)
        .find_map(|x| {
            let x = BigUint::from(x);
            let square = (&x * &x * &x + &b + &p * 3u32 - &x * 3u32) % &p;
            let y = square.modpow(&((&p + 1u32) >> 2u32), &p);
            (&y * &y % &p == square).then_some((x, y))
        })
        .unwrap();
    let octets = |number: &BigUint| {
        let mut octets = vec![0; 32];
        let digits = number.to_bytes_be();
        octets[32 - digits.len()..].copy_from_slice(&digits);
        octets
    };
    assert_eq!(code(p256_jwk(&octets(&x), &octets(&y))), "accepted");
    assert_eq!(
        code(p256_jwk(&octets(&(x + &p)), &octets(&y))),
        "ec_point_not_on_curve"
    );
}

#[test]
fn k4_infinity_and_compressed_points_are_refused() {
    let point = point(&p256());
    assert_eq!(code(p256_pem(&[0])), "ec_point_at_infinity");
    for tag in [2, 3] {
        assert_eq!(
            code(p256_pem(&[&[tag], &point[1..33]].concat())),
            "ec_point_compressed"
        );
    }
    for tag in [6, 7] {
        assert_eq!(
            code(p256_pem(&[&[tag], &point[1..]].concat())),
            "ec_point_compressed"
        );
    }
}

#[test]
fn k4_coordinates_of_the_wrong_length_are_refused() {
    let point = point(&p256());
    let (x, y) = point[1..].split_at(32);
    assert_eq!(code(p256_jwk(&x[1..], y)), "ec_coordinate_length");
    assert_eq!(
        code(p256_jwk(&[&[0], x].concat(), y)),
        "ec_coordinate_length"
    );
    assert_eq!(code(p256_jwk(x, &[])), "ec_coordinate_length");
    assert_eq!(code(p256_pem(&point[..64])), "ec_coordinate_length");
}

#[test]
fn k4_unknown_curves_are_refused() {
    let jwk = ec_jwk(&p256(), "").replace("P-256", "secp256k1");
    assert_eq!(code(jwk), "ec_curve_unknown");
    for curve in ["secp256k1", "brainpoolP256r1", "secp224r1"] {
        let Some(key) = openssl(&format!("ecparam -name {curve} -genkey -noout"), b"") else {
            return;
        };
        let public = openssl("pkey -pubout", &key).unwrap();
        assert_eq!(code(public), "ec_curve_unknown", "{curve}");
    }
}

#[test]
fn k4_every_accepted_curve_is_accepted() {
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        let Some(key) = openssl(&format!("ecparam -name {curve} -genkey -noout"), b"") else {
            return;
        };
        let public = openssl("pkey -pubout", &key).unwrap();
        assert_eq!(code(&public), "accepted", "{curve}");
        let explicit = openssl("ec -pubin -pubout -param_enc explicit", &public).unwrap();
        assert_eq!(code(explicit), "ec_explicit_parameters", "{curve}");
        let compressed = openssl("ec -pubin -pubout -conv_form compressed", &public).unwrap();
        assert_eq!(code(compressed), "ec_point_compressed", "{curve}");
    }
}

#[test]
fn k5_ed25519_is_accepted_and_other_lengths_are_refused() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let point = point(&pair);
    assert_eq!(code(ed25519_jwk(&point)), "accepted");
    assert_eq!(
        code(pem("PUBLIC KEY", &spki(ED25519_IDENTIFIER, &point))),
        "accepted"
    );
    for length in [0, 31, 33, 57] {
        let other: Vec<u8> = point.iter().copied().cycle().take(length).collect();
        assert_eq!(code(ed25519_jwk(&other)), "ed25519_length");
    }
}

#[test]
fn k5_non_canonical_and_small_order_points_are_refused() {
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    for added in 0..=18u8 {
        let mut y = p;
        y[0] += added;
        for sign in [0, 0x80] {
            y[31] = 0x7f | sign;
            assert_eq!(code(ed25519_jwk(&y)), "ed25519_not_canonical");
        }
    }
    let mut small = vec![[0; 32], p];
    small.push(std::array::from_fn(|index| u8::from(index == 0)));
    small[1][0] = 0xec;
    for y in small {
        assert_eq!(code(ed25519_jwk(&y)), "ed25519_small_order");
    }
    let no_point: [u8; 32] = std::array::from_fn(|index| if index == 0 { 2 } else { 0 });
    assert_eq!(code(ed25519_jwk(&no_point)), "ed25519_not_on_curve");
}

#[test]
fn k5_small_and_mixed_order_keys_of_speccheck_are_refused() {
    let Some(cases) = vector("ed25519-speccheck/cases.json") else {
        return;
    };
    let expected = [
        "ed25519_small_order",
        "ed25519_small_order",
        "ed25519_mixed_order",
        "ed25519_mixed_order",
        "ed25519_mixed_order",
        "ed25519_mixed_order",
        "accepted",
        "accepted",
        "ed25519_mixed_order",
        "ed25519_mixed_order",
        "ed25519_small_order",
        "ed25519_small_order",
    ];
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), expected.len());
    for (index, (case, expected)) in cases.iter().zip(expected).enumerate() {
        let hex = case["pub_key"].as_str().unwrap();
        let key = BigUint::parse_bytes(hex.as_bytes(), 16)
            .unwrap()
            .to_bytes_be();
        let mut octets = vec![0; 32 - key.len()];
        octets.extend(key);
        assert_eq!(code(ed25519_jwk(&octets)), expected, "case {index}");
    }
}

#[test]
fn k5_keys_that_cannot_sign_here_are_refused() {
    for curve in ["X25519", "X448", "Ed448"] {
        let x = base64url(&noise(curve, 32));
        let jwk = format!(r#"{{"kty":"OKP","crv":"{curve}","x":"{x}"}}"#);
        assert_eq!(code(jwk), "key_type_unsupported");
        let Some(key) = openssl(&format!("genpkey -algorithm {curve}"), b"") else {
            return;
        };
        let public = openssl("pkey -pubout", &key).unwrap();
        assert_eq!(code(public), "key_type_unsupported", "{curve}");
    }
}

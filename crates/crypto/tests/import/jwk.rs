//! K7 to K10: JWK and JWKS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::Algorithm;
use countersign_crypto::import::{KeyFormat, Repair};

use crate::support::*;

fn ec_with(members: &str) -> &'static str {
    code(ec_jwk(&p256(), members))
}

#[test]
fn a_jwk_keeps_its_kid_and_algorithm() {
    let imported = import(ec_jwk(
        &p256(),
        r#""kid":"k 1","alg":"ES256","use":"sig","x":1,"#,
    ));
    assert_eq!(imported.unwrap_err().code(), "json_malformed");
    let jwk = ec_jwk(
        &p256(),
        r#""kid":"k 1","alg":"ES256","use":"sig","ext":true,"#,
    );
    let imported = import(jwk).unwrap();
    let [key] = imported.keys.as_slice() else {
        panic!()
    };
    assert_eq!(key.kid.as_deref(), Some("k 1"));
    assert_eq!(key.algorithm, Some(Algorithm::Es256));
    assert_eq!(key.format, KeyFormat::Jwk);
    assert_eq!(imported.repairs, []);
}

#[test]
fn k7_a_key_for_encryption_is_refused() {
    assert_eq!(ec_with(r#""use":"enc","#), "jwk_use_not_signature");
    assert_eq!(ec_with(r#""use":"SIG","#), "jwk_use_not_signature");
    assert_eq!(ec_with(r#""use":"sig","#), "accepted");
}

#[test]
fn k7_key_ops_must_contain_verify_and_nothing_twice() {
    assert_eq!(ec_with(r#""key_ops":["verify"],"#), "accepted");
    assert_eq!(
        ec_with(r#""key_ops":["sign"],"#),
        "jwk_key_ops_without_verify"
    );
    assert_eq!(ec_with(r#""key_ops":[],"#), "jwk_key_ops_without_verify");
    assert_eq!(
        ec_with(r#""key_ops":["verify","verify"],"#),
        "jwk_key_ops_duplicate"
    );
    assert_eq!(
        ec_with(r#""key_ops":["verify","x","x"],"#),
        "jwk_key_ops_duplicate"
    );
    assert_eq!(ec_with(r#""key_ops":"verify","#), "jwk_member_invalid");
    assert_eq!(ec_with(r#""key_ops":[1],"#), "jwk_member_invalid");
}

#[test]
fn k7_an_algorithm_that_does_not_fit_is_refused() {
    assert_eq!(ec_with(r#""alg":"ES384","#), "jwk_algorithm_mismatch");
    assert_eq!(ec_with(r#""alg":"RS256","#), "jwk_algorithm_mismatch");
    for unknown in ["HS256", "none", "RSA-OAEP", "ES256K", "es256", ""] {
        assert_eq!(
            ec_with(&format!(r#""alg":"{unknown}","#)),
            "jwk_algorithm_unknown"
        );
    }
    let rsa = modulus_jwk(&good_modulus());
    assert_eq!(
        code(rsa.replacen('{', r#"{"alg":"ES256","#, 1)),
        "jwk_algorithm_mismatch"
    );
    assert_eq!(code(rsa.replacen('{', r#"{"alg":"PS256","#, 1)), "accepted");
}

#[test]
fn k8_numbers_have_one_encoding() {
    let n = good_modulus().to_bytes_be();
    let jwk = |n: &str, e: &str| code(format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#));
    let padded = base64url(&[&[0], &n[..]].concat());
    let n = base64url(&n);
    assert_eq!(jwk(&n, "AQAB"), "accepted");
    assert_eq!(jwk(&padded, "AQAB"), "jwk_leading_zero");
    assert_eq!(jwk(&n, "AAEAAQ"), "jwk_leading_zero");
    for e in ["AQAB=", "AQAB====", "AQ AB", "AQB", "", "+w", "AQAB\\n"] {
        assert_eq!(jwk(&n, e), "jwk_base64_invalid", "{e}");
    }
}

#[test]
fn k8_members_must_be_present_and_of_their_type() {
    assert_eq!(code("{}"), "jwk_member_missing");
    assert_eq!(code(r#"{"kty":"RSA","e":"AQAB"}"#), "jwk_member_missing");
    assert_eq!(
        code(r#"{"kty":"EC","crv":"P-256","x":"AA"}"#),
        "jwk_member_missing"
    );
    assert_eq!(code(r#"{"kty":["RSA"]}"#), "jwk_member_invalid");
    assert_eq!(
        code(r#"{"kty":"RSA","n":1,"e":65537}"#),
        "jwk_member_invalid"
    );
    assert_eq!(code(r#"{"kty":"LMS","n":"AA"}"#), "key_type_unsupported");
    assert_eq!(ec_with(r#""kid":7,"#), "jwk_member_invalid");
}

#[test]
fn kid_has_a_length_and_no_control_characters() {
    assert_eq!(ec_with(r#""kid":"","#), "jwk_kid_invalid");
    assert_eq!(ec_with(r#""kid":"a\u0000b","#), "jwk_kid_invalid");
    assert_eq!(
        ec_with(&format!(r#""kid":"{}","#, "k".repeat(257))),
        "jwk_kid_invalid"
    );
    assert_eq!(
        ec_with(&format!(r#""kid":"{}","#, "k".repeat(256))),
        "accepted"
    );
}

#[test]
fn json_is_read_strictly() {
    assert_eq!(code("{"), "json_malformed");
    assert_eq!(code("[]"), "json_malformed");
    assert_eq!(code(r#"{"kty":"EC","kty":"EC"}"#), "json_malformed");
    assert_eq!(code(format!("{}x", ec_jwk(&p256(), ""))), "json_malformed");
    assert_eq!(code("[".repeat(50_000)), "json_malformed");
    assert_eq!(code(r#"{"keys":{}}"#), "json_malformed");
    assert_eq!(code(r#"{"keys":[7]}"#), "json_malformed");
}

#[test]
fn k9_the_certificate_of_a_jwk_must_hold_its_key() {
    let pair = p256();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let certificate = params.self_signed(&pair).unwrap();
    let chain = STANDARD.encode(certificate.der());
    let members = format!(r#""x5c":["{chain}"],"#);
    let imported = import(ec_jwk(&pair, &members)).unwrap();
    let facts = imported.keys[0].certificate.as_ref().unwrap();
    assert_eq!(facts.not_after, 1_893_456_000);

    assert_eq!(code(ec_jwk(&p256(), &members)), "jwk_certificate_mismatch");
    let thumbprint = base64url(countersign_crypto::sha256(&[certificate.der()]).as_bytes());
    let right = format!(r#"{members}"x5t#S256":"{thumbprint}","#);
    assert_eq!(code(ec_jwk(&pair, &right)), "accepted");
    let wrong = format!(r#"{members}"x5t#S256":"{}","#, base64url(&[7; 32]));
    assert_eq!(code(ec_jwk(&pair, &wrong)), "jwk_certificate_mismatch");
    assert_eq!(code(ec_jwk(&pair, r#""x5c":[],"#)), "jwk_member_invalid");
    assert_eq!(
        code(ec_jwk(&pair, r#""x5c":["AAAA"],"#)),
        "certificate_malformed"
    );
}

#[test]
fn k10_a_set_gives_all_its_keys() {
    let jwks = format!(
        r#"{{"keys":[{},{}]}}"#,
        ec_jwk(&p256(), r#""kid":"1","#),
        ec_jwk(&p256(), r#""kid":"2","#)
    );
    let imported = import(jwks).unwrap();
    let kids: Vec<_> = imported
        .keys
        .iter()
        .map(|key| key.kid.as_deref().unwrap())
        .collect();
    assert_eq!(kids, ["1", "2"]);
    assert!(
        imported
            .keys
            .iter()
            .all(|key| key.format == KeyFormat::Jwks)
    );
}

#[test]
fn k10_a_set_is_bounded() {
    let set = |count: usize| {
        let keys: Vec<String> = (0..count).map(|_| ec_jwk(&p256(), "")).collect();
        code(format!(r#"{{"keys":[{}]}}"#, keys.join(",")))
    };
    assert_eq!(set(20), "accepted");
    assert_eq!(set(21), "jwks_too_many_keys");
    assert_eq!(set(0), "jwks_empty");
    let many = format!(
        r#"{{"keys":[{}]}}"#,
        vec![ec_jwk(&p256(), ""); 10_000].join(",")
    );
    assert_eq!(code(many), "input_too_large");
    let padding = " ".repeat(64 * 1024);
    assert_eq!(
        code(format!("{}{padding}", ec_jwk(&p256(), ""))),
        "input_too_large"
    );
}

#[test]
fn k10_a_set_of_many_long_rsa_keys_is_refused_before_any_arithmetic() {
    let set = |count: usize, bits: usize| {
        let keys = (0..count).map(|index| modulus_jwk(&odd(&format!("long {index}"), bits)));
        format!(r#"{{"keys":[{}]}}"#, keys.collect::<Vec<_>>().join(","))
    };
    assert_eq!(code(set(2, 8192)), "jwks_too_costly");
    assert_eq!(code(set(10, 4096)), "jwks_too_costly");
    assert_ne!(code(set(20, 2048)), "jwks_too_costly");
    assert_ne!(code(set(1, 8192)), "jwks_too_costly");
    let start = std::time::Instant::now();
    assert_eq!(code(set(20, 8192)), "jwks_too_costly");
    assert!(start.elapsed().as_millis() < 50, "{:?}", start.elapsed());
}

#[test]
fn k10_duplicates_in_a_set_are_refused() {
    let key = ec_jwk(&p256(), r#""kid":"1","#);
    let other = ec_jwk(&p256(), r#""kid":"1","#);
    assert_eq!(
        code(format!(r#"{{"keys":[{key},{other}]}}"#)),
        "jwks_duplicate_kid"
    );
    let renamed = key.replace(r#""kid":"1""#, r#""kid":"2""#);
    assert_eq!(
        code(format!(r#"{{"keys":[{key},{renamed}]}}"#)),
        "key_duplicate"
    );
}

#[test]
fn k10_a_symmetric_key_in_a_set_refuses_the_whole_set() {
    let key = ec_jwk(&p256(), "");
    for secret in [
        r#"{"kty":"oct","k":"AyM1"}"#,
        r#"{"kty":"oct"}"#,
        r#"{"kty":"x","\u006b":"AyM1"}"#,
    ] {
        assert_eq!(
            code(format!(r#"{{"keys":[{key},{secret}]}}"#)),
            "symmetric_key_refused"
        );
        assert_eq!(code(secret), "symmetric_key_refused");
    }
}

#[test]
fn k10_an_unknown_key_type_in_a_set_is_left_out_and_reported() {
    let key = ec_jwk(&p256(), "");
    let imported = import(format!(r#"{{"keys":[{{"kty":"AKP","pub":"AA"}},{key}]}}"#)).unwrap();
    assert_eq!(imported.keys.len(), 1);
    assert_eq!(imported.repairs, [Repair::IgnoredUnknownKeyType]);
    assert_eq!(code(r#"{"keys":[{"kty":"AKP","pub":"AA"}]}"#), "jwks_empty");
}

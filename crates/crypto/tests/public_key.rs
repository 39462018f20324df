//! Public keys: canonical forms, published thumbprints, and what is refused.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use countersign_crypto::{
    Algorithm, KeyKind, PublicKey, PublicKeyRejected, SigningAlgorithm, SigningKey, b64, sha256,
};

/// The key of RFC 7638 §3.1.
const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
/// The key of RFC 8037 Appendix A.
const RFC_8037_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn decode(text: &str) -> Vec<u8> {
    b64::decode_canonical(text).unwrap()
}

fn rfc_7638() -> PublicKey {
    PublicKey::from_rsa_components(&decode(RFC_7638_N), &[1, 0, 1]).unwrap()
}

fn p256() -> PublicKey {
    SigningKey::generate(SigningAlgorithm::Es256)
        .public_key()
        .clone()
}

#[test]
fn thumbprints_are_the_published_ones() {
    assert_eq!(
        rfc_7638().thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let ed25519 =
        PublicKey::from_ed25519(decode(RFC_8037_X).as_slice().try_into().unwrap()).unwrap();
    assert_eq!(
        ed25519.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn components_and_spki_lead_to_the_same_key() {
    let rsa = rfc_7638();
    assert_eq!(rsa.rsa_modulus().unwrap(), decode(RFC_7638_N));
    assert_eq!(rsa.rsa_exponent().unwrap(), [1, 0, 1]);
    assert_eq!(rsa.kind(), KeyKind::Rsa { bits: 2048 });
    let with_zeros = [&[0, 0][..], &decode(RFC_7638_N)].concat();
    assert_eq!(
        PublicKey::from_rsa_components(&with_zeros, &[0, 1, 0, 1]).unwrap(),
        rsa
    );

    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::generate(algorithm).public_key().clone();
        let again = PublicKey::from_spki_der(key.spki_der()).unwrap();
        assert_eq!(
            (again.fingerprint(), again.kind()),
            (key.fingerprint(), key.kind())
        );
        assert_eq!(
            key.fingerprint().to_string(),
            sha256(&[key.spki_der()]).to_string()
        );
        assert_eq!(
            format!("{key:?}"),
            format!("PublicKey({}, {})", key.kind(), key.fingerprint())
        );
    }
}

#[test]
fn a_jwk_has_public_members_only() {
    let mut jwks = SigningAlgorithm::ALL.map(|algorithm| {
        let key = SigningKey::generate(algorithm);
        let jwk = key.public_key().to_jwk("k1", Some(algorithm.algorithm()));
        jwk.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    });
    jwks.iter_mut().for_each(|names| names.sort());
    assert_eq!(jwks[0], ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(jwks[1], ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(jwks[2], ["alg", "e", "kid", "kty", "n", "use"]);
    let jwk = rfc_7638().to_jwk("k", Some(Algorithm::Ps256));
    assert_eq!(
        (&jwk["n"], &jwk["e"], &jwk["alg"]),
        (&RFC_7638_N.into(), &"AQAB".into(), &"PS256".into())
    );
    assert!(rfc_7638().to_jwk("k", None).get("alg").is_none());
}

#[test]
fn pem_has_lines_of_64_characters() {
    let pem = rfc_7638().to_pem();
    let lines = pem.lines().collect::<Vec<_>>();
    assert_eq!(
        (lines[0], *lines.last().unwrap()),
        ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")
    );
    let body = &lines[1..lines.len() - 1];
    assert!(body[..body.len() - 1].iter().all(|line| line.len() == 64) && pem.ends_with("-----\n"));
}

#[test]
fn a_key_is_read_back_from_its_own_pem_only() {
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::generate(algorithm).public_key().clone();
        assert_eq!(PublicKey::from_pem(&key.to_pem()).unwrap(), key);
    }
    let pem = rfc_7638().to_pem();
    for text in [
        String::new(),
        pem.replace("PUBLIC", "PRIVATE"),
        pem.replace('A', "*"),
        pem.repeat(2),
    ] {
        assert_eq!(
            PublicKey::from_pem(&text).unwrap_err(),
            PublicKeyRejected::SpkiMalformed
        );
    }
}

#[test]
fn rsa_components_out_of_range_are_refused() {
    let n = decode(RFC_7638_N);
    let refused = |n: &[u8], e: &[u8]| PublicKey::from_rsa_components(n, e).unwrap_err();
    assert_eq!(
        refused(&n[..128], &[3]),
        PublicKeyRejected::RsaModulusTooSmall { bits: 1024 }
    );
    assert_eq!(
        refused(&[], &[3]),
        PublicKeyRejected::RsaModulusTooSmall { bits: 0 }
    );
    assert_eq!(
        refused(&[1; 1025], &[3]),
        PublicKeyRejected::RsaModulusTooLarge { bits: 8193 }
    );
    assert_eq!(
        refused(&vec![0xff; 1 << 20], &[3]),
        PublicKeyRejected::RsaModulusTooLarge { bits: 8 << 20 }
    );
    let even = [&n[..255], &[2]].concat();
    assert_eq!(refused(&even, &[3]), PublicKeyRejected::RsaModulusEven);
    for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &n] {
        assert_eq!(
            refused(&n, e),
            PublicKeyRejected::RsaExponentUnacceptable,
            "{e:?}"
        );
    }
    assert!(PublicKey::from_rsa_components(&n, &[3]).is_ok());
}

#[test]
fn ec_points_must_lie_on_their_curve() {
    let key = p256();
    let point = &key.spki_der()[27..];
    let (x, y) = point.split_at(32);
    assert_eq!(PublicKey::from_ec_point(KeyKind::P256, x, y).unwrap(), key);
    let mut wrong = y.to_vec();
    wrong[31] ^= 1;
    let refused = |kind, x: &[u8], y: &[u8]| PublicKey::from_ec_point(kind, x, y).unwrap_err();
    assert_eq!(
        refused(KeyKind::P256, x, &wrong),
        PublicKeyRejected::EcPointNotOnCurve
    );
    assert_eq!(
        refused(KeyKind::P256, &[0; 32], &[0; 32]),
        PublicKeyRejected::EcPointNotOnCurve
    );
    assert_eq!(
        refused(KeyKind::P256, &[0xff; 32], y),
        PublicKeyRejected::EcPointNotOnCurve
    );
    assert_eq!(
        refused(KeyKind::P256, &x[1..], y),
        PublicKeyRejected::EcCoordinateLength
    );
    assert_eq!(
        refused(KeyKind::P384, x, y),
        PublicKeyRejected::EcCoordinateLength
    );
    assert_eq!(
        refused(KeyKind::Ed25519, x, y),
        PublicKeyRejected::KeyTypeUnsupported
    );
}

#[test]
fn a_compressed_point_is_stored_uncompressed() {
    let key = p256();
    let point = &key.spki_der()[26..];
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let mut spki = vec![0x30, 0x39];
    spki.extend_from_slice(&key.spki_der()[2..23]);
    spki.extend_from_slice(&[0x03, 0x22, 0x00]);
    spki.extend_from_slice(&compressed);
    assert_eq!(PublicKey::from_spki_der(&spki).unwrap(), key);
    let at = spki.len() - 33;
    for tag in [0, 1, 4, 5, 6, 7] {
        spki[at] = tag;
        assert!(PublicKey::from_spki_der(&spki).is_err(), "{tag}");
    }
}

#[test]
fn an_ed25519_key_must_be_a_point() {
    let refused = (2..20u8).filter_map(|y| {
        let point = std::array::from_fn(|index| if index == 0 { y } else { 0 });
        PublicKey::from_ed25519(&point).err()
    });
    let refused = refused.collect::<Vec<_>>();
    assert!(
        !refused.is_empty()
            && refused
                .iter()
                .all(|refused| *refused == PublicKeyRejected::Ed25519NotOnCurve)
    );
}

#[test]
fn only_the_canonical_spki_is_read() {
    for key in [
        rfc_7638(),
        p256(),
        SigningKey::generate(SigningAlgorithm::EdDsa)
            .public_key()
            .clone(),
    ] {
        let spki = key.spki_der();
        for length in 0..spki.len() {
            assert!(PublicKey::from_spki_der(&spki[..length]).is_err());
        }
        assert_eq!(
            PublicKey::from_spki_der(&[spki, &[0]].concat()).unwrap_err(),
            PublicKeyRejected::SpkiMalformed
        );
        // A changed octet gives another key or none, never the same one.
        for index in 0..spki.len() {
            let mut changed = spki.to_vec();
            changed[index] ^= 0x40;
            assert!(PublicKey::from_spki_der(&changed).map_or(true, |other| other != key));
        }
    }
    // BER: the outer length in a longer form.
    let spki = p256();
    let ber = [&[0x30, 0x81, 0x59], &spki.spki_der()[2..]].concat();
    assert_eq!(
        PublicKey::from_spki_der(&ber).unwrap_err(),
        PublicKeyRejected::SpkiMalformed
    );
}

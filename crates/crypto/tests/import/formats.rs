//! Every format, every repair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::KeyKind;
use countersign_crypto::import::{KeyFormat, Repair};
use num_bigint::BigUint;

use crate::support::*;

fn rsa_parts() -> (BigUint, BigUint) {
    (good_modulus(), BigUint::from(65_537u32))
}

/// The only key of `input`, which must need exactly these repairs.
fn assert_read(input: &[u8], format: KeyFormat, spki: &[u8], repairs: &[Repair]) {
    let shown = String::from_utf8_lossy(input);
    let imported = import(input).unwrap_or_else(|refusal| panic!("{refusal}\n{shown}"));
    let [key] = imported.keys.as_slice() else {
        panic!("{shown}")
    };
    assert_eq!(key.key.spki_der(), spki, "{shown}");
    assert_eq!(
        (key.format, imported.repairs.as_slice()),
        (format, repairs),
        "{shown}"
    );
}

#[test]
fn pkcs1_and_spki_give_the_same_key() {
    let (n, e) = rsa_parts();
    let pkcs1 = pkcs1(&n, &e);
    let spki = spki(RSA_IDENTIFIER, &pkcs1);
    assert_read(&pkcs1, KeyFormat::Pkcs1Der, &spki, &[]);
    assert_read(&spki, KeyFormat::SpkiDer, &spki, &[]);
    assert_read(
        pem("RSA PUBLIC KEY", &pkcs1).as_bytes(),
        KeyFormat::Pkcs1Pem,
        &spki,
        &[],
    );
    assert_read(
        pem("PUBLIC KEY", &spki).as_bytes(),
        KeyFormat::SpkiPem,
        &spki,
        &[],
    );
    assert_read(rsa_jwk(&n, &e).as_bytes(), KeyFormat::Jwk, &spki, &[]);
}

#[test]
fn openssh_lines_are_read() {
    let field =
        |octets: &[u8]| [&u32::try_from(octets.len()).unwrap().to_be_bytes(), octets].concat();
    let (n, e) = rsa_parts();
    let mpint = |number: &BigUint| {
        let octets = number.to_bytes_be();
        field(&[if octets[0] >= 0x80 { &[0][..] } else { &[] }, &octets].concat())
    };
    let rsa = [field(b"ssh-rsa"), mpint(&e), mpint(&n)].concat();
    let rsa_spki = spki(RSA_IDENTIFIER, &pkcs1(&n, &e));
    let ed = point(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    let ed_wire = [field(b"ssh-ed25519"), field(&ed)].concat();
    let ec = point(&p256());
    let ec_wire = [
        field(b"ecdsa-sha2-nistp256"),
        field(b"nistp256"),
        field(&ec),
    ]
    .concat();
    for (name, wire, spki) in [
        ("ssh-rsa", &rsa, &rsa_spki),
        ("ssh-ed25519", &ed_wire, &spki(ED25519_IDENTIFIER, &ed)),
        ("ecdsa-sha2-nistp256", &ec_wire, &spki(P256_IDENTIFIER, &ec)),
    ] {
        let blob = STANDARD.encode(wire);
        let line = format!("{name} {blob} me@host\n");
        assert_read(line.as_bytes(), KeyFormat::Ssh, spki, &[]);
        assert_read(
            format!("{name} {blob}").as_bytes(),
            KeyFormat::Ssh,
            spki,
            &[],
        );
        assert_read(
            blob.as_bytes(),
            KeyFormat::Ssh,
            spki,
            &[Repair::MissingArmour],
        );
        let broken = format!("{name} {}\n{} me", &blob[..40], &blob[40..]);
        assert_read(
            broken.as_bytes(),
            KeyFormat::Ssh,
            spki,
            &[Repair::LineBreaks],
        );
        assert_eq!(code(format!("{line}{line}")), "keys_several");
        assert_eq!(
            code(format!("{name} {}", &blob[..blob.len() - 8])),
            "ssh_key_malformed"
        );
        let longer = STANDARD.encode([wire, &[0][..]].concat());
        assert_eq!(code(format!("{name} {longer}")), "ssh_key_malformed");
        assert_eq!(code(format!("ssh-dss {blob}")), "ssh_key_malformed");
    }
    let dss = STANDARD.encode([field(b"ssh-dss"), mpint(&n)].concat());
    assert_eq!(code(format!("ssh-dss {dss}")), "ssh_key_type_unsupported");
    let short = STANDARD.encode([field(b"ssh-ed25519"), field(&ed[1..])].concat());
    assert_eq!(code(format!("ssh-ed25519 {short}")), "ed25519_length");
    let negative = [field(b"ssh-rsa"), mpint(&e), field(&n.to_bytes_be())].concat();
    let negative = STANDARD.encode(negative);
    assert_eq!(code(format!("ssh-rsa {negative}")), "rsa_integer_invalid");
}

#[test]
fn openssl_and_ssh_keygen_agree_with_us() {
    for (command, kind) in [
        ("genpkey -algorithm ed25519", KeyKind::Ed25519),
        (
            "genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:3072",
            KeyKind::Rsa { bits: 3072 },
        ),
        ("ecparam -name secp384r1 -genkey -noout", KeyKind::P384),
        ("ecparam -name secp521r1 -genkey -noout", KeyKind::P521),
    ] {
        let Some(private) = openssl(command, b"") else {
            return;
        };
        let pem = openssl("pkey -pubout", &private).unwrap();
        let der = openssl("pkey -pubout -outform DER", &private).unwrap();
        assert_read(&pem, KeyFormat::SpkiPem, &der, &[]);
        assert_read(&der, KeyFormat::SpkiDer, &der, &[]);
        assert_eq!(import(&der).unwrap().keys[0].key.kind(), kind);
        let described = openssl("pkey -pubin -text", &pem).unwrap();
        assert_read(
            &described,
            KeyFormat::SpkiPem,
            &der,
            &[Repair::SurroundingText],
        );
    }
}

#[test]
fn every_repair_keeps_the_key_and_is_reported() {
    use Repair::*;
    let ec = spki(P256_IDENTIFIER, &point(&p256()));
    let pem = pem("PUBLIC KEY", &ec);
    let body = STANDARD.encode(&ec);
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(pem.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    let cases: [(Vec<u8>, &[Repair]); 17] = [
        (pem.replace('\n', "\r\n").into(), &[LineEndings]),
        (pem.replace('\n', "\r").into(), &[LineEndings]),
        (
            pem.replace('\n', "\n   ").into(),
            &[Indentation, SurroundingSpace],
        ),
        (pem.trim_end().replace('\n', "\n\t").into(), &[Indentation]),
        (format!("  {pem}").into(), &[SurroundingSpace]),
        (pem.replace('\n', "\\n").into(), &[EscapedNewlines]),
        (pem.replace('\n', "\\r\\n").into(), &[EscapedNewlines]),
        (
            format!("\"{}\"", pem.replace('\n', "\\n")).into(),
            &[EscapedNewlines, Quotes],
        ),
        (format!("'{pem}'").into(), &[Quotes]),
        (format!("\u{feff}{pem}").into(), &[ByteOrderMark]),
        (utf16, &[ByteOrderMark]),
        (body.clone().into(), &[MissingArmour]),
        (
            pem.replace("-----END PUBLIC KEY-----", "").into(),
            &[MissingArmour],
        ),
        (
            pem.replace("-----BEGIN PUBLIC KEY-----", "").into(),
            &[MissingArmour, SurroundingSpace],
        ),
        (pem.replace("PUBLIC", "RSA PUBLIC").into(), &[WrongLabel]),
        (
            pem.replace("-----BEGIN", "----BEGIN").into(),
            &[DamagedArmour],
        ),
        (STANDARD.encode(&pem).into(), &[Base64Wrapped]),
    ];
    for (input, repairs) in cases {
        assert_read(&input, KeyFormat::SpkiPem, &ec, repairs);
    }
}

#[test]
fn a_jwk_is_repaired_too() {
    let jwk = ec_jwk(&p256(), "");
    let spki = import(&jwk).unwrap().keys[0].key.spki_der().to_vec();
    let quoted = format!("\"{}\"", jwk.replace('"', "\\\""));
    assert_read(quoted.as_bytes(), KeyFormat::Jwk, &spki, &[Repair::Quotes]);
    let marked = format!("\u{feff}{jwk}\r\n");
    assert_read(
        marked.as_bytes(),
        KeyFormat::Jwk,
        &spki,
        &[Repair::ByteOrderMark],
    );
}

#[test]
fn what_is_no_key_is_refused_with_its_reason() {
    for (input, expected) in [
        (&b""[..], "input_empty"),
        (b" \r\n\t", "input_empty"),
        (b"\xef\xbb\xbf\n", "input_empty"),
        (b"hello world", "format_unknown"),
        (b"eyJhbGciOiJub25lIn0.e30.", "format_unknown"),
        (b"https://example.com/jwks.json", "format_unknown"),
        (b"\xff\xfe\x00", "input_not_text"),
        (b"\x80\x81", "input_not_text"),
        (b"AAECAwQFBgc=", "format_unknown"),
        (b"\x30\x82\x01\x22\x30\x0d", "der_malformed"),
        (
            b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
            "pem_malformed",
        ),
        (
            b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
            "der_malformed",
        ),
        (b"-----END A-----\n-----BEGIN A-----", "pem_malformed"),
        (
            b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----",
            "pem_unsupported",
        ),
    ] {
        assert_eq!(code(input), expected, "{}", String::from_utf8_lossy(input));
    }
}

#[test]
fn damaged_der_is_refused() {
    let ec = spki(P256_IDENTIFIER, &point(&p256()));
    assert_eq!(code(&ec[..ec.len() - 1]), "der_malformed");
    assert_eq!(code([&ec[..], &[0]].concat()), "der_trailing_data");
    let ed = spki(&[ED25519_IDENTIFIER, &[5, 0]].concat(), &noise("ed", 32));
    assert_eq!(code(ed), "der_malformed");
    let (n, e) = rsa_parts();
    let without_null = spki(&RSA_IDENTIFIER[..11], &pkcs1(&n, &e));
    assert_eq!(code(without_null), "der_malformed");
    let dsa = spki(b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", &integer(&n));
    assert_eq!(code(dsa), "key_type_unsupported");
}

#[test]
fn several_keys_need_a_set() {
    let one = pem("PUBLIC KEY", &spki(P256_IDENTIFIER, &point(&p256())));
    assert_eq!(code(format!("{one}{one}")), "keys_several");
}

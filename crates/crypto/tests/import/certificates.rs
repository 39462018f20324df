//! K11: certificates.

use countersign_crypto::import::certificate_validity;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, KeyUsagePurpose,
    SerialNumber, date_time_ymd,
};

use crate::support::*;

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["server.example".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "Example Server");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2028, 1, 1);
    params
}

fn issued(change: impl Fn(&mut CertificateParams)) -> rcgen::Certificate {
    let mut params = params();
    change(&mut params);
    params.self_signed(&p256()).unwrap()
}

#[test]
fn the_validity_of_a_certificate_is_read_whatever_else_it_says() {
    let authority = issued(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2027, 1, 1);
    });
    let validity = certificate_validity(authority.der()).unwrap();
    assert_eq!(
        (validity.not_before, validity.not_after),
        (1_767_225_600, 1_798_761_600)
    );
    assert!(certificate_validity(b"no certificate").is_err());
}

fn code_of(change: impl Fn(&mut CertificateParams)) -> &'static str {
    code(issued(change).pem())
}

#[test]
fn k11_a_good_certificate_gives_its_key_and_its_facts() {
    let pair = p256();
    let mut params = params();
    params.serial_number = Some(SerialNumber::from(vec![0x12, 0xab]));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = params.self_signed(&pair).unwrap();
    for input in [certificate.pem().into_bytes(), certificate.der().to_vec()] {
        let imported = import(input).unwrap();
        let [key] = imported.keys.as_slice() else {
            panic!()
        };
        assert_eq!(key.key.spki_der(), spki(P256_IDENTIFIER, &point(&pair)));
        let facts = key.certificate.as_ref().unwrap();
        assert!(
            facts.subject.contains("Example Server"),
            "{}",
            facts.subject
        );
        assert_eq!(facts.subject, facts.issuer);
        assert_eq!(
            (facts.not_before, facts.not_after),
            (1_767_225_600, 1_830_297_600)
        );
        assert_eq!(
            facts.fingerprint,
            countersign_crypto::sha256(&[certificate.der()])
        );
    }
}

#[test]
fn k11_validity_is_inclusive_to_the_second() {
    let certificate = issued(|_| {}).pem();
    let at = |now| code_at(&certificate, now);
    assert_eq!(at(1_767_225_599), "certificate_not_yet_valid");
    assert_eq!(at(1_767_225_600), "accepted");
    assert_eq!(at(1_830_297_600), "accepted");
    assert_eq!(at(1_830_297_601), "certificate_expired");
}

#[test]
fn k11_an_authority_is_refused() {
    let ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    assert_eq!(code_of(ca), "certificate_is_authority");
    assert_eq!(
        code_of(|params| params.is_ca = IsCa::ExplicitNoCa),
        "accepted"
    );
}

#[test]
fn k11_key_usage_must_allow_signatures() {
    use KeyUsagePurpose::{DigitalSignature, KeyAgreement, KeyEncipherment};
    let usage = |usages: &[KeyUsagePurpose]| code_of(|params| params.key_usages = usages.to_vec());
    assert_eq!(
        usage(&[KeyEncipherment, KeyAgreement]),
        "certificate_key_usage"
    );
    assert_eq!(usage(&[KeyEncipherment, DigitalSignature]), "accepted");
    assert_eq!(usage(&[]), "accepted");
}

#[test]
fn k11_an_unknown_critical_extension_is_refused() {
    let with = |critical| {
        code_of(|params| {
            let mut extension =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55_555, 1], vec![5, 0]);
            extension.set_criticality(critical);
            params.custom_extensions = vec![extension];
        })
    };
    assert_eq!(with(true), "certificate_critical_extension");
    assert_eq!(with(false), "accepted");
}

#[test]
fn k11_duplicate_extensions_are_refused() {
    let duplicate = |params: &mut CertificateParams| {
        let extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        params.custom_extensions = vec![extension.clone(), extension];
    };
    assert_eq!(code_of(duplicate), "certificate_malformed");
}

#[test]
fn k11_a_certificate_above_16_kib_is_refused() {
    let large = |params: &mut CertificateParams| {
        let content = der(4, &[&noise("large", 16 * 1024)]);
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], content)];
    };
    assert_eq!(code_of(large), "certificate_too_large");
}

#[test]
fn k11_trailing_data_and_several_certificates_are_refused() {
    let certificate = issued(|_| {});
    let trailing = [certificate.der(), &[0][..]].concat();
    assert_eq!(code(&trailing), "certificate_trailing_data");
    assert_eq!(
        code(pem("CERTIFICATE", &trailing)),
        "certificate_trailing_data"
    );
    let twice = format!("{}{}", certificate.pem(), issued(|_| {}).pem());
    assert_eq!(code(twice), "certificates_several");
    let public = pem("PUBLIC KEY", &spki(P256_IDENTIFIER, &point(&p256())));
    assert_eq!(
        code(format!("{}{public}", certificate.pem())),
        "keys_several"
    );
}

#[test]
fn k11_weak_signatures_are_refused() {
    let Some(key) = openssl("genrsa 2048", b"") else {
        return;
    };
    let file = std::env::temp_dir().join(format!("countersign-import-{}.pem", std::process::id()));
    std::fs::write(&file, key).unwrap();
    let path = file.display();
    let signed = |options: &str| {
        let command = format!(
            "req -x509 -new -key {path} -subj /CN=a -days 3650 -addext \
             basicConstraints=critical,CA:FALSE {options}"
        );
        code_at(openssl(&command, b"").unwrap(), now_by_wall_clock())
    };
    assert_eq!(signed("-sha1"), "certificate_signature_weak");
    assert_eq!(signed("-md5"), "certificate_signature_weak");
    assert_eq!(signed("-sha256"), "accepted");
    assert_eq!(signed("-sha384 -sigopt rsa_padding_mode:pss"), "accepted");
    assert_eq!(
        signed("-sha1 -sigopt rsa_padding_mode:pss"),
        "certificate_signature_weak"
    );
    assert_eq!(
        signed("-sha256 -set_serial -5"),
        "certificate_serial_invalid"
    );
    std::fs::remove_file(file).unwrap();
}

/// openssl writes the wall clock's time into the certificates it makes.
#[expect(clippy::disallowed_methods, reason = "openssl reads the same clock")]
fn now_by_wall_clock() -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(now.as_secs()).unwrap() + 60
}

/// The content of the certificate's first SEQUENCE, and what follows it.
fn rebuilt(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let certificate = issued(|_| {}).der().to_vec();
    let (tbs, rest) = split_element(&certificate[header_length(&certificate)..]);
    let mut tbs = tbs[header_length(tbs)..].to_vec();
    change(&mut tbs);
    der(0x30, &[&der(0x30, &[&tbs]), rest])
}

fn header_length(element: &[u8]) -> usize {
    2 + usize::from(element[1] & 0x7f) * usize::from(element[1] >> 7)
}

fn split_element(octets: &[u8]) -> (&[u8], &[u8]) {
    let header = header_length(octets);
    let length = match header {
        2 => usize::from(octets[1]),
        _ => octets[2..header]
            .iter()
            .fold(0, |length, octet| length << 8 | usize::from(*octet)),
    };
    octets.split_at(header + length)
}

#[test]
fn k11_versions_one_and_two_are_refused() {
    assert_eq!(code(rebuilt(|_| {})), "accepted");
    // The version is the first element: [0] { INTEGER 2 }. Version 1 has none.
    assert_eq!(code(rebuilt(|tbs| tbs[4] = 1)), "certificate_version");
    assert_eq!(
        code(rebuilt(|tbs| drop(tbs.drain(..5)))),
        "certificate_version"
    );
}

#[test]
fn k11_a_negative_or_endless_serial_number_is_refused() {
    let with_serial = |serial: &[u8]| {
        code(rebuilt(|tbs| {
            let (_, rest) = split_element(&tbs[5..]);
            let rest = rest.to_vec();
            tbs.truncate(5);
            tbs.extend(der(2, &[serial]));
            tbs.extend(rest);
        }))
    };
    assert_eq!(with_serial(&[0x12]), "accepted");
    assert_eq!(with_serial(&[0xff, 0x12]), "certificate_serial_invalid");
    assert_eq!(with_serial(&[0x12; 30]), "certificate_serial_invalid");
}

#[test]
fn k11_a_weak_key_in_a_certificate_is_refused() {
    let Some(key) = openssl("genrsa 1024", b"") else {
        return;
    };
    let file = std::env::temp_dir().join(format!("countersign-weak-{}.pem", std::process::id()));
    std::fs::write(&file, key).unwrap();
    let command = format!(
        "req -x509 -new -key {} -subj /CN=a -days 3650 -addext basicConstraints=CA:FALSE",
        file.display()
    );
    let certificate = openssl(&command, b"").unwrap();
    assert_eq!(
        code_at(certificate, now_by_wall_clock()),
        "rsa_modulus_too_small"
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn names_have_no_control_characters() {
    let certificate = issued(|params| {
        params
            .distinguished_name
            .push(DnType::OrganizationName, "a\r\nb\u{1b}[31m");
    });
    let imported = import(certificate.der()).unwrap();
    let subject = &imported.keys[0].certificate.as_ref().unwrap().subject;
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
}

#[test]
fn certificate_requests_and_bundles_are_refused_with_advice() {
    let request = params().serialize_request(&p256()).unwrap();
    assert_eq!(code(request.pem().unwrap()), "pem_unsupported");
    assert_eq!(code(request.der()), "pem_unsupported");
    let pkcs7 = der(
        0x30,
        &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", &[0xa0, 0]],
    );
    assert_eq!(code(pem("PKCS7", &pkcs7)), "pem_unsupported");
    assert_eq!(code(pem("DH PARAMETERS", &pkcs7[..13])), "pem_unsupported");
}

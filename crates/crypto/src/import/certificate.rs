//! X.509 certificates (RFC 5280), accepted for the key inside them.
//!
//! No chain is built: the administrators decide whose key this is. The policy refuses certificates that say they are
//! not for this, or that nobody should issue any more, because they point at a mistake.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

use super::refusal::ImportRefusal;
use super::spki;
use crate::{Digest32, PublicKey, sha256};

/// Octets of one certificate.
const MAX_OCTETS: usize = 16 * 1024;

/// Octets of a serial number: 20, and one for the sign (RFC 5280 §4.1.2.2).
const MAX_SERIAL: usize = 21;

/// Characters of a name that are kept.
const MAX_NAME: usize = 1024;

/// What a certificate says about its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject's distinguished name, control characters replaced, at most 1024 characters.
    pub subject: String,
    /// The issuer's, likewise.
    pub issuer: String,
    /// First second of validity, in Unix seconds.
    pub not_before: i64,
    /// Last second of validity, in Unix seconds. It bounds the key.
    pub not_after: i64,
    /// SHA-256 over the whole certificate.
    pub fingerprint: Digest32,
}

/// When a certificate is valid, in Unix seconds; both ends belong to it (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateValidity {
    /// First second of validity.
    pub not_before: i64,
    /// Last second of validity.
    pub not_after: i64,
}

/// Reads when a certificate in DER is valid, whatever else it says.
///
/// # Errors
/// When it is no certificate.
pub fn certificate_validity(der: &[u8]) -> Result<CertificateValidity, ImportRefusal> {
    let validity = &parse(der)?.tbs_certificate.validity;
    Ok(CertificateValidity {
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}

/// Checks a certificate against the policy and reads its key.
pub(super) fn import(der: &[u8], now: i64) -> Result<(PublicKey, CertificateFacts), ImportRefusal> {
    let facts = facts(der, now)?;
    Ok((spki::import(spki_of(der)?)?, facts))
}

/// The `SubjectPublicKeyInfo` as the certificate has it.
pub(super) fn spki_of(der: &[u8]) -> Result<&[u8], ImportRefusal> {
    Ok(parse(der)?.tbs_certificate.subject_pki.raw)
}

/// Checks a certificate against the policy at `now`, in Unix seconds.
pub(super) fn facts(der: &[u8], now: i64) -> Result<CertificateFacts, ImportRefusal> {
    let certificate = parse(der)?;
    let tbs = &certificate.tbs_certificate;
    if tbs.version != X509Version::V3 {
        return Err(ImportRefusal::CertificateVersion);
    }
    if tbs.signature != certificate.signature_algorithm {
        return Err(ImportRefusal::CertificateMalformed);
    }
    check_serial(tbs.raw_serial())?;
    check_extensions(&certificate)?;
    if is_weak_signature(&certificate.signature_algorithm) {
        return Err(ImportRefusal::CertificateSignatureWeak);
    }
    let (not_before, not_after) = (
        tbs.validity.not_before.timestamp(),
        tbs.validity.not_after.timestamp(),
    );
    if now > not_after {
        return Err(ImportRefusal::CertificateExpired);
    }
    if now < not_before {
        return Err(ImportRefusal::CertificateNotYetValid);
    }
    Ok(CertificateFacts {
        subject: printable(&tbs.subject.to_string()),
        issuer: printable(&tbs.issuer.to_string()),
        not_before,
        not_after,
        fingerprint: sha256(&[der]),
    })
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, ImportRefusal> {
    if der.len() > MAX_OCTETS {
        return Err(ImportRefusal::CertificateTooLarge);
    }
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|_| ImportRefusal::CertificateMalformed)?;
    match rest.is_empty() {
        true => Ok(certificate),
        false => Err(ImportRefusal::CertificateTrailingData),
    }
}

fn check_serial(serial: &[u8]) -> Result<(), ImportRefusal> {
    let is_positive = serial.first().is_some_and(|octet| *octet < 0x80);
    match is_positive && serial.len() <= MAX_SERIAL {
        true => Ok(()),
        false => Err(ImportRefusal::CertificateSerialInvalid),
    }
}

fn check_extensions(certificate: &X509Certificate<'_>) -> Result<(), ImportRefusal> {
    certificate
        .extensions_map()
        .map_err(|_| ImportRefusal::CertificateMalformed)?;
    certificate
        .extensions()
        .iter()
        .try_for_each(check_extension)
}

fn check_extension(extension: &X509Extension<'_>) -> Result<(), ImportRefusal> {
    match extension.parsed_extension() {
        ParsedExtension::ParseError { .. } => Err(ImportRefusal::CertificateMalformed),
        ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
            Err(ImportRefusal::CertificateIsAuthority)
        }
        ParsedExtension::KeyUsage(usage) if !usage.digital_signature() => {
            Err(ImportRefusal::CertificateKeyUsage)
        }
        // Names, policies and purposes do not limit what we do with the key; anything else might.
        ParsedExtension::BasicConstraints(_)
        | ParsedExtension::KeyUsage(_)
        | ParsedExtension::ExtendedKeyUsage(_)
        | ParsedExtension::SubjectAlternativeName(_)
        | ParsedExtension::CertificatePolicies(_) => Ok(()),
        _ if extension.critical => Err(ImportRefusal::CertificateCriticalExtension),
        _ => Ok(()),
    }
}

/// MD2, MD4, MD5 and SHA-1, with RSA, DSA and ECDSA; and RSASSA-PSS with anything of that kind.
fn is_weak_signature(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2"
        | "1.2.840.113549.1.1.3"
        | "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10040.4.3"
        | "1.2.840.10045.4.1"
        | "1.3.14.3.2.3"
        | "1.3.14.3.2.15"
        | "1.3.14.3.2.27"
        | "1.3.14.3.2.29" => true,
        "1.2.840.113549.1.1.10" => algorithm
            .parameters
            .as_ref()
            .and_then(|parameters| RsaSsaPssParams::try_from(parameters).ok())
            .is_none_or(|parameters| {
                let hash = parameters.hash_algorithm_oid().to_id_string();
                // SHA-256, SHA-384 and SHA-512.
                !hash.starts_with("2.16.840.1.101.3.4.2.")
            }),
        _ => false,
    }
}

fn printable(name: &str) -> String {
    let replaced = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    name.chars().map(replaced).take(MAX_NAME).collect()
}

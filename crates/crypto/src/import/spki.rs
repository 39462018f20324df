//! `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) and PKCS#1 `RSAPublicKey` (RFC 8017 A.1.1), each refusal named.

use super::components;
use super::refusal::ImportRefusal;
use crate::der::{BIT_STRING, INTEGER, Reader, SEQUENCE};
use crate::{KeyKind, PublicKey};

const OID: u8 = 0x06;

const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const ED25519: &[u8] = b"\x2b\x65\x70";

/// A NULL element.
const NULL: &[u8] = &[5, 0];

/// Reads a `SubjectPublicKeyInfo` with nothing after it.
pub(crate) fn import(der: &[u8]) -> Result<PublicKey, ImportRefusal> {
    let mut info = outer_sequence(der)?;
    let mut identifier = Reader(element(&mut info, SEQUENCE)?);
    let bits = element(&mut info, BIT_STRING)?;
    let oid = element(&mut identifier, OID)?;
    let (Some((0, subject)), Some(())) = (bits.split_first(), info.end()) else {
        return Err(ImportRefusal::DerMalformed);
    };
    match oid {
        RSA_ENCRYPTION if identifier.0 == NULL => import_pkcs1(subject),
        EC_PUBLIC_KEY => import_ec(identifier.0, subject),
        ED25519 if identifier.0.is_empty() => components::ed25519(subject),
        RSA_ENCRYPTION | ED25519 => Err(ImportRefusal::DerMalformed),
        _ => Err(ImportRefusal::KeyTypeUnsupported),
    }
}

/// Reads an `RSAPublicKey` with nothing after it.
pub(super) fn import_pkcs1(der: &[u8]) -> Result<PublicKey, ImportRefusal> {
    let mut key = outer_sequence(der)?;
    let n = unsigned(element(&mut key, INTEGER)?)?;
    let e = unsigned(element(&mut key, INTEGER)?)?;
    key.end().ok_or(ImportRefusal::DerMalformed)?;
    components::rsa(n, e)
}

fn import_ec(parameters: &[u8], point: &[u8]) -> Result<PublicKey, ImportRefusal> {
    if parameters.first() == Some(&SEQUENCE) {
        return Err(ImportRefusal::EcExplicitParameters);
    }
    let mut parameters = Reader(parameters);
    let (kind, length) = match element(&mut parameters, OID)? {
        b"\x2a\x86\x48\xce\x3d\x03\x01\x07" => (KeyKind::P256, 32),
        b"\x2b\x81\x04\x00\x22" => (KeyKind::P384, 48),
        b"\x2b\x81\x04\x00\x23" => (KeyKind::P521, 66),
        _ => return Err(ImportRefusal::EcCurveUnknown),
    };
    parameters.end().ok_or(ImportRefusal::DerMalformed)?;
    import_point(kind, length, point)
}

/// An encoded point (SEC 1 §2.3.3): uncompressed only.
pub(crate) fn import_point(
    kind: KeyKind,
    coordinate: usize,
    point: &[u8],
) -> Result<PublicKey, ImportRefusal> {
    match point {
        [0] => Err(ImportRefusal::EcPointAtInfinity),
        [2 | 3 | 6 | 7, ..] => Err(ImportRefusal::EcPointCompressed),
        [4, coordinates @ ..] if coordinates.len() == 2 * coordinate => {
            let (x, y) = coordinates.split_at(coordinate);
            components::ec(kind, x, y)
        }
        [4, ..] => Err(ImportRefusal::EcCoordinateLength),
        _ => Err(ImportRefusal::DerMalformed),
    }
}

/// The magnitude of a DER INTEGER or an SSH `mpint`, without leading zeros; zero is empty.
pub(super) fn unsigned(content: &[u8]) -> Result<&[u8], ImportRefusal> {
    match content {
        [0] => Ok(&[]),
        [0, magnitude @ ..] if magnitude[0] >= 0x80 => Ok(magnitude),
        [0x01..=0x7f, ..] => Ok(content),
        _ => Err(ImportRefusal::RsaIntegerInvalid),
    }
}

fn outer_sequence(der: &[u8]) -> Result<Reader<'_>, ImportRefusal> {
    let mut document = Reader(der);
    let content = element(&mut document, SEQUENCE)?;
    document.end().ok_or(ImportRefusal::DerTrailingData)?;
    Ok(Reader(content))
}

fn element<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<&'a [u8], ImportRefusal> {
    reader.element(tag).ok_or(ImportRefusal::DerMalformed)
}

//! What a piece of DER is, seen from the tags of its first elements only.
//!
//! Deliberately lenient: a private key that was cut off, or is followed by garbage, must still be recognised.

/// What a DER document looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Certificate,
    CertificateRequest,
    Pkcs12,
    Pkcs7,
    /// PKCS#1, PKCS#8 (also encrypted), SEC 1 or a DSA key.
    PrivateKey,
    RsaPublicKey,
    Spki,
    Unknown,
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]` EXPLICIT: the version of a certificate, the attributes of a request.
const CONTEXT_0: u8 = 0xa0;

/// Whether raw octets are meant as DER: they begin like a SEQUENCE and are not text.
pub(super) fn is_binary_der(octets: &[u8]) -> bool {
    octets.first() == Some(&SEQUENCE)
        && octets
            .iter()
            .any(|octet| !octet.is_ascii_graphic() && !octet.is_ascii_whitespace())
}

/// Classifies `der`.
pub(super) fn of(der: &[u8]) -> Shape {
    let Some(outer) = peel(der).filter(|element| element.tag == SEQUENCE) else {
        return Shape::Unknown;
    };
    let children = children(outer.content);
    let tags: Vec<u8> = children.iter().map(|(tag, _)| *tag).collect();
    match tags.as_slice() {
        [INTEGER, SEQUENCE, ..] if children[0].1 == [3] => Shape::Pkcs12,
        [INTEGER, SEQUENCE | OCTET_STRING, ..] | [INTEGER, INTEGER, _, ..] => Shape::PrivateKey,
        [INTEGER, INTEGER] if is_version(children[0].1) && outer.cut_off => Shape::PrivateKey,
        [INTEGER, INTEGER] => Shape::RsaPublicKey,
        [SEQUENCE, OCTET_STRING, ..] => Shape::PrivateKey,
        [SEQUENCE, BIT_STRING, ..] => Shape::Spki,
        [SEQUENCE, SEQUENCE, BIT_STRING, ..] => of_signed(children[0].1),
        [OID, CONTEXT_0, ..] => Shape::Pkcs7,
        _ => Shape::Unknown,
    }
}

/// Tells a certificate from a certification request by what was signed.
fn of_signed(tbs: &[u8]) -> Shape {
    let tags: Vec<u8> = children(tbs).iter().map(|(tag, _)| *tag).collect();
    match tags.as_slice() {
        [INTEGER, SEQUENCE, SEQUENCE] | [INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0] => {
            Shape::CertificateRequest
        }
        _ => Shape::Certificate,
    }
}

fn is_version(integer: &[u8]) -> bool {
    matches!(integer, [0 | 1])
}

/// The first children, at most eight; a truncated last one counts.
fn children(mut content: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while found.len() < 8 {
        let Some(element) = peel(content) else { break };
        found.push((element.tag, element.content));
        content = element.rest;
    }
    found
}

struct Element<'a> {
    tag: u8,
    /// As much of it as there is.
    content: &'a [u8],
    rest: &'a [u8],
    /// Whether the content is shorter than announced.
    cut_off: bool,
}

fn peel(octets: &[u8]) -> Option<Element<'_>> {
    let (&[tag, first], rest) = octets.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets
                .iter()
                .fold(0usize, |length, octet| length << 8 | usize::from(*octet));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at(length.min(rest.len()));
    Some(Element {
        tag,
        content,
        rest,
        cut_off: content.len() < length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_recognised_when_it_is_cut_off() {
        let pkcs8 = [
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20, 7,
        ];
        for length in 7..=pkcs8.len() {
            assert_eq!(of(&pkcs8[..length]), Shape::PrivateKey, "{length} octets");
        }
        let pkcs1 = [0x30, 0x82, 4, 0xa4, 2, 1, 0, 2, 0x82, 1, 1, 0, 0xab];
        for length in 11..=pkcs1.len() {
            assert_eq!(of(&pkcs1[..length]), Shape::PrivateKey, "{length} octets");
        }
    }

    #[test]
    fn two_integers_are_a_public_key_and_three_a_private_one() {
        assert_eq!(of(&[0x30, 6, 2, 1, 5, 2, 1, 3]), Shape::RsaPublicKey);
        assert_eq!(of(&[0x30, 6, 2, 1, 0, 2, 1, 3]), Shape::RsaPublicKey);
        assert_eq!(of(&[0x30, 9, 2, 1, 0, 2, 1, 3, 2, 1, 3]), Shape::PrivateKey);
        assert_eq!(of(&[]), Shape::Unknown);
        assert_eq!(of(&[0x30, 0x80]), Shape::Unknown);
    }
}

//! The data types of SSH (RFC 4251 §5) that keys and signatures are made of.

use crate::der::magnitude;

/// The next `string`: four octets of length, then the content.
pub(crate) fn field<'a>(wire: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(uint32(wire)?).ok()?;
    let (content, rest) = wire.split_at_checked(length)?;
    *wire = rest;
    Some(content)
}

/// The next `string` that is UTF-8.
pub(super) fn text<'a>(wire: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(field(wire)?).ok()
}

/// The next `uint32`.
pub(super) fn uint32(wire: &mut &[u8]) -> Option<u32> {
    let (octets, rest) = wire.split_first_chunk()?;
    *wire = rest;
    Some(u32::from_be_bytes(*octets))
}

/// The next `byte`.
pub(super) fn byte(wire: &mut &[u8]) -> Option<u8> {
    let (octet, rest) = wire.split_first()?;
    *wire = rest;
    Some(*octet)
}

/// The next `mpint` when it is positive and in its only form: big-endian, without leading zeros.
pub(super) fn positive_mpint<'a>(wire: &mut &'a [u8]) -> Option<&'a [u8]> {
    magnitude(field(wire)?)
}

/// Appends a `string`.
pub(super) fn put(content: &[u8], wire: &mut Vec<u8>) {
    let length = u32::try_from(content.len()).expect("nothing that is written here is so long");
    wire.extend_from_slice(&length.to_be_bytes());
    wire.extend_from_slice(content);
}

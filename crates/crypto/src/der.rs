//! The few pieces of DER that a `SubjectPublicKeyInfo` needs, read strictly and written canonically.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Writes one element whose content is the concatenation of `parts`.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let octets = length.to_be_bytes();
    let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match (significant, length) {
        (_, 0..0x80) => out.push(octets[octets.len() - 1]),
        (significant, _) => {
            let count = u8::try_from(significant.len()).expect("a usize has at most 8 octets");
            out.push(0x80 | count);
            out.extend_from_slice(significant);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Writes a positive INTEGER from big-endian octets without leading zeros.
pub(crate) fn positive_integer(magnitude: &[u8]) -> Vec<u8> {
    let needs_sign = magnitude.first().is_none_or(|octet| *octet >= 0x80);
    element(INTEGER, &[if needs_sign { &[0] } else { &[] }, magnitude])
}

/// The magnitude of a positive two's complement number in its shortest form: big-endian, without leading zeros.
pub(crate) fn magnitude(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, magnitude @ ..] => (*magnitude.first()? >= 0x80).then_some(magnitude),
        [0x01..=0x7f, ..] => Some(content),
        _ => None,
    }
}

/// Reads elements one after the other.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, when it has this tag and a minimal length encoding.
    pub(crate) fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], rest) = self.0.split_first_chunk()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => (
                usize::from(*rest.first().filter(|octet| **octet >= 0x80)?),
                &rest[1..],
            ),
            0x82 => {
                let (octets, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*octets)), rest)
            }
            // Longer than 64 KiB or indefinite: no public key we accept is.
            _ => return None,
        };
        if first == 0x82 && length < 0x100 {
            return None;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// The next element as a positive INTEGER: big-endian octets without leading zeros.
    pub(crate) fn positive_integer(&mut self) -> Option<&'a [u8]> {
        magnitude(self.element(INTEGER)?)
    }

    /// Confirms that nothing follows.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_round_trip_and_must_be_minimal() {
        for length in [0, 1, 127, 128, 255, 256, 1100] {
            let content = vec![7; length];
            let der = element(SEQUENCE, &[&content]);
            let mut reader = Reader(&der);
            assert_eq!(reader.element(SEQUENCE).unwrap(), content);
            reader.end().unwrap();
        }
        assert!(Reader(&[SEQUENCE, 0x81, 1, 0]).element(SEQUENCE).is_none());
        assert!(
            Reader(&[SEQUENCE, 0x82, 0, 1, 0])
                .element(SEQUENCE)
                .is_none()
        );
        assert!(Reader(&[SEQUENCE, 0x80, 0, 0]).element(SEQUENCE).is_none());
        assert!(Reader(&[SEQUENCE, 2, 0]).element(SEQUENCE).is_none());
    }

    #[test]
    fn integers_are_positive_and_minimal() {
        assert_eq!(positive_integer(&[0x80]), [INTEGER, 2, 0, 0x80]);
        assert_eq!(
            Reader(&[INTEGER, 2, 0, 0x80]).positive_integer().unwrap(),
            [0x80]
        );
        assert!(Reader(&[INTEGER, 2, 0, 0x7f]).positive_integer().is_none());
        assert!(Reader(&[INTEGER, 1, 0x80]).positive_integer().is_none());
        assert!(Reader(&[INTEGER, 1, 0]).positive_integer().is_none());
    }
}

//! CBOR (RFC 8949) as authenticators write it (CTAP 2.1 §8), read strictly and at bounded cost.
//!
//! Lengths are definite, there are no tags, and no key stands twice in a map. The shortest form of a number is not
//! asked for: what is signed are the octets, and nothing here is written again.

/// Octets of one document.
pub(crate) const MAX_OCTETS: usize = 16 * 1024;
/// Arrays and maps inside each other; the outermost is 1.
const MAX_DEPTH: usize = 4;
/// Items of an array, entries of a map.
const MAX_ITEMS: u64 = 64;

/// One data item, which borrows its texts and octets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cbor<'a> {
    Array(Vec<Self>),
    Bytes(&'a [u8]),
    Integer(i128),
    Map(Vec<(Self, Self)>),
    /// A simple value or a floating-point number: nothing that is read here is one.
    Other,
    Text(&'a str),
}

impl<'a> Cbor<'a> {
    /// Reads the item at the front and leaves what follows; `None` when it is malformed or beyond a bound.
    pub(crate) fn read(input: &mut &'a [u8]) -> Option<Self> {
        if input.len() > MAX_OCTETS {
            return None;
        }
        read(input, MAX_DEPTH)
    }

    /// Reads one item that is the whole input.
    pub(crate) fn read_whole(mut input: &'a [u8]) -> Option<Self> {
        let item = Self::read(&mut input)?;
        input.is_empty().then_some(item)
    }

    /// The value under a text, when this is a map that has it.
    pub(crate) fn text_entry(&self, key: &str) -> Option<&Self> {
        self.entry(&Cbor::Text(key))
    }

    /// The value under a number, when this is a map that has it.
    pub(crate) fn integer_entry(&self, key: i128) -> Option<&Self> {
        self.entry(&Cbor::Integer(key))
    }

    fn entry(&self, key: &Cbor<'_>) -> Option<&Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        entries
            .iter()
            .find(|(found, _)| found == key)
            .map(|(_, value)| value)
    }

    /// The octets, when this is a byte string.
    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(octets) => Some(octets),
            _ => None,
        }
    }
}

fn read<'a>(input: &mut &'a [u8], depth: usize) -> Option<Cbor<'a>> {
    let (&first, rest) = input.split_first()?;
    *input = rest;
    let (major, information) = (first >> 5, first & 0x1f);
    let argument = argument(information, input)?;
    match major {
        0 => Some(Cbor::Integer(i128::from(argument))),
        1 => Some(Cbor::Integer(-1 - i128::from(argument))),
        2 => Some(Cbor::Bytes(octets(argument, input)?)),
        3 => {
            let text = std::str::from_utf8(octets(argument, input)?).ok()?;
            Some(Cbor::Text(text))
        }
        4 => array(argument, input, depth.checked_sub(1)?),
        5 => map(argument, input, depth.checked_sub(1)?),
        // A tag: CTAP 2.1 §8 forbids them.
        6 => None,
        // Simple values below 32 have one form, without a second octet (RFC 8949 §3.3).
        _ => (information != 24 || argument >= 32).then_some(Cbor::Other),
    }
}

/// The number in the head of an item (RFC 8949 §3); an indefinite length is none.
fn argument(information: u8, input: &mut &[u8]) -> Option<u64> {
    let length = match information {
        0..=23 => return Some(u64::from(information)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let octets = octets(length, input)?;
    Some(
        octets
            .iter()
            .fold(0, |number, octet| number << 8 | u64::from(*octet)),
    )
}

fn octets<'a>(length: u64, input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (octets, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(octets)
}

fn array<'a>(count: u64, input: &mut &'a [u8], depth: usize) -> Option<Cbor<'a>> {
    if count > MAX_ITEMS {
        return None;
    }
    let items: Option<Vec<_>> = (0..count).map(|_| read(input, depth)).collect();
    items.map(Cbor::Array)
}

fn map<'a>(count: u64, input: &mut &'a [u8], depth: usize) -> Option<Cbor<'a>> {
    if count > MAX_ITEMS {
        return None;
    }
    let mut entries: Vec<(Cbor<'a>, Cbor<'a>)> = Vec::new();
    for _ in 0..count {
        let key = read(input, depth)?;
        let is_key = matches!(key, Cbor::Bytes(_) | Cbor::Integer(_) | Cbor::Text(_));
        if !is_key || entries.iter().any(|(earlier, _)| *earlier == key) {
            return None;
        }
        entries.push((key, read(input, depth)?));
    }
    Some(Cbor::Map(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        let read = |octets: &'static [u8]| Cbor::read_whole(octets).unwrap();
        assert_eq!(read(&[0x17]), Cbor::Integer(23));
        assert_eq!(read(&[0x18, 0x64]), Cbor::Integer(100));
        assert_eq!(read(&[0x19, 3, 0xe8]), Cbor::Integer(1000));
        assert_eq!(read(&[0x1a, 0, 0xf, 0x42, 0x40]), Cbor::Integer(1_000_000));
        assert_eq!(read(&[0x39, 3, 0xe7]), Cbor::Integer(-1000));
        let smallest = -1 - i128::from(u64::MAX);
        let octets = &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(read(octets), Cbor::Integer(smallest));
        assert_eq!(read(b"\x44\x01\x02\x03\x04"), Cbor::Bytes(&[1, 2, 3, 4]));
        assert_eq!(read(b"\x62\xc3\xbc"), Cbor::Text("\u{fc}"));
        assert_eq!(read(b"\x62\xc3\xbc").bytes(), None);
        let (one, two) = (Cbor::Integer(1), Cbor::Integer(2));
        assert_eq!(read(&[0x82, 1, 0x81, 2]), {
            Cbor::Array(vec![one, Cbor::Array(vec![two.clone()])])
        });
        let map = read(b"\xa2\x61a\x01\x02\x02");
        assert_eq!(map.integer_entry(2), Some(&two));
        assert_eq!(map.text_entry("b"), None);
        for octets in [
            b"\xf4".as_slice(),
            b"\xf7",
            b"\xf8\xff",
            b"\xf9\x3c\0",
            b"\xfa\0\0\0\0",
        ] {
            assert_eq!(Cbor::read_whole(octets), Some(Cbor::Other));
        }
    }

    #[test]
    fn malformed_and_unbounded_items_are_refused() {
        let refused: [&[u8]; 18] = [
            b"",
            b"\x18",
            b"\x1c",
            b"\x42\x01",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x61\xff",
            b"\x5f\x41\x01\xff",
            b"\x9f\x01\xff",
            b"\xbf\xff",
            b"\xc0\x61a",
            b"\xf8\x18",
            b"\xff",
            b"\x82\x01",
            b"\xa1\x01",
            // The same key twice, also in a longer form.
            b"\xa2\x01\x02\x01\x02",
            b"\xa2\x01\x02\x18\x01\x02",
            // A key that is neither number, text nor octets.
            b"\xa1\xf5\x01",
            b"\x01\x01",
        ];
        for octets in refused {
            assert_eq!(Cbor::read_whole(octets), None, "{octets:x?}");
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        let nested = |depth: usize| [vec![0x81; depth], vec![1]].concat();
        assert!(Cbor::read_whole(&nested(MAX_DEPTH)).is_some());
        assert!(Cbor::read_whole(&nested(MAX_DEPTH + 1)).is_none());
        let wide = |count: u8| [vec![0x98, count], vec![0; usize::from(count)]].concat();
        assert!(Cbor::read_whole(&wide(64)).is_some());
        assert!(Cbor::read_whole(&wide(65)).is_none());
        let long = |length: u16| {
            let head = [&[0x59], length.to_be_bytes().as_slice()].concat();
            [head, vec![0; usize::from(length)]].concat()
        };
        assert!(Cbor::read_whole(&long(16 * 1024 - 3)).is_some());
        assert!(Cbor::read_whole(&long(16 * 1024 - 2)).is_none());
    }
}

//! ECDSA signatures with P-256 in the forms of other protocols, brought to the one form that is verified: R || S.

use crate::der::{Reader, SEQUENCE};

/// Octets of R and of S.
const HALF: usize = 32;

/// From a DER-encoded `Ecdsa-Sig-Value` (RFC 3279 §2.2.3): minimal lengths, positive minimal integers, nothing after.
pub(crate) fn p256_from_der(der: &[u8]) -> Option<[u8; 2 * HALF]> {
    let mut outer = Reader(der);
    let mut inner = Reader(outer.element(SEQUENCE)?);
    outer.end()?;
    let (r, s) = (inner.positive_integer()?, inner.positive_integer()?);
    inner.end()?;
    p256_from_integers(r, s)
}

/// From two big-endian numbers without leading zeros. Whether they are below the order is asked when verifying.
pub(crate) fn p256_from_integers(r: &[u8], s: &[u8]) -> Option<[u8; 2 * HALF]> {
    let mut fixed = [0; 2 * HALF];
    let (r_place, s_place) = fixed.split_at_mut(HALF);
    for (number, place) in [(r, r_place), (s, s_place)] {
        let start = HALF.checked_sub(number.len())?;
        place[start..].copy_from_slice(number);
    }
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_filled_up_and_long_ones_refused() {
        let fixed = p256_from_der(&[0x30, 7, 2, 1, 5, 2, 2, 0, 0x80]).unwrap();
        assert_eq!((fixed[31], fixed[63]), (5, 0x80));
        assert_eq!(fixed.iter().filter(|octet| **octet != 0).count(), 2);
        assert!(p256_from_integers(&[1; 32], &[1; 32]).is_some());
        assert!(p256_from_integers(&[1; 33], &[1]).is_none());
    }

    #[test]
    fn other_encodings_of_the_same_numbers_are_refused() {
        let refused: [&[u8]; 7] = [
            &[],
            &[0x30, 6, 2, 1, 5, 2, 1, 6, 0],
            &[0x30, 0x81, 6, 2, 1, 5, 2, 1, 6],
            &[0x30, 7, 2, 2, 0, 5, 2, 1, 6],
            &[0x30, 6, 2, 1, 0x85, 2, 1, 6],
            &[0x30, 6, 2, 1, 0, 2, 1, 6],
            &[0x30, 9, 2, 1, 5, 2, 1, 6, 2, 1, 7],
        ];
        for der in refused {
            assert_eq!(p256_from_der(der), None, "{der:x?}");
        }
    }
}

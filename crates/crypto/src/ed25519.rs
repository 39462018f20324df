//! Ed25519 points that no honest signer produces.
//!
//! The library accepts points of small order, and with them signatures that verify for many messages. RFC 8032
//! leaves room for that; we do not (`conformance.md` DA8).

mod field;

use field::Element;

/// d = -121665/121666 mod p (RFC 8032 §5.1), little-endian.
const D: [u8; 32] = [
    0xa3, 0x78, 0x59, 0x13, 0xca, 0x4d, 0xeb, 0x75, 0xab, 0xd8, 0x41, 0x41, 0x4d, 0x0a, 0x70, 0x00,
    0x98, 0xe8, 0x79, 0x77, 0x79, 0x40, 0xc7, 0x8c, 0x73, 0xfe, 0x6f, 0x2b, 0xee, 0x6c, 0x03, 0x52,
];

/// The y coordinates, little-endian, of the eight points whose order divides the cofactor 8.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    // y = 0: order 4.
    [0; 32],
    // y = 1: the neutral element.
    {
        let mut y = [0; 32];
        y[0] = 1;
        y
    },
    // y = -1: order 2.
    {
        let mut y = [0xff; 32];
        y[0] = 0xec;
        y[31] = 0x7f;
        y
    },
    // The two y of order 8.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// The order of the base point, L, little-endian (RFC 8032 §5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn y_of(point: &[u8; 32]) -> [u8; 32] {
    let mut y = *point;
    y[31] &= 0x7f;
    y
}

/// Whether y is below p, so that the point has one encoding only.
pub(crate) fn is_canonical(point: &[u8; 32]) -> bool {
    let y = y_of(point);
    !(y[0] >= 0xed && y[1..31].iter().all(|octet| *octet == 0xff) && y[31] == 0x7f)
}

/// Whether the point is one of the eight of small order, whatever its sign bit says.
pub(crate) fn is_small_order(point: &[u8; 32]) -> bool {
    SMALL_ORDER_Y.contains(&y_of(point))
}

/// Whether some x belongs to this y (RFC 8032 §5.1.3): about half of all octet strings are no point.
pub(crate) fn is_on_curve(point: &[u8; 32]) -> bool {
    let y = Element::from_octets(point);
    let y2 = y.multiply(y);
    // x^2 = u/v with u = y^2 - 1 and v = d y^2 + 1; u/v is a square exactly when u v is.
    let u = y2.minus_one();
    let v = Element::from_octets(&D).multiply(y2).add(Element::ONE);
    u.multiply(v).is_square()
}

/// Whether R has one encoding and full order, and S is reduced (RFC 8032 §5.1.7).
///
/// All inputs are public, so nothing here needs constant time.
pub(crate) fn is_strict_signature(signature: &[u8; 64]) -> bool {
    let (r, s) = (signature.first_chunk(), signature.last_chunk());
    let (Some(r), Some(s)) = (r, s) else {
        return false;
    };
    is_canonical(r) && !is_small_order(r) && is_below_l(s)
}

fn is_below_l(s: &[u8; 32]) -> bool {
    s.iter().rev().lt(L.iter().rev())
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use num_traits::One;

    use super::*;

    #[test]
    fn d_is_the_quotient_that_defines_the_curve() {
        let p = (BigUint::one() << 255u32) - 19u32;
        let d = BigUint::from_bytes_le(&D);
        assert_eq!((d * 121_666u32 + 121_665u32) % p, BigUint::ZERO);
    }

    #[test]
    fn the_small_order_points_are_on_the_curve() {
        for y in SMALL_ORDER_Y {
            assert!(is_on_curve(&y));
            assert!(is_small_order(&y));
            assert!(is_canonical(&y));
        }
    }

    #[test]
    fn y_at_or_above_p_is_not_canonical() {
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        assert!(!is_canonical(&p));
        p[31] = 0xff;
        assert!(!is_canonical(&p));
        p[0] = 0xec;
        assert!(is_canonical(&p));
    }

    #[test]
    fn about_half_of_all_y_are_no_point() {
        let points = (2..130u8)
            .filter(|first| is_on_curve(&std::array::from_fn(|i| if i == 0 { *first } else { 0 })));
        assert!((40..=90).contains(&points.count()));
    }

    #[test]
    fn s_at_or_above_l_is_not_reduced() {
        assert!(!is_below_l(&L));
        let mut below = L;
        below[0] -= 1;
        assert!(is_below_l(&below));
        let mut above = L;
        above[31] += 1;
        assert!(!is_below_l(&above));
    }
}

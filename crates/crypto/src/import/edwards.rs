//! Whether an Ed25519 point lies in the group of prime order: multiply it by L and see.
//!
//! A key outside that group (small order, or mixed order) verifies differently in different software. It is public,
//! checked once at registration, so neither speed nor constant time matters here.

use std::sync::LazyLock;

use num_bigint::BigUint;
use num_traits::{One, Zero};

/// p = 2^255 - 19 (RFC 8032 §5.1).
static P: LazyLock<BigUint> = LazyLock::new(|| (BigUint::one() << 255u32) - 19u32);

/// L = 2^252 + 27742317777372353535851937790883648493, the order of the group.
static L: LazyLock<BigUint> = LazyLock::new(|| {
    (BigUint::one() << 252u32) + 27_742_317_777_372_353_535_851_937_790_883_648_493u128
});

/// 2d, where d = -121665/121666 mod p.
static TWO_D: LazyLock<BigUint> = LazyLock::new(|| {
    let inverse = BigUint::from(121_666u32).modpow(&(&*P - 2u32), &P);
    (&*P - 121_665u32) * inverse * 2u32 % &*P
});

/// A point in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
    t: BigUint,
}

/// Whether L times the point is the neutral element. `false` also when the octets are no point.
pub(super) fn is_in_prime_order_group(encoded: &[u8; 32]) -> bool {
    let Some(point) = decode(encoded) else {
        return false;
    };
    let mut sum = Point {
        x: BigUint::zero(),
        y: BigUint::one(),
        z: BigUint::one(),
        t: BigUint::zero(),
    };
    for bit in (0..L.bits()).rev() {
        sum = add(&sum, &sum);
        if L.bit(bit) {
            sum = add(&sum, &point);
        }
    }
    sum.x.is_zero() && sum.y == sum.z
}

/// Recovers a point with this y. The sign of x is ignored: the negative of a point has the same order.
fn decode(encoded: &[u8; 32]) -> Option<Point> {
    let mut y = *encoded;
    y[31] &= 0x7f;
    let y = BigUint::from_bytes_le(&y);
    // x^2 = u/v with u = y^2 - 1, v = d y^2 + 1. Doubled, so that 2d serves: x^2 = 2u / 2v.
    let y_squared = &y * &y % &*P;
    let u = (&y_squared + &*P - 1u32) * 2u32 % &*P;
    let v = (&*TWO_D * &y_squared + 2u32) % &*P;
    let x_squared = u * v.modpow(&(&*P - 2u32), &P) % &*P;
    // p = 5 mod 8: a root is this power, or this power times a root of -1.
    let mut x = x_squared.modpow(&((&*P + 3u32) >> 3u32), &P);
    if &x * &x % &*P != x_squared {
        x = x * BigUint::from(2u32).modpow(&((&*P - 1u32) >> 2u32), &P) % &*P;
    }
    if &x * &x % &*P != x_squared {
        return None;
    }
    let t = &x * &y % &*P;
    Some(Point {
        x,
        y,
        z: BigUint::one(),
        t,
    })
}

/// The complete addition law for a = -1 (RFC 8032 §5.1.4); it doubles, too.
fn add(p: &Point, q: &Point) -> Point {
    let minus = |a: &BigUint, b: &BigUint| (a + &*P - b) % &*P;
    let a = minus(&p.y, &p.x) * minus(&q.y, &q.x) % &*P;
    let b = (&p.y + &p.x) * (&q.y + &q.x) % &*P;
    let c = &p.t * &*TWO_D % &*P * &q.t % &*P;
    let d = &p.z * &q.z * 2u32 % &*P;
    let (e, f) = (minus(&b, &a), minus(&d, &c));
    let (g, h) = ((d + c) % &*P, (b + a) % &*P);
    Point {
        x: &e * &f % &*P,
        y: &g * &h % &*P,
        z: f * g % &*P,
        t: e * h % &*P,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = 4/5, the base point (RFC 8032 §5.1).
    const BASE: [u8; 32] = {
        let mut y = [0x66; 32];
        y[0] = 0x58;
        y
    };

    #[test]
    fn the_base_point_is_in_the_group_and_torsion_is_not() {
        assert!(is_in_prime_order_group(&BASE));
        let mut order_2 = [0xff; 32];
        (order_2[0], order_2[31]) = (0xec, 0x7f);
        assert!(!is_in_prime_order_group(&order_2));
        assert!(!is_in_prime_order_group(&[0; 32]));
    }

    #[test]
    fn the_base_point_plus_torsion_is_not_in_the_group() {
        // Adding the point of order 2, (0, -1), negates both coordinates.
        let y = &*P - BigUint::from_bytes_le(&BASE);
        let mut mixed = [0; 32];
        mixed[..y.to_bytes_le().len()].copy_from_slice(&y.to_bytes_le());
        assert!(decode(&mixed).is_some());
        assert!(!is_in_prime_order_group(&mixed));
    }
}

//! Arithmetic modulo p = 2^255 - 19 on public values: enough to ask whether a number is a square.
//!
//! Asked once for every key that a node loads, so it takes microseconds; a general big-number library takes tens.

/// Five limbs of 51 bits, the lowest first. Every function takes and gives limbs below 2^52.
#[derive(Clone, Copy)]
pub(super) struct Element([u64; 5]);

const MASK: u64 = (1 << 51) - 1;

impl Element {
    pub(super) const ONE: Self = Self([1, 0, 0, 0, 0]);

    /// Reads 255 bits, little-endian; the highest bit of the last octet is ignored.
    pub(super) fn from_octets(octets: &[u8; 32]) -> Self {
        // Limb i starts at bit 51 i: read the eight octets around it and shift.
        let limb = |octet: usize, shift: u32| {
            let window = std::array::from_fn(|index| octets[octet + index]);
            (u64::from_le_bytes(window) >> shift) & MASK
        };
        Self([
            limb(0, 0),
            limb(6, 3),
            limb(12, 6),
            limb(19, 1),
            limb(24, 12),
        ])
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self::carry(std::array::from_fn(|index| {
            u128::from(self.0[index]) + u128::from(other.0[index])
        }))
    }

    pub(super) fn minus_one(self) -> Self {
        // Adding p keeps the lowest limb from going below zero.
        let [a, b, c, d, e] = self.0.map(u128::from);
        let mask = u128::from(MASK);
        Self::carry([a + mask - 18 - 1, b + mask, c + mask, d + mask, e + mask])
    }

    pub(super) fn multiply(self, other: Self) -> Self {
        let (a, b) = (self.0.map(u128::from), other.0.map(u128::from));
        // 2^255 = 19 modulo p, so what passes the fifth limb comes back 19-fold.
        let mut sums = [0; 5];
        for (i, a) in a.iter().enumerate() {
            for (j, b) in b.iter().enumerate() {
                sums[(i + j) % 5] += if i + j < 5 { a * b } else { 19 * a * b };
            }
        }
        Self::carry(sums)
    }

    /// The element to the power 2^`times`.
    fn squared(self, times: u32) -> Self {
        (0..times).fold(self, |element, _| element.multiply(element))
    }

    /// Whether some number squared is this one: Euler's criterion, a^((p-1)/2) is 0 or 1.
    pub(super) fn is_square(self) -> bool {
        // `n` ones in binary: a^(2^n - 1).
        let ones_2 = self.squared(1).multiply(self);
        let ones_4 = ones_2.squared(2).multiply(ones_2);
        let ones_5 = ones_4.squared(1).multiply(self);
        let ones_10 = ones_5.squared(5).multiply(ones_5);
        let ones_20 = ones_10.squared(10).multiply(ones_10);
        let ones_40 = ones_20.squared(20).multiply(ones_20);
        let ones_50 = ones_40.squared(10).multiply(ones_10);
        let ones_100 = ones_50.squared(50).multiply(ones_50);
        let ones_200 = ones_100.squared(100).multiply(ones_100);
        let ones_250 = ones_200.squared(50).multiply(ones_50);
        // (p-1)/2 = 2^254 - 10 = 16 (2^250 - 1) + 6.
        let power = ones_250.squared(4).multiply(ones_2.squared(1)).reduced();
        power == [0; 5] || power == Self::ONE.0
    }

    /// The limbs of the one representative below p.
    fn reduced(self) -> [u64; 5] {
        // One more pass leaves a value below 2^255, which is below 2p.
        let Self(mut limbs) = Self::carry(Self::carry(self.0.map(u128::from)).0.map(u128::from));
        let is_p_or_more = limbs[0] >= MASK - 18 && limbs[1..].iter().all(|limb| *limb == MASK);
        if is_p_or_more {
            limbs = [limbs[0] - (MASK - 18), 0, 0, 0, 0];
        }
        limbs
    }

    fn carry(mut sums: [u128; 5]) -> Self {
        let mask = u128::from(MASK);
        // Twice: after the first round only the lowest limb can still be long.
        for _ in 0..2 {
            for index in 0..4 {
                sums[index + 1] += sums[index] >> 51;
                sums[index] &= mask;
            }
            sums[0] += 19 * (sums[4] >> 51);
            sums[4] &= mask;
        }
        Self(sums.map(|sum| u64::try_from(sum).expect("two rounds leave limbs below 2^52")))
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "any octets must give what the reference gives"
)]
mod tests {
    use num_bigint::BigUint;
    use num_traits::{One, Zero};

    use super::*;
    use crate::random_bytes;

    fn p() -> BigUint {
        (BigUint::one() << 255u32) - 19u32
    }

    fn to_big(element: Element) -> BigUint {
        let limbs = element.reduced();
        limbs
            .iter()
            .rev()
            .fold(BigUint::zero(), |sum, limb| (sum << 51u32) + *limb)
    }

    fn samples() -> Vec<[u8; 32]> {
        let mut edges = vec![[0; 32], [0xff; 32], [0x7f; 32]];
        for low in [0xec, 0xed, 0xee] {
            let mut near_p = [0xff; 32];
            (near_p[0], near_p[31]) = (low, 0x7f);
            edges.push(near_p);
        }
        edges.extend((0..300).map(|_| random_bytes()));
        edges.iter_mut().for_each(|octets| octets[31] &= 0x7f);
        edges
    }

    #[test]
    fn arithmetic_agrees_with_big_numbers() {
        let samples = samples();
        for (a, b) in samples.iter().zip(samples.iter().rev()) {
            let (x, y) = (Element::from_octets(a), Element::from_octets(b));
            let (m, n) = (BigUint::from_bytes_le(a), BigUint::from_bytes_le(b));
            assert_eq!(to_big(x), &m % p());
            assert_eq!(to_big(x.add(y)), (&m + &n) % p());
            assert_eq!(to_big(x.multiply(y)), &m * &n % p());
            assert_eq!(to_big(x.minus_one()), (&m + p() - 1u32) % p());
            let power = m.modpow(&((p() - 1u32) >> 1u32), &p());
            assert_eq!(x.is_square(), power.is_zero() || power.is_one());
        }
    }

    #[test]
    fn every_square_is_a_square() {
        for octets in samples() {
            let element = Element::from_octets(&octets);
            assert!(element.multiply(element).is_square());
        }
    }
}

//! Two keys that share a prime give each other away: the greatest common divisor of their moduli is that prime.

use num_bigint::BigUint;
use num_integer::Integer;
use num_traits::{One, Zero};

/// Asks whether a modulus shares a prime with any of many others, at the price of one multiplication each.
///
/// The same modulus is skipped: the same key twice is another question, answered by its fingerprint.
pub struct SharedFactorCheck {
    n: BigUint,
    /// The product of all others, modulo n.
    product: BigUint,
}

impl SharedFactorCheck {
    /// Starts with the modulus in question, big-endian.
    #[must_use]
    pub fn new(n: &[u8]) -> Self {
        Self {
            n: BigUint::from_bytes_be(n),
            product: BigUint::one(),
        }
    }

    /// Adds the modulus of another key, big-endian.
    pub fn absorb(&mut self, other: &[u8]) {
        let other = BigUint::from_bytes_be(other);
        if other != self.n && !self.n.is_zero() {
            self.product = &self.product * other % &self.n;
        }
    }

    /// Whether any modulus absorbed shares a prime with the one in question.
    #[must_use]
    pub fn finish(self) -> bool {
        !self.n.gcd(&self.product).is_one()
    }
}

/// Whether the modulus `n` shares a prime with any of `others`, all big-endian; identical moduli are skipped.
#[must_use]
pub fn shares_factor<'a>(n: &[u8], others: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut check = SharedFactorCheck::new(n);
    for other in others {
        check.absorb(other);
    }
    check.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_prime_is_found_among_many_and_identical_moduli_are_skipped() {
        let [p, q, r, s] = [1_000_003u64, 1_000_033, 1_000_037, 1_000_039];
        let moduli = [p * q, r * s, p * r].map(u64::to_be_bytes);
        let [a, b, c] = &moduli;
        assert!(!shares_factor(a, [&b[..]]));
        assert!(!shares_factor(a, [&b[..], &a[..]]));
        assert!(shares_factor(a, [&b[..], &c[..]]));
        assert!(shares_factor(b, [&c[..]]));
        // Both primes, from two different keys: the product is zero modulo n.
        let both = (q * s).to_be_bytes();
        assert!(shares_factor(a, [&c[..], &both[..]]));
        assert!(!shares_factor(a, []));
    }
}

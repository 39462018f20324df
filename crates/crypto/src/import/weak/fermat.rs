//! Fermat's factorisation: finds p and q at once when they are close (CVE-2022-26320).

use num_bigint::BigUint;
use num_traits::ToPrimitive;

/// Steps tried. Keys that are close by accident or fault fall within the first hundred; step k costs microseconds.
const STEPS: u32 = 4096;

/// How far apart the two primes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Primes {
    Equal,
    Close,
    Apart,
}

/// Looks for a and b with n = a^2 - b^2, a from the square root of n upwards.
pub(super) fn primes_of(n: &BigUint) -> Primes {
    let root = n.sqrt();
    if &root * &root == *n {
        return Primes::Equal;
    }
    let mut a = root + 1u32;
    let mut b_squared = &a * &a - n;
    // From a^2 to (a + 1)^2 it is 2a + 1, and two more each time.
    a = (a << 1u32) + 1u32;
    for _ in 0..STEPS {
        if is_square(&b_squared) {
            return Primes::Close;
        }
        b_squared += &a;
        a += 2u32;
    }
    Primes::Apart
}

/// Moduli whose quadratic residues sieve out nearly all numbers that are no squares. Their product fits a limb.
const SIEVE: [u64; 7] = [63, 65, 11, 17, 19, 23, 31];
const SIEVE_PRODUCT: u64 = 63 * 65 * 11 * 17 * 19 * 23 * 31;

fn is_square(number: &BigUint) -> bool {
    let low = number.iter_u64_digits().next().unwrap_or(0);
    if residues(64) >> (low % 64) & 1 == 0 {
        return false;
    }
    let remainder = (number % SIEVE_PRODUCT).to_u64().expect("below a limb");
    if SIEVE
        .iter()
        .any(|modulus| residues(*modulus) >> (remainder % modulus) & 1 == 0)
    {
        return false;
    }
    let root = number.sqrt();
    &root * &root == *number
}

/// The squares modulo `modulus`, at most 128, as a set of bits.
const fn residues(modulus: u64) -> u128 {
    let mut set = 0u128;
    let mut number = 0;
    while number < modulus {
        set |= 1 << (number * number % modulus);
        number += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_recognised_and_their_neighbours_are_not() {
        for root in (0u64..3000).chain([u64::from(u32::MAX)]) {
            let square = BigUint::from(root) * root;
            assert!(is_square(&square));
            if root > 1 {
                assert!(!is_square(&(&square + 1u32)));
                assert!(!is_square(&(square - 1u32)));
            }
        }
    }

    #[test]
    fn factors_are_found_by_their_distance() {
        let p = BigUint::from(1u32) << 1100u32;
        assert_eq!(primes_of(&(&p * &p)), Primes::Equal);
        assert_eq!(primes_of(&(&p * (&p + 2u32))), Primes::Close);
        // Roots at distance d need d^2 / (8 sqrt(n)) steps: here about 2,000, there far more than any.
        let distance = BigUint::from(1u32) << 557u32;
        assert_eq!(primes_of(&(&p * (&p + &distance))), Primes::Close);
        assert_eq!(
            primes_of(&(&p * ((&p + (distance << 4u32)) + 1u32))),
            Primes::Apart
        );
    }
}

//! The fingerprint of the faulty prime generator of CVE-2017-15361 (ROCA).
//!
//! Its primes have the form k*M + 65537^a mod M, where M is the product of the first primes. So for a modulus n
//! there is one exponent c with n = 65537^c modulo every small prime at once. For each prime we find c modulo the
//! order of 65537, and then ask whether all these agree. A random modulus agrees with a probability of about
//! 2^-155, so an honest key is not refused by accident.

use num_bigint::BigUint;
use num_integer::Integer;
use num_traits::ToPrimitive;

use super::small::odd_primes;

/// The primes that divide M for every key length that the generator offered.
const LAST_PRIME: usize = 167;

/// Whether `n` was made by the faulty generator.
pub(super) fn has_fingerprint(n: &BigUint) -> bool {
    let mut logarithms: Vec<(u64, u64)> = Vec::new();
    for prime in odd_primes(LAST_PRIME) {
        let residue = (n % prime).to_u64().expect("below a small prime");
        let Some((exponent, order)) = logarithm(residue, prime) else {
            return false;
        };
        let agrees = |(other, other_order): &(u64, u64)| {
            let shared = order.gcd(other_order);
            exponent % shared == other % shared
        };
        if !logarithms.iter().all(agrees) {
            return false;
        }
        logarithms.push((exponent, order));
    }
    true
}

/// The exponent c with 65537^c = `residue` modulo `prime`, and the order of 65537. `None` when there is no c.
fn logarithm(residue: u64, prime: u64) -> Option<(u64, u64)> {
    let generator = 65_537 % prime;
    let mut found = None;
    let mut power = 1;
    for exponent in 0.. {
        if power == residue {
            found = found.or(Some(exponent));
        }
        power = power * generator % prime;
        if power == 1 {
            return found.map(|found| (found, exponent + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_faulty_form_have_the_fingerprint_and_their_neighbours_do_not() {
        let m = odd_primes(LAST_PRIME).fold(BigUint::from(2u32), |m, prime| m * prime);
        let base = BigUint::from(65_537u32);
        for exponent in [0u32, 1, 12_345, u32::MAX] {
            let faulty = base.modpow(&exponent.into(), &m) + (&m << 1900u32);
            assert!(has_fingerprint(&faulty));
            assert!(!has_fingerprint(&(&faulty + 2u32)));
        }
    }

    #[test]
    fn logarithms_must_agree_between_primes() {
        // 1 modulo 3, 65537 modulo all others: in every subgroup, but with different exponents.
        let others = odd_primes(LAST_PRIME)
            .skip(3)
            .fold(BigUint::from(2u32), |m, p| m * p);
        let mixed = (0u32..105).map(|k| BigUint::from(65_537u32) + &others * k);
        let agreeing = mixed.filter(has_fingerprint).count();
        assert!((1..105).contains(&agreeing), "{agreeing}");
    }
}

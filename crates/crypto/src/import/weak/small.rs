//! Small factors: a modulus that lost a bit in copying almost always has one.

use std::sync::LazyLock;

use num_bigint::BigUint;
use num_integer::Integer;
use num_traits::ToPrimitive;

/// The largest prime tried.
const LIMIT: usize = 65_537;

/// Products of consecutive odd primes up to [`LIMIT`], each as large as one limb allows: one division per product.
static PRODUCTS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut products = vec![1u64];
    for prime in odd_primes(LIMIT) {
        match products
            .last_mut()
            .and_then(|last| last.checked_mul(prime).map(|p| (last, p)))
        {
            Some((last, product)) => *last = product,
            None => products.push(prime),
        }
    }
    products
});

/// Whether an odd prime up to 65537 divides `n`.
pub(super) fn has_small_factor(n: &BigUint) -> bool {
    PRODUCTS.iter().any(|product| {
        let remainder = (n % *product).to_u64().expect("below a product of 64 bits");
        remainder.gcd(product) != 1
    })
}

/// The sieve of Eratosthenes without 2.
pub(super) fn odd_primes(limit: usize) -> impl Iterator<Item = u64> {
    let mut is_composite = vec![false; limit + 1];
    (3..=limit).step_by(2).filter_map(move |candidate| {
        if is_composite[candidate] {
            return None;
        }
        (candidate * candidate..=limit)
            .step_by(2 * candidate)
            .for_each(|multiple| is_composite[multiple] = true);
        Some(candidate as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_tried_and_the_next_prime_is_not() {
        let large = BigUint::from(2u32).pow(2203) - 1u32; // A Mersenne prime.
        assert!(!has_small_factor(&large));
        assert!(has_small_factor(&(&large * 3u32)));
        assert!(has_small_factor(&(&large * 65_537u32)));
        assert!(!has_small_factor(&(&large * 65_539u32)));
    }

    #[test]
    fn there_are_6542_odd_primes_up_to_65537() {
        assert_eq!(odd_primes(LIMIT).count(), 6542);
    }
}

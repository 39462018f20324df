//! RSA keys that can be factored, or whose numbers were never random (`conformance.md` K1 to K3).
//!
//! Wiener's small private exponent needs no check of its own: it comes with a public exponent as long as the
//! modulus, and those are refused. Everything is bounded by the size limit, which is checked first.

mod fermat;
mod pattern;
mod prime;
mod roca;
mod shared;
mod small;

use num_bigint::BigUint;

pub use shared::{SharedFactorCheck, shares_factor};

use super::refusal::ImportRefusal;
use fermat::Primes;

/// Refuses a weak key, cheapest question first. `n` and `e` are big-endian without leading zeros.
pub(super) fn refuse_weak_rsa(n: &[u8], e: &[u8]) -> Result<(), ImportRefusal> {
    check_exponent(e)?;
    check_size(n)?;
    check_randomness(n)?;
    check_factors(&BigUint::from_bytes_be(n))
}

fn check_exponent(e: &[u8]) -> Result<(), ImportRefusal> {
    if e.last().is_none_or(|octet| octet & 1 == 0) {
        return Err(ImportRefusal::RsaExponentEven);
    }
    if e == [1] {
        return Err(ImportRefusal::RsaExponentOne);
    }
    // 2^33 has 34 bits: five octets, the first of them 2.
    if e.len() > 5 || (e.len() == 5 && e[0] >= 2) {
        return Err(ImportRefusal::RsaExponentTooLarge);
    }
    if e.len() < 3 || e == [0, 0, 1] {
        return Err(ImportRefusal::RsaExponentTooSmall);
    }
    Ok(())
}

fn check_size(n: &[u8]) -> Result<(), ImportRefusal> {
    let Some((first, _)) = n.split_first() else {
        return Err(ImportRefusal::RsaModulusZero);
    };
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    match bits {
        0..2048 => Err(ImportRefusal::RsaModulusTooSmall),
        2048..=8192 if n[n.len() - 1] & 1 == 0 => Err(ImportRefusal::RsaModulusEven),
        2048..=8192 => Ok(()),
        _ => Err(ImportRefusal::RsaModulusTooLarge),
    }
}

fn check_randomness(n: &[u8]) -> Result<(), ImportRefusal> {
    if pattern::repeats(n) {
        return Err(ImportRefusal::RsaModulusPattern);
    }
    if pattern::is_biased(n) {
        return Err(ImportRefusal::RsaModulusBiased);
    }
    if pattern::is_payload(n) {
        return Err(ImportRefusal::RsaModulusPayload);
    }
    Ok(())
}

fn check_factors(n: &BigUint) -> Result<(), ImportRefusal> {
    if small::has_small_factor(n) {
        return Err(ImportRefusal::RsaSmallFactor);
    }
    match fermat::primes_of(n) {
        Primes::Equal => return Err(ImportRefusal::RsaModulusSquare),
        Primes::Close => return Err(ImportRefusal::RsaPrimesClose),
        Primes::Apart => {}
    }
    if roca::has_fingerprint(n) {
        return Err(ImportRefusal::RsaRoca);
    }
    // Every prime passes the test to base 2. The composites that pass it too are so rare that only a search
    // finds them, and refusing those harms nobody.
    if prime::is_strong_probable_prime(n, &BigUint::from(2u32)) {
        return Err(ImportRefusal::RsaModulusPrime);
    }
    Ok(())
}

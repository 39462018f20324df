//! Is the modulus itself a prime?

use num_bigint::BigUint;
use num_traits::One;

/// The strong probable prime test of Miller and Rabin, for an odd `n` above 3. Every prime passes to every base.
pub(super) fn is_strong_probable_prime(n: &BigUint, base: &BigUint) -> bool {
    let minus_one = n - 1u32;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let mut power = base.modpow(&(&minus_one >> twos), n);
    if power.is_one() || power == minus_one {
        return true;
    }
    for _ in 1..twos {
        power = &power * &power % n;
        if power == minus_one {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    fn is_probable_prime(n: &BigUint) -> bool {
        let four = BigUint::from(4u32);
        if *n < four {
            return *n > BigUint::one();
        }
        // Bases that depend on the whole of n: no composite can be built to pass them all.
        n.bit(0)
            && (0u8..24).all(|round| {
                let seed = sha256(&[&n.to_bytes_be(), &[round]]);
                let base = BigUint::from_bytes_be(seed.as_bytes()) % (n - 3u32) + 2u32;
                is_strong_probable_prime(n, &base)
            })
    }

    #[test]
    fn wycheproof_primes_pass_and_composites_do_not() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/vectors/wycheproof/primality_test.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: {path} is absent");
            return;
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut seen = 0;
        for test in file["testGroups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["tests"].as_array().unwrap())
        {
            let hex = test["value"].as_str().unwrap();
            let is_negative = u8::from_str_radix(&hex[..1], 16).unwrap() >= 8;
            if is_negative {
                continue; // A modulus has no sign.
            }
            let n = BigUint::parse_bytes(hex.as_bytes(), 16).unwrap();
            let is_prime = test["result"] == "valid";
            assert_eq!(is_probable_prime(&n), is_prime, "tcId {}", test["tcId"]);
            if is_prime && n > BigUint::from(3u32) {
                assert!(is_strong_probable_prime(&n, &BigUint::from(2u32)));
            }
            seen += 1;
        }
        assert!(seen > 200, "{seen}");
    }
}

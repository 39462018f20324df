//! Moduli that are not random: counters, repeated blocks, zeroed memory, smuggled payloads.

/// Octets that must repeat before we call it a pattern. In a random modulus of 8192 bits some run of 16 equal
/// distances appears with a probability below 2^-110.
const RUN: usize = 16;

/// The longest period looked for: a modulus of 8192 bits filled with repeated blocks of 64 octets.
const LONGEST_PERIOD: usize = 64;

/// Whether some block repeats itself for at least 16 octets.
pub(super) fn repeats(n: &[u8]) -> bool {
    (1..=LONGEST_PERIOD.min(n.len())).any(|period| {
        let mut run = 0;
        n.iter().zip(&n[period..]).any(|(octet, later)| {
            run = if octet == later { run + 1 } else { 0 };
            run >= RUN
        })
    })
}

/// Whether far too few or too many bits are set, as after a faulty random generator (Nautilus, CompleteFTP).
///
/// Of 2048 random bits between 41 % and 61 % are set, except with a probability below 2^-50.
pub(super) fn is_biased(n: &[u8]) -> bool {
    let Some(first) = n.first() else { return true };
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    let set: usize = n.iter().map(|octet| octet.count_ones() as usize).sum();
    !(41..=60).contains(&(set * 100 / bits))
}

/// Whether the first 16 octets, as SSH and X.509 write the number, satisfy the equation by which the xz backdoor
/// found its commands (CVE-2024-3094).
pub(super) fn is_payload(n: &[u8]) -> bool {
    let mut head = [0; 16];
    let sign = usize::from(n.first().is_some_and(|octet| *octet >= 0x80));
    let Some(taken) = n.get(..16 - sign) else {
        return false;
    };
    head[sign..].copy_from_slice(taken);
    let word = |at: usize, length: usize| {
        head[at..at + length]
            .iter()
            .rev()
            .fold(0u64, |word, octet| word << 8 | u64::from(*octet))
    };
    word(0, 4).wrapping_mul(word(4, 4)).wrapping_add(word(8, 8)) <= 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    /// Octets that look random.
    fn noise(length: usize) -> Vec<u8> {
        (0u32..)
            .flat_map(|counter| *sha256(&[&counter.to_be_bytes()]).as_bytes())
            .take(length)
            .collect()
    }

    #[test]
    fn random_octets_show_no_pattern() {
        let n = noise(1024);
        assert!(!repeats(&n) && !is_biased(&n) && !is_payload(&n));
    }

    #[test]
    fn a_run_or_a_repeated_block_is_a_pattern() {
        let mut run = noise(256);
        run[100..117].fill(0x5a);
        assert!(repeats(&run));
        run[116] ^= 1;
        assert!(!repeats(&run));
        for period in [1, 2, 7, 32, 64] {
            let block: Vec<u8> = noise(period).into_iter().cycle().take(256).collect();
            assert!(repeats(&block), "{period}");
        }
    }

    #[test]
    fn missing_bits_are_a_bias() {
        let sparse: Vec<u8> = noise(256).iter().map(|octet| octet & 0x5f | 0x10).collect();
        assert!(is_biased(
            &sparse.iter().map(|octet| octet & 0x77).collect::<Vec<_>>()
        ));
        assert!(is_biased(
            &noise(256)
                .iter()
                .map(|octet| octet | 0x41)
                .collect::<Vec<_>>()
        ));
    }

    #[test]
    fn a_payload_satisfies_its_equation() {
        let mut n = noise(256);
        n[0] = 0x7f;
        let (a, b) = (u32::from_le_bytes(n[..4].try_into().unwrap()), &n[4..8]);
        let b = u32::from_le_bytes(b.try_into().unwrap());
        let c = 2u64.wrapping_sub(u64::from(a) * u64::from(b));
        n[8..16].copy_from_slice(&c.to_le_bytes());
        assert!(is_payload(&n));
        n[8] ^= 4;
        assert!(!is_payload(&n));
    }
}

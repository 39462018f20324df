//! Keys that are nobody's: an unknown caller is given the same time as one with a bad signature.

use countersign_crypto::{
    Algorithm, KeyKind, PublicKey, SigningAlgorithm, SigningKey, VerifyingKey,
};

/// The sizes of RSA keys that people make, in octets of the modulus; a signature of any other length is checked with the
/// next larger one.
const RSA_OCTETS: [usize; 4] = [256, 384, 512, 1024];

/// Verifying keys for each algorithm, the shortest signatures first.
pub struct Decoys(Vec<VerifyingKey>);

impl Decoys {
    /// Makes the keys. Nothing could ever be signed with an RSA one: its modulus is a random odd number.
    #[must_use]
    pub fn new() -> Self {
        let p256 = Some(
            SigningKey::generate(SigningAlgorithm::Es256)
                .public_key()
                .clone(),
        );
        let ed25519 = Some(
            SigningKey::generate(SigningAlgorithm::EdDsa)
                .public_key()
                .clone(),
        );
        let p384 = point(KeyKind::P384, P384_BASE);
        let p521 = point(KeyKind::P521, P521_BASE);
        let curves = [p256, ed25519, p384, p521];
        let keys = RSA_OCTETS.into_iter().map(rsa).chain(curves).flatten();
        let bound = keys.flat_map(|key| {
            let algorithms = key.kind().algorithms();
            algorithms
                .iter()
                .filter_map(move |algorithm| VerifyingKey::new(key.clone(), *algorithm).ok())
        });
        Self(bound.collect())
    }

    /// The key whose check takes as long as that of a signature of this length, with a key that it could be of.
    #[must_use]
    pub fn for_signature(&self, algorithm: Algorithm, octets: usize) -> &VerifyingKey {
        let of_algorithm = || self.0.iter().filter(|key| key.algorithm() == algorithm);
        let found = of_algorithm().find(|key| key.signature_length() >= octets);
        found
            .or_else(|| of_algorithm().next_back())
            .unwrap_or(&self.0[0])
    }
}

/// A public key of so many octets that has no private one.
fn rsa(octets: usize) -> Option<PublicKey> {
    let mut modulus: [u8; 1024] = crate::chance::octets();
    modulus[0] |= 0x80;
    modulus[octets - 1] |= 1;
    PublicKey::from_rsa_components(&modulus[..octets], &[1, 0, 1]).ok()
}

/// The base points of the curves for which no key is ever made here (SEC 2 §2.5, §2.6): the outcome is not looked at.
const P384_BASE: [&str; 2] = [
    "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7",
    "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F",
];
const P521_BASE: [&str; 2] = [
    "00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A\
     429BF97E7E31C2E5BD66",
    "011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272\
     C24088BE94769FD16650",
];

fn point(kind: KeyKind, [x, y]: [&str; 2]) -> Option<PublicKey> {
    PublicKey::from_ec_point(kind, &octets(x), &octets(y)).ok()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex
        .bytes()
        .filter_map(|digit| char::from(digit).to_digit(16));
    let digits: Vec<u8> = digits
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_a_decoy_of_its_own() {
        let decoys = Decoys::new();
        for algorithm in Algorithm::ALL {
            for octets in [1, 63, 64, 96, 132, 256, 1024] {
                let decoy = decoys.for_signature(algorithm, octets);
                assert_eq!(decoy.algorithm(), algorithm);
            }
        }
    }

    #[test]
    fn attack_23_an_rsa_signature_is_checked_with_a_decoy_of_its_length() {
        let decoys = Decoys::new();
        for (octets, length) in [
            (1, 256),
            (256, 256),
            (257, 384),
            (384, 384),
            (512, 512),
            (1024, 1024),
        ] {
            for algorithm in [Algorithm::Rs256, Algorithm::Ps512] {
                let decoy = decoys.for_signature(algorithm, octets);
                assert_eq!(decoy.signature_length(), length, "{octets}");
            }
        }
    }
}

//! What the time of a signature check depends on.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use countersign_crypto::{Algorithm, PublicKey, SigningAlgorithm, SigningKey, VerifyingKey};

fn rsa(octets: usize, first: u8) -> VerifyingKey {
    let mut modulus = vec![0x55; octets];
    modulus[0] = first;
    let key = PublicKey::from_rsa_components(&modulus, &[1, 0, 1]).unwrap();
    VerifyingKey::new(key, Algorithm::Rs256).unwrap()
}

#[test]
fn attack_23_a_signature_takes_time_only_with_a_key_that_it_could_be_of() {
    let key = rsa(256, 0xb0);
    let signature = |first: u8, octets: usize| {
        let mut signature = vec![0x54; octets];
        signature[0] = first;
        signature
    };
    assert!(key.takes(&signature(0, 256)));
    assert!(key.takes(&signature(0xb0, 256)));
    assert!(!key.takes(&signature(0xb1, 256)), "beyond the modulus");
    assert!(!key.takes(&signature(0, 255)));
    assert!(!key.takes(&signature(0, 512)));
    assert!(rsa(512, 0xb0).takes(&signature(0, 512)));
    let es256 = SigningKey::generate(SigningAlgorithm::Es256);
    let es256 = VerifyingKey::new(es256.public_key().clone(), Algorithm::Es256).unwrap();
    assert!(es256.takes(&[0xff; 64]));
    assert!(!es256.takes(&[0; 63]));
}

//! Whatever the input, the import answers; whatever the repair, the key stays.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::support::*;

/// Valid inputs of every format.
static VALID: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let pair = p256();
    let ec = spki(P256_IDENTIFIER, &point(&pair));
    let e = num_bigint::BigUint::from(65_537u32);
    let rsa = pkcs1(&good_modulus(), &e);
    let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let certificate = params.self_signed(&pair).unwrap();
    let jwk = ec_jwk(
        &pair,
        r#""kid":"1","alg":"ES256","use":"sig","key_ops":["verify"],"#,
    );
    let ed = point(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    let wire = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 32], &ed].concat();
    let blob = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, wire);
    vec![
        format!("ssh-ed25519 {blob} me").into(),
        format!(r#"{{"keys":[{jwk}]}}"#).into(),
        jwk.into(),
        pem("PUBLIC KEY", &ec).into(),
        ec,
        pem("RSA PUBLIC KEY", &rsa).into(),
        rsa,
        certificate.pem().into(),
        certificate.der().to_vec(),
    ]
});

#[test]
fn every_valid_input_is_accepted() {
    for input in VALID.iter() {
        assert_eq!(
            code(input),
            "accepted",
            "{}",
            String::from_utf8_lossy(input)
        );
    }
}

/// One change to one place.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Truncate(prop::sample::Index),
    Repeat(prop::sample::Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, to)| Mutation::Replace(at, to)),
        (
            any::<prop::sample::Index>(),
            prop::collection::vec(any::<u8>(), 1..8)
        )
            .prop_map(|(at, octets)| Mutation::Insert(at, octets)),
        (any::<prop::sample::Index>(), 1usize..40).prop_map(|(at, n)| Mutation::Remove(at, n)),
        any::<prop::sample::Index>().prop_map(Mutation::Truncate),
        (any::<prop::sample::Index>(), 1usize..200).prop_map(|(at, n)| Mutation::Repeat(at, n)),
    ]
}

fn apply(input: &mut Vec<u8>, mutation: &Mutation) {
    if input.is_empty() {
        return;
    }
    match mutation {
        Mutation::Replace(at, to) => *at.get_mut(input) = *to,
        Mutation::Insert(at, octets) => {
            let at = at.index(input.len());
            input.splice(at..at, octets.iter().copied());
        }
        Mutation::Remove(at, count) => {
            let at = at.index(input.len());
            let end = input.len().min(at + count);
            input.drain(at..end);
        }
        Mutation::Truncate(at) => input.truncate(at.index(input.len())),
        Mutation::Repeat(at, count) => {
            let at = at.index(input.len());
            let end = input.len().min(at + count);
            let copy = input[at..end].to_vec();
            input.splice(at..at, copy);
        }
    }
}

/// What people's tools do to a text.
const DAMAGES: [fn(String) -> String; 9] = [
    |text| text.replace('\n', "\r\n"),
    |text| text.replace('\n', "\n    "),
    |text| format!("  \n{text}  "),
    |text| text.replace('\n', "\\n"),
    |text| format!("\"{text}\""),
    |text| format!("'{text}'"),
    |text| format!("\u{feff}{text}"),
    |text| format!("{text}\n\n\n"),
    |text| text.replace("-----", "----"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_input_never_panics(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut input = which.get(&VALID).clone();
        mutations.iter().for_each(|mutation| apply(&mut input, mutation));
        if let Err(refusal) = import(&input) {
            prop_assert!(!refusal.code().is_empty());
        }
    }

    #[test]
    fn any_octets_never_panic(input in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(import(&input).is_err());
    }

    #[test]
    fn a_repair_never_changes_which_key_results(
        which in any::<prop::sample::Index>(),
        first in 0..DAMAGES.len(),
        second in 0..DAMAGES.len(),
    ) {
        let texts: Vec<String> =
            VALID.iter().filter_map(|input| String::from_utf8(input.clone()).ok()).collect();
        let text = which.get(&texts);
        let key = |text: &str| import(text).map(|imported| imported.keys[0].key.fingerprint());
        let damaged = DAMAGES[second](DAMAGES[first](text.clone()));
        // Beyond repair is an honest answer; another key is not.
        if let Ok(result) = key(&damaged) {
            prop_assert_eq!(result, key(text).unwrap());
        }
        let once = DAMAGES[first](text.clone());
        let is_json = text.starts_with('{');
        prop_assert!(is_json || key(&once).is_ok(), "{once}");
    }
}

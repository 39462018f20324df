//! Section D through the endpoint: samples of what `crates/crypto/tests` proves in full.

use countersign_testkit::crypto::{Algorithm, SigningAlgorithm};
use countersign_testkit::{NewClient, TestKey, World, base64url, decode_base64url, segments};

use crate::support::{assert_refused, assert_text_refused};

/// The order of P-256 (SEC 2 §2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `order - s`, big-endian.
fn negated(s: &[u8]) -> Vec<u8> {
    let (mut difference, mut borrow) = (vec![0; 32], 0);
    for place in (0..32).rev() {
        let digit = i16::from(P256_ORDER[place]) - i16::from(s[place]) - borrow;
        borrow = i16::from(digit < 0);
        difference[place] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    difference
}

#[tokio::test]
async fn da1_every_accepted_algorithm_buys_a_token_and_only_with_its_own_name() {
    let mut world = World::start().await;
    for algorithm in Algorithm::ALL {
        let new = NewClient::with_key(&TestKey::generate(algorithm));
        world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
        let answer = world.server.token(&world.acme, world.assertion().sign());
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{algorithm}: {}", answer.text());
        for other in Algorithm::ALL
            .into_iter()
            .filter(|other| *other != algorithm)
        {
            let renamed = world.assertion().header("alg", other.as_str()).sign();
            let answer = world.server.token(&world.acme, &renamed).await;
            assert_eq!(answer.status, 401, "{algorithm} as {other}");
        }
    }
}

#[tokio::test]
async fn da1_a_key_bound_to_ps256_does_not_verify_rs256() {
    let mut world = World::start().await;
    let key = TestKey::generate(Algorithm::Ps256);
    let new = NewClient::with_key(&key);
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    let other = key.rebound(SigningAlgorithm::Rs256);
    let honest = world.assertion().header("alg", "RS256").signed_by(&other);
    assert_refused(&world, &honest, "key_unknown").await;
    let lying = world.assertion().signed_by(&other);
    assert_refused(&world, &lying, "signature_invalid").await;
}

#[tokio::test]
async fn da2_an_ecdsa_signature_has_one_form() {
    let world = World::start().await;
    let assertion = world.assertion();
    let good = world.a1.key.sign(assertion.signing_input().as_bytes());
    let (r, s) = good.split_at(32);
    let der = [&[0x30, 0x44, 2, 32], r, &[2, 32], s].concat();
    let padded = [&[0], r, &[0], s].concat();
    for bad in [
        der,
        padded,
        good[1..].to_vec(),
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0; 32], s].concat(),
        [r, &[0; 32]].concat(),
        [r, &P256_ORDER].concat(),
        [&[0xff; 32], s].concat(),
        vec![0; 64],
    ] {
        assert_refused(
            &world,
            &assertion.clone().signature(bad),
            "signature_invalid",
        )
        .await;
    }
}

#[tokio::test]
async fn da3_each_curve_has_its_own_algorithm() {
    let mut world = World::start().await;
    let own = world.a1.clone();
    for other in [Algorithm::Es384, Algorithm::Es512] {
        let key = TestKey::generate(other);
        let crossed = world.assertion().signed_by(&key);
        assert_refused(&world, &crossed, "signature_invalid").await;
        let new = NewClient::with_key(&key);
        world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
        let crossed = world.assertion().header("alg", "ES256").signed_by(&own.key);
        assert_refused(&world, &crossed, "key_unknown").await;
        world.a1 = own.clone();
    }
    let koblitz = world.assertion().header("alg", "ES256K");
    assert_refused(&world, &koblitz, "algorithm_not_allowed").await;
}

#[tokio::test]
async fn da4_a_high_s_is_accepted_and_its_twin_is_a_replay() {
    let world = World::start().await;
    for nameless in [false, true] {
        let assertion = if nameless {
            world.assertion().without("jti")
        } else {
            world.assertion()
        };
        let good = world.a1.key.sign(assertion.signing_input().as_bytes());
        let twin = [&good[..32], &negated(&good[32..])].concat();
        let first = assertion.clone().signature(twin).sign();
        assert_eq!(world.server.grant(&world.acme, &first).await.status, 200);
        let second = assertion.signature(good).sign();
        assert_ne!(first, second);
        let answer = world.server.grant(&world.acme, &second).await;
        assert_eq!(answer.reason().as_deref(), Some("assertion_replayed"));
    }
}

#[tokio::test]
async fn da7_an_rsa_signature_has_the_length_of_the_modulus_and_lies_below_it() {
    let mut world = World::start().await;
    let new = NewClient::with_key(&TestKey::generate(Algorithm::Rs256));
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    let assertion = world.assertion();
    let good = world.a1.key.sign(assertion.signing_input().as_bytes());
    for bad in [
        vec![0; 256],
        vec![0xff; 256],
        good[1..].to_vec(),
        [&[0], &good[..]].concat(),
        [&good[..], &[0]].concat(),
        vec![1],
    ] {
        assert_refused(
            &world,
            &assertion.clone().signature(bad),
            "signature_invalid",
        )
        .await;
    }
}

#[tokio::test]
async fn da8_an_ed25519_signature_is_refused_when_s_is_not_reduced() {
    let mut world = World::start().await;
    let new = NewClient::with_key(&TestKey::generate(Algorithm::EdDsa));
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    let good = world.assertion().sign();
    let signature = decode_base64url(segments(&good)[2]);
    // s + L, where L = 2^252 + 27742317777372353535851937790883648493 (RFC 8032 §5.1), little-endian.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (mut twin, mut carry) = (signature.clone(), 0u16);
    for (place, digit) in order.iter().enumerate() {
        let sum = u16::from(twin[32 + place]) + u16::from(*digit) + carry;
        twin[32 + place] = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    let (input, _) = good.rsplit_once('.').unwrap();
    let malleable = format!("{input}.{}", base64url(twin));
    assert_text_refused(&world, &malleable, "signature_invalid").await;
    let small_order = [&[1][..], &[0; 63]].concat();
    let forged = format!("{input}.{}", base64url(small_order));
    assert_text_refused(&world, &forged, "signature_invalid").await;
    assert_eq!(world.server.grant(&world.acme, &good).await.status, 200);
}

#[tokio::test]
async fn da9_both_names_of_ed25519_mean_the_same_key() {
    let mut world = World::start().await;
    let new = NewClient::with_key(&TestKey::generate(Algorithm::EdDsa));
    world.a1 = world.server.create_client(&world.acme, new).await.unwrap();
    for name in ["EdDSA", "Ed25519"] {
        let assertion = world.assertion().header("alg", name).sign();
        let answer = world.server.grant(&world.acme, &assertion).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    let other = world.assertion().header("alg", "Ed448");
    assert_refused(&world, &other, "algorithm_not_allowed").await;
}

#[tokio::test]
async fn da10_signatures_over_many_tokens_never_repeat_their_nonce() {
    let world = World::start().await;
    let mut nonces = std::collections::HashSet::new();
    for _ in 0..200 {
        let answer = world.server.grant(&world.acme, world.assertion().sign());
        let token = answer.await.access_token();
        let signature = decode_base64url(segments(&token)[2]);
        assert!(nonces.insert(signature[..32].to_vec()));
    }
}

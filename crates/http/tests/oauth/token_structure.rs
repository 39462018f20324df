//! Section C, first half: the form of an assertion. Every case is signed with the registered key where it can be, so that nothing
//! but the rule under test refuses it.

use countersign_testkit::{World, segments};
use serde_json::json;

use crate::support::{assert_refused, assert_text_refused};

/// The header of the first client's assertions as JSON text, with further members.
fn header_with(world: &World, more: &str) -> String {
    format!(r#"{{"alg":"ES256","kid":"{}"{more}}}"#, world.a1.kid)
}

#[tokio::test]
async fn c1_exactly_three_segments_are_accepted() {
    let world = World::start().await;
    let good = world.assertion().sign();
    let parts = segments(&good);
    for bad in [
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{good}."),
        format!("{good}.x"),
        format!("{good}.x.y"),
        format!(".{}.{}", parts[1], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        parts[0].to_owned(),
        "..".to_owned(),
        ".".to_owned(),
    ] {
        assert_text_refused(&world, &bad, "assertion_malformed").await;
    }
}

#[tokio::test]
async fn c2_json_serializations_are_refused() {
    let world = World::start().await;
    let good = world.assertion().sign();
    let parts = segments(&good);
    let flattened =
        json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    let general = json!({
        "payload": parts[1],
        "signatures": [{"protected": parts[0], "signature": parts[2]}],
    })
    .to_string();
    for bad in [
        flattened,
        general,
        format!("{{{good}}}"),
        format!("{good}é"),
    ] {
        assert_text_refused(&world, &bad, "assertion_malformed").await;
    }
}

#[tokio::test]
async fn c3_padding_white_space_and_the_other_alphabet_are_refused() {
    let world = World::start().await;
    let good = world.assertion().sign();
    let parts = segments(&good);
    let mut bad = Vec::new();
    for position in 0..3 {
        for broken in ["=", "==", " ", "\n", "\r\n", "?", "+", "/", "%"] {
            let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            parts[position].push_str(broken);
            bad.push(parts.join("."));
            parts[position] = format!("{}{broken}{}", &good[..2], &parts[position][2..]);
            bad.push(parts.join("."));
        }
    }
    for bad in bad {
        assert_text_refused(&world, &bad, "assertion_malformed").await;
    }
}

#[tokio::test]
async fn c4_one_octet_string_has_one_encoding() {
    let world = World::start().await;
    // 64 octets of signature leave four unused bits in the last character.
    let good = world.assertion().sign();
    let (rest, last) = good.split_at(good.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.find(last).unwrap();
    for unused in 1..16 {
        let twin = format!("{rest}{}", alphabet.as_bytes()[value | unused] as char);
        assert_ne!(twin, good);
        assert_text_refused(&world, &twin, "assertion_malformed").await;
    }
    assert_eq!(world.server.grant(&world.acme, &good).await.status, 200);
}

#[tokio::test]
async fn c5_a_header_that_is_not_an_object_in_utf_8_is_refused() {
    let world = World::start().await;
    let text = world.assertion().header_text();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = text
        .chars()
        .flat_map(|c| u32::from(c).to_be_bytes())
        .collect();
    for header in [
        b"[]".to_vec(),
        b"\"ES256\"".to_vec(),
        b"1".to_vec(),
        b"null".to_vec(),
        b"{".to_vec(),
        format!("{text}x").into_bytes(),
        b"{\"alg\":\"ES256\",\"x\":\"\xff\"}".to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16,
        utf32,
    ] {
        assert_refused(
            &world,
            &world.assertion().raw_header(header),
            "header_unacceptable",
        )
        .await;
    }
}

#[tokio::test]
async fn c6_a_member_that_stands_twice_is_refused_at_every_depth() {
    let world = World::start().await;
    for more in [
        r#","alg":"ES256""#,
        r#","al\u0067":"ES256""#,
        r#","x":{"y":1,"y":1}"#,
    ] {
        let assertion = world.assertion().raw_header(header_with(&world, more));
        assert_refused(&world, &assertion, "header_unacceptable").await;
    }
    let payload = world.assertion().payload_text();
    let payload = payload.strip_suffix('}').unwrap();
    for more in [
        r#","iss":"x""#.to_owned(),
        r#","i\u0073s":"x""#.to_owned(),
        r#","cnf":{"jkt":1,"jkt":2}"#.to_owned(),
        r#","act":[{"sub":1,"\u0073ub":2}]"#.to_owned(),
    ] {
        let assertion = world.assertion().raw_payload(format!("{payload}{more}}}"));
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
}

#[tokio::test]
async fn c7_deep_wide_and_long_json_is_refused_quickly() {
    let world = World::start().await;
    let payload = world.assertion().payload_text();
    let payload = payload.strip_suffix('}').unwrap();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let wide: String = (0..65).map(|n| format!(",\"m{n}\":1")).collect();
    let long = "9".repeat(21);
    let text = "x".repeat(4097);
    for value in [
        format!(",\"x\":{}", nested(16)),
        format!(",\"x\":{}", nested(4000)),
        wide,
        format!(",\"x\":\"{text}\""),
        format!(",\"x\":{long}"),
        ",\"x\":1e400".to_owned(),
        ",\"x\":-1e400".to_owned(),
    ] {
        let assertion = world.assertion().raw_payload(format!("{payload}{value}}}"));
        assert_refused(&world, &assertion, "claims_malformed").await;
    }
    let open = world.assertion().raw_payload("[".repeat(10_000));
    assert_refused(&world, &open, "claims_malformed").await;
    let header = world.assertion().raw_header("[".repeat(3000));
    assert_refused(&world, &header, "header_unacceptable").await;
    // More than a form may carry.
    let brackets = world.assertion().raw_payload("[".repeat(100_000)).sign();
    assert_eq!(world.server.grant(&world.acme, &brackets).await.status, 413);
    let sound = format!("{payload},\"x\":{}}}", nested(14));
    let sound = world.assertion().raw_payload(sound).sign();
    assert_eq!(world.server.grant(&world.acme, &sound).await.status, 200);
}

#[tokio::test]
async fn c8_long_assertions_headers_and_signatures_are_refused() {
    let world = World::start().await;
    let text = "x".repeat(4000);
    let long = ["a", "b", "c"]
        .iter()
        .fold(world.assertion(), |assertion, name| {
            assertion.claim(name, text.as_str())
        });
    assert_text_refused(&world, &long.sign(), "assertion_malformed").await;
    let header = world.assertion().header("x", "y".repeat(4096));
    assert_text_refused(&world, &header.sign(), "assertion_malformed").await;
    let signature = world.assertion().signature(vec![1; 1025]);
    assert_text_refused(&world, &signature.sign(), "assertion_malformed").await;
    let fits = world.assertion().claim("a", text).sign();
    assert_eq!(world.server.grant(&world.acme, &fits).await.status, 200);
}

#[tokio::test]
async fn c21_a_payload_that_is_not_an_object_is_refused() {
    let world = World::start().await;
    for payload in ["[]", "\"x\"", "1", "null", "true", "{", "", " "] {
        let assertion = world.assertion().raw_payload(payload);
        let reason = if payload.is_empty() {
            "assertion_malformed"
        } else {
            "claims_malformed"
        };
        assert_refused(&world, &assertion, reason).await;
    }
}

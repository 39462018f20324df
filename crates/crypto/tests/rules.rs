//! The rules for compact JWS (`conformance.md` C1 to C17), one test each.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use countersign_crypto::json::JsonRefusal;
use countersign_crypto::{
    JwsRefusal, JwsSigner, Segment, SigningAlgorithm, SigningKey, TokenType, UnverifiedJws,
    VerifyingKey, b64,
};

const CLAIMS: &str = r#"{"iss":"a","sub":"a"}"#;

/// A token with any header and payload, correctly signed.
fn signed(key: &SigningKey, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let input = format!("{}.{}", b64::encode(header), b64::encode(payload));
    let signature = b64::encode(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn key() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256)
}

fn verifying(key: &SigningKey) -> VerifyingKey {
    VerifyingKey::new(key.public_key().clone(), key.algorithm().algorithm()).unwrap()
}

fn refusal(token: &str) -> JwsRefusal {
    UnverifiedJws::parse(token).expect_err("a refusal")
}

/// The refusal of a correctly signed token with this header.
fn header_refusal(header: impl AsRef<[u8]>) -> JwsRefusal {
    refusal(&signed(&key(), header, CLAIMS))
}

/// The refusal of a header that adds these members to an acceptable one.
fn member_refusal(members: &str) -> JwsRefusal {
    header_refusal(format!(r#"{{"alg":"ES256",{members}}}"#))
}

#[test]
fn a_proper_token_is_accepted() {
    let key = key();
    let token = JwsSigner::new(key.clone(), Some("JWT"), Some("k1")).sign(CLAIMS.as_bytes());
    let jws = UnverifiedJws::parse(&token).unwrap();
    assert_eq!(
        (jws.header().kid(), jws.header().token_type()),
        (Some("k1"), &TokenType::Jwt)
    );
    assert_eq!(jws.peek_claims().unwrap().text("iss"), Some("a"));
    let verified = jws.verify(&verifying(&key)).unwrap();
    assert_eq!(verified.claims().unwrap().text("sub"), Some("a"));
    let input = token.rsplit_once('.').unwrap().0;
    assert_eq!(
        verified.signing_input().digest(),
        countersign_crypto::sha256(&[input.as_bytes()])
    );
}

#[test]
fn another_candidate_can_be_tried_after_one_has_failed() {
    let (mine, other) = (key(), key());
    let token = signed(&mine, r#"{"alg":"ES256"}"#, CLAIMS);
    let jws = UnverifiedJws::parse(&token).unwrap();
    let jws = jws.verify(&verifying(&other)).unwrap_err();
    jws.verify(&verifying(&mine)).unwrap();
}

#[test]
fn c1_other_than_three_non_empty_segments_is_refused() {
    let token = signed(&key(), r#"{"alg":"ES256"}"#, CLAIMS);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for (text, count) in [
        (String::new(), 1),
        (header.to_owned(), 1),
        (format!("{header}.{payload}"), 2),
        (format!("{token}."), 4),
        (format!("{token}.{signature}.{signature}"), 5),
    ] {
        assert_eq!(refusal(&text), JwsRefusal::SegmentCount { count });
    }
    let empty = |segment| JwsRefusal::SegmentEmpty { segment };
    assert_eq!(
        refusal(&format!(".{payload}.{signature}")),
        empty(Segment::Header)
    );
    assert_eq!(
        refusal(&format!("{header}..{signature}")),
        empty(Segment::Payload)
    );
    assert_eq!(
        refusal(&format!("{header}.{payload}.")),
        empty(Segment::Signature)
    );
    assert_eq!(refusal("").code(), "assertion_malformed");
}

#[test]
fn c2_json_serialization_is_refused() {
    let token = signed(&key(), r#"{"alg":"ES256"}"#, CLAIMS);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let flat =
        format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#);
    assert_eq!(refusal(&flat), JwsRefusal::CharacterNotAllowed);
    for foreign in ['"', '{', '~', '%', ':', '\0', 'é', '\u{202e}'] {
        assert_eq!(
            refusal(&format!("{token}{foreign}")),
            JwsRefusal::CharacterNotAllowed
        );
    }
}

#[test]
fn c3_padding_white_space_and_the_other_alphabet_are_refused() {
    let token = signed(&key(), r#"{"alg":"ES256"}"#, CLAIMS);
    for foreign in ['=', '+', '/', ' ', '\t', '\r', '\n', '?'] {
        for at in [0, 5, token.find('.').unwrap(), token.len()] {
            let mut changed = token.clone();
            changed.insert(at, foreign);
            assert_eq!(
                refusal(&changed),
                JwsRefusal::CharacterNotAllowed,
                "{foreign:?} at {at}"
            );
        }
    }
}

#[test]
fn c4_non_canonical_trailing_bits_are_refused() {
    // 22 octets of header, 21 + 1 of payload and 64 of signature all leave unused bits in the last character.
    let token = signed(
        &key(),
        r#"{"alg":"ES256","a":1}  "#,
        r#"{"iss":"a","sub":"a"} "#,
    );
    let segments = token.split('.').collect::<Vec<_>>();
    for (index, segment) in [Segment::Header, Segment::Payload, Segment::Signature]
        .into_iter()
        .enumerate()
    {
        let text = segments[index];
        assert_ne!(text.len() % 4, 0, "{segment} has unused bits");
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = alphabet.find(text.chars().last().unwrap()).unwrap();
        let last = alphabet.chars().nth(value | 1).unwrap();
        let changed = format!("{}{last}", &text[..text.len() - 1]);
        assert_ne!(changed, text);
        let mut segments = segments.clone();
        segments[index] = &changed;
        assert_eq!(
            refusal(&segments.join(".")),
            JwsRefusal::SegmentNotCanonical { segment }
        );
    }
}

#[test]
fn c5_a_header_other_than_a_utf8_object_is_refused() {
    let not_strict = |json| JwsRefusal::HeaderNotStrict { json };
    for header in ["[]", "[\"alg\"]", "\"ES256\"", "1", "null", "true"] {
        assert_eq!(
            header_refusal(header),
            not_strict(JsonRefusal::NotAnObject),
            "{header}"
        );
    }
    assert_eq!(
        header_refusal("\u{feff}{\"alg\":\"ES256\"}"),
        not_strict(JsonRefusal::ByteOrderMark)
    );
    assert_eq!(
        header_refusal(b"{\"alg\":\"ES256\",\"a\":\"\xc3\"}"),
        not_strict(JsonRefusal::NotUtf8)
    );
    for to_octets in [u16::to_be_bytes, u16::to_le_bytes] {
        let utf16 = r#"{"alg":"ES256"}"#.encode_utf16().flat_map(to_octets).collect::<Vec<_>>();
        assert_eq!(header_refusal(utf16).code(), "header_unacceptable");
    }
    assert_eq!(
        header_refusal(r#"{"alg":"ES256"} x"#),
        not_strict(JsonRefusal::Malformed)
    );
}

#[test]
fn c6_duplicate_members_are_refused() {
    let duplicate = |name: &str| JsonRefusal::DuplicateMember { name: name.into() };
    for header in [
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","al\u0067":"ES256"}"#,
    ] {
        assert_eq!(
            header_refusal(header),
            JwsRefusal::HeaderNotStrict {
                json: duplicate("alg")
            }
        );
    }
    let key = key();
    let payloads = [
        (r#"{"aud":"a","a\u0075d":"b"}"#, "aud"),
        (r#"{"cnf":{"jkt":"a","jkt":"b"}}"#, "jkt"),
        (r#"{"act":{"act":{"sub":1,"sub":1}}}"#, "sub"),
    ];
    for (payload, name) in payloads {
        let token = signed(&key, r#"{"alg":"ES256"}"#, payload);
        // The caller hears of claims only once the signature has verified.
        let verified = UnverifiedJws::parse(&token)
            .unwrap()
            .verify(&verifying(&key))
            .unwrap();
        assert_eq!(verified.claims().unwrap_err(), &duplicate(name));
    }
}

#[test]
fn c7_deep_wide_and_long_json_is_refused() {
    let deep = format!(
        r#"{{"alg":"ES256","a":{}{}}}"#,
        "[".repeat(16),
        "]".repeat(16)
    );
    assert_eq!(
        header_refusal(deep),
        JwsRefusal::HeaderNotStrict {
            json: JsonRefusal::TooDeep
        }
    );
    let wide = (0..65)
        .map(|index| format!(r#""m{index}":0"#))
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(
        member_refusal(&wide),
        JwsRefusal::HeaderNotStrict {
            json: JsonRefusal::TooManyMembers
        }
    );
    let payload = format!(r#"{{"a":"{}"}}"#, "x".repeat(4097));
    let token = signed(&key(), r#"{"alg":"ES256"}"#, payload);
    assert_eq!(
        UnverifiedJws::parse(&token)
            .unwrap()
            .peek_claims()
            .unwrap_err(),
        &JsonRefusal::StringTooLong
    );
    for number in ["1e400", "123456789012345678901"] {
        assert_eq!(
            member_refusal(&format!(r#""a":{number}"#)).code(),
            "header_unacceptable"
        );
    }
}

#[test]
fn c8_long_tokens_headers_and_signatures_are_refused() {
    assert_eq!(refusal(&"a".repeat(16 * 1024 + 1)), JwsRefusal::TooLong);
    assert_eq!(
        refusal(&"a".repeat(16 * 1024)),
        JwsRefusal::SegmentCount { count: 1 }
    );
    let padded = |length: usize| format!(r#"{{"alg":"ES256"{}}}"#, " ".repeat(length - 15));
    assert!(UnverifiedJws::parse(&signed(&key(), padded(4096), CLAIMS)).is_ok());
    assert_eq!(header_refusal(padded(4097)), JwsRefusal::HeaderTooLong);
    let token = signed(&key(), r#"{"alg":"ES256"}"#, CLAIMS);
    let input = token.rsplit_once('.').unwrap().0;
    assert!(UnverifiedJws::parse(&format!("{input}.{}", b64::encode([1; 1024]))).is_ok());
    assert_eq!(
        refusal(&format!("{input}.{}", b64::encode([1; 1025]))),
        JwsRefusal::SignatureTooLong
    );
}

#[test]
fn c9_a_missing_or_mistyped_alg_is_refused() {
    assert_eq!(header_refusal("{}"), JwsRefusal::AlgorithmMissing);
    assert_eq!(
        header_refusal(r#"{"ALG":"ES256"}"#),
        JwsRefusal::AlgorithmMissing
    );
    for alg in ["null", "1", "[\"ES256\"]", "{}", "true"] {
        assert_eq!(
            header_refusal(format!(r#"{{"alg":{alg}}}"#)),
            JwsRefusal::AlgorithmNotText
        );
    }
    assert_eq!(JwsRefusal::AlgorithmMissing.code(), "header_unacceptable");
}

#[test]
fn c10_alg_none_is_refused_however_it_is_written() {
    for alg in [
        "none",
        "None",
        "nOnE",
        "NONE ",
        "none\\u0000",
        "",
        " ES256",
        "es256",
        "ES256\\n",
    ] {
        let refused = header_refusal(format!(r#"{{"alg":"{alg}"}}"#));
        assert_eq!(refused, JwsRefusal::AlgorithmNotAllowed, "{alg:?}");
        assert_eq!(refused.code(), "algorithm_not_allowed");
    }
}

#[test]
fn c11_symmetric_algorithms_are_refused() {
    let key = key();
    let public = key.public_key();
    let secrets = [
        public.to_pem().into_bytes(),
        public.spki_der().to_vec(),
        public.to_jwk("k", None).to_string().into_bytes(),
    ];
    for alg in ["HS256", "HS384", "HS512", "ES256K", "RSA1_5", "dir"] {
        let input = format!(
            "{}.{}",
            b64::encode(format!(r#"{{"alg":"{alg}"}}"#)),
            b64::encode(CLAIMS)
        );
        for secret in &secrets {
            let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
            let tag = b64::encode(aws_lc_rs::hmac::sign(&mac, input.as_bytes()));
            assert_eq!(
                refusal(&format!("{input}.{tag}")),
                JwsRefusal::AlgorithmNotAllowed,
                "{alg}"
            );
        }
    }
}

#[test]
fn c12_any_crit_is_refused() {
    for crit in [
        r#"["exp"]"#,
        "[]",
        r#""alg""#,
        "null",
        r#"["alg"]"#,
        r#"["a","a"]"#,
    ] {
        assert_eq!(
            member_refusal(&format!(r#""crit":{crit},"exp":1"#)),
            JwsRefusal::CriticalExtension,
            "{crit}"
        );
    }
}

#[test]
fn c13_b64_is_refused() {
    for b64 in ["true", "false", "null"] {
        assert_eq!(
            member_refusal(&format!(r#""b64":{b64}"#)),
            JwsRefusal::UnencodedPayload
        );
    }
    assert_eq!(
        member_refusal(r#""b64":false,"crit":["b64"]"#),
        JwsRefusal::CriticalExtension
    );
}

#[test]
fn c14_compressed_and_nested_tokens_are_refused() {
    assert_eq!(member_refusal(r#""zip":"DEF""#), JwsRefusal::Compressed);
    for cty in [r#""JWT""#, r#""jwt""#, r#""application/jwt""#, "1", "null"] {
        assert_eq!(
            member_refusal(&format!(r#""cty":{cty}"#)),
            JwsRefusal::NestedToken,
            "{cty}"
        );
    }
    assert!(
        UnverifiedJws::parse(&signed(&key(), r#"{"alg":"ES256","cty":"json"}"#, CLAIMS)).is_ok()
    );
}

#[test]
fn c15_embedded_and_referenced_keys_are_refused() {
    let key = key();
    let jwk = key.public_key().to_jwk("k", None).to_string();
    let url = r#""https://127.0.0.1/jwks""#;
    let parameters = [
        ("jwk", jwk.as_str()),
        ("jku", url),
        ("x5u", url),
        ("x5c", "[]"),
        ("x5t", "\"\""),
        ("x5t#S256", "\"\""),
    ];
    for (parameter, value) in parameters {
        let token = signed(
            &key,
            format!(r#"{{"alg":"ES256","{parameter}":{value}}}"#),
            CLAIMS,
        );
        assert_eq!(refusal(&token), JwsRefusal::EmbeddedKey { parameter });
    }
}

#[test]
fn c16_the_type_is_kept_for_the_decision() {
    let token_type = |typ: &str| {
        let token = signed(
            &key(),
            format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#),
            CLAIMS,
        );
        UnverifiedJws::parse(&token)
            .unwrap()
            .header()
            .token_type()
            .clone()
    };
    assert_eq!(token_type("application/AT+jwt"), TokenType::AccessToken);
    assert_eq!(
        token_type("client-authentication+jwt"),
        TokenType::ClientAuthentication
    );
    for typ in [
        "dpop+jwt",
        "secevent+jwt",
        "logout+jwt",
        "token-introspection+jwt",
        "JOSE+JSON",
        "JOSE",
    ] {
        assert_eq!(token_type(typ), TokenType::Other(typ.to_owned()));
    }
    for typ in ["null", "1", "[\"JWT\"]"] {
        assert_eq!(
            member_refusal(&format!(r#""typ":{typ}"#)),
            JwsRefusal::TypeNotText
        );
    }
}

#[test]
fn c17_a_kid_that_is_no_short_plain_string_is_refused() {
    let long = format!("\"{}\"", "k".repeat(257));
    for kid in [
        "1",
        "null",
        "[]",
        r#""a\u0000""#,
        r#""a\nb""#,
        r#""a\u007f""#,
        r#""a\u0085""#,
        &long,
    ] {
        assert_eq!(
            member_refusal(&format!(r#""kid":{kid}"#)),
            JwsRefusal::KidUnacceptable,
            "{kid}"
        );
    }
    for kid in [
        "' OR 1=1--",
        "../../x",
        "${jndi:ldap://x}",
        "🔑",
        "\u{202e}kid",
        "",
        &"k".repeat(256),
    ] {
        let header = serde_json::json!({ "alg": "ES256", "kid": kid }).to_string();
        let token = signed(&key(), header, CLAIMS);
        assert_eq!(
            UnverifiedJws::parse(&token).unwrap().header().kid(),
            Some(kid)
        );
    }
}

#[test]
fn c23_unknown_parameters_are_ignored() {
    let token = signed(&key(), r#"{"alg":"ES256","foo":{"bar":[1]}}"#, CLAIMS);
    assert!(UnverifiedJws::parse(&token).is_ok());
}

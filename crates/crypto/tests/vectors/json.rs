//! Strict JSON against JSONTestSuite, alone, as a header and as a payload.

use std::time::{Duration, Instant};

use countersign_crypto::json::{JsonRefusal, Limits, StrictObject};
use countersign_crypto::{JwsRefusal, UnverifiedJws, b64};

use crate::support;

/// Valid JSON that our rules refuse: duplicate members, and a number of 80 digits.
const VALID_BUT_REFUSED: [&str; 3] = [
    "y_number_double_close_to_zero.json",
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
];

fn documents(folder: &str) -> Vec<(String, Vec<u8>)> {
    let Some(path) = support::path(&format!("jsontestsuite/{folder}")) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut documents = entries
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect::<Vec<_>>();
    documents.sort();
    support::counted(folder, documents.len());
    documents
}

fn around(before: &str, document: &[u8]) -> Vec<u8> {
    [before.as_bytes(), document, b"}"].concat()
}

/// Reads the document alone, as a member of a payload, and as a member of a header.
fn read(document: &[u8]) -> [Result<(), String>; 3] {
    let parse = |text: &[u8]| {
        StrictObject::parse(text, Limits::TOKEN)
            .map(|_| ())
            .map_err(|refused| refused.to_string())
    };
    let header = b64::encode(around(r#"{"alg":"ES256","v":"#, document));
    let token = format!("{header}.{}.{}", b64::encode("{}"), b64::encode([0; 64]));
    let header = UnverifiedJws::parse(&token)
        .map(|_| ())
        .map_err(|refused| refused.to_string());
    [
        parse(document),
        parse(&around(r#"{"v":"#, document)),
        header,
    ]
}

#[test]
fn valid_documents_within_the_limits_are_read() {
    for (name, document) in documents("test_parsing")
        .into_iter()
        .filter(|(name, _)| name.starts_with('y'))
    {
        let [alone, payload, header] = read(&document);
        let expected = !VALID_BUT_REFUSED.contains(&name.as_str());
        let is_object = document.trim_ascii().starts_with(b"{");
        assert_eq!(alone.is_ok(), expected && is_object, "{name} {alone:?}");
        assert_eq!(payload.is_ok(), expected, "{name} {payload:?}");
        assert_eq!(header.is_ok(), expected, "{name} {header:?}");
    }
}

#[test]
fn invalid_and_ambiguous_documents_are_refused() {
    for (name, document) in documents("test_parsing")
        .into_iter()
        .filter(|(name, _)| !name.starts_with('y'))
    {
        let [alone, payload, header] = read(&document);
        assert!(
            alone.is_err() && payload.is_err() && header.is_err(),
            "{name}"
        );
    }
}

#[test]
fn documents_that_readers_understand_differently_are_refused_when_they_repeat_a_name() {
    for (name, document) in documents("test_transform") {
        if name.starts_with("object_same_key") {
            let refused = StrictObject::parse(&document, Limits::TOKEN).unwrap_err();
            assert!(
                matches!(refused, JsonRefusal::DuplicateMember { .. }),
                "{name}"
            );
        }
    }
}

#[test]
fn deep_nesting_is_refused_within_five_milliseconds() {
    let unbounded = Limits {
        octets: usize::MAX,
        ..Limits::TOKEN
    };
    for (name, document) in documents("test_parsing")
        .into_iter()
        .filter(|(_, document)| document.len() > 90_000)
    {
        let nested = around(r#"{"v":"#, &document);
        let token = format!(
            "{}.{}.{}",
            b64::encode(r#"{"alg":"ES256"}"#),
            b64::encode(&nested),
            b64::encode([0; 64])
        );
        let start = Instant::now();
        assert_eq!(
            StrictObject::parse(&nested, unbounded).unwrap_err(),
            JsonRefusal::TooDeep,
            "{name}"
        );
        assert_eq!(
            UnverifiedJws::parse(&token).unwrap_err(),
            JwsRefusal::TooLong,
            "{name}"
        );
        assert!(
            start.elapsed() < Duration::from_millis(5),
            "{name} took {:?}",
            start.elapsed()
        );
    }
}

//! What is told of a value that somebody else has written: little of it, and nothing that is a secret.

use std::borrow::Cow;
use std::fmt;

use countersign_crypto::import::has_private_key;

use crate::api_tokens::PREFIX;

/// The longest text that is told of what was seen, in characters.
const LONGEST_SEEN: usize = 120;

/// The longest text that is told of what was expected, in characters: it may list what a configuration has.
const LONGEST_EXPECTED: usize = 1000;

/// How much of a value is kept until somebody reads it, in octets: every private key is recognized by that much.
const KEPT: usize = 8 * 1024;

/// How a JSON object begins in base64url: the header of a token, with or without white space after the brace.
const OBJECTS: [&str; 5] = ["eyJ", "eyA", "ewo", "ewk", "ew0"];

/// The shortest text after such a beginning that is taken for a token, in characters.
const TOKEN_TAIL: usize = 12;

/// The same where no dot follows: the rest of the token may have been cut off.
const CUT_TOKEN_TAIL: usize = 56;

/// A text of others. It is shortened when it is made; whether there is a secret in it is looked at when it is read, so
/// that a refusal takes no longer for it (conformance D11).
#[derive(Clone, Debug, Default)]
pub struct Told(String);

impl Told {
    /// Whether there is nothing to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was expected: the same rules, with more room.
    #[must_use]
    pub fn expected(&self) -> String {
        self.at_most(LONGEST_EXPECTED)
    }

    fn at_most(&self, characters: usize) -> String {
        if has_private_key(&self.0) {
            return "a private key, which is not shown".to_owned();
        }
        let text = without_tokens(&self.0);
        match text.char_indices().nth(characters) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text.into_owned(),
        }
    }
}

impl From<&str> for Told {
    fn from(text: &str) -> Self {
        Self(text[..text.floor_char_boundary(KEPT)].to_owned())
    }
}

impl From<String> for Told {
    fn from(mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(KEPT));
        Self(text)
    }
}

/// What was seen: at most 120 characters.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at_most(LONGEST_SEEN))
    }
}

/// The text with a remark in place of each word that is shaped like a JWS or an API token.
fn without_tokens(text: &str) -> Cow<'_, str> {
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.split(|c| !of_token(c)).any(is_token) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(of_token) {
        let (before, word) = rest.split_at(begin);
        let (word, after) = word.split_at(word.find(|c| !of_token(c)).unwrap_or(word.len()));
        masked.push_str(before);
        masked.push_str(if is_token(word) {
            "(a token, which is not shown)"
        } else {
            word
        });
        rest = after;
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

fn is_token(word: &str) -> bool {
    let tail = if word.contains('.') {
        TOKEN_TAIL
    } else {
        CUT_TOKEN_TAIL
    };
    let follows = |mark: &str, length: usize| {
        word.find(mark)
            .is_some_and(|at| word.len() >= at + mark.len() + length)
    };
    OBJECTS.into_iter().any(|mark| follows(mark, tail)) || follows(PREFIX, TOKEN_TAIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWS: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";

    #[test]
    fn o2_a_token_is_not_told_wherever_it_stands() {
        let spaced = "ewogICJhbGciOiAiRVMyNTYiCn0.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";
        let api = "cst_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHI";
        for secret in [JWS, spaced, api, &JWS[..34].repeat(3)] {
            for text in [
                secret.to_owned(),
                format!("x{secret}"),
                format!("iss {secret}, sub {secret}"),
                format!("https://example.com/?token={secret}&x"),
                format!("{{\"token\":\"{secret}\"}}"),
                format!("é {secret}"),
            ] {
                let told = Told::from(text.as_str()).to_string();
                assert!(told.contains("not shown"), "{told}");
                assert!(!told.contains(&secret[4..20]), "{told}");
            }
        }
    }

    #[test]
    fn o2_a_private_key_is_not_told_however_long_the_text() {
        let key = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
        let modulus = "A".repeat(1400);
        let jwk = format!(r#"{{"d":"secret","n":"{modulus}","kty":"RSA"}}"#);
        for text in [key.to_owned(), format!("{key}{}", "x".repeat(60_000)), jwk] {
            let told = Told::from(text.as_str()).to_string();
            assert_eq!(told, "a private key, which is not shown");
        }
    }

    #[test]
    fn what_is_no_secret_is_told_as_it_is_up_to_its_limit() {
        for text in [
            "",
            "svc@acme",
            "https://auth.example.com/t/tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7",
            "eyes.of.newt",
            "payments-v1:accounts:rw cards-v1:cards:r",
            "1795467600, that is -3 s from now",
        ] {
            assert_eq!(Told::from(text).to_string(), text);
        }
        let long = Told::from("é".repeat(20_000));
        assert_eq!(long.to_string(), format!("{}…", "é".repeat(120)));
        assert_eq!(long.expected(), format!("{}…", "é".repeat(1000)));
    }
}

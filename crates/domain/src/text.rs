//! Free text that people write and other people read.

use countersign_crypto::import::has_private_key;
use serde::{Deserialize, Serialize};

/// The beginning of a value, safe to repeat in an answer to the one who sent it.
pub(crate) fn excerpt(text: &str) -> String {
    if has_private_key(text) {
        return "a private key".to_owned();
    }
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Why a free text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedText {
    /// Has a control character or a character that changes the direction of the text.
    #[error("has a control or text-direction character; write plain text")]
    Character,
    /// Is empty or only white space.
    #[error("is empty")]
    Empty,
    /// Has a private key in it.
    #[error(
        "has a private key in it, which was not stored; keep it on the server that signs and tell nobody"
    )]
    PrivateKey,
    /// Is longer than its field allows.
    #[error("is too long")]
    TooLong,
}

/// Declares a free text with a longest length in characters; `lines` allows line feeds.
macro_rules! free_text {
    ($($(#[$doc:meta])* $name:ident, max $max:literal, lines $lines:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Parses the text; white space around it is dropped.
            ///
            /// # Errors
            /// [`MalformedText`], one variant per rule.
            pub fn parse(text: &str) -> Result<Self, MalformedText> {
                check(text.trim(), $max, $lines).map(|sound| Self(sound.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedText;

            fn try_from(text: String) -> Result<Self, MalformedText> {
                Self::parse(&text)
            }
        }
    )*};
}

free_text! {
    /// A name of something: one line, at most 100 characters.
    Label, max 100, lines false;
    /// A longer remark: several lines, at most 2,000 characters.
    Note, max 2000, lines true;
}

fn check(text: &str, max: usize, lines: bool) -> Result<&str, MalformedText> {
    if text.is_empty() {
        return Err(MalformedText::Empty);
    }
    if text.chars().count() > max {
        return Err(if text.contains("PRIVATE KEY-----") {
            MalformedText::PrivateKey
        } else {
            MalformedText::TooLong
        });
    }
    if has_private_key(text) {
        return Err(MalformedText::PrivateKey);
    }
    if text
        .chars()
        .any(|c| (c.is_control() && !(lines && c == '\n')) || reorders(c))
    {
        return Err(MalformedText::Character);
    }
    Ok(text)
}

/// Characters that make text read differently from what it is (UAX #9, and invisible joiners).
const fn reorders(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{061C}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_pasted_into_a_remark_is_refused() {
        let pasted = "see below\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE";
        assert_eq!(Note::parse(pasted), Err(MalformedText::PrivateKey));
        assert!(Note::parse("the private key is on srv-3").is_ok());
        let bare = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
        assert_eq!(Label::parse(bare), Err(MalformedText::PrivateKey));
    }

    #[test]
    fn direction_and_control_characters_are_refused() {
        assert_eq!(
            Label::parse("pay\u{202E}ments"),
            Err(MalformedText::Character)
        );
        assert_eq!(Label::parse("a\nb"), Err(MalformedText::Character));
        assert_eq!(Note::parse("a\u{1b}[31mb"), Err(MalformedText::Character));
        assert!(Note::parse("a\nb").is_ok());
        assert_eq!(Label::parse("  "), Err(MalformedText::Empty));
        assert_eq!(Label::parse(&"é".repeat(101)), Err(MalformedText::TooLong));
        assert_eq!(
            Label::parse(" Olá, 支払い ").unwrap().as_str(),
            "Olá, 支払い"
        );
    }
}

//! The values of `iss`, `sub` and `aud`: an ID or a URL, compared as plain strings.

use std::fmt;
use std::sync::Arc;

use countersign_crypto::import::has_private_key;
use serde::{Deserialize, Serialize};

/// The longest accepted issuer, subject or audience, in bytes.
pub const MAX_IDENTIFIER_BYTES: usize = 512;

/// An issuer, subject or audience (RFC 7519 `StringOrURI`), compared by simple string comparison.
///
/// It is printable ASCII without spaces: look-alike characters of other alphabets, control characters and white space
/// at the ends have no place in a value on which trust is decided.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Identifier(Arc<str>);

/// Why a text cannot be an [`Identifier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedIdentifier {
    /// Has a character outside printable ASCII.
    #[error(
        "has a character that is not printable ASCII; spaces, accents and look-alikes are not allowed"
    )]
    Character,
    /// Is empty.
    #[error("is empty")]
    Empty,
    /// Has a private key in it.
    #[error(
        "has a private key in it, which was not stored; keep it on the server that signs and tell nobody"
    )]
    PrivateKey,
    /// Is longer than [`MAX_IDENTIFIER_BYTES`].
    #[error("is longer than 512 characters")]
    TooLong,
    /// Contains a colon but is not a URI (RFC 7519 §2).
    #[error(
        "contains ':' but is not a URI; a value with ':' must be an absolute URI such as https://example.com/a"
    )]
    Uri,
}

impl Identifier {
    /// Parses an issuer, subject or audience.
    ///
    /// # Errors
    /// [`MalformedIdentifier`], one variant per rule.
    pub fn parse(text: &str) -> Result<Self, MalformedIdentifier> {
        if text.is_empty() {
            return Err(MalformedIdentifier::Empty);
        }
        if text.len() > MAX_IDENTIFIER_BYTES {
            return Err(MalformedIdentifier::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MalformedIdentifier::Character);
        }
        if let Some((scheme, rest)) = text.split_once(':')
            && (rest.is_empty() || !is_scheme(scheme))
        {
            return Err(MalformedIdentifier::Uri);
        }
        if has_private_key(text) {
            return Err(MalformedIdentifier::PrivateKey);
        }
        Ok(Self(text.into()))
    }

    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 3986 §3.1: `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for Identifier {
    type Error = MalformedIdentifier;

    fn try_from(text: String) -> Result<Self, MalformedIdentifier> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_urls_are_accepted() {
        for text in [
            "svc@acme",
            "https://as.example/t/1",
            "urn:example:1",
            "spiffe://td/ns/a",
            "a",
        ] {
            assert!(Identifier::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn homographs_controls_and_blanks_are_refused() {
        assert_eq!(
            Identifier::parse("аcme"),
            Err(MalformedIdentifier::Character)
        );
        assert_eq!(
            Identifier::parse("a b"),
            Err(MalformedIdentifier::Character)
        );
        assert_eq!(
            Identifier::parse("a\r\nb"),
            Err(MalformedIdentifier::Character)
        );
        assert_eq!(Identifier::parse(""), Err(MalformedIdentifier::Empty));
        assert_eq!(Identifier::parse("1:x"), Err(MalformedIdentifier::Uri));
        assert_eq!(
            Identifier::parse(&"a".repeat(513)),
            Err(MalformedIdentifier::TooLong)
        );
    }
}

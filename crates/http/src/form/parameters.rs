//! The grammar of a form, by itself: no HTTP, so that it can be fuzzed by itself.

use std::borrow::Cow;

/// The most parameters.
const MAX_PARAMETERS: usize = 100;

/// The one parameter that may be repeated (RFC 8707 §2).
const REPEATABLE: &str = "resource";

/// Why a body is not a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A parameter is not percent-encoded UTF-8, or has a NUL.
    Encoding,
    /// There are more parameters than anybody needs.
    TooMany,
    /// A parameter is sent twice (RFC 6749 §3.2).
    Twice,
}

impl Malformed {
    /// What is wrong, for the developer of the caller.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Encoding => "A parameter is not well-formed percent-encoded UTF-8.",
            Self::TooMany => "The form has more than 100 parameters.",
            Self::Twice => "A parameter is sent twice.",
        }
    }
}

/// A parameter's name and value; borrowed from the body unless something had to be decoded.
pub(crate) type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Takes a body apart; empty parameters are left out (RFC 6749 §3.2).
///
/// # Errors
/// [`Malformed`], the first rule that it breaks.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Parameter<'_>>, Malformed> {
    let mut seen: Vec<Parameter<'_>> = Vec::with_capacity(8);
    let mut rest = Some(body);
    while let Some(all) = rest {
        let (pair, later) = cut(all, b'&');
        rest = later;
        if pair.is_empty() {
            continue;
        }
        if seen.len() == MAX_PARAMETERS {
            return Err(Malformed::TooMany);
        }
        let (name, value) = cut(pair, b'=');
        let (name, value) = (decode(name)?, decode(value.unwrap_or_default())?);
        if name != REPEATABLE && seen.iter().any(|(known, _)| *known == name) {
            return Err(Malformed::Twice);
        }
        seen.push((name, value));
    }
    seen.retain(|(_, value)| !value.is_empty());
    Ok(seen)
}

/// What stands before the first `separator`, and what stands behind it if there is one.
fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Percent-decoding, once and without mercy.
fn decode(text: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    // An assertion, by far the longest value, has nothing to decode.
    let is_plain = |octet: u8| octet.is_ascii() & (octet != b'%') & (octet != b'+') & (octet != 0);
    if text
        .iter()
        .fold(true, |plain, octet| plain & is_plain(*octet))
    {
        let text = std::str::from_utf8(text).map_err(|_| Malformed::Encoding)?;
        return Ok(Cow::Borrowed(text));
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex_digit).ok_or(Malformed::Encoding)?;
                let low = rest.next().and_then(hex_digit).ok_or(Malformed::Encoding)?;
                high << 4 | low
            }
            other => *other,
        });
    }
    if octets.contains(&0) {
        return Err(Malformed::Encoding);
    }
    let text = String::from_utf8(octets).map_err(|_| Malformed::Encoding)?;
    Ok(Cow::Owned(text))
}

fn hex_digit(octet: &u8) -> Option<u8> {
    char::from(*octet)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

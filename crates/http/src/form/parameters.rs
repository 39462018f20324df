//! The grammar of a form, by itself: no HTTP, so that it can be fuzzed by itself.

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

/// Takes a body apart; empty parameters are left out (RFC 6749 §3.2).
///
/// # Errors
/// [`Malformed`], the first rule that it breaks.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut seen: Vec<(String, String)> = Vec::with_capacity(8);
    for pair in body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        if seen.len() == MAX_PARAMETERS {
            return Err(Malformed::TooMany);
        }
        let split = pair
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(pair.len());
        let (name, value) = (
            decode(&pair[..split])?,
            decode(pair.get(split + 1..).unwrap_or_default())?,
        );
        if name != REPEATABLE && seen.iter().any(|(known, _)| *known == name) {
            return Err(Malformed::Twice);
        }
        seen.push((name, value));
    }
    seen.retain(|(_, value)| !value.is_empty());
    Ok(seen)
}

/// Percent-decoding, once and without mercy.
fn decode(text: &[u8]) -> Result<String, Malformed> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        octets.push(match byte {
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
    String::from_utf8(octets).map_err(|_| Malformed::Encoding)
}

fn hex_digit(byte: &u8) -> Option<u8> {
    char::from(*byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

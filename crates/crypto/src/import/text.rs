//! Undoing what mail, shells, spreadsheets and JSON do to a pasted key, and saying so.

use zeroize::Zeroizing;

use super::refusal::ImportRefusal;

/// Something that was repaired, or left out, on the way in. It never changes which key results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Repair {
    /// The whole PEM text was wrapped in base64 once more, as in a Kubernetes secret.
    Base64Wrapped,
    /// A byte order mark, or UTF-16.
    ByteOrderMark,
    /// BEGIN or END had another number of dashes, or their labels differed.
    DamagedArmour,
    /// `\n` written as two characters.
    EscapedNewlines,
    /// A key of a set whose `kty` is unknown was left out (RFC 7517 §5).
    IgnoredUnknownKeyType,
    /// Spaces or blank lines around the lines.
    Indentation,
    /// A key on one line, or a line broken in two.
    LineBreaks,
    /// CR or CRLF.
    LineEndings,
    /// The BEGIN line, the END line or both.
    MissingArmour,
    /// Quotation marks around the whole, or escaped ones inside.
    Quotes,
    /// White space before or after the whole.
    SurroundingSpace,
    /// Other text before BEGIN or after END.
    SurroundingText,
    /// The label of the PEM armour belongs to another format than the content.
    WrongLabel,
}

impl Repair {
    /// The stable name of the repair.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Base64Wrapped => "base64_wrapped",
            Self::ByteOrderMark => "byte_order_mark",
            Self::DamagedArmour => "damaged_armour",
            Self::EscapedNewlines => "escaped_newlines",
            Self::IgnoredUnknownKeyType => "ignored_unknown_key_type",
            Self::Indentation => "indentation",
            Self::LineBreaks => "line_breaks",
            Self::LineEndings => "line_endings",
            Self::MissingArmour => "missing_armour",
            Self::Quotes => "quotes",
            Self::SurroundingSpace => "surrounding_space",
            Self::SurroundingText => "surrounding_text",
            Self::WrongLabel => "wrong_label",
        }
    }

    /// A sentence for the person who pasted the key.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Base64Wrapped => "The file was encoded in base64 once more; it was decoded.",
            Self::ByteOrderMark => "A byte order mark or UTF-16 encoding was removed.",
            Self::DamagedArmour => "The BEGIN and END lines were damaged and were read as meant.",
            Self::EscapedNewlines => "\\n in the text was turned into line breaks.",
            Self::IgnoredUnknownKeyType => {
                "A key with an unknown \"kty\" was left out, as RFC 7517 asks."
            }
            Self::Indentation => "Spaces or blank lines around the lines were removed.",
            Self::LineBreaks => "Missing or additional line breaks were corrected.",
            Self::LineEndings => "Line endings were normalised.",
            Self::MissingArmour => "Missing BEGIN or END lines were added.",
            Self::Quotes => "Quotation marks around the key were removed.",
            Self::SurroundingSpace => "White space around the key was removed.",
            Self::SurroundingText => "Text before or after the key was ignored.",
            Self::WrongLabel => "The BEGIN line named another format; the content decided.",
        }
    }
}

/// The repairs made so far, each once.
#[derive(Default)]
pub(super) struct Repairs(Vec<Repair>);

impl Repairs {
    pub(super) fn note(&mut self, repair: Repair) {
        if !self.0.contains(&repair) {
            self.0.push(repair);
        }
    }

    pub(super) fn into_sorted(mut self) -> Vec<Repair> {
        self.0.sort_unstable();
        self.0
    }
}

/// Decodes octets as UTF-8, or UTF-16 with a byte order mark, without the mark.
pub(super) fn decode(
    input: &[u8],
    repairs: &mut Repairs,
) -> Result<Zeroizing<String>, ImportRefusal> {
    let (wide, little_endian) = match input {
        [0xff, 0xfe, wide @ ..] => (wide, true),
        [0xfe, 0xff, wide @ ..] => (wide, false),
        _ => {
            let text = std::str::from_utf8(input).map_err(|_| ImportRefusal::InputNotText)?;
            let unmarked = text.trim_start_matches('\u{feff}');
            if unmarked.len() < text.len() {
                repairs.note(Repair::ByteOrderMark);
            }
            return Ok(Zeroizing::new(unmarked.to_owned()));
        }
    };
    let (pairs, remainder) = wide.as_chunks::<2>();
    let units = Zeroizing::new(
        pairs
            .iter()
            .map(|pair| {
                if little_endian {
                    u16::from_le_bytes(*pair)
                } else {
                    u16::from_be_bytes(*pair)
                }
            })
            .collect::<Vec<u16>>(),
    );
    let text = String::from_utf16(&units).map_err(|_| ImportRefusal::InputNotText)?;
    if !remainder.is_empty() {
        return Err(ImportRefusal::InputNotText);
    }
    repairs.note(Repair::ByteOrderMark);
    Ok(Zeroizing::new(text))
}

/// Removes outer white space, quotation marks and escapes. JSON is left as it is inside.
pub(super) fn unwrap(text: &str, repairs: &mut Repairs) -> Zeroizing<String> {
    let trimmed = trim(text, repairs);
    let inner = unquote(trimmed, repairs);
    if is_json(inner) || !inner.contains('\\') {
        return Zeroizing::new(inner.to_owned());
    }
    let unescaped = unescape(inner, repairs);
    Zeroizing::new(trim(&unescaped, repairs).to_owned())
}

/// Whether the text is meant as JSON and not as the escaped inside of a JSON string.
pub(super) fn is_json(text: &str) -> bool {
    let Some(inside) = text.strip_prefix(['{', '[']) else {
        return false;
    };
    !inside.trim_start().starts_with('\\')
}

/// A single line ending after the text is how files end and no repair.
fn trim<'a>(text: &'a str, repairs: &mut Repairs) -> &'a str {
    let trimmed = text.trim();
    let tail = text.trim_start().strip_prefix(trimmed).unwrap_or_default();
    let is_file_end = tail.chars().all(|c| c == '\n' || c == '\r');
    if !trimmed.is_empty() && (text.trim_start().len() < text.len() || !is_file_end) {
        repairs.note(Repair::SurroundingSpace);
    }
    trimmed
}

fn unquote<'a>(text: &'a str, repairs: &mut Repairs) -> &'a str {
    // A trailing comma comes with a value copied out of a JSON document.
    let value = text.strip_suffix(',').unwrap_or(text);
    for quote in ['"', '\'', '`'] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            repairs.note(Repair::Quotes);
            return trim(inner, repairs);
        }
    }
    text
}

fn unescape(text: &str, repairs: &mut Repairs) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        out.push_str(&rest[..start]);
        // However often it was escaped, the character after the last backslash counts.
        let escaped = rest[start..].trim_start_matches('\\');
        let mut characters = escaped.chars();
        match characters.next() {
            Some('n' | 'r') => {
                repairs.note(Repair::EscapedNewlines);
                out.push('\n');
            }
            Some('t') => out.push(' '),
            Some('\n') => repairs.note(Repair::LineBreaks),
            Some(quoted @ ('"' | '\'')) => {
                repairs.note(Repair::Quotes);
                out.push(quoted);
            }
            Some('/') => out.push('/'),
            // Not an escape we know: leave it for the parser to refuse.
            _ => {
                out.push('\\');
                rest = escaped;
                continue;
            }
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out
}

/// The lines without CR, outer spaces and blank lines.
pub(super) fn lines<'a>(text: &'a str, repairs: &mut Repairs) -> Vec<&'a str> {
    if text.contains('\r') {
        repairs.note(Repair::LineEndings);
    }
    let mut kept = Vec::new();
    for line in text.lines().flat_map(|line| line.split('\r')) {
        let trimmed = line.trim();
        if trimmed.len() < line.len() {
            repairs.note(Repair::Indentation);
        }
        if !trimmed.is_empty() {
            kept.push(trimmed);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(text: &str) -> (String, Vec<Repair>) {
        let mut repairs = Repairs::default();
        let unwrapped = unwrap(text, &mut repairs);
        let lines = lines(&unwrapped, &mut repairs).join("\n");
        (lines, repairs.into_sorted())
    }

    #[test]
    fn a_clean_file_needs_no_repair() {
        assert_eq!(repaired("a\nb\n"), ("a\nb".into(), vec![]));
    }

    #[test]
    fn each_damage_is_undone_and_reported() {
        use Repair::*;
        for (damaged, repair) in [
            ("a\r\nb\r\n", vec![LineEndings]),
            ("  a\n  b", vec![Indentation, SurroundingSpace]),
            ("a\n  b\n", vec![Indentation]),
            ("a\nb  ", vec![SurroundingSpace]),
            ("\"a\nb\"", vec![Quotes]),
            ("'a\nb'", vec![Quotes]),
            ("\"a\nb\",", vec![Quotes]),
            ("a\\nb", vec![EscapedNewlines]),
            ("a\\\\nb\\\\n", vec![EscapedNewlines]),
            ("\"a\\r\\nb\\n\"", vec![EscapedNewlines, Quotes]),
        ] {
            assert_eq!(repaired(damaged), ("a\nb".into(), repair), "{damaged:?}");
        }
    }

    #[test]
    fn json_keeps_its_escapes() {
        assert_eq!(repaired(r#"{"kid":"a\nb"}"#).0, r#"{"kid":"a\nb"}"#);
        assert_eq!(repaired(r#""{\"kty\":\"EC\"}""#).0, r#"{"kty":"EC"}"#);
    }

    #[test]
    fn utf_16_is_read_with_its_mark_only() {
        let mut repairs = Repairs::default();
        let text = decode(&[0xff, 0xfe, b'a', 0, b'b', 0], &mut repairs).unwrap();
        assert_eq!(
            (text.as_str(), repairs.into_sorted()),
            ("ab", vec![Repair::ByteOrderMark])
        );
        let mut repairs = Repairs::default();
        assert_eq!(
            decode(&[0xff, 0xfe, b'a'], &mut repairs),
            Err(ImportRefusal::InputNotText)
        );
        assert_eq!(
            decode(&[0xc3, 0x28], &mut repairs),
            Err(ImportRefusal::InputNotText)
        );
    }
}

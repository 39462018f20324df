//! Canonical JSON (RFC 8785), for digests over documents.

use serde_json::Value;

/// Why a value has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonicalizable {
    /// Two implementations may write the same fraction differently, so none is digested.
    #[error(
        "a number with a fraction or an exponent has no canonical form here: use an integer or a string"
    )]
    Fraction,
    /// Beyond ±(2^53 - 1) a reader may lose digits (RFC 8785 §3.2.2.3, RFC 7493 §2.2).
    #[error("an integer lies beyond ±(2^53 - 1): use a string")]
    IntegerTooLarge,
}

impl NotCanonicalizable {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fraction => "json_fraction",
            Self::IntegerTooLarge => "json_integer_too_large",
        }
    }
}

const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// Writes `value` in the one form of RFC 8785: no white space, members sorted by UTF-16 code units.
///
/// # Errors
/// [`NotCanonicalizable`] when a number is not an integer within ±(2^53 - 1).
pub fn canonical_json(value: &Value) -> Result<Vec<u8>, NotCanonicalizable> {
    let mut out = Vec::with_capacity(256);
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), NotCanonicalizable> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let magnitude = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.ok_or(NotCanonicalizable::Fraction)? > LARGEST_INTEGER {
                return Err(NotCanonicalizable::IntegerTooLarge);
            }
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted = members.iter().collect::<Vec<_>>();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write(member, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// Escapes as ECMAScript does (RFC 8785 §3.2.2.2): short forms where they exist, else `\u` with lowercase digits.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for octet in text.bytes() {
        match octet {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..=0x1f => out.extend_from_slice(format!("\\u{octet:04x}").as_bytes()),
            _ => out.push(octet),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        String::from_utf8(canonical_json(value).unwrap()).unwrap()
    }

    /// RFC 8785 §3.2.3.
    #[test]
    fn members_are_sorted_by_utf16_code_units() {
        let input = r#"{
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\ud83d\ude00": "Emoji: Grinning Face",
            "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis"
        }"#;
        let value = serde_json::from_str::<Value>(input).unwrap();
        let expected = concat!(
            r#"{"\r":"Carriage Return","1":"One","#,
            "\"\u{80}\":\"Control\",",
            "\"\u{f6}\":\"Latin Small Letter O With Diaeresis\",",
            "\"\u{20ac}\":\"Euro Sign\",",
            "\"\u{1f600}\":\"Emoji: Grinning Face\",",
            "\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
        assert_eq!(canonical(&value), expected);
    }

    /// The strings and literals of RFC 8785 §3.2.2; its numbers are fractions, which have no form here.
    #[test]
    fn strings_are_escaped_as_ecmascript_does() {
        let input = r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        let value = serde_json::from_str::<Value>(input).unwrap();
        let expected = "{\"literals\":[null,true,false],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(canonical(&value), expected);
        assert_eq!(
            canonical(&json!("\u{8}\u{c}\t\r\u{1f}\u{7f}\u{2028}")),
            "\"\\b\\f\\t\\r\\u001f\u{7f}\u{2028}\""
        );
    }

    #[test]
    fn integers_stop_where_a_double_loses_digits() {
        assert_eq!(
            canonical(&json!([
                9_007_199_254_740_991_u64,
                -9_007_199_254_740_991_i64,
                0
            ])),
            "[9007199254740991,-9007199254740991,0]"
        );
        for value in [
            json!(9_007_199_254_740_992_u64),
            json!(-9_007_199_254_740_992_i64),
            json!(u64::MAX),
        ] {
            assert_eq!(
                canonical_json(&value),
                Err(NotCanonicalizable::IntegerTooLarge)
            );
        }
        assert_eq!(
            canonical_json(&json!({"a": [1.5]})),
            Err(NotCanonicalizable::Fraction)
        );
    }

    #[test]
    fn the_order_of_the_input_does_not_matter() {
        let (a, b) = (
            json!({"b": {"y": 1, "x": []}, "a": {}}),
            json!({"a": {}, "b": {"x": [], "y": 1}}),
        );
        assert_eq!(canonical(&a), r#"{"a":{},"b":{"x":[],"y":1}}"#);
        assert_eq!(canonical(&a), canonical(&b));
    }
}

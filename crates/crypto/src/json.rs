//! Strict JSON objects: one text, one meaning, bounded cost.
//!
//! RFC 8259 leaves duplicate members, huge numbers and deep nesting to the reader, and two readers that differ are
//! an attack. Here a duplicate member is refused at every depth, also when it hides behind escapes.

mod reader;

use serde_json::{Map, Value};

use reader::Reader;

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in octets.
    pub octets: usize,
    /// Nesting: the outermost object is 1.
    pub depth: usize,
    /// Members in one object.
    pub members: usize,
    /// Length of a decoded string or name in octets.
    pub string: usize,
    /// Digits in one number, those of the exponent included.
    pub digits: usize,
}

impl Limits {
    /// For the payload of an access token of ours: what was copied into it lies one level deeper than in the assertion, and
    /// its scope may be longer than a text of others.
    pub const ISSUED: Self = Self {
        octets: 16 * 1024,
        depth: Self::TOKEN.depth + 1,
        members: 64,
        string: 16 * 1024,
        digits: 32,
    };

    /// For the header and the payload of a token (`conformance.md` C7).
    pub const TOKEN: Self = Self {
        octets: 16 * 1024,
        depth: 16,
        members: 64,
        string: 4096,
        digits: 20,
    };
}

/// Why a text is not a strict JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonRefusal {
    /// It starts with U+FEFF.
    #[error("the JSON text starts with a byte order mark: send UTF-8 without one")]
    ByteOrderMark,
    /// The same member name stands twice in one object.
    #[error("the member {name:?} appears twice in one object: send each name once")]
    DuplicateMember {
        /// The name; of one with more than 64 characters, the first 16.
        name: Box<str>,
    },
    /// It breaks the grammar of RFC 8259.
    #[error("the JSON text breaks the grammar (RFC 8259)")]
    Malformed,
    /// The text is JSON of another kind.
    #[error("a JSON object is expected")]
    NotAnObject,
    /// The octets are not UTF-8.
    #[error("the JSON text is not UTF-8")]
    NotUtf8,
    /// A number that a double cannot hold.
    #[error("a number is too large or too small for a double")]
    NumberOutOfRange,
    /// A number has too many digits.
    #[error("a number has too many digits")]
    NumberTooLong,
    /// A string or a name is too long.
    #[error("a string or member name is too long")]
    StringTooLong,
    /// Arrays and objects are nested too deeply.
    #[error("the JSON text is nested too deeply")]
    TooDeep,
    /// The whole text is too long.
    #[error("the JSON text is too long")]
    TooLong,
    /// An object has too many members.
    #[error("an object has too many members")]
    TooManyMembers,
}

impl JsonRefusal {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ByteOrderMark => "json_byte_order_mark",
            Self::DuplicateMember { .. } => "json_duplicate_member",
            Self::Malformed => "json_malformed",
            Self::NotAnObject => "json_not_an_object",
            Self::NotUtf8 => "json_not_utf8",
            Self::NumberOutOfRange => "json_number_out_of_range",
            Self::NumberTooLong => "json_number_too_long",
            Self::StringTooLong => "json_string_too_long",
            Self::TooDeep => "json_too_deep",
            Self::TooLong => "json_too_long",
            Self::TooManyMembers => "json_too_many_members",
        }
    }
}

/// A JSON object in which every name stands once and every limit holds.
#[derive(Clone, Debug, PartialEq)]
pub struct StrictObject(Map<String, Value>);

impl StrictObject {
    /// Reads one object and nothing after it but white space.
    ///
    /// # Errors
    /// [`JsonRefusal`] names the first rule that the text breaks.
    pub fn parse(text: &[u8], limits: Limits) -> Result<Self, JsonRefusal> {
        if text.len() > limits.octets {
            return Err(JsonRefusal::TooLong);
        }
        if text.starts_with(b"\xef\xbb\xbf") {
            return Err(JsonRefusal::ByteOrderMark);
        }
        let text = std::str::from_utf8(text).map_err(|_| JsonRefusal::NotUtf8)?;
        match text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .as_bytes()
            .first()
        {
            Some(b'{') => {}
            Some(_) => return Err(JsonRefusal::NotAnObject),
            None => return Err(JsonRefusal::Malformed),
        }
        Reader::new(text, limits).object().map(Self)
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The value of a member that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether a member has this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every member.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Every member, to be taken apart.
    #[must_use]
    pub fn into_members(self) -> Map<String, Value> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> JsonRefusal {
        StrictObject::parse(text.as_bytes(), Limits::TOKEN).unwrap_err()
    }

    fn duplicate(name: &str) -> JsonRefusal {
        JsonRefusal::DuplicateMember { name: name.into() }
    }

    #[test]
    fn an_object_within_the_limits_is_read() {
        let text = br#" {"a":1,"b":[true,null,-2,1.5e3],"c":{"d":"\u00e9\ud83d\ude00"}} "#;
        let object = StrictObject::parse(text, Limits::TOKEN).unwrap();
        let expected = serde_json::from_slice::<Value>(text).unwrap();
        assert_eq!(Value::Object(object.members().clone()), expected);
        assert_eq!(
            (object.text("a"), object.contains("b"), object.contains("B")),
            (None, true, false)
        );
    }

    #[test]
    fn a_duplicate_member_is_refused_at_every_depth() {
        assert_eq!(refusal(r#"{"alg":1,"alg":1}"#), duplicate("alg"));
        assert_eq!(refusal(r#"{"alg":1,"al\u0067":1}"#), duplicate("alg"));
        assert_eq!(refusal(r#"{"a":[{"cnf":{"x":1,"x":2}}]}"#), duplicate("x"));
    }

    #[test]
    fn limits_are_inclusive() {
        let nested = |depth: usize| {
            format!(
                r#"{{"a":{}1{}}}"#,
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(StrictObject::parse(nested(16).as_bytes(), Limits::TOKEN).is_ok());
        assert_eq!(refusal(&nested(17)), JsonRefusal::TooDeep);

        let wide = |count: usize| {
            let members = (0..count)
                .map(|index| format!("\"m{index}\":0"))
                .collect::<Vec<_>>();
            format!("{{{}}}", members.join(","))
        };
        assert!(StrictObject::parse(wide(64).as_bytes(), Limits::TOKEN).is_ok());
        assert_eq!(refusal(&wide(65)), JsonRefusal::TooManyMembers);

        let long = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
        assert!(StrictObject::parse(long(4096).as_bytes(), Limits::TOKEN).is_ok());
        assert_eq!(refusal(&long(4097)), JsonRefusal::StringTooLong);
        assert_eq!(
            refusal(&format!(r#"{{"{}":1}}"#, "x".repeat(4097))),
            JsonRefusal::StringTooLong
        );
        assert_eq!(refusal(&" ".repeat(20_000)), JsonRefusal::TooLong);
    }

    #[test]
    fn numbers_have_bounded_digits_and_range() {
        assert!(StrictObject::parse(br#"{"a":12345678901234567890}"#, Limits::TOKEN).is_ok());
        assert_eq!(
            refusal(r#"{"a":123456789012345678901}"#),
            JsonRefusal::NumberTooLong
        );
        assert_eq!(refusal(r#"{"a":1e400}"#), JsonRefusal::NumberOutOfRange);
        assert_eq!(refusal(r#"{"a":1e-400}"#), JsonRefusal::NumberOutOfRange);
        assert!(StrictObject::parse(br#"{"a":0e99,"b":-0.0e-999}"#, Limits::TOKEN).is_ok());
        // Digits inside a string are text.
        assert!(StrictObject::parse(br#"{"a":"\"123456789012345678901"}"#, Limits::TOKEN).is_ok());
    }

    #[test]
    fn only_one_object_in_utf8_is_accepted() {
        for text in ["[]", "\"a\"", "1", "null", "x"] {
            assert_eq!(refusal(text), JsonRefusal::NotAnObject, "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "{} {}",
            "{}x",
            r#"{"a":1,}"#,
            "{'a':1}",
            r#"{"a":"\ud800"}"#,
            "{\"a\":01}",
        ] {
            assert_eq!(refusal(text), JsonRefusal::Malformed, "{text}");
        }
        let parse = |octets| StrictObject::parse(octets, Limits::TOKEN).unwrap_err();
        assert_eq!(parse(b"\xef\xbb\xbf{}"), JsonRefusal::ByteOrderMark);
        assert_eq!(parse(b"{\"\xff\":1}"), JsonRefusal::NotUtf8);
        assert_eq!(parse(b"\xff\xfe{\0}\0"), JsonRefusal::NotUtf8);
    }
}

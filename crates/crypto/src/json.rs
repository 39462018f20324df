//! Strict JSON objects: one text, one meaning, bounded cost.
//!
//! RFC 8259 leaves duplicate members, huge numbers and deep nesting to the reader, and two readers that differ are
//! an attack. Here a duplicate member is refused at every depth, also when it hides behind escapes.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

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
        /// The name, cut to 64 characters.
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
        scan(text.as_bytes(), limits)?;
        build(text, limits).map(Self)
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

/// Bounds what costs memory or precision, before anything is built. It knows strings, brackets and numbers; the
/// grammar is left to the parser.
fn scan(text: &[u8], limits: Limits) -> Result<(), JsonRefusal> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&octet) = text.get(at) {
        match octet {
            b'"' => at = end_of_string(text, at + 1),
            b'{' | b'[' => {
                depth += 1;
                if depth > limits.depth {
                    return Err(JsonRefusal::TooDeep);
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'0'..=b'9' => {
                let is_number =
                    |octet: &u8| matches!(octet, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let length = text[at..]
                    .iter()
                    .take_while(|octet| is_number(octet))
                    .count();
                check_number(&text[at..at + length], limits)?;
                at += length;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// The index after the closing quote, or the end of an unterminated string.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(&octet) = text.get(at) {
        match octet {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn check_number(number: &[u8], limits: Limits) -> Result<(), JsonRefusal> {
    if number.iter().filter(|octet| octet.is_ascii_digit()).count() > limits.digits {
        return Err(JsonRefusal::NumberTooLong);
    }
    let Some(exponent) = number.iter().position(|octet| matches!(octet, b'e' | b'E')) else {
        return Ok(());
    };
    // What does not parse here breaks the grammar, and the parser says so.
    let value = std::str::from_utf8(number)
        .ok()
        .and_then(|number| number.parse::<f64>().ok());
    let is_zero = number[..exponent]
        .iter()
        .all(|octet| matches!(octet, b'0' | b'.'));
    match value {
        Some(value) if value.is_infinite() || (value == 0.0 && !is_zero) => {
            Err(JsonRefusal::NumberOutOfRange)
        }
        _ => Ok(()),
    }
}

fn build(text: &str, limits: Limits) -> Result<Map<String, Value>, JsonRefusal> {
    let refusal = RefCell::new(None);
    let mut parser = serde_json::Deserializer::from_str(text);
    let object = Strict {
        limits,
        refusal: &refusal,
    }
    .deserialize(&mut parser);
    match object.and_then(|object| parser.end().map(|()| object)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(JsonRefusal::NotAnObject),
        Err(_) => Err(refusal.into_inner().unwrap_or(JsonRefusal::Malformed)),
    }
}

/// Builds a value while it watches names and lengths. serde's errors are text, so the reason goes by the side.
#[derive(Clone, Copy)]
struct Strict<'r> {
    limits: Limits,
    refusal: &'r RefCell<Option<JsonRefusal>>,
}

impl Strict<'_> {
    fn refuse<T, E: serde::de::Error>(self, refusal: JsonRefusal) -> Result<T, E> {
        let error = E::custom("");
        self.refusal.replace(Some(refusal));
        Err(error)
    }

    fn bounded<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        if text.len() > self.limits.string {
            return self.refuse(JsonRefusal::StringTooLong);
        }
        Ok(text.to_owned())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Reads a member name, which has the same bound as any string.
struct Name<'r>(Strict<'r>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<String, E> {
        self.0.bounded(name)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.bounded(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key_seed(Name(self))? {
            if object.len() == self.limits.members {
                return self.refuse(JsonRefusal::TooManyMembers);
            }
            if object.contains_key(&name) {
                let name = name.chars().take(64).collect::<String>().into_boxed_str();
                return self.refuse(JsonRefusal::DuplicateMember { name });
            }
            let value = members.next_value_seed(self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
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

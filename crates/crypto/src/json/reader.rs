//! The grammar of RFC 8259, read once from front to back; every bound is checked before anything is built for it.
//!
//! Written for this because no reader to be had refuses a duplicate member, bounds depth, width, texts and digits, and
//! says which of these it was.

use serde_json::{Map, Number, Value};

use super::{JsonRefusal, Limits};

/// The longest member name that a refusal repeats, in characters.
const MAX_REPEATED: usize = 64;

/// What is repeated of a longer one, which is no name: too little for a secret to be told.
const MAX_REPEATED_OF_LONG: usize = 16;

/// A text that is being read.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    limits: Limits,
}

impl<'t> Reader<'t> {
    /// Begins at the front.
    pub(super) const fn new(text: &'t str, limits: Limits) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            limits,
        }
    }

    /// The whole text: one object, and white space around it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub(super) fn object(mut self) -> Result<Map<String, Value>, JsonRefusal> {
        self.skip_space();
        self.expect(b'{')?;
        let members = self.members()?;
        self.skip_space();
        match self.peek() {
            None => Ok(members),
            Some(_) => Err(JsonRefusal::Malformed),
        }
    }

    fn value(&mut self) -> Result<Value, JsonRefusal> {
        match self.peek().ok_or(JsonRefusal::Malformed)? {
            b'{' => {
                self.at += 1;
                self.members().map(Value::Object)
            }
            b'[' => {
                self.at += 1;
                self.items().map(Value::Array)
            }
            b'"' => {
                self.at += 1;
                self.string().map(Value::String)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => Err(JsonRefusal::Malformed),
        }
    }

    /// The members behind an opening brace.
    fn members(&mut self) -> Result<Map<String, Value>, JsonRefusal> {
        self.descend()?;
        let mut members = Map::new();
        self.skip_space();
        if !self.accept(b'}') {
            loop {
                self.skip_space();
                self.expect(b'"')?;
                let name = self.string()?;
                if members.len() == self.limits.members {
                    return Err(JsonRefusal::TooManyMembers);
                }
                if members.contains_key(&name) {
                    let shown = match name.chars().nth(MAX_REPEATED) {
                        Some(_) => MAX_REPEATED_OF_LONG,
                        None => MAX_REPEATED,
                    };
                    let name = name.chars().take(shown).collect::<String>().into();
                    return Err(JsonRefusal::DuplicateMember { name });
                }
                self.skip_space();
                self.expect(b':')?;
                self.skip_space();
                let value = self.value()?;
                members.insert(name, value);
                self.skip_space();
                if self.accept(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.depth -= 1;
        Ok(members)
    }

    /// The items behind an opening bracket.
    fn items(&mut self) -> Result<Vec<Value>, JsonRefusal> {
        self.descend()?;
        let mut items = Vec::new();
        self.skip_space();
        if !self.accept(b']') {
            loop {
                self.skip_space();
                items.push(self.value()?);
                self.skip_space();
                if self.accept(b']') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.depth -= 1;
        Ok(items)
    }

    /// The text behind an opening quotation mark.
    fn string(&mut self) -> Result<String, JsonRefusal> {
        let mut decoded = String::new();
        loop {
            let start = self.at;
            let rest = &self.text.as_bytes()[start..];
            let plain = |octet: &u8| !matches!(octet, b'"' | b'\\' | 0..=0x1f);
            let length = rest.iter().take_while(|octet| plain(octet)).count();
            if decoded.len() + length > self.limits.string {
                return Err(JsonRefusal::StringTooLong);
            }
            let run = &self.text[start..start + length];
            self.at += length;
            match self.next()? {
                b'"' if decoded.is_empty() => return Ok(run.to_owned()),
                b'"' => return Ok(decoded + run),
                b'\\' => {
                    decoded.push_str(run);
                    decoded.push(self.escaped()?);
                }
                _ => return Err(JsonRefusal::Malformed),
            }
        }
    }

    /// The character behind a reverse solidus.
    fn escaped(&mut self) -> Result<char, JsonRefusal> {
        Ok(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit()?;
                let units = if (0xd800..0xdc00).contains(&first) {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    [first, self.code_unit()?]
                } else {
                    [first, 0]
                };
                // A surrogate that stands alone is no character.
                let character = char::decode_utf16(units).next();
                character
                    .and_then(Result::ok)
                    .ok_or(JsonRefusal::Malformed)?
            }
            _ => return Err(JsonRefusal::Malformed),
        })
    }

    /// Four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u16, JsonRefusal> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let unit = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or(JsonRefusal::Malformed)?;
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, JsonRefusal> {
        let start = self.at;
        self.accept(b'-');
        let mut digits = self.digits()?;
        let leading_zero = self.text.as_bytes()[self.at - digits] == b'0' && digits > 1;
        let mut is_integer = true;
        let mut significand = self.at;
        if self.accept(b'.') {
            is_integer = false;
            digits += self.digits()?;
            significand = self.at;
        }
        if self.accept(b'e') || self.accept(b'E') {
            is_integer = false;
            let _sign = self.accept(b'+') || self.accept(b'-');
            digits += self.digits()?;
        }
        if digits > self.limits.digits {
            return Err(JsonRefusal::NumberTooLong);
        }
        if leading_zero {
            return Err(JsonRefusal::Malformed);
        }
        let number = &self.text[start..self.at];
        let is_zero = |text: &str| {
            text.bytes()
                .all(|octet| matches!(octet, b'-' | b'0' | b'.'))
        };
        if is_integer && number != "-0" {
            if let Ok(integer) = number.parse::<u64>() {
                return Ok(integer.into());
            }
            if let Ok(integer) = number.parse::<i64>() {
                return Ok(integer.into());
            }
        }
        let float: f64 = number.parse().map_err(|_| JsonRefusal::Malformed)?;
        if float == 0.0 && !is_zero(&self.text[start..significand]) {
            return Err(JsonRefusal::NumberOutOfRange);
        }
        // Infinity is no JSON number.
        let number = Number::from_f64(float).ok_or(JsonRefusal::NumberOutOfRange)?;
        Ok(Value::Number(number))
    }

    /// How many decimal digits stand here; at least one must.
    fn digits(&mut self) -> Result<usize, JsonRefusal> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest
            .iter()
            .take_while(|octet| octet.is_ascii_digit())
            .count();
        self.at += count;
        match count {
            0 => Err(JsonRefusal::Malformed),
            count => Ok(count),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonRefusal> {
        if !self.text[self.at..].starts_with(word) {
            return Err(JsonRefusal::Malformed);
        }
        self.at += word.len();
        Ok(value)
    }

    fn descend(&mut self) -> Result<(), JsonRefusal> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(JsonRefusal::TooDeep);
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, JsonRefusal> {
        let octet = self.peek().ok_or(JsonRefusal::Malformed)?;
        self.at += 1;
        Ok(octet)
    }

    fn accept(&mut self, octet: u8) -> bool {
        let stands = self.peek() == Some(octet);
        self.at += usize::from(stands);
        stands
    }

    fn expect(&mut self, octet: u8) -> Result<(), JsonRefusal> {
        match self.accept(octet) {
            true => Ok(()),
            false => Err(JsonRefusal::Malformed),
        }
    }
}

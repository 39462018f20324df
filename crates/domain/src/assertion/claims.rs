//! The claims of an assertion (RFC 7523 §3), read after its signature has verified.

use serde_json::{Map, Value};

use super::refusal::{Reason, Refusal};
use crate::time::UnixTime;

/// The longest `jti`, in bytes.
const MAX_JTI_BYTES: usize = 255;

/// The longest account binding, in bytes.
const MAX_BINDING_BYTES: usize = 128;

/// The time claims of an assertion, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// `exp`.
    pub(super) expires_at: i64,
    /// `iat`.
    pub(super) issued_at: Option<i64>,
    /// `nbf`.
    pub(super) not_before: Option<i64>,
}

/// Reads `exp`, `iat` and `nbf`.
///
/// # Errors
/// `claims_malformed` when `exp` is missing or a value is not a number of seconds in the years 1970–9999.
pub(super) fn times(claims: &Map<String, Value>) -> Result<Times, Refusal> {
    let expires_at = numeric_date(claims, "exp")?.ok_or_else(|| {
        Refusal::new(Reason::ClaimsMalformed, "no exp", "exp: seconds since 1970")
    })?;
    Ok(Times {
        expires_at,
        issued_at: numeric_date(claims, "iat")?,
        not_before: numeric_date(claims, "nbf")?,
    })
}

/// RFC 7519 §2 `NumericDate`: a JSON number, possibly with a fraction, which is dropped.
fn numeric_date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Refusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let latest = UnixTime::from_seconds(i64::MAX).seconds();
    let seconds = value
        .as_i64()
        .or_else(|| whole_seconds(value.as_f64()?, latest));
    match seconds {
        Some(seconds @ 0..) if seconds <= latest => Ok(Some(seconds)),
        Some(seconds) if seconds > latest => Err(Refusal::new(
            Reason::ClaimsMalformed,
            format!("{name} = {seconds}"),
            format!("{name} in seconds, not milliseconds, since 1970"),
        )),
        _ => Err(Refusal::new(
            Reason::ClaimsMalformed,
            format!("{name} = {}", as_json(value)),
            format!("{name} as a number of seconds since 1970"),
        )),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the value was compared with the range first"
)]
#[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
fn whole_seconds(number: f64, latest: i64) -> Option<i64> {
    let seconds = number.floor();
    // Far out of range: report it as beyond the latest moment.
    if seconds > latest as f64 {
        Some(i64::MAX)
    } else {
        (seconds >= 0.0).then_some(seconds as i64)
    }
}

/// Reads `jti`.
///
/// # Errors
/// `claims_malformed` when it is not a text of 1 to 255 bytes, or is missing where `required`.
pub(super) fn jti(claims: &Map<String, Value>, required: bool) -> Result<Option<&str>, Refusal> {
    let expected = "jti: a text of 1 to 255 characters, unique per assertion";
    match claims.get("jti") {
        None if required => Err(Refusal::new(Reason::ClaimsMalformed, "no jti", expected)),
        None => Ok(None),
        Some(Value::String(jti)) if (1..=MAX_JTI_BYTES).contains(&jti.len()) => Ok(Some(jti)),
        Some(other) => Err(Refusal::new(
            Reason::ClaimsMalformed,
            format!("jti = {}", as_json(other)),
            expected,
        )),
    }
}

/// Reads an account binding, `uid` or `external_account_id`.
///
/// # Errors
/// `account_binding_malformed` when it is present and not a text of 1 to 128 printable ASCII characters.
pub fn account_binding<'a>(
    claims: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text))
            if (1..=MAX_BINDING_BYTES).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(Some(text))
        }
        Some(other) => Err(Refusal::new(
            Reason::AccountBindingMalformed,
            format!("{name} = {}", as_json(other)),
            format!("{name}: a text of 1 to 128 printable ASCII characters without spaces"),
        )),
    }
}

/// The text of a claim that selects a configuration.
#[must_use]
pub(super) fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// `aud`: a text, or an array of exactly one text (conformance D1); anything else is no audience.
#[must_use]
pub(super) fn audience(claims: &Map<String, Value>) -> Option<&str> {
    match claims.get("aud")? {
        Value::String(audience) => Some(audience),
        Value::Array(values) => match values.as_slice() {
            [Value::String(audience)] => Some(audience),
            _ => None,
        },
        _ => None,
    }
}

/// A claim's value as an explanation has it: JSON.
#[must_use]
pub(super) fn as_json(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn e11_numeric_dates_may_have_fractions_and_nothing_else_is_accepted() {
        assert_eq!(
            times(&claims(r#"{"exp":1.5e9}"#)).unwrap().expires_at,
            1_500_000_000
        );
        assert_eq!(
            times(&claims(r#"{"exp":1700000000.9}"#))
                .unwrap()
                .expires_at,
            1_700_000_000
        );
        for bad in [
            "\"1700000000\"",
            "-1",
            "9223372036854775808",
            "1e308",
            "null",
            "[1]",
            "true",
            "-0.5",
        ] {
            let refusal = times(&claims(&format!("{{\"exp\":{bad}}}"))).unwrap_err();
            assert_eq!(refusal.reason, Reason::ClaimsMalformed, "{bad}");
        }
        assert_eq!(
            times(&claims("{}")).unwrap_err().reason,
            Reason::ClaimsMalformed
        );
    }

    #[test]
    fn milliseconds_are_named_in_the_refusal() {
        let refusal = times(&claims(r#"{"exp":1795467600000}"#)).unwrap_err();
        assert!(
            refusal.sentence().contains("not milliseconds"),
            "{refusal:?}"
        );
    }

    #[test]
    fn e5_an_audience_is_one_text() {
        assert_eq!(audience(&claims(r#"{"aud":"a"}"#)), Some("a"));
        assert_eq!(audience(&claims(r#"{"aud":["a"]}"#)), Some("a"));
        for bad in [
            r#"{"aud":["a","b"]}"#,
            r#"{"aud":[]}"#,
            r#"{"aud":1}"#,
            r#"{"aud":{"a":1}}"#,
            r#"{"aud":null}"#,
            "{}",
        ] {
            assert_eq!(audience(&claims(bad)), None, "{bad}");
        }
    }

    #[test]
    fn e12_a_jti_is_a_text_of_1_to_255_bytes() {
        assert!(jti(&claims(r#"{"jti":"x"}"#), true).unwrap().is_some());
        assert!(jti(&claims("{}"), false).unwrap().is_none());
        assert!(jti(&claims("{}"), true).is_err());
        for bad in [
            "\"\"".to_owned(),
            "1".to_owned(),
            "null".to_owned(),
            format!("\"{}\"", "x".repeat(256)),
        ] {
            assert!(
                jti(&claims(&format!("{{\"jti\":{bad}}}")), false).is_err(),
                "{bad}"
            );
        }
    }
}

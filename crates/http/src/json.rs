//! JSON bodies, read strictly: right content type, no member twice, no member unknown.

use std::collections::HashSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::problem::Problem;

/// A JSON body.
pub(crate) struct StrictJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::payload_too_large().into_response())?;
        parse(content_type.as_ref(), &bytes)
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

/// Parses a JSON body.
///
/// # Errors
/// 415 for another content type, 400 for what is not JSON, 422 for JSON that is not what the endpoint takes.
pub(crate) fn parse<T: DeserializeOwned>(
    content_type: Option<&HeaderValue>,
    bytes: &[u8],
) -> Result<T, Problem> {
    if !content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_json)
    {
        return Err(Problem::unsupported_media_type());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    NoDuplicates
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| {
            let text = format!("The body is not JSON without duplicate members: {error}.");
            Problem::bad_request("body_malformed", text)
        })?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes))
        .map_err(|error| unfit(&error))
}

/// The longest member name that an answer repeats, in octets.
const MAX_REPEATED: usize = 48;

/// JSON that is not what the endpoint takes: says where and what was expected. What was sent is not repeated: it may be
/// a private key in the wrong place.
fn unfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let mut pointer = pointer(error.path());
    let place = format!("{}:{}", error.inner().line(), error.inner().column());
    let text = error.inner().to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let between = |start: &str, end: &str| {
        let rest = text.strip_prefix(start)?;
        Some(&rest[..rest.rfind(end)?])
    };
    let unknown = between("unknown field `", "`, expected ")
        .or_else(|| between("unknown field `", "`, there are no fields"));
    let cause = if let Some(name) = unknown {
        if is_repeatable(name) {
            pointer = format!("{}/{}", pointer_parent(&pointer, name), escaped(name));
        }
        "there is no such member".to_owned()
    } else if let Some(name) = between("missing field `", "`") {
        pointer = format!("{pointer}/{name}");
        "this member is required".to_owned()
    } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
        format!("expected {expected}")
    } else {
        text.to_owned()
    };
    let detail = format!("The body is not what this endpoint takes (at {place}): {cause}.");
    Problem::invalid_member("body_invalid", detail, pointer)
}

/// Whether an answer may repeat the name of a member: what is longer is no name.
fn is_repeatable(name: &str) -> bool {
    name.len() <= MAX_REPEATED && !name.chars().any(char::is_control)
}

/// The place as a JSON pointer (RFC 6901), as far as its names can be repeated.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .take_while(|segment| match segment {
            Segment::Map { key } => is_repeatable(key),
            Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => true,
        })
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

/// The object that has the member, when the pointer names the member already.
fn pointer_parent<'a>(pointer: &'a str, name: &str) -> &'a str {
    pointer
        .strip_suffix(&escaped(name))
        .and_then(|parent| parent.strip_suffix('/'))
        .unwrap_or(pointer)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// `application/json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

/// Walks through a JSON text and refuses a member that an object has twice: which one counts is anybody's guess.
struct NoDuplicates;

impl<'de> DeserializeSeed<'de> for NoDuplicates {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! accept {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method<E: serde::de::Error>(self, _: $type) -> Result<(), E> {
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for NoDuplicates {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    accept! {
        visit_bool: bool,
        visit_i64: i64,
        visit_u64: u64,
        visit_f64: f64,
        visit_str: &str,
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name) {
                members.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom("a member stands twice in one object"));
            }
            members.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(content_type: &'static str, body: &str) -> Result<serde_json::Value, Problem> {
        parse(
            Some(&HeaderValue::from_static(content_type)),
            body.as_bytes(),
        )
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_at_every_depth() {
        assert!(parsed("application/json", r#"{"a":{"b":1}}"#).is_ok());
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":[{"b":1,"\u0062":2}]}"#,
            "{",
            "",
            r#"{"a":1} x"#,
        ] {
            assert!(parsed("application/json", body).is_err(), "{body}");
        }
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Sample {
        name: String,
        #[serde(default)]
        many: Vec<Inner>,
        choice: Option<Choice>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Inner {
        number: u8,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        One,
    }

    #[test]
    fn n2_a_body_that_does_not_fit_is_pointed_at_and_not_repeated() {
        for (body, pointer, cause) in [
            (r#"{}"#, "/name", "this member is required"),
            (r#"{"name":7}"#, "/name", "expected a string"),
            (
                r#"{"name":"n","~a/b":1}"#,
                "/~0a~1b",
                "there is no such member",
            ),
            (
                r#"{"name":"n","many":[{"number":1},{"number":"canary, expected x"}]}"#,
                "/many/1/number",
                "expected u8",
            ),
            (
                r#"{"name":"n","many":[{"number":1,"canary":"x"}]}"#,
                "/many/0/canary",
                "there is no such member",
            ),
            (
                r#"{"name":"n","choice":"canary"}"#,
                "/choice",
                "expected `one`",
            ),
            (r#"["canary"]"#, "", "expected"),
        ] {
            let json = HeaderValue::from_static("application/json");
            let problem = parse::<Sample>(Some(&json), body.as_bytes()).unwrap_err();
            let text = format!("{problem:?}");
            assert!(
                text.contains(&format!("pointer: Some({pointer:?})")),
                "{body}: {text}"
            );
            assert!(text.contains(cause), "{body}: {text}");
            assert!(
                pointer.contains("canary") || !text.contains("canary"),
                "{body}: {text}"
            );
        }
    }

    #[test]
    fn n4_only_json_is_taken() {
        assert!(parsed("application/json; charset=utf-8", "{}").is_ok());
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json5",
        ] {
            assert!(parsed(other, "{}").is_err(), "{other}");
        }
        assert!(parse::<serde_json::Value>(None, b"{}").is_err());
    }
}

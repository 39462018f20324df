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
            Problem::bad_request("json_malformed", text)
        })?;
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::unprocessable(
            "body_invalid",
            format!("The body is not what this endpoint takes: {error}."),
        )
    })
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

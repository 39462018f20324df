//! `application/x-www-form-urlencoded`, read strictly (RFC 6749 §3.2 and appendix B).

mod parameters;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use countersign_domain::ids::CorrelationId;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::front::correlation_id;
use crate::oauth_error::OAuthError;
use parameters::Parameter;

/// The largest form, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// A request with a form: its head, and its body, read whole.
pub(crate) struct Posted {
    /// The head.
    pub(crate) parts: Parts,
    body: Bytes,
}

impl Posted {
    /// Ties the answer to the log.
    pub(crate) fn correlation_id(&self) -> CorrelationId {
        correlation_id(&self.parts.extensions)
    }

    /// The form in the body.
    ///
    /// # Errors
    /// `invalid_request` when the body is not one.
    pub(crate) fn form(&self) -> Result<Form<'_>, OAuthError> {
        Form::parse(&self.body)
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = OAuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, OAuthError> {
        read(request).await
    }
}

/// The parameters of a form, decoded; empty ones are left out (RFC 6749 §3.2).
#[derive(Debug, Default)]
pub(crate) struct Form<'a>(Vec<Parameter<'a>>);

impl<'a> Form<'a> {
    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
    }

    /// Every value of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
            .collect()
    }

    fn parse(body: &'a [u8]) -> Result<Self, OAuthError> {
        parameters::parse(body)
            .map(Self)
            .map_err(|malformed| OAuthError::invalid_request(malformed.sentence()))
    }
}

async fn read(request: Request) -> Result<Posted, OAuthError> {
    let (parts, body) = request.into_parts();
    if parts.uri.query().is_some() {
        // Credentials in an address end up in logs; and a query never adds to a body (RFC 6749 §2.3.1).
        return Err(OAuthError::invalid_request(
            "Send the parameters in the body; the address takes no query.",
        ));
    }
    if !parts.headers.get(header::CONTENT_TYPE).is_some_and(is_form) {
        let text = "Send the parameters as application/x-www-form-urlencoded.";
        return Err(OAuthError::invalid_request(text));
    }
    let body = collect(body).await?;
    Ok(Posted { parts, body })
}

async fn collect(body: Body) -> Result<Bytes, OAuthError> {
    let collected = Limited::new(body, MAX_BODY).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => OAuthError::payload_too_large(),
            None => OAuthError::invalid_request("The body did not arrive whole."),
        })
}

/// The media type of forms; the only charset is UTF-8.
fn is_form(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && parts
            .filter(|part| !part.is_empty())
            .all(|parameter| match parameter.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                    value.trim_matches('"').eq_ignore_ascii_case("utf-8")
                }
                _ => true,
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Option<Form<'_>> {
        Form::parse(body.as_bytes()).ok()
    }

    #[test]
    fn a9_a_parameter_sent_twice_is_refused_whether_or_not_the_values_differ() {
        assert!(parse("a=1&a=1").is_none());
        assert!(parse("a=1&a=2").is_none());
        assert!(parse("a=&a=2").is_none());
        assert!(parse("a=1&%61=2").is_none());
        assert!(parse("resource=x&resource=y").is_some());
    }

    #[test]
    fn a11_an_empty_parameter_is_one_left_out() {
        assert!(parse("scope=&x").unwrap().get("scope").is_none());
    }

    #[test]
    fn a8_bad_encodings_are_refused() {
        for body in ["a=%zz", "a=%2", "a=%", "a=%ff", "a=%00", "%ff=1"] {
            assert!(parse(body).is_none(), "{body}");
        }
        assert_eq!(parse("a=%C3%A9+b").unwrap().get("a"), Some("é b"));
    }

    #[test]
    fn b17_decoding_happens_once() {
        assert_eq!(parse("a=%2561").unwrap().get("a"), Some("%61"));
    }

    #[test]
    fn a16_more_than_a_hundred_parameters_are_refused() {
        let body = |count: usize| {
            (0..count)
                .map(|n| format!("p{n}=1"))
                .collect::<Vec<_>>()
                .join("&")
        };
        assert!(parse(&body(100)).is_some());
        assert!(parse(&body(101)).is_none());
    }

    #[test]
    fn a7_the_charset_is_utf_8() {
        let accepted = |text: &'static str| is_form(&HeaderValue::from_static(text));
        assert!(accepted("application/x-www-form-urlencoded;charset=UTF-8"));
        assert!(accepted(
            "Application/X-WWW-Form-Urlencoded; charset=\"utf-8\""
        ));
        assert!(!accepted(
            "application/x-www-form-urlencoded; charset=iso-8859-1"
        ));
        assert!(!accepted("application/json"));
        assert!(!accepted("multipart/form-data; boundary=x"));
    }
}

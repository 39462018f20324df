//! What the server answered.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};

use crate::assertion::{decode_base64url, segments};

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Reads a response to its end.
    ///
    /// # Panics
    /// When the body breaks off.
    pub async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text()))
    }

    /// A header field that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Status and OAuth error code; the code is empty where there is none.
    #[must_use]
    pub fn verdict(&self) -> (u16, String) {
        (self.status.as_u16(), self.member("error"))
    }

    /// The reason that was told, if one was.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        Some(self.member("reason")).filter(|reason| !reason.is_empty())
    }

    /// The correlation ID in the body.
    #[must_use]
    pub fn correlation_id(&self) -> String {
        self.member("correlation_id")
    }

    /// The access token.
    ///
    /// # Panics
    /// When none was issued.
    #[must_use]
    pub fn access_token(&self) -> String {
        assert!(
            self.status.is_success(),
            "no token: {} {}",
            self.status,
            self.text()
        );
        self.member("access_token")
    }

    /// The claims of the access token, unverified.
    ///
    /// # Panics
    /// When none was issued.
    #[must_use]
    pub fn claims(&self) -> Map<String, Value> {
        let token = self.access_token();
        serde_json::from_slice(&decode_base64url(segments(&token)[1])).unwrap()
    }

    /// The bytes of the body without the one thing in which equal answers differ: the correlation ID.
    #[must_use]
    pub fn text_without_correlation(&self) -> String {
        match self.correlation_id() {
            id if id.is_empty() => self.text(),
            id => self.text().replace(&id, "co-…"),
        }
    }

    fn member(&self, name: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body[name].as_str().unwrap_or_default().to_owned()
    }
}

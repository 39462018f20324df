//! Bodies: read strictly, by whoever may ask, and what a question by `POST` is.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_service::Caller;
use serde::de::DeserializeOwned;

use super::{App, Authenticated};
use crate::problem::Problem;

/// A body that may be left out altogether.
pub(crate) trait Body: DeserializeOwned {
    /// What an empty body stands for; `None` when there must be one.
    fn when_empty() -> Option<Self> {
        None
    }
}

/// The body of a request that has nothing to say: none, or an object without members.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoBody {}

impl Body for NoBody {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

/// A question with a body: it changes nothing, so it takes neither trials nor repetitions.
pub(crate) struct Question<T> {
    /// The body.
    pub(crate) body: T,
    caller: Caller,
}

impl<T> Question<T> {
    /// Who asks.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl<T: Body> FromRequest<App> for Question<T> {
    type Rejection = Response;

    async fn from_request(request: Request, service: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, service).await?;
        if parts.uri.query().is_some_and(|query| !query.is_empty()) {
            let detail = "There are no query parameters here.";
            return Err(Problem::bad_request("query_unknown", detail).into_response());
        }
        let bytes = octets(&parts, body, service).await?;
        let body = parse(&parts, &bytes).map_err(IntoResponse::into_response)?;
        Ok(Self { body, caller })
    }
}

/// The octets of a body.
///
/// # Errors
/// 413 when it is too large, 400 when it cannot be read.
pub(super) async fn octets(
    parts: &Parts,
    body: axum::body::Body,
    service: &App,
) -> Result<Bytes, Response> {
    Bytes::from_request(Request::from_parts(parts.clone(), body), service)
        .await
        .map_err(|rejection| Problem::body_unreadable(rejection.status()).into_response())
}

/// What the octets of a body say.
///
/// # Errors
/// As [`crate::json::parse`].
pub(super) fn parse<T: Body>(parts: &Parts, bytes: &[u8]) -> Result<T, Problem> {
    match T::when_empty() {
        Some(empty) if bytes.is_empty() => Ok(empty),
        _ => crate::json::parse(parts.headers.get(header::CONTENT_TYPE), bytes),
    }
}

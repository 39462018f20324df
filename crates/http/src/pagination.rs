//! Lists in pages: an opaque cursor and a limit.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use countersign_service::{Page, decode_cursor, encode_cursor};
use utoipa::IntoParams;

use crate::problem::Problem;

/// Entries per page when nothing is said.
const DEFAULT_LIMIT: u32 = 50;

/// The most entries per page.
const MAX_LIMIT: u32 = 200;

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the parameters for the document; they are read by hand"
)]
struct PagingParams {
    /// How many entries at most: 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200, value_type = Option<u32>)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which page of a list.
pub(crate) struct Paging {
    /// How many entries at most.
    pub(crate) limit: u32,
    after: Option<String>,
}

impl IntoParams for Paging {
    fn into_params(
        parameter_in_provider: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        PagingParams::into_params(parameter_in_provider)
    }
}

impl Paging {
    /// What the store is asked for: one entry more than is shown, to know whether there is a next page.
    ///
    /// # Errors
    /// 400 when the cursor names no `T`: it was not made here.
    pub(crate) fn page_after<T: FromStr>(&self) -> Result<Page, Problem> {
        if self
            .after
            .as_ref()
            .is_some_and(|after| after.parse::<T>().is_err())
        {
            return Err(cursor_invalid());
        }
        Ok(Page {
            after: self.after.clone(),
            limit: self.limit + 1,
        })
    }
}

fn cursor_invalid() -> Problem {
    Problem::bad_request(
        "cursor_invalid",
        "cursor must be the next_cursor of the page before.",
    )
}

/// The cursor after an entry.
pub(crate) fn encode(last: &str) -> String {
    encode_cursor(last)
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let mut paging = Self {
            limit: DEFAULT_LIMIT,
            after: None,
        };
        let refuse = |code, detail| Problem::bad_request(code, detail).into_response();
        for pair in parts.uri.query().unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some(("limit", text)) => {
                    let limit = text
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    paging.limit = limit.ok_or_else(|| {
                        refuse("limit_invalid", "limit must be between 1 and 200.")
                    })?;
                }
                Some(("cursor", text)) => {
                    let after = decode_cursor(text).ok_or_else(cursor_invalid);
                    paging.after = Some(after.map_err(IntoResponse::into_response)?);
                }
                _ => {}
            }
        }
        Ok(paging)
    }
}

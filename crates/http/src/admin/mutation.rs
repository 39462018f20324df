//! What every request that changes something has in common: who, under which conditions, and once only.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::CorrelationId;
use countersign_service::{Act, Caller, Executed, Execution, IdempotencyKey, Keep};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{App, Authenticated, problem};
use crate::conditional::if_match;
use crate::front::correlation_id;
use crate::idempotency::{Answer, idempotency_key, request_digest};
use crate::problem::Problem;

/// A request that changes something, with its body read strictly.
pub(crate) struct Mutation<T> {
    /// The body.
    pub(crate) body: T,
    caller: Caller,
    correlation_id: CorrelationId,
    dry_run: bool,
    expected_version: Option<u64>,
    idempotency: Option<IdempotencyKey>,
}

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

impl<T: Body> FromRequest<App> for Mutation<T> {
    type Rejection = Response;

    async fn from_request(request: Request, service: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, service).await?;
        let correlation_id = correlation_id(&parts.extensions);
        let dry_run = dry_run(parts.uri.query()).map_err(IntoResponse::into_response)?;
        let expected_version = if_match(&parts.headers).map_err(IntoResponse::into_response)?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), service)
            .await
            .map_err(|rejection| Problem::body_unreadable(rejection.status()).into_response())?;
        let idempotency = keep_under(
            &parts.headers,
            &caller,
            (parts.method.as_str(), parts.uri.path()),
            &bytes,
        )
        .map_err(IntoResponse::into_response)?;
        let body = match T::when_empty() {
            Some(empty) if bytes.is_empty() => empty,
            _ => crate::json::parse(content_type.as_ref(), &bytes)
                .map_err(IntoResponse::into_response)?,
        };
        Ok(Self {
            body,
            caller,
            correlation_id,
            dry_run,
            expected_version,
            // A trial has no effect that a repetition could repeat, and no answer worth keeping.
            idempotency: idempotency.filter(|_| !dry_run),
        })
    }
}

impl<T> Mutation<T> {
    /// The version that the caller saw, if it said so.
    pub(crate) const fn expected_version(&self) -> Option<u64> {
        self.expected_version
    }

    /// The version that the caller saw.
    ///
    /// # Errors
    /// 428 when it did not say so.
    pub(crate) fn required_version(&self) -> Result<Option<u64>, Problem> {
        self.expected_version
            .map(Some)
            .ok_or_else(Problem::precondition_required)
    }

    /// Whether the caller only wants to know what would result.
    pub(crate) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Whether the caller wants the answer kept for repetitions.
    pub(crate) const fn is_idempotent(&self) -> bool {
        self.idempotency.is_some()
    }

    /// Who asks.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Ties the answer to the log.
    pub(crate) const fn correlation_id(&self) -> CorrelationId {
        self.correlation_id
    }

    /// Runs the use case and answers with what `view` makes of its outcome.
    pub(crate) async fn run<A: Act, V: Serialize>(
        self,
        service: &App,
        act: &A,
        status: StatusCode,
        view: impl Fn(&A::Output) -> V + Send + Sync,
    ) -> Response {
        let answer = |output: &A::Output| Answer::new(status, view(output));
        let render = |output: &A::Output| answer(output)?.to_kept();
        let run = Execution {
            caller: &self.caller,
            correlation_id: self.correlation_id,
            dry_run: self.dry_run,
            keep: self.idempotency.clone().map(|key| Keep {
                key,
                render: &render,
            }),
        };
        let executed = service.execute(act, &run).await;
        let given = executed.and_then(|executed| match executed {
            // Nothing was created by a trial; what has no content has none then either.
            Executed::Done(output) if self.dry_run && status == StatusCode::CREATED => {
                Answer::new(StatusCode::OK, view(&output))?.give()
            }
            Executed::Done(output) => answer(&output)?.give(),
            Executed::Repeated(kept) => Answer::from_kept(&kept)?.give(),
        });
        given.unwrap_or_else(|error| problem(error).into_response())
    }
}

fn dry_run(query: Option<&str>) -> Result<bool, Problem> {
    match query {
        None | Some("" | "dry_run=false") => Ok(false),
        Some("dry_run=true") => Ok(true),
        Some(_) => Err(Problem::bad_request(
            "query_unknown",
            "The only query parameter here is dry_run=true.",
        )),
    }
}

fn keep_under(
    headers: &HeaderMap,
    caller: &Caller,
    (method, path): (&str, &str),
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Problem> {
    let key = idempotency_key(headers)?;
    Ok(key.map(|key| IdempotencyKey {
        caller: caller.to_string(),
        key,
        request_digest: request_digest(method, path, body),
    }))
}

//! What every request that changes something has in common: who, under which conditions, and once only.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_domain::ids::CorrelationId;
use countersign_service::{Act, Caller, Executed, Execution, IdempotencyKey, Keep};
use serde::Serialize;

use super::body::{self, Body};
use super::{Answered, App, Authenticated};
use crate::conditional::if_match;
use crate::front::correlation_id;
use crate::idempotency::{Answer, idempotency_key, request_digest};
use crate::problem::Problem;

/// A request that changes something, with its body read strictly. Its conditions are looked at by the endpoints that
/// take them.
pub(crate) struct Mutation<T> {
    /// The body.
    pub(crate) body: T,
    caller: Caller,
    correlation_id: CorrelationId,
    dry_run: bool,
    if_match: Result<Option<u64>, Problem>,
    idempotency: Result<Option<IdempotencyKey>, Problem>,
}

impl<T: Body> FromRequest<App> for Mutation<T> {
    type Rejection = Response;

    async fn from_request(request: Request, service: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, service).await?;
        let dry_run = dry_run(parts.uri.query()).map_err(IntoResponse::into_response)?;
        let bytes = body::octets(&parts, body, service).await?;
        let place = (parts.method.as_str(), parts.uri.path());
        Ok(Self {
            body: body::parse(&parts, &bytes).map_err(IntoResponse::into_response)?,
            correlation_id: correlation_id(&parts.extensions),
            dry_run,
            if_match: if_match(&parts.headers),
            idempotency: keep_under(&parts.headers, &caller, place, &bytes),
            caller,
        })
    }
}

impl<T> Mutation<T> {
    /// The version that the caller saw, if it said so.
    ///
    /// # Errors
    /// 400 when what it said is no version.
    pub(crate) fn expected_version(&self) -> Result<Option<u64>, Problem> {
        self.if_match.clone()
    }

    /// The version that the caller saw.
    ///
    /// # Errors
    /// 428 when it did not say so, 400 when what it said is no version.
    pub(crate) fn required_version(&self) -> Result<Option<u64>, Problem> {
        self.expected_version()?
            .map(Some)
            .ok_or_else(Problem::precondition_required)
    }

    /// Whether the caller only wants to know what would result.
    pub(crate) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// The answer has a secret, and is not kept for anybody.
    ///
    /// # Errors
    /// 400 when the caller wants it kept for repetitions.
    pub(crate) fn refuse_repetition(&self) -> Result<(), Problem> {
        match &self.idempotency {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(_) => {
                let detail = "An answer with a secret is not kept, so this request cannot be repeated under an Idempotency-Key.";
                Err(Problem::bad_request("idempotency_not_supported", detail))
            }
        }
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
    ) -> Answered {
        let answer = |output: &A::Output| Answer::new(status, view(output));
        let render = |output: &A::Output| answer(output)?.to_kept();
        // A trial has no effect that a repetition could repeat, and no answer worth keeping.
        let kept_under = self.idempotency?.filter(|_| !self.dry_run);
        let run = Execution {
            caller: &self.caller,
            correlation_id: self.correlation_id,
            dry_run: self.dry_run,
            keep: kept_under.map(|key| Keep {
                key,
                render: &render,
            }),
        };
        let given = match service.execute(act, &run).await? {
            // Nothing was created by a trial; what has no content has none then either.
            Executed::Done(output) if self.dry_run && status == StatusCode::CREATED => {
                Answer::new(StatusCode::OK, view(&output))?
            }
            Executed::Done(output) => answer(&output)?,
            Executed::Repeated(kept) => Answer::from_kept(&kept)?,
        };
        Ok(given.give()?)
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

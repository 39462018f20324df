//! The OpenAPI 3.1 document: what holds for every endpoint is said here once.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, OpenApi, RefOr, Required, Type};
use utoipa::{Modify, OpenApi as _};

/// The document before the endpoints are added to it.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Countersign admin API",
        description = "Organizations, authentication configurations, change requests and keys. See docs/api.md.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Bearer),
    security(("api_token" = [])),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("cst_…")
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("api_token", SecurityScheme::Http(scheme));
    }
}

/// The document before the endpoints are added to it.
pub(super) fn blank() -> OpenApi {
    Document::openapi()
}

/// Acts on a version of something: these take `If-Match`, and do without it.
const ACTS_ON_A_VERSION: [&str; 4] = ["/suspend", "/restore", "/deactivate", "{id}/rotate"];

/// Questions by `POST`: they change nothing, so there is nothing to try or to repeat.
const QUESTIONS: [&str; 2] = ["explain_assertion", "preview_key"];

/// Acts whose answer is not kept: a secret is in it, or once and twice are the same.
const NEVER_REPEATED: [&str; 2] = ["confirm_restore", "create_api_token"];

/// Adds what every endpoint has: problem details, and for those that write, the trials and repetitions that they take.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for operation in reading(item).into_iter().flatten() {
            describe_successes(operation);
            describe_problems(operation);
        }
        for operation in writing(item).into_iter().flatten() {
            describe_successes(operation);
            describe_problems(operation);
            let is_one_of = |names: &[&str]| {
                let name = operation.operation_id.as_deref();
                name.is_some_and(|name| names.contains(&name))
            };
            if is_one_of(&QUESTIONS) {
                continue;
            }
            let is_kept = !is_one_of(&NEVER_REPEATED);
            describe_trial(operation);
            let parameters = operation.parameters.get_or_insert_default();
            parameters.push(dry_run());
            if is_kept {
                let text = "Makes a repetition of the request get the first answer again: 1 to 255 visible ASCII characters";
                parameters.push(header("Idempotency-Key", text));
            }
            if ACTS_ON_A_VERSION.iter().any(|act| path.ends_with(act)) {
                let text =
                    "The ETag that was read; left out, the act applies to the current version";
                parameters.push(header("If-Match", text));
            }
        }
    }
}

fn reading(item: &mut PathItem) -> [Option<&mut Operation>; 1] {
    [item.get.as_mut()]
}

fn writing(item: &mut PathItem) -> [Option<&mut Operation>; 3] {
    [
        item.post.as_mut(),
        item.patch.as_mut(),
        item.delete.as_mut(),
    ]
}

/// Every response needs a description (OpenAPI 3.1 §4.8.17).
fn describe_successes(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let text = match status.as_str() {
            "200" => "Done",
            "201" => "Created",
            "204" => "Done; there is nothing more to say",
            _ => continue,
        };
        if let RefOr::T(response) = response {
            text.clone_into(&mut response.description);
        }
    }
}

/// The content type of RFC 9457 §3.
fn describe_problems(operation: &mut Operation) {
    let Some(RefOr::T(response)) = operation.responses.responses.get_mut("default") else {
        return;
    };
    response.description = "A problem (RFC 9457); docs/errors.md lists every code".to_owned();
    if let Some(content) = response.content.shift_remove("application/json") {
        let content_type = "application/problem+json".to_owned();
        response.content.insert(content_type, content);
    }
}

/// A trial of what creates something answers 200: nothing was created.
fn describe_trial(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    if let Some(RefOr::T(created)) = responses.get("201") {
        let mut trial = created.clone();
        trial.description = "With dry_run: what would be created".to_owned();
        responses.insert("200".to_owned(), RefOr::T(trial));
    }
}

fn dry_run() -> RefOr<Parameter> {
    ParameterBuilder::new()
        .name("dry_run")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("Answer what would result, and store nothing"))
        .schema(Some(
            ObjectBuilder::new().schema_type(Type::Boolean).build(),
        ))
        .build()
        .into()
}

fn header(name: &str, description: &str) -> RefOr<Parameter> {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .build()
        .into()
}

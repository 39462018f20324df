//! The OpenAPI document.

use std::collections::{BTreeMap, HashSet};

use countersign_domain::ids::ApiTokenId;
use serde_json::Value;

use crate::callers::example;
use crate::schema::{document, operations, resolved};
use crate::support::Api;

#[tokio::test]
async fn the_document_is_served_to_everybody_as_it_is_generated() {
    let api = Api::start().await;
    let answer = api.ask("GET", "/api/openapi.json").anonymous().send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), countersign_http::openapi_json());
}

#[test]
fn the_document_is_openapi_3_1_with_title_and_version() {
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1."));
    for member in ["title", "version"] {
        assert!(!document()["info"][member].as_str().unwrap().is_empty());
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_tag() {
    let mut names = HashSet::new();
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} stands twice: {method} {path}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
        assert_eq!(
            operation["tags"].as_array().map(Vec::len),
            Some(1),
            "{name}"
        );
    }
}

#[test]
fn every_operation_documents_its_success_and_its_problems() {
    for (method, path, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            assert!(
                response["description"].is_string(),
                "{method} {path} {status}"
            );
        }
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{method} {path}"
        );
        let problem = &responses["default"]["content"]["application/problem+json"]["schema"];
        assert_eq!(
            problem["$ref"], "#/components/schemas/ProblemDocument",
            "{method} {path}"
        );
    }
}

#[test]
fn every_operation_needs_an_api_token() {
    let schemes = &document()["components"]["securitySchemes"];
    assert_eq!(schemes["api_token"]["type"], "http");
    assert_eq!(schemes["api_token"]["scheme"], "bearer");
    assert_eq!(
        document()["security"],
        serde_json::json!([{"api_token": []}])
    );
    for (method, path, operation) in operations() {
        assert!(
            operation.get("security").is_none(),
            "{method} {path} differs"
        );
    }
}

#[test]
fn every_parameter_of_a_path_is_declared_and_required_and_no_other() {
    for (method, path, operation) in operations() {
        let named: HashSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let mut declared = HashSet::new();
        let mut seen = HashSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let place = parameter["in"].as_str().unwrap();
            assert!(
                seen.insert((name, place)),
                "{method} {path}: {name} stands twice"
            );
            assert!(parameter["schema"].is_object(), "{method} {path}: {name}");
            if place == "path" {
                assert_eq!(parameter["required"], true, "{method} {path}: {name}");
                declared.insert(name);
            }
        }
        assert_eq!(named, declared, "{method} {path}");
    }
}

/// What an operation takes beside its path and body is what it documents, no more and no less.
#[tokio::test]
async fn trials_repetitions_and_conditions_are_taken_exactly_where_they_are_documented() {
    let api = Api::start().await;
    let spare = ApiTokenId::from_random([7; 16]).to_string();
    for (method, _, operation) in operations() {
        if method == "GET" {
            continue;
        }
        let documents = |name: &str| {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.any(|one| one["name"] == name)
        };
        let name = operation["operationId"].as_str().unwrap();
        let code = async |query: &str, (header, value): (&str, &str)| {
            let (path, body) = example(&api, name, &spare);
            let path = path.trim_end_matches("?dry_run=true");
            let request = api.ask(method.clone().leak(), format!("{path}{query}"));
            let mut request = request.header(header, value).json(&body.unwrap());
            if method == "PATCH" && header != "if-match" {
                request = request.if_match(1);
            }
            let answer = request.send().await;
            let is_problem = answer.status.is_client_error();
            is_problem.then(|| answer.json()["code"].as_str().unwrap().to_owned())
        };
        let refused = |code: &'static str| Some(code.to_owned());
        let trial = "?dry_run=true";
        let tried = code(trial, ("accept", "*/*")).await;
        let takes_trials = tried != refused("query_unknown");
        assert_eq!(takes_trials, documents("dry_run"), "{name}: {tried:?}");
        let query = if takes_trials { trial } else { "" };
        let kept = code(query, ("idempotency-key", "two words")).await;
        let is_read = kept == refused("idempotency_key_malformed");
        assert_eq!(is_read, documents("Idempotency-Key"), "{name}: {kept:?}");
        let matched = code(query, ("if-match", "x")).await;
        let is_read = matched == refused("if_match_malformed");
        assert_eq!(is_read, documents("If-Match"), "{name}: {matched:?}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let mut used = BTreeMap::new();
    references(document(), &mut used);
    for reference in used.keys() {
        let schema = serde_json::json!({"$ref": reference});
        assert!(resolved(&schema).is_object(), "{reference}");
    }
}

fn references<'a>(value: &'a Value, found: &mut BTreeMap<&'a str, ()>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "$ref" => drop(found.insert(text, ())),
                    other => references(other, found),
                }
            }
        }
        _ => {}
    }
}

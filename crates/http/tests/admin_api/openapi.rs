//! The OpenAPI document.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

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

#[test]
fn every_operation_that_writes_documents_trials_and_repetitions() {
    for (method, path, operation) in operations() {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let names: Vec<&str> = parameters.filter_map(|one| one["name"].as_str()).collect();
        let writes = method != "GET";
        assert_eq!(names.contains(&"dry_run"), writes, "{method} {path}");
        assert_eq!(
            names.contains(&"Idempotency-Key"),
            writes,
            "{method} {path}"
        );
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

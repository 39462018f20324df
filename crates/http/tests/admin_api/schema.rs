//! Reads the OpenAPI document and holds answers against it: as much of JSON Schema as the document uses.

use std::sync::OnceLock;

use countersign_testkit::Answer;
use serde_json::Value;

/// Keywords that say something about a value; a new one in the document must be learned here first.
const KNOWN: [&str; 17] = [
    "$ref",
    "additionalProperties",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "type",
    "default",
    "title",
];

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(&countersign_http::openapi_json()).unwrap())
}

/// Every operation: method in capitals, path template, description.
pub(crate) fn operations() -> impl Iterator<Item = (String, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .filter(|(method, _)| method.as_str() != "parameters")
            .map(|(method, operation)| (method.to_ascii_uppercase(), path.as_str(), operation))
    })
}

/// The operation that a request is for.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let names: Vec<&str> = template.split('/').collect();
        names.len() == parts.len()
            && names
                .iter()
                .zip(&parts)
                .all(|(name, part)| name.starts_with('{') || name == part)
    };
    let mut found = operations().filter(|(known, template, _)| known == method && fits(template));
    found.next().map(|(_, _, operation)| operation)
}

/// A successful answer is one that the document describes.
pub(crate) fn check_answer(method: &str, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else {
        return;
    };
    let status = answer.status.as_str();
    let response = operation["responses"]
        .get(status)
        .unwrap_or_else(|| panic!("{method} {path}: {status} is not documented"));
    match response.get("content") {
        Some(content) => {
            let at = format!("{method} {path}");
            validate(&content["application/json"]["schema"], &answer.json(), &at);
        }
        None => assert_eq!(answer.text(), "", "{method} {path}"),
    }
}

/// A value is one of a named schema.
pub(crate) fn check(name: &str, value: &Value, at: &str) {
    validate(&document()["components"]["schemas"][name], value, at);
}

fn validate(schema: &Value, value: &Value, at: &str) {
    if let Err(what) = fits(schema, value, at) {
        panic!("{what}");
    }
}

/// Whether a value is what a schema says; if not, what is wrong.
fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolved(schema);
    let keywords = schema.as_object().unwrap();
    for keyword in keywords.keys() {
        assert!(
            KNOWN.contains(&keyword.as_str()),
            "{at}: unknown keyword {keyword}"
        );
    }
    let must = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(format!("{at}: {value} is not {what}"))
        }
    };
    if let Some(types) = keywords.get("type") {
        let types = types
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![types.clone()]);
        let is_one = types
            .iter()
            .any(|name| is_type(name.as_str().unwrap(), value));
        must(is_one, &format!("of {types:?}"))?;
    }
    if let Some(choices) = keywords.get("enum").and_then(Value::as_array) {
        must(choices.contains(value), "a choice")?;
    }
    if let Some(choices) = keywords.get("oneOf").and_then(Value::as_array) {
        let fitting = choices
            .iter()
            .filter(|choice| fits(choice, value, at).is_ok());
        must(fitting.count() == 1, "exactly one choice")?;
    }
    if let Some(least) = keywords.get("minimum").and_then(Value::as_i64) {
        must(
            value.as_i64().is_none_or(|number| number >= least),
            "large enough",
        )?;
    }
    if let (Some(items), Some(values)) = (keywords.get("items"), value.as_array()) {
        for (place, value) in values.iter().enumerate() {
            fits(items, value, &format!("{at}/{place}"))?;
        }
    }
    if let (Some(members), Some(object)) = (keywords.get("properties"), value.as_object()) {
        for name in schema["required"].as_array().into_iter().flatten() {
            must(
                object.contains_key(name.as_str().unwrap()),
                &format!("complete: {name}"),
            )?;
        }
        for (name, value) in object {
            let known = members
                .get(name)
                .ok_or_else(|| format!("{at}: {name} is not documented"))?;
            fits(known, value, &format!("{at}/{name}"))?;
        }
    }
    Ok(())
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("unknown type {other}"),
    }
}

/// What a reference leads to; a schema without one is itself.
pub(crate) fn resolved(schema: &Value) -> &Value {
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
        return schema;
    };
    let pointer = reference.strip_prefix('#').unwrap();
    document()
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

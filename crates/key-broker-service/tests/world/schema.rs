//! A small check of JSON against the schemas of the OpenAPI document: enough for the schemas that
//! stand there, and strict: a member that the schema does not name is an error.

use std::sync::LazyLock;

use assay_key_broker_service::openapi;
use serde_json::{Map, Value};

use super::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&openapi()).unwrap());

/// Holds an answer against what the document says of its method, path and status.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let problem = &DOCUMENT["components"]["schemas"]["Problem"];
    if !answer.status.is_success() {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
        assert_eq!(answer.json()["status"], answer.status.as_u16());
        assert!(!answer.header("x-request-id").is_empty());
        return conform(problem, &answer.json(), "problem");
    }
    let Some(operation) = operation(method, path) else { panic!("{method} {path} is not in the document") };
    let response = &operation["responses"][answer.status.as_str()];
    assert!(response.is_object(), "{method} {path} answers {}", answer.status);
    let Some(content) = response["content"].as_object() else {
        return assert!(answer.body.is_empty(), "{method} {path} gave a body");
    };
    let found = answer.header("content-type");
    let media_type =
        if content.contains_key(found) { found } else { found.split(';').next().unwrap_or_default() };
    let Some(described) = content.get(media_type) else { panic!("{method} {path} gave {found}") };
    if media_type.ends_with("json") {
        conform(&described["schema"], &answer.json(), path);
    }
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let matching = |template: &str| match template.split_once('{') {
        None => template == path,
        Some((prefix, _)) => path.len() > prefix.len() && path.starts_with(prefix),
    };
    paths
        .iter()
        .filter(|(template, _)| matching(template))
        .find_map(|(_, item)| item.get(method.to_lowercase()))
}

fn conform(schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return conform(DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).unwrap(), value, at);
    }
    let one_of = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    if let Some(choices) = one_of {
        let not_null = choices.iter().find(|choice| choice["type"] != "null").unwrap();
        if !value.is_null() {
            conform(not_null, value, at);
        }
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().map(|kind| kind.as_str().unwrap()).collect(),
        // Any JSON.
        _ => return,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&kind), "{at} is {kind}, expected {kinds:?}");
    match value {
        Value::Array(items) => items.iter().for_each(|item| conform(&schema["items"], item, at)),
        Value::Object(members) => members_conform(schema, members, at),
        _ => {}
    }
}

fn members_conform(schema: &Value, members: &Map<String, Value>, at: &str) {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let additional = schema.get("additionalProperties").filter(|schema| schema.is_object());
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(members.contains_key(required.as_str().unwrap()), "{at} has no {required}");
    }
    for (name, value) in members {
        let at = format!("{at}.{name}");
        match properties.get(name).or(additional) {
            Some(schema) => conform(schema, value, &at),
            None => panic!("{at} is not in the document"),
        }
    }
}

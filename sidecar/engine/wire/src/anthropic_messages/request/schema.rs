//! Strictness of JSON schemas: OpenAI holds an answer to a schema only where all of it is said, Anthropic
//! takes none whose objects may have more members than it names.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Keywords whose value maps names to schemas.
const NAMED: [&str; 3] = ["properties", "$defs", "definitions"];

/// Keywords whose value is a schema or a list of them; an answer must fit one, or each for itself.
const APART: [&str; 4] = ["items", "prefixItems", "anyOf", "oneOf"];

/// Whether every object in a schema has `additionalProperties: false` and requires all its properties.
pub(super) fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Array(list) => list.iter().all(is_closed),
        Value::Object(members) => {
            let no_more = members.get("additionalProperties") == Some(&Value::Bool(false));
            let is_object = members.get("type").is_some_and(|kind| kind == "object");
            let sealed = match members.get("properties").and_then(Value::as_object) {
                Some(properties) => no_more && requires_all(members, properties),
                None => no_more || !is_object,
            };
            sealed && members.values().all(is_closed)
        }
        _ => true,
    }
}

fn requires_all(schema: &Map<String, Value>, properties: &Map<String, Value>) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    let required: HashSet<&str> =
        required.into_iter().flatten().filter_map(Value::as_str).collect();
    properties.keys().all(|name| required.contains(name.as_str()))
}

/// The schema with every object closed, as Anthropic wants it: an answer that fits it fits the caller's too.
/// `None`: it has objects of any members, or parts that an answer must fit together.
pub(super) fn close(schema: &Value) -> Option<Value> {
    let mut closed = schema.clone();
    close_in(&mut closed).then_some(closed)
}

fn close_in(schema: &mut Value) -> bool {
    let Value::Object(members) = schema else { return true };
    let is_named = |kind: &Value| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
        kind => kind == "object",
    };
    let has_members = members.get("properties").is_some_and(Value::is_object);
    if has_members || members.get("type").is_some_and(is_named) {
        match members.get("additionalProperties") {
            Some(Value::Bool(false)) => {}
            None if has_members => {
                members.insert("additionalProperties".into(), false.into());
            }
            _ => return false,
        }
    }
    let named = |members: &mut Map<String, Value>, keyword: &str| {
        let schemas = members.get_mut(keyword).and_then(Value::as_object_mut);
        schemas.is_none_or(|schemas| schemas.values_mut().all(close_in))
    };
    let apart = |members: &mut Map<String, Value>, keyword: &str| match members.get_mut(keyword) {
        Some(Value::Array(list)) => list.iter_mut().all(close_in),
        Some(one) => close_in(one),
        None => true,
    };
    NAMED.iter().all(|keyword| named(members, keyword))
        && APART.iter().all(|keyword| apart(members, keyword))
        && members.get("allOf").is_none_or(fits_together)
}

/// Closed parts that name different members exclude each other: only what needs no closing stays as it is.
fn fits_together(all: &Value) -> bool {
    all.as_array().is_none_or(|parts| parts.iter().all(is_shut))
}

fn is_shut(part: &Value) -> bool {
    close(part).is_some_and(|closed| closed == *part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Objects are closed wherever schemas stand, and nothing else is touched.
    #[test]
    fn objects_are_closed() {
        let open = json!({
            "type": "object",
            "properties": {
                "properties": {"type": ["object", "null"], "properties": {}},
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
                "either": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/d"}]},
            },
            "enum": [{"type": "object"}],
            "$defs": {"d": {"type": "object", "properties": {}, "additionalProperties": false}},
        });
        let closed = close(&open).unwrap();
        let paths = ["", "/properties/properties", "/properties/list/items", "/$defs/d"];
        for path in paths {
            assert_eq!(closed.pointer(path).unwrap()["additionalProperties"], false, "{path}");
        }
        assert_eq!(closed["enum"], open["enum"]);
        assert_eq!(closed["properties"]["list"].as_object().unwrap().len(), 2);
        assert_eq!(close(&closed), Some(closed));
    }

    /// Objects of any members cannot be closed without another meaning, nor parts that belong together.
    #[test]
    fn what_cannot_be_closed_is_told() {
        for open in [
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "properties": {"a": {"type": "object"}}}),
            json!({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}),
        ] {
            assert_eq!(close(&open), None, "{open}");
        }
        let shut = json!({"allOf": [{"type": "string"}, {"$ref": "#/$defs/d"}]});
        assert_eq!(close(&shut), Some(shut));
    }
}

//! A small instance of a JSON schema, for structured output and forced tool calls.

use serde_json::{Map, Value, json};

/// Schemas nest no deeper than this; what lies below is null.
const DEPTH_MAX: usize = 16;

/// Makes a value that fits `schema` (the subset that providers accept for strict output).
pub(crate) fn instance(schema: &Value) -> Value {
    build(schema, schema, 0)
}

fn build(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let follow = |part: &Value| build(root, part, depth + 1);
    if let Some(target) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return root.pointer(target).map_or(Value::Null, follow);
    }
    if !schema["const"].is_null() {
        return schema["const"].clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[union].get(0) {
            return follow(first);
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str());
    match kind {
        Some("string") => json!("text"),
        Some("integer") => schema["minimum"].as_i64().unwrap_or(1).into(),
        Some("number") => schema["minimum"].as_f64().unwrap_or(1.5).into(),
        Some("boolean") => true.into(),
        Some("array") => match &schema["items"] {
            Value::Null => json!([]),
            items => json!([follow(items)]),
        },
        Some("null") => Value::Null,
        _ => {
            let mut object = Map::new();
            for (name, part) in schema["properties"].as_object().into_iter().flatten() {
                object.insert(name.clone(), follow(part));
            }
            Value::Object(object)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every construct of strict output gets a fitting value; recursion ends.
    #[test]
    fn instances_fit_their_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string"}, "age": {"type": "integer"},
                "mood": {"enum": ["good", "bad"]}, "tags": {"type": "array", "items": {"type": "string"}},
                "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                "inner": {"$ref": "#/$defs/Inner"}
            },
            "$defs": {"Inner": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}
        });
        let expected = json!({"name": "text", "age": 1, "mood": "good", "tags": ["text"],
            "maybe": 1.5, "inner": {"ok": true}});
        assert_eq!(instance(&schema), expected);
        let endless = json!({"properties": {"next": {"$ref": "#"}}});
        assert!(instance(&endless).is_object());
    }
}

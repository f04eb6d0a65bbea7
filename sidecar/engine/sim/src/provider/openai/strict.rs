//! What OpenAI asks of a schema that binds strictly.

use serde_json::Value;

/// Checks a schema.
///
/// # Errors
/// OpenAI's words after the name of what it belongs to.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    if !schema.is_null() && schema["type"] != "object" {
        return Err(format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: {}'.",
            schema["type"]
        ));
    }
    walk(schema, "")
}

fn walk(schema: &Value, context: &str) -> Result<(), String> {
    let Some(object) = schema.as_object() else { return Ok(()) };
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        if object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(format!(
                "In context=({context}), 'additionalProperties' is required to be supplied and to \
                 be false."
            ));
        }
        let required = &schema["required"];
        let listed =
            |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
        if let Some(name) = properties.keys().find(|name| !listed(name)) {
            return Err(format!(
                "In context=({context}), 'required' is required to be supplied and to be an array \
                 including every key in properties. Missing '{name}'."
            ));
        }
        for (name, part) in properties {
            walk(part, &format!("{context}'properties', '{name}'"))?;
        }
    }
    for list in ["anyOf", "oneOf"] {
        for part in object.get(list).and_then(Value::as_array).into_iter().flatten() {
            walk(part, context)?;
        }
    }
    for (_, part) in object.get("$defs").and_then(Value::as_object).into_iter().flatten() {
        walk(part, context)?;
    }
    object.get("items").map_or(Ok(()), |items| walk(items, context))
}

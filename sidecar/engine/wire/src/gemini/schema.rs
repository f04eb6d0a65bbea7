//! Google's subset of OpenAPI's schema (`parameters`, `responseSchema`) as JSON schema. The way back does
//! not exist: `parametersJsonSchema` and `responseJsonSchema` take JSON schema, which the subset rejects
//! (`$schema`, `additionalProperties`, `$ref`, lists of types).

use serde_json::{Map, Value};

/// A `Schema` object as JSON schema; what is no object stays as it is.
pub(super) fn from_subset(schema: Value) -> Value {
    let Value::Object(subset) = schema else { return schema };
    let mut schema = Map::with_capacity(subset.len());
    let (mut nullable, mut order) = (false, Vec::new());
    for (key, value) in subset {
        match key.as_str() {
            "type" => {
                if let Some(kind) = value.as_str().map(str::to_ascii_lowercase)
                    && kind != "type_unspecified"
                {
                    schema.insert(key, kind.into());
                }
            }
            "nullable" => nullable = value == Value::Bool(true),
            "propertyOrdering" | "property_ordering" => order = names(value),
            "properties" => {
                schema.insert(key, each_member(value));
            }
            "$defs" | "defs" => {
                schema.insert("$defs".into(), each_member(value));
            }
            "$ref" | "ref" => {
                let at = value.as_str().map(|at| at.replace("#/defs/", "#/$defs/"));
                schema.insert("$ref".into(), at.map_or(value, Value::from));
            }
            "items" | "additionalProperties" | "additional_properties" => {
                schema.insert(json_schema_word(key), from_subset(value));
            }
            "anyOf" | "any_of" | "oneOf" | "allOf" | "prefixItems" => {
                schema.insert(json_schema_word(key), each_element(value));
            }
            "example" => {
                schema.insert("examples".into(), Value::Array(vec![value]));
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties" | "min_items" | "max_items" | "min_length" | "max_length"
            | "min_properties" | "max_properties" => {
                schema.insert(json_schema_word(key), number(value));
            }
            _ => {
                schema.insert(key, value);
            }
        }
    }
    reorder(&mut schema, &order);
    if nullable {
        allow_null(&mut schema);
    }
    Value::Object(schema)
}

fn json_schema_word(key: String) -> String {
    let Some((first, second)) = key.split_once('_') else { return key };
    let mut letters = second.chars();
    let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
    let initial = initial.map(String::from).unwrap_or_default();
    [first, &initial, letters.as_str()].concat()
}

fn each_member(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    Value::Object(map.into_iter().map(|(key, value)| (key, from_subset(value))).collect())
}

fn each_element(value: Value) -> Value {
    let Value::Array(list) = value else { return value };
    Value::Array(list.into_iter().map(from_subset).collect())
}

fn names(value: Value) -> Vec<String> {
    let Value::Array(list) = value else { return Vec::new() };
    list.into_iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// 64-bit numbers are texts in Google's JSON.
fn number(value: Value) -> Value {
    let parsed = value.as_str().and_then(|text| text.parse::<u64>().ok());
    parsed.map_or(value, Value::from)
}

/// JSON schema has no `propertyOrdering`: providers answer in the order in which properties stand.
fn reorder(schema: &mut Map<String, Value>, order: &[String]) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let mut ordered = Map::with_capacity(properties.len());
    for name in order {
        if let Some((name, property)) = properties.shift_remove_entry(name) {
            ordered.insert(name, property);
        }
    }
    ordered.append(properties);
    *properties = ordered;
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = Value::Array(vec![kind.take(), "null".into()]);
    } else if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.push(serde_json::json!({"type": "null"}));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A11: Google's subset becomes what every other provider takes.
    #[test]
    fn the_subset_becomes_json_schema() {
        let subset = json!({
            "type": "OBJECT",
            "properties": {
                "b": {"type": "STRING", "nullable": true, "enum": ["x"]},
                "a": {"type": "ARRAY", "min_items": "1", "items": {"type": "INTEGER"}},
                "type": {"any_of": [{"type": "NUMBER"}, {"ref": "#/defs/D"}], "nullable": true},
            },
            "propertyOrdering": ["a", "missing", "b"],
            "defs": {"D": {"type": "BOOLEAN", "example": true}},
            "required": ["a"],
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "a": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
                "b": {"type": ["string", "null"], "enum": ["x", null]},
                "type": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/D"}, {"type": "null"}]},
            },
            "$defs": {"D": {"type": "boolean", "examples": [true]}},
            "required": ["a"],
        });
        // As text: the order of properties counts.
        assert_eq!(from_subset(subset).to_string(), expected.to_string());
    }
}

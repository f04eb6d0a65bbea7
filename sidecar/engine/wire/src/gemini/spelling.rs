//! Members as Google's parsers read them: `camelCase` or `snake_case`, one object where a list of them is
//! expected, whole numbers also as `40.0` (the Python SDK's `topK`) and as `"40"`.

use serde_json::{Map, Number, Value};

use crate::form::Unreadable;
use crate::json::{self, Members};

/// `body` as an object.
pub(super) fn parse(body: &[u8]) -> Result<Members, Unreadable> {
    members(json::parse(body)?.into_value(), String::new())
}

/// The members of `value`, all in `camelCase`.
pub(super) fn members(value: Value, path: String) -> Result<Members, Unreadable> {
    match value {
        Value::Object(map) if map.keys().any(|key| key.contains('_')) => {
            Members::of(Value::Object(camel(map, &path)?), path)
        }
        value => Members::of(value, path),
    }
}

/// A member's own members.
pub(super) fn object(of: &mut Members, key: &str) -> Result<Option<Members>, Unreadable> {
    let path = of.at(key);
    of.take(key).map(|value| members(value, path)).transpose()
}

/// A member's elements; one object counts as a list of it.
pub(super) fn objects(of: &mut Members, key: &str) -> Result<Option<Vec<Members>>, Unreadable> {
    let path = of.at(key);
    let list = match of.take(key) {
        None => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(value @ Value::Object(_)) => vec![value],
        Some(_) => return Err(of.wrong(key, "an array of objects")),
    };
    let element = |(place, value)| members(value, format!("{path}[{place}]"));
    list.into_iter().enumerate().map(element).collect::<Result<_, _>>().map(Some)
}

/// A whole number of at least 0.
pub(super) fn count(of: &mut Members, key: &str) -> Result<Option<u64>, Unreadable> {
    let Some(number) = whole(of, key)? else { return Ok(None) };
    let wrong = || of.wrong(key, "a whole number of at least 0");
    u64::try_from(number).map(Some).map_err(|_| wrong())
}

/// A whole number.
pub(super) fn whole(of: &mut Members, key: &str) -> Result<Option<i64>, Unreadable> {
    let number = match of.take(key) {
        None => return Ok(None),
        Some(Value::Number(number)) => integer(&number),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    number.map(Some).ok_or_else(|| of.wrong(key, "a whole number"))
}

/// `40` or `40.0`.
pub(super) fn integer(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        // Digits of a whole float, so that no cast can round.
        format!("{float:.0}").parse().ok()
    })
}

fn camel(map: Map<String, Value>, path: &str) -> Result<Map<String, Value>, Unreadable> {
    let mut written = Map::with_capacity(map.len());
    for (key, value) in map {
        let key = camel_key(key);
        if written.contains_key(&key) {
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            let why = "is given in two spellings; send one".to_owned();
            return Err(Unreadable { path, why });
        }
        written.insert(key, value);
    }
    Ok(written)
}

/// `_response_json_schema`, an older spelling, is `responseJsonSchema`.
fn camel_key(key: String) -> String {
    if !key.contains('_') {
        return key;
    }
    let mut words = key.split('_').filter(|word| !word.is_empty());
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Both spellings name the same member; both at once are refused.
    #[test]
    fn both_spellings_are_read() {
        let mut one =
            members(json!({"generation_config": {"top_k": 40.0}}), String::new()).unwrap();
        let mut config = object(&mut one, "generationConfig").unwrap().unwrap();
        assert_eq!(count(&mut config, "topK").unwrap(), Some(40));
        let both = json!({"topK": 1, "top_k": 2});
        assert_eq!(members(both, "c".into()).unwrap_err().path, "c.topK");
        assert_eq!(camel_key("_response_json_schema".into()), "responseJsonSchema");
    }

    /// Fractions, negative numbers and texts that are no number name the member.
    #[test]
    fn numbers_must_be_whole() {
        for value in [json!(1.5), json!("x"), json!(1e300), json!(-1), json!([])] {
            let mut one = members(json!({"n": value}), String::new()).unwrap();
            assert_eq!(count(&mut one, "n").unwrap_err().path, "n");
        }
        let mut one = members(json!({"n": "12"}), String::new()).unwrap();
        assert_eq!(count(&mut one, "n").unwrap(), Some(12));
    }
}

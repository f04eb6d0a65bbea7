//! `POST /v1/embeddings`: deterministic unit vectors, as float lists or base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::bill::Tokens;
use super::super::failure::Refused;
use super::super::prompt::tokens_of;
use super::super::replay::seed_of;
use super::error::bad_request;

/// Dimensions where the caller names none.
const DIMENSIONS: usize = 1536;

/// The answer to an embeddings request and its tokens.
///
/// # Errors
/// With the provider's own words where the request is malformed.
pub(crate) fn document(body: &Value, model: &str, seed: u64) -> Result<(Value, Tokens), Refused> {
    if model.is_empty() {
        return Err(bad_request("you must provide a model parameter", Some("model")));
    }
    let dimensions = match &body["dimensions"] {
        Value::Null => DIMENSIONS,
        value => match value.as_u64() {
            Some(number @ 1..=3072) => usize::try_from(number).unwrap_or(DIMENSIONS),
            _ => return Err(invalid("dimensions")),
        },
    };
    let base64 = match body["encoding_format"].as_str() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(invalid("encoding_format")),
    };
    let inputs = inputs(&body["input"]).ok_or_else(|| invalid("input"))?;
    let tokens = inputs.iter().map(|input| input.tokens).sum();
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(seed_of(&input.text, model, seed), dimensions);
            json!({"object": "embedding", "index": index, "embedding": encode(&vector, base64)})
        })
        .collect();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    let document = json!({"object": "list", "data": data, "model": model, "usage": usage});
    Ok((document, Tokens { input: tokens, ..Tokens::default() }))
}

struct Input {
    text: String,
    tokens: u64,
}

/// A text, a list of texts, a list of token ids, or a list of those.
fn inputs(value: &Value) -> Option<Vec<Input>> {
    let items = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(items) if items.first()?.is_u64() => std::slice::from_ref(value),
        Value::Array(items) => items,
        _ => return None,
    };
    items.iter().map(input).collect()
}

fn input(value: &Value) -> Option<Input> {
    match value {
        Value::String(text) if !text.is_empty() => {
            Some(Input { text: text.clone(), tokens: tokens_of(text.chars().count()) })
        }
        Value::Array(ids) if !ids.is_empty() && ids.iter().all(Value::is_u64) => {
            Some(Input { text: value.to_string(), tokens: ids.len() as u64 })
        }
        _ => None,
    }
}

fn invalid(param: &str) -> Refused {
    bad_request(&format!("'$.{param}' is invalid."), Some(param))
}

/// A vector of length one.
pub(crate) fn vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let raw: Vec<f32> = (0..dimensions).map(|_| random.f32() - 0.5).collect();
    let length = raw.iter().map(|part| part * part).sum::<f32>().sqrt().max(f32::EPSILON);
    raw.into_iter().map(|part| part / length).collect()
}

fn encode(vector: &[f32], base64: bool) -> Value {
    if base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|part| part.to_le_bytes()).collect();
        return STANDARD.encode(bytes).into();
    }
    vector.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both encodings carry the same numbers, of length one, the same for the same text.
    #[test]
    fn encodings_agree() {
        let float = json!({"model": "e", "input": ["a", "b"], "dimensions": 8});
        let mut packed = float.clone();
        packed["encoding_format"] = "base64".into();
        let (float, tokens) = document(&float, "e", 1).unwrap();
        let (packed, _) = document(&packed, "e", 1).unwrap();
        assert_eq!(tokens, Tokens { input: 2, ..Tokens::default() });
        for index in 0..2 {
            let text = packed["data"][index]["embedding"].as_str().unwrap();
            let bytes = STANDARD.decode(text).unwrap();
            let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
            let listed = float["data"][index]["embedding"][0].as_f64().unwrap();
            assert!((f64::from(first) - listed).abs() < 1e-6);
        }
    }

    /// Token ids count themselves; anything else is a 400 that names the parameter.
    #[test]
    fn inputs_are_checked() {
        let ids = json!({"model": "e", "input": [[1, 2, 3], [4]], "dimensions": 2});
        assert_eq!(document(&ids, "e", 1).unwrap().1.input, 4);
        for bad in [json!(null), json!(""), json!([]), json!([["x"]]), json!(7)] {
            let refused = document(&json!({"model": "e", "input": bad}), "e", 1).unwrap_err();
            assert_eq!(refused.body["error"]["param"], "input");
        }
    }
}

//! The request.

use serde_json::{Map, Value, json};

use crate::form::{Cannot, EmbeddingInput, EmbeddingRequest, Encoding, Loss, Unreadable, Written};
use crate::json::{self, Members};

/// Reads a request.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<EmbeddingRequest, Unreadable> {
    let mut members = json::parse(body)?;
    let (inputs, single) = read_inputs(&mut members)?;
    let encoding = match members.text("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Floats,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(members.wrong("encoding_format", "float or base64")),
    };
    Ok(EmbeddingRequest {
        model: members.required_text("model")?,
        inputs,
        single,
        dimensions: members.count("dimensions")?,
        encoding,
        user: members.text("user")?,
        extra: members.rest(),
        ..EmbeddingRequest::default()
    })
}

/// A text, texts, tokens, or lists of tokens.
fn read_inputs(members: &mut Members) -> Result<(Vec<EmbeddingInput>, bool), Unreadable> {
    let wrong = members.wrong("input", "a text, texts, tokens or lists of tokens, at least one");
    match members.take("input") {
        Some(Value::String(text)) => Ok((vec![EmbeddingInput::Text(text)], true)),
        Some(Value::Array(list)) => match list.first() {
            Some(Value::Number(_)) => tokens(&list).map(|one| (vec![one], true)).ok_or(wrong),
            Some(Value::String(_)) => {
                let text = |value| match value {
                    Value::String(text) => Some(EmbeddingInput::Text(text)),
                    _ => None,
                };
                let texts = list.into_iter().map(text).collect::<Option<_>>();
                texts.map(|texts| (texts, false)).ok_or(wrong)
            }
            Some(Value::Array(_)) => {
                let lists = list.iter().map(|list| tokens(list.as_array()?));
                lists.collect::<Option<_>>().map(|lists| (lists, false)).ok_or(wrong)
            }
            _ => Err(wrong),
        },
        _ => Err(wrong),
    }
}

fn tokens(list: &[Value]) -> Option<EmbeddingInput> {
    let token = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let tokens: Vec<u32> = list.iter().map(token).collect::<Option<_>>()?;
    (!tokens.is_empty()).then_some(EmbeddingInput::Tokens(tokens))
}

/// Writes a request of another dialect for an OpenAI-compatible upstream. Vectors come as lists of
/// numbers, which all of them know.
///
/// # Errors
/// None today: OpenAI takes all that the form holds.
pub fn write(request: &EmbeddingRequest, model: &str) -> Result<Written, Cannot> {
    let mut losses = request.lost.clone();
    request.extra.keys().for_each(|name| Loss::note(&mut losses, name));
    let input = |input: &EmbeddingInput| match input {
        EmbeddingInput::Text(text) => json!(text),
        EmbeddingInput::Tokens(tokens) => json!(tokens),
    };
    let inputs: Vec<Value> = request.inputs.iter().map(input).collect();
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("input".into(), inputs.into());
    body.insert("encoding_format".into(), "float".into());
    if let Some(dimensions) = request.dimensions {
        body.insert("dimensions".into(), dimensions.into());
    }
    if let Some(user) = &request.user {
        body.insert("user".into(), user.as_str().into());
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), losses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(input: &Value) -> Result<EmbeddingRequest, Unreadable> {
        read(json!({"model": "m", "input": input}).to_string().as_bytes())
    }

    /// A3: all four shapes of `input`.
    #[test]
    fn inputs_have_four_shapes() {
        let text = |text: &str| EmbeddingInput::Text(text.into());
        let one = of(&json!("a")).unwrap();
        assert_eq!((one.inputs, one.single), (vec![text("a")], true));
        assert_eq!(of(&json!(["a", "b"])).unwrap().inputs, [text("a"), text("b")]);
        let tokens = of(&json!([1, 2])).unwrap();
        assert_eq!(
            (tokens.inputs, tokens.single),
            (vec![EmbeddingInput::Tokens(vec![1, 2])], true)
        );
        let lists = of(&json!([[1], [2, 3]])).unwrap().inputs;
        assert_eq!(lists, [EmbeddingInput::Tokens(vec![1]), EmbeddingInput::Tokens(vec![2, 3])]);
        for wrong in
            [json!([]), json!([[]]), json!(["a", 1]), json!([1, "a"]), json!([-1]), json!(null)]
        {
            assert_eq!(of(&wrong).unwrap_err().path, "input", "{wrong}");
        }
    }
}

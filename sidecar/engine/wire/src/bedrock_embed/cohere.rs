//! Cohere's Embed: texts and as many vectors. What it billed stands in a header of Bedrock's, not here.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::embeddings::floats;
use crate::form::{
    Cannot, EmbeddingInput, EmbeddingReply, EmbeddingRequest, Garbled, Loss, Written,
};

/// What vectors are for, where the caller does not say: the model demands it.
const PURPOSE: &str = "search_document";
/// Texts of one call.
const TEXTS: usize = 96;
/// Members of Cohere's own that a caller may add to OpenAI's.
const OWN: [&str; 2] = ["input_type", "truncate"];

/// Writes a request.
///
/// # Errors
/// It holds tokens, or more texts than one call takes.
pub fn write(request: &EmbeddingRequest) -> Result<Written, Cannot> {
    let cannot = |why| Cannot { path: "input".to_owned(), why };
    if request.inputs.len() > TEXTS {
        return Err(cannot("Cohere takes 96 texts a call; send fewer"));
    }
    let text = |input: &EmbeddingInput| match input {
        EmbeddingInput::Text(text) => Ok(json!(text)),
        EmbeddingInput::Tokens(_) => {
            Err(cannot("holds tokens of another provider's models; send texts"))
        }
    };
    let texts: Vec<Value> = request.inputs.iter().map(text).collect::<Result<_, _>>()?;
    let mut losses = request.lost.clone();
    let mut body = Map::new();
    body.insert("texts".into(), texts.into());
    body.insert("input_type".into(), PURPOSE.into());
    body.insert("embedding_types".into(), json!(["float"]));
    if let Some(length) = request.dimensions {
        body.insert("output_dimension".into(), length.into());
    }
    if request.user.is_some() {
        Loss::note(&mut losses, "user");
    }
    for (name, value) in &request.extra {
        if OWN.contains(&name.as_str()) && request.origin.is_none() {
            body.insert(name.clone(), value.clone());
        } else {
            Loss::note(&mut losses, name);
        }
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), losses })
}

#[derive(Debug, Deserialize)]
struct Body {
    embeddings: Option<Told>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Told {
    ByType { float: Vec<Vec<Value>> },
    Floats(Vec<Vec<Value>>),
}

/// Reads an answer, of either of its shapes.
///
/// # Errors
/// It is cut, or holds no vector.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbled> {
    let body: Body = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    let vectors = match body.embeddings {
        Some(Told::ByType { float } | Told::Floats(float)) if !float.is_empty() => float,
        _ => return Err(body.message.map_or(Garbled::Empty, Garbled::Error)),
    };
    let vectors = vectors.iter().map(|vector| floats::numbers(vector));
    let vectors = vectors.collect::<Option<_>>().ok_or(Garbled::Malformed)?;
    Ok(EmbeddingReply { model: None, vectors, usage: None })
}

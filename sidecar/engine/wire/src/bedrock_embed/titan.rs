//! Amazon's Titan: one text and one vector.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::embeddings::floats;
use crate::form::{
    Cannot, EmbeddingInput, EmbeddingReply, EmbeddingRequest, Garbled, Loss, Tokens, Written,
};

/// Writes a request for the model of this name.
///
/// # Errors
/// It holds several texts, or tokens.
pub fn write(request: &EmbeddingRequest, model: &str) -> Result<Written, Cannot> {
    let cannot = |why| Err(Cannot { path: "input".to_owned(), why });
    let [input] = request.inputs.as_slice() else {
        return cannot("Amazon's Titan takes one text a call; send them one by one");
    };
    let EmbeddingInput::Text(text) = input else {
        return cannot("holds tokens of another provider's models; send texts");
    };
    let mut losses = request.lost.clone();
    let mut body = Map::new();
    body.insert("inputText".into(), text.as_str().into());
    match request.dimensions {
        // The first generation has one length.
        Some(_) if model.contains("titan-embed-text-v1") => Loss::note(&mut losses, "dimensions"),
        Some(length) if model.contains("titan-embed-image") => {
            let config = json!({"outputEmbeddingLength": length});
            body.insert("embeddingConfig".into(), config);
        }
        Some(length) => drop(body.insert("dimensions".into(), length.into())),
        None => {}
    }
    if request.user.is_some() {
        Loss::note(&mut losses, "user");
    }
    request.extra.keys().for_each(|name| Loss::note(&mut losses, name));
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), losses })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    embedding: Option<Vec<Value>>,
    input_text_token_count: Option<u64>,
    message: Option<String>,
}

/// Reads an answer.
///
/// # Errors
/// It is cut, or holds no vector.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbled> {
    let body: Body = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    let Some(vector) = body.embedding.filter(|it| !it.is_empty()) else {
        return Err(body.message.map_or(Garbled::Empty, Garbled::Error));
    };
    let vector = floats::numbers(&vector).ok_or(Garbled::Malformed)?;
    let usage = body.input_text_token_count;
    let usage = usage.map(|input| Tokens { input, ..Tokens::default() });
    Ok(EmbeddingReply { model: None, vectors: vec![vector], usage })
}

//! `:embedContent` for one text, `:batchEmbedContents` for several.

use serde_json::{Map, Value, json};

use super::{settings, texts};
use crate::form::{Cannot, EmbeddingRequest, Written};

pub use crate::gemini::embed::answer::read;

/// Writes a request; of one text for `:embedContent`, else for `:batchEmbedContents`.
///
/// # Errors
/// It holds tokens.
pub fn write(request: &EmbeddingRequest) -> Result<Written, Cannot> {
    let (mut config, losses) = settings(request);
    if let Some(length) = request.dimensions {
        config.insert("outputDimensionality".into(), length.into());
    }
    let one = |text: &&str| {
        let mut one = Map::new();
        one.insert("content".into(), json!({"parts": [{"text": text}]}));
        if !config.is_empty() {
            one.insert("embedContentConfig".into(), config.clone().into());
        }
        Value::Object(one)
    };
    let texts = texts(request)?;
    let body = match texts.as_slice() {
        [text] => one(text),
        several => json!({"requests": several.iter().map(one).collect::<Vec<_>>()}),
    };
    Ok(Written { body: body.to_string().into_bytes(), losses })
}

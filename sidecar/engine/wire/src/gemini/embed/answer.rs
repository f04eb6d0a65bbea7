//! The answer.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::answer::open;
use super::super::spelling::{object, objects};
use super::super::usage;
use crate::embeddings::floats;
use crate::form::{EmbeddingReply, Garbled, Tokens};
use crate::json::{Members, written};

/// Reads the answer to either call.
///
/// # Errors
/// It is cut, an error, or holds no vector.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbled> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    let mut members = open(value)?;
    let list = match object(&mut members, "embedding").map_err(|_| Garbled::Malformed)? {
        Some(one) => vec![one],
        None => objects(&mut members, "embeddings")
            .map_err(|_| Garbled::Malformed)?
            .filter(|list| !list.is_empty())
            .ok_or(Garbled::Empty)?,
    };
    let vector = |mut one: Members| floats::numbers(&one.list("values").ok()??);
    let vectors = list.into_iter().map(vector).collect::<Option<_>>().ok_or(Garbled::Malformed)?;
    Ok(EmbeddingReply { model: None, vectors, usage: usage::read(&mut members) })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Told<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    embeddings: Vec<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    values: &'a [f32],
}

/// Writes the answer to `:embedContent` (`single`) or `:batchEmbedContents`.
#[must_use]
pub fn write(reply: &EmbeddingReply, single: bool) -> Vec<u8> {
    let mut told = reply.vectors.iter().map(|values| Told { values });
    let embedding = if single { told.next() } else { None };
    let usage = |tokens: &Tokens| json!({"promptTokenCount": tokens.input, "totalTokenCount": tokens.input});
    let usage_metadata = reply.usage.as_ref().map(usage);
    written(&Body { embedding, embeddings: told.collect(), usage_metadata })
}

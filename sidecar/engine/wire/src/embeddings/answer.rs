//! The answer.

use serde::Serialize;
use serde_json::{Value, json};

use super::floats;
use crate::Facts;
use crate::form::{EmbeddingReply, Encoding, Garbled, Tokens};
use crate::json;

/// Reads an answer; its vectors may be numbers or base64.
///
/// # Errors
/// It is cut, an error, holds no vector, or not one for each place.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbled> {
    let mut members = json::parse(body).map_err(|_| Garbled::Malformed)?;
    if let Some(error) = members.take("error") {
        return Err(Garbled::Error(error.to_string()));
    }
    let malformed = |_| Garbled::Malformed;
    let data = members.objects("data").map_err(malformed)?.unwrap_or_default();
    if data.is_empty() {
        return Err(Garbled::Empty);
    }
    let mut placed = Vec::with_capacity(data.len());
    for (place, mut one) in (0_u64..).zip(data) {
        let place = one.count("index").map_err(malformed)?.unwrap_or(place);
        let vector = one.take("embedding").and_then(floats::read).ok_or(Garbled::Malformed)?;
        placed.push((place, vector));
    }
    placed.sort_by_key(|(place, _)| *place);
    if !placed.iter().map(|(place, _)| *place).eq((0..).take(placed.len())) {
        return Err(Garbled::Malformed);
    }
    let usage = members.object("usage").map_err(malformed)?.and_then(|mut usage| {
        let input = usage.count("prompt_tokens").ok()??;
        Some(Tokens { input, ..Tokens::default() })
    });
    let model = members.text("model").map_err(malformed)?;
    Ok(EmbeddingReply { model, vectors: placed.into_iter().map(|(_, one)| one).collect(), usage })
}

/// 32-bit floats are written with as many digits as they have, not with those of a 64-bit one.
#[derive(Debug, Serialize)]
struct Body<'a> {
    object: &'static str,
    data: Vec<Element<'a>>,
    model: &'a str,
    usage: Value,
}

#[derive(Debug, Serialize)]
struct Element<'a> {
    object: &'static str,
    index: usize,
    embedding: Told<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Floats(&'a [f32]),
    Base64(String),
}

/// Writes an answer in the encoding that was asked for. Where the provider said nothing of usage, the
/// estimate of before the call stands there: OpenAI's SDKs expect a number.
#[must_use]
pub fn write(reply: &EmbeddingReply, encoding: Encoding, facts: &Facts) -> Vec<u8> {
    let tokens = reply.usage.as_ref().map_or(facts.input_estimate, |usage| usage.input);
    let body = Body {
        object: "list",
        data: reply.vectors.iter().enumerate().map(|one| element(one, encoding)).collect(),
        model: reply.model.as_deref().unwrap_or(&facts.requested),
        usage: json!({"prompt_tokens": tokens, "total_tokens": tokens}),
    };
    json::written(&body)
}

fn element((index, vector): (usize, &Vec<f32>), encoding: Encoding) -> Element<'_> {
    let embedding = match encoding {
        Encoding::Floats => Told::Floats(vector),
        Encoding::Base64 => Told::Base64(floats::encode(vector)),
    };
    Element { object: "embedding", index, embedding }
}

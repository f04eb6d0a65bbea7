//! `/invoke` of Bedrock's embedding models: Amazon's Titan, a text a call, and Cohere's, many.

use serde_json::{Value, json};

use super::super::bill::Tokens;
use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::openai::embeddings::vector;
use super::super::prompt::tokens_of;
use super::super::replay::seed_of;
use super::error::invalid;

/// Titan's dimensions where the caller names none, and Cohere's.
const DIMENSIONS: u64 = 1_024;

/// The answer and what it costs.
///
/// # Errors
/// The model makes no vectors, or the body is not of its shape.
pub(super) fn document(ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
    if ask.model.contains("titan-embed") {
        return titan(ask);
    }
    if ask.model.contains("cohere.embed") {
        return cohere(ask);
    }
    Err(invalid("The model is asked by Converse here."))
}

fn titan(ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
    only(ask.body, &["inputText", "dimensions", "normalize", "embeddingTypes", "embeddingConfig"])?;
    let wrong = || invalid("Malformed input request: #: required key [inputText] not found");
    let text = ask.body["inputText"].as_str().ok_or_else(wrong)?;
    let input = tokens_of(text.chars().count());
    let wanted = ask.body["dimensions"].as_u64().unwrap_or(DIMENSIONS);
    let embedding = vector_of(text, ask, wanted);
    let document = json!({"embedding": embedding, "inputTextTokenCount": input});
    Ok((document, Tokens { input, ..Tokens::default() }))
}

fn cohere(ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
    only(ask.body, &["texts", "input_type", "truncate", "embedding_types", "output_dimension"])?;
    let wrong = || invalid("Malformed input request: #: required key [input_type] not found");
    ask.body["input_type"].as_str().ok_or_else(wrong)?;
    let texts = ask.body["texts"].as_array().filter(|texts| (1..=96).contains(&texts.len()));
    let texts = texts.ok_or_else(|| invalid("texts: between 1 and 96 are taken"))?;
    let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
    let input = texts.iter().map(|text| tokens_of(text.chars().count())).sum();
    let wanted = ask.body["output_dimension"].as_u64().unwrap_or(DIMENSIONS);
    let vectors: Vec<_> = texts.iter().map(|text| vector_of(text, ask, wanted)).collect();
    let by_type = ask.body["embedding_types"].is_array();
    let kind = if by_type { "embeddings_by_type" } else { "embeddings_floats" };
    let embeddings = if by_type { json!({"float": vectors}) } else { json!(vectors) };
    let document =
        json!({"id": "sim", "texts": texts, "embeddings": embeddings, "response_type": kind});
    Ok((document, Tokens { input, ..Tokens::default() }))
}

fn only(body: &Value, known: &[&str]) -> Result<(), Refused> {
    let mut members = body.as_object().into_iter().flat_map(|body| body.keys());
    match members.find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(&format!(
            "Malformed input request: #: extraneous key [{name}] is not permitted"
        ))),
        None => Ok(()),
    }
}

fn vector_of(text: &str, ask: &Ask<'_>, wanted: u64) -> Vec<f32> {
    vector(seed_of(text, ask.model, ask.seed), usize::try_from(wanted).unwrap_or(1))
}

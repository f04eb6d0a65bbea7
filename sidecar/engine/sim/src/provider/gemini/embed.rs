//! Embeddings, at Google's own API and, below a project's path, at Vertex AI, whose settings stand elsewhere.

use serde_json::{Value, json};

use super::super::bill::Tokens;
use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::openai::embeddings::vector;
use super::super::prompt::{Weight, tokens_of};
use super::super::replay::seed_of;
use super::{members, request};

/// Dimensions where the caller names none.
const DIMENSIONS: u64 = 768;

/// The answer and what it costs.
///
/// # Errors
/// With the provider's own words where the request is malformed.
pub(super) fn document(ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
    let path = ask.head.uri.path();
    if path.ends_with(":predict") {
        return predicted(ask);
    }
    let vertex = path.contains("/publishers/");
    let mut weight = Weight::default();
    let mut values = |body: &Value| {
        let text = request::parts(request::member(body, "content"), &mut weight);
        let settings = if vertex { &body["embedContentConfig"] } else { body };
        let wanted = request::member(settings, "outputDimensionality").as_u64();
        json!({"values": vector_of(&text, ask, wanted)})
    };
    let mut document = if path.ends_with(":batchEmbedContents") {
        let shape = if vertex { &members::VERTEX_BATCH } else { &members::BATCH_EMBED };
        request::formed(ask.body, shape)?;
        let all = ask.body["requests"].as_array().into_iter().flatten();
        json!({"embeddings": all.map(&mut values).collect::<Vec<_>>()})
    } else {
        let shape = if vertex { &members::VERTEX_EMBED } else { &members::EMBED };
        request::formed(ask.body, shape)?;
        json!({"embedding": values(ask.body)})
    };
    let input = weight.tokens();
    if vertex {
        document["usageMetadata"] = json!({"promptTokenCount": input, "totalTokenCount": input});
    }
    Ok((document, Tokens { input, ..Tokens::default() }))
}

/// Vertex AI's older call: an instance a text, each with its own count.
fn predicted(ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
    request::formed(ask.body, &members::PREDICT)?;
    let wanted = ask.body["parameters"]["outputDimensionality"].as_u64();
    let mut input = 0;
    let instances = ask.body["instances"].as_array().into_iter().flatten();
    let predictions: Vec<Value> = instances
        .map(|instance| {
            let text = instance["content"].as_str().unwrap_or_default();
            let tokens = tokens_of(text.chars().count());
            input += tokens;
            let statistics = json!({"truncated": false, "token_count": tokens});
            let values = vector_of(text, ask, wanted);
            json!({"embeddings": {"values": values, "statistics": statistics}})
        })
        .collect();
    Ok((json!({"predictions": predictions}), Tokens { input, ..Tokens::default() }))
}

fn vector_of(text: &str, ask: &Ask<'_>, wanted: Option<u64>) -> Vec<f32> {
    let dimensions = usize::try_from(wanted.unwrap_or(DIMENSIONS)).unwrap_or(1);
    vector(seed_of(text, ask.model, ask.seed), dimensions)
}

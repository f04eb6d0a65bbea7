//! `:predict`: instances and predictions.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{settings, texts};
use crate::embeddings::floats;
use crate::form::{Cannot, EmbeddingReply, EmbeddingRequest, Garbled, Tokens, Written};

/// Texts of one call.
const TEXTS: usize = 250;

/// Writes a request.
///
/// # Errors
/// It holds tokens, or more texts than one call takes.
pub fn write(request: &EmbeddingRequest) -> Result<Written, Cannot> {
    if request.inputs.len() > TEXTS {
        let why = "Vertex AI takes 250 texts a call; send fewer";
        return Err(Cannot { path: "input".to_owned(), why });
    }
    let (set, losses) = settings(request);
    let instance = |text: &str| {
        let mut instance = Map::new();
        instance.insert("content".into(), text.into());
        for (name, ours) in [("task_type", "taskType"), ("title", "title")] {
            if let Some(value) = set.get(ours) {
                instance.insert(name.into(), value.clone());
            }
        }
        Value::Object(instance)
    };
    let instances: Vec<Value> = texts(request)?.into_iter().map(instance).collect();
    let mut parameters = Map::new();
    if let Some(length) = request.dimensions {
        parameters.insert("outputDimensionality".into(), length.into());
    }
    if let Some(value) = set.get("autoTruncate") {
        parameters.insert("autoTruncate".into(), value.clone());
    }
    let body = json!({"instances": instances, "parameters": parameters});
    Ok(Written { body: body.to_string().into_bytes(), losses })
}

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    predictions: Vec<Prediction>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Prediction {
    embeddings: Told,
}

#[derive(Debug, Deserialize)]
struct Told {
    values: Vec<Value>,
    statistics: Option<Statistics>,
}

#[derive(Debug, Deserialize)]
struct Statistics {
    token_count: Option<f64>,
}

/// Reads an answer.
///
/// # Errors
/// It is cut, an error, or holds no vector.
pub fn read(body: &[u8]) -> Result<EmbeddingReply, Garbled> {
    let body: Body = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    if body.predictions.is_empty() {
        return Err(body.error.map_or(Garbled::Empty, |error| Garbled::Error(error.to_string())));
    }
    // One that is not told makes the sum nothing that could be billed.
    let counts = body.predictions.iter().map(|it| it.embeddings.statistics.as_ref()?.token_count);
    let input = counts.collect::<Option<Vec<f64>>>();
    let input = input.map(|counts| crate::openai_media::whole(counts.iter().sum()));
    let vector = |told: &Prediction| floats::numbers(&told.embeddings.values);
    let vectors = body.predictions.iter().map(vector);
    Ok(EmbeddingReply {
        model: None,
        vectors: vectors.collect::<Option<_>>().ok_or(Garbled::Malformed)?,
        usage: input.map(|input| Tokens { input, ..Tokens::default() }),
    })
}

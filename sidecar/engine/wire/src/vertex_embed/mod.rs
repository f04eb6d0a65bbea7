//! Embeddings of the models at Vertex AI: those named Gemini take contents, as at Google's own API but for
//! where settings stand; older ones are predicted by instances.

pub mod contents;
pub mod predict;

use serde_json::{Map, Value};

use crate::form::{Cannot, Dialect, EmbeddingInput, EmbeddingRequest, Loss};

/// Members of Google's own that callers of its surface may set, besides the length of vectors.
const OWN: [&str; 3] = ["taskType", "title", "autoTruncate"];

/// The texts to embed.
fn texts(request: &EmbeddingRequest) -> Result<Vec<&str>, Cannot> {
    request.inputs.iter().map(text).collect()
}

fn text(input: &EmbeddingInput) -> Result<&str, Cannot> {
    match input {
        EmbeddingInput::Text(text) => Ok(text),
        EmbeddingInput::Tokens(_) => Err(Cannot {
            path: "input".to_owned(),
            why: "holds tokens of another provider's models; send texts",
        }),
    }
}

/// What the caller set in Google's words, and what is left out.
fn settings(request: &EmbeddingRequest) -> (Map<String, Value>, Vec<Loss>) {
    let (mut kept, mut losses) = (Map::new(), request.lost.clone());
    let own = request.origin == Some(Dialect::Gemini);
    for (name, value) in &request.extra {
        if own && OWN.contains(&name.as_str()) {
            kept.insert(name.clone(), value.clone());
        } else {
            Loss::note(&mut losses, name);
        }
    }
    if request.user.is_some() {
        Loss::note(&mut losses, "user");
    }
    (kept, losses)
}

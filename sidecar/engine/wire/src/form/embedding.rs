//! Texts in, vectors out.

use serde_json::{Map, Value};

use super::{Dialect, Loss, Tokens};

/// A request for embeddings, in no provider's words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingRequest {
    /// As in [`super::Conversation::origin`]; `None` for OpenAI's, whose own way is never translated.
    pub origin: Option<Dialect>,
    /// As the caller named it; writers put the target's name instead.
    pub model: String,
    /// At least one, all of one kind.
    pub inputs: Vec<EmbeddingInput>,
    /// One input was given by itself, not in a list.
    pub single: bool,
    /// Length of the vectors.
    pub dimensions: Option<u64>,
    /// How the caller wants them.
    pub encoding: Encoding,
    /// The caller's end user.
    pub user: Option<String>,
    /// As in [`super::Conversation::extra`].
    pub extra: Map<String, Value>,
    /// As in [`super::Conversation::lost`].
    pub lost: Vec<Loss>,
}

/// What to embed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbeddingInput {
    /// A text.
    Text(String),
    /// A text in tokens of the model that the caller means.
    Tokens(Vec<u32>),
}

/// How vectors are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A list of numbers.
    #[default]
    Floats,
    /// Base64 of 32-bit floats, least significant byte first.
    Base64,
}

/// Vectors, in the order of the inputs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingReply {
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// One for each input; all numbers are finite.
    pub vectors: Vec<Vec<f32>>,
    /// As billed; `None`: the provider did not say.
    pub usage: Option<Tokens>,
}

//! OpenAI: chat completions and embeddings, with the errors and usage that they share.

pub(crate) mod chat;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod request;
mod stream;

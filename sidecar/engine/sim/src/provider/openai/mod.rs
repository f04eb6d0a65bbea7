//! OpenAI: chat completions, embeddings and legacy completions, with the errors that they share.

pub(crate) mod azure;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod request;
mod stream;
pub(crate) mod strict;

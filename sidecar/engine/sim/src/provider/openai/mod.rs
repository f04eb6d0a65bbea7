//! OpenAI: chat completions, embeddings and legacy completions, with the errors that they share.

pub(crate) mod azure;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
mod judge;
mod members;
pub(crate) mod request;
mod stream;
pub(crate) mod strict;

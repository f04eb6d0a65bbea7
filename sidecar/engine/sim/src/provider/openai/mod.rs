//! OpenAI: chat completions, embeddings, legacy completions, sound and images, with the errors that they share.

pub(crate) mod azure;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod form;
mod judge;
pub(crate) mod media;
mod members;
pub(crate) mod request;
mod stream;
pub(crate) mod strict;

//! OpenAI's embeddings (`POST /v1/embeddings`), as all that are compatible speak it. Source: wire.md A3.
//!
//! OpenAI's SDKs ask for base64 where the app asked for nothing, and take either back; a provider may know
//! lists of numbers alone. So what is read is always numbers, and what is written is what was asked for.

pub mod answer;
pub(crate) mod floats;
pub mod request;

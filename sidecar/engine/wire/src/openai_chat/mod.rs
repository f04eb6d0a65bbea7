//! OpenAI chat completions (`POST /v1/chat/completions`), as OpenAI and all that are compatible speak it.
//! Source: wire.md A1, A8 (Mistral's lists of chunks, Groq's `x_groq`, Ollama's index 0, vLLM's `reasoning`).

pub mod answer;
pub mod error;
pub(crate) mod marks;
pub(crate) mod message;
pub mod quirks;
pub mod request;
pub(crate) mod sampling;
pub mod stream;
mod tools;
pub(crate) mod usage;

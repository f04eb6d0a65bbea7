//! Google's Gemini API and Vertex AI (`models/{m}:generateContent`, `:streamGenerateContent`,
//! `:countTokens`, `:embedContent`, `:batchEmbedContents`, `GET models`). Source: wire.md A5, A11.
//!
//! Model and stream flag stand in the path: callers set them after reading. Everything is written in
//! `camelCase`; what is read may also be spelled in `snake_case`, as Google's parsers have it.

pub mod answer;
mod body;
mod config;
mod contents;
pub mod count;
pub mod embed;
pub mod error;
mod finish;
mod history;
mod media;
pub mod models;
mod part;
pub mod request;
mod schema;
mod spelling;
pub mod stream;
mod tools;
mod usage;

/// Which Gemini a model is: `gemini-2.5-flash` is 2. Names that do not say it are taken for the newest.
fn generation(model: &str) -> u32 {
    const NEWEST: u32 = 3;
    let name = model.rsplit('/').next().unwrap_or_default();
    let digits = name.strip_prefix("gemini-").and_then(|rest| rest.split(['.', '-']).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(NEWEST)
}

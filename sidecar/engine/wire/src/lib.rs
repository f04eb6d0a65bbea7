//! The formats of LLM providers, and translation between them. Nothing here does I/O, knows a clock or
//! keeps state beyond one call.
//!
//! Every dialect is read into, and written from, one intermediate form ([`form`]): five dialects need
//! ten halves, not twenty pairs. A dialect is one folder with the same four modules:
//!
//! | module | reads | writes |
//! |---|---|---|
//! | `request` | `read(body) -> Conversation` | `write(&Conversation, model) -> Written`, what did not fit said |
//! | `answer` | `read(body) -> Reply` | `write(&Reply, &Facts) -> body` |
//! | `stream` | `Reader`: a frame -> `Event`s | `Writer`: `Event`s -> bytes |
//! | `error` | - | `plain(&Fault)` and `event(&Fault)`: an error of ours in the dialect's own shape |
//!
//! Same format in and out never comes here: its bytes pass unchanged (`core`), only watched by the
//! dialect's stream reader.
#![forbid(unsafe_code)]

pub mod anthropic_messages;
pub mod bedrock_converse;
pub mod bedrock_embed;
pub mod embeddings;
pub mod eventstream;
pub mod form;
pub mod gemini;
mod json;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_media;
pub mod openai_responses;
pub mod portable;
pub mod vertex_embed;

/// What a writer of answers needs to know that no provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// For an answer whose provider gave it no id, without a dialect's prefix: unique, `[0-9a-zA-Z]`.
    pub id: String,
    /// The model as the caller named it: for an answer that must name one and does not.
    pub requested: String,
    /// Unix seconds, for dialects whose answers say when they were made.
    pub now: u64,
    /// Prompt tokens as estimated before the call: for streams whose first event must tell them (Anthropic).
    pub input_estimate: u64,
    /// OpenAI's chat: the caller asked for the usage event of its stream.
    pub stream_usage: bool,
}

/// An error of ours, or a provider's of another dialect, to be told in a surface's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status that goes with it.
    pub status: u16,
    /// OpenAI's `error.type`, from which other dialects find theirs together with the status.
    pub kind: String,
    /// OpenAI's `error.code`.
    pub code: Option<String>,
    /// OpenAI's `error.param`.
    pub param: Option<String>,
    /// For people; ends in the remedy.
    pub message: String,
    /// For dialects whose errors carry the request's id (Anthropic).
    pub request_id: String,
}

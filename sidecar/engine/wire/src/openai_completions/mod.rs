//! OpenAI's legacy completions (`POST /v1/completions`).
//!
//! A completion goes on where its prompt stops; a chat answers it. Whether the one may stand for the other
//! is the operator's decision, not this module's; it only keeps the translation honest: a prompt that is
//! one text becomes one turn of the user's, and one turn of the user's becomes a prompt. All else (token
//! ids, several prompts, `suffix`, `echo`; in the other direction system texts, histories, tools, forms of
//! answers) has no counterpart and is refused. A request that does not cap its answer gets the cap that
//! this API has: 16 tokens.

pub mod answer;
pub mod request;
pub mod stream;

/// Errors have the shape of chat's, in streams too.
pub use crate::openai_chat::error;

use crate::form::{Finish, FinishReason};
use crate::openai_chat::marks;

/// A `finish_reason` of the three that completions have.
fn finish_word(finish: &Finish) -> &'static str {
    match finish.reason {
        FinishReason::Calls => "stop",
        _ => marks::finish(finish).0,
    }
}

//! OpenAI Responses through the form and back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "../support/assemble.rs"]
mod assemble;
mod bodies;
mod conversations;
mod frames;
#[path = "../support/grammar_responses.rs"]
mod grammar;
mod properties;
mod streams;

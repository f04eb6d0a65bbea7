//! Anthropic's Messages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "../support/any_json.rs"]
mod any_json;
#[path = "../support/assemble.rs"]
mod assemble;
mod build;
#[path = "../support/grammar_anthropic_messages.rs"]
mod grammar;
mod properties;
mod request;
mod samples;
mod stream;
mod thinking;
mod turns;

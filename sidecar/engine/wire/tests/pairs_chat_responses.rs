//! OpenAI's chat and Responses against each other: every row of wire.md A11 that names OpenAI, and what a
//! real vLLM said.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "support/golden.rs"]
mod golden;

/// A11: what chat asks of Responses, and what Responses answer to chat, and the other way around.
#[test]
fn chat_and_responses_understand_each_other() {
    assert!(golden::run("pairs_chat_responses") > 50);
}

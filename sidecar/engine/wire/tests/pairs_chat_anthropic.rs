//! OpenAI's chat and Anthropic's Messages: every row of wire.md A11 that names the two.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "support/golden.rs"]
mod golden;

/// A11: what chat asks of Anthropic, and what Anthropic answers to chat, and the other way around.
#[test]
fn chat_and_anthropic_understand_each_other() {
    assert!(golden::run("pairs_chat_anthropic") > 40);
}

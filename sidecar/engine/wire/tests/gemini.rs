//! Gemini through the form and back, and against OpenAI's chat: every row of wire.md A11 that names it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "support/golden.rs"]
mod golden;

/// What Gemini says and the form holds comes out of Gemini's writers as it went in.
#[test]
fn gemini_survives_the_form() {
    assert!(golden::run("gemini") > 10);
}

/// A11: what chat asks of Gemini, and what Gemini answers to chat, and the other way around.
#[test]
fn chat_and_gemini_understand_each_other() {
    assert!(golden::run("pairs_chat_gemini") > 20);
}

/// A11: the same between Anthropic's Messages and Gemini.
#[test]
fn anthropic_and_gemini_understand_each_other() {
    assert!(golden::run("pairs_anthropic_gemini") > 20);
}

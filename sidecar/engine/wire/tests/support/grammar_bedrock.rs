//! Checks the bytes of a Converse stream against its grammar: `messageStart`; then blocks, one after the
//! other, numbered from 0, of one kind each, those of tools alone with a start; then `messageStop`, then
//! `metadata`, then nothing. An exception ends a stream anywhere before its end.

use pointsman_wire::eventstream::{Broken, Decoder, exception_type};
use serde_json::Value;

/// What a lawful stream has come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Complete,
    /// It stops before its end, maybe within a message.
    Incomplete,
    /// An exception ended it.
    Failed,
}

#[derive(Debug, PartialEq)]
enum State {
    Nothing,
    Begun,
    /// In a block of this kind.
    Block(String),
    Stopped,
    Complete,
    Failed,
}

const REASONS: [&str; 9] = [
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
];
const EXCEPTIONS: [&str; 5] = [
    "internalServerException",
    "modelStreamErrorException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
];

/// Looks at a whole stream; `Err`: what is against the grammar.
pub(crate) fn check(bytes: &[u8]) -> Result<Verdict, String> {
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    decoder.push(bytes, &mut messages).map_err(|broken| broken.to_string())?;
    let (mut state, mut next) = (State::Nothing, 0);
    for message in messages {
        let payload =
            serde_json::from_slice(&message.payload).map_err(|error| error.to_string())?;
        state = step(state, &message.name, &payload, &mut next)
            .map_err(|why| format!("{}: {why}: {payload}", message.name))?;
    }
    match (decoder.finish(), state) {
        (Ok(()), State::Complete) => Ok(Verdict::Complete),
        (Ok(()), State::Failed) => Ok(Verdict::Failed),
        (Err(Broken::Cut), State::Complete | State::Failed) => {
            Err("something after the end".into())
        }
        (Ok(()) | Err(Broken::Cut), _) => Ok(Verdict::Incomplete),
        (Err(broken), _) => Err(broken.to_string()),
    }
}

fn step(state: State, name: &str, payload: &Value, next: &mut u64) -> Result<State, &'static str> {
    if matches!(state, State::Complete | State::Failed) {
        return Err("after the end");
    }
    if let Some(kind) = exception_type(name) {
        let told = EXCEPTIONS.contains(&kind) && payload["message"].is_string();
        return if told { Ok(State::Failed) } else { Err("no exception of Converse's") };
    }
    let index = payload["contentBlockIndex"].as_u64();
    match (name, state) {
        ("messageStart", State::Nothing) if payload["role"] == "assistant" => Ok(State::Begun),
        ("contentBlockStart", State::Begun) if index == Some(*next) => {
            let call = &payload["start"]["toolUse"];
            let told = call["toolUseId"].as_str().is_some_and(|id| !id.is_empty());
            let told = told && call["name"].is_string();
            if told { Ok(State::Block("toolUse".into())) } else { Err("only tools have a start") }
        }
        ("contentBlockDelta", State::Begun) if index == Some(*next) => match kind(payload)? {
            "toolUse" => Err("a tool without its start"),
            kind => Ok(State::Block(kind.into())),
        },
        ("contentBlockDelta", State::Block(open)) if index == Some(*next) => {
            if kind(payload)? == open { Ok(State::Block(open)) } else { Err("of another kind") }
        }
        ("contentBlockStop", State::Block(_)) if index == Some(*next) => {
            *next += 1;
            Ok(State::Begun)
        }
        ("messageStop", State::Begun) => {
            let reason = payload["stopReason"].as_str().unwrap_or_default();
            if REASONS.contains(&reason) { Ok(State::Stopped) } else { Err("no stop reason") }
        }
        ("metadata", State::Stopped) if payload["metrics"].is_object() => Ok(State::Complete),
        _ => Err("out of order"),
    }
}

/// The kind of block that a delta belongs to.
fn kind(payload: &Value) -> Result<&'static str, &'static str> {
    let delta = payload["delta"].as_object().filter(|delta| delta.len() == 1);
    let (name, inside) = delta.and_then(|delta| delta.iter().next()).ok_or("no single delta")?;
    match name.as_str() {
        "text" if inside.is_string() => Ok("text"),
        "toolUse" if inside["input"].is_string() => Ok("toolUse"),
        "reasoningContent" if inside["redactedContent"].is_string() => Ok("redacted"),
        "reasoningContent" if inside["text"].is_string() || inside["signature"].is_string() => {
            Ok("reasoning")
        }
        _ => Err("no such delta"),
    }
}

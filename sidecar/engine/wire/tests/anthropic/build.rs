//! Conversations for tests, and what they become.

use pointsman_wire::Facts;
use pointsman_wire::anthropic_messages::request::write;
use pointsman_wire::form::{
    Call, Cannot, Conversation, Part, Payload, Role, Tool, ToolResult, Turn,
};
use serde_json::{Value, json};

/// What a writer of answers knows in every test.
pub(crate) fn facts() -> Facts {
    Facts {
        id: "f1".into(),
        requested: "asked".into(),
        now: 1,
        input_estimate: 9,
        stream_usage: false,
    }
}

pub(crate) fn turn(role: Role, parts: impl IntoIterator<Item = Payload>) -> Turn {
    Turn { role, parts: parts.into_iter().map(Part::from).collect() }
}

pub(crate) fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

pub(crate) fn call(id: &str, name: &str, arguments: &str) -> Payload {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Payload::Call(Call { id, name, arguments, ..Call::default() })
}

pub(crate) fn result(id: &str, said: &str) -> Payload {
    Payload::Result(ToolResult {
        id: id.into(),
        parts: vec![Part::text(said)],
        ..ToolResult::default()
    })
}

pub(crate) fn of(turns: impl IntoIterator<Item = Turn>) -> Conversation {
    Conversation { turns: turns.into_iter().collect(), ..Conversation::default() }
}

pub(crate) fn body(conversation: &Conversation) -> Value {
    body_for(conversation, "claude-opus-5").0
}

pub(crate) fn body_for(conversation: &Conversation, model: &str) -> (Value, Vec<String>) {
    let written = write(conversation, model).unwrap();
    let losses = written.losses.into_iter().map(|loss| loss.path).collect();
    (serde_json::from_slice(&written.body).unwrap(), losses)
}

pub(crate) fn refusal(conversation: &Conversation) -> Cannot {
    write(conversation, "claude-opus-5").unwrap_err()
}

pub(crate) fn said(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

pub(crate) fn hello() -> Conversation {
    of([turn(Role::User, [text("hi")])])
}

pub(crate) fn tools() -> Vec<Tool> {
    ["f", "g"].map(|name| Tool { name: name.into(), ..Tool::default() }).into()
}

//! The response object, of plain answers and in events of streams.

use serde_json::{Map, Value};

use super::usage;
use crate::Facts;
use crate::form::Tokens;

/// Who answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// The provider's id.
    pub(super) id: Option<String>,
    /// The model, as the provider names it.
    pub(super) model: Option<String>,
    /// Unix seconds.
    pub(super) created: Option<u64>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct State<'a> {
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    pub(super) status: &'static str,
    /// Why it is incomplete.
    pub(super) reason: Option<&'a str>,
    /// `error`.
    pub(super) error: Option<&'a Value>,
    /// `usage`.
    pub(super) usage: Option<&'a Tokens>,
}

impl State<'_> {
    /// It has begun.
    pub(super) const IN_PROGRESS: Self =
        Self { status: "in_progress", reason: None, error: None, usage: None };
}

/// A response object with all members that SDKs require. What it repeats of a request (tools, sampling) has
/// OpenAI's defaults: an answer does not know what was asked.
pub(super) fn object(head: &Head, facts: &Facts, state: State<'_>, output: Vec<Value>) -> Value {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("id", id(head, facts).into());
    set("object", "response".into());
    set("created_at", head.created.unwrap_or(facts.now).into());
    set("status", state.status.into());
    set("background", false.into());
    set("error", state.error.cloned().unwrap_or_default());
    let mut details = Map::new();
    if let Some(reason) = state.reason {
        details.insert("reason".into(), reason.into());
    }
    set("incomplete_details", if details.is_empty() { Value::Null } else { details.into() });
    set("instructions", Value::Null);
    set("max_output_tokens", Value::Null);
    set("metadata", Map::new().into());
    set("model", head.model.as_deref().unwrap_or(&facts.requested).into());
    set("output", output.into());
    set("parallel_tool_calls", true.into());
    set("previous_response_id", Value::Null);
    set("reasoning", Value::Null);
    let tier = state.usage.and_then(|tokens| tokens.service_tier.as_deref());
    set("service_tier", tier.map_or(Value::Null, Value::from));
    set("store", false.into());
    set("temperature", Value::Null);
    set("tool_choice", "auto".into());
    set("tools", Vec::<Value>::new().into());
    set("top_p", Value::Null);
    set("truncation", "disabled".into());
    set("usage", state.usage.map_or(Value::Null, usage::write));
    set("user", Value::Null);
    body.into()
}

/// The provider's id under OpenAI's prefix, so that it can be found again.
fn id(head: &Head, facts: &Facts) -> String {
    match head.id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) if id.starts_with("resp_") => id.to_owned(),
        Some(id) => format!("resp_{id}"),
        None => format!("resp_{}", facts.id),
    }
}

/// Appends an event. JSON has no line breaks of its own, so nothing can break out of the frame.
pub(super) fn frame(name: &str, data: &impl serde::Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Writing what consists of texts and numbers into memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}

//! Errors.

use serde_json::json;

use super::response::{self, Head, State};
use crate::Facts;
use crate::Fault;

pub use crate::openai_chat::error::plain;

/// The events that break a stream off: `error`, at whose member of that name OpenAI's SDKs raise, and
/// `response.failed`, for whoever reads events. Neither is an end: the body is cut after them. Where the
/// stream stands is not known here, so their sequence numbers are the last ones there are;
/// [`crate::form::Writer::fail`] knows.
#[must_use]
pub fn event(fault: &Fault) -> Vec<u8> {
    let facts = Facts {
        id: fault.request_id.clone(),
        requested: String::new(),
        now: 0,
        input_estimate: 0,
        stream_usage: false,
    };
    let mut out = Vec::new();
    write(fault, (&Head::default(), &facts), LAST - 1, &mut out);
    out
}

/// Clients hold sequence numbers in 32 bits.
const LAST: u64 = i32::MAX as u64;

/// Appends both events, numbered from `sequence`.
pub(super) fn write(
    fault: &Fault,
    (head, facts): (&Head, &Facts),
    sequence: u64,
    out: &mut Vec<u8>,
) {
    let Fault { kind, code, param, message, .. } = fault;
    let error = json!({"type": kind, "code": code, "message": message, "param": param});
    let event = json!({
        "type": "error", "sequence_number": sequence, "code": code, "message": message,
        "param": param, "error": error,
    });
    response::frame("error", &event, out);
    let word = if fault.status == 429 { "rate_limit_exceeded" } else { "server_error" };
    let error = json!({"code": code.as_deref().unwrap_or(word), "message": message});
    let state = State { status: "failed", reason: None, error: Some(&error), usage: None };
    let response = response::object(head, facts, state, Vec::new());
    let event = json!({
        "type": "response.failed", "sequence_number": sequence.saturating_add(1),
        "response": response,
    });
    response::frame("response.failed", &event, out);
}

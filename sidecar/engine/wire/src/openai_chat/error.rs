//! Errors in OpenAI's shape, which Responses, Completions and Embeddings share.

use serde_json::json;

use crate::Fault;

/// The body of an error answer.
#[must_use]
pub fn plain(fault: &Fault) -> Vec<u8> {
    let Fault { kind, code, param, message, .. } = fault;
    let error = json!({"message": message, "type": kind, "param": param, "code": code});
    json!({"error": error}).to_string().into_bytes()
}

/// The event that makes OpenAI's SDKs raise in mid-stream; no `[DONE]` follows it.
#[must_use]
pub fn event(fault: &Fault) -> Vec<u8> {
    [b"data: ".as_slice(), &plain(fault), b"\n\n"].concat()
}

//! Plain answers.

use memchr::memmem;
use serde_json::{Map, Value};

use super::Quirks;

/// An answer in OpenAI's own words; `None`: it is already.
#[must_use]
pub fn mended(quirks: Quirks, body: &[u8]) -> Option<Vec<u8>> {
    let holds = |word: &[u8]| memmem::find(body, word).is_some();
    let lists = quirks.any(Quirks::CONTENT_LISTS) && holds(b"\"type\"");
    let calls = quirks.any(Quirks::ONE_INDEX) && holds(b"\"tool_calls\"");
    if !(lists || calls) {
        return None;
    }
    let mut document: Value = serde_json::from_slice(body).ok()?;
    let mut changed = false;
    for choice in document.get_mut("choices")?.as_array_mut()? {
        let Some(message) = choice.get_mut("message").and_then(Value::as_object_mut) else {
            continue;
        };
        changed |= lists && flatten(message);
        let called = message.get("tool_calls").and_then(Value::as_array);
        if calls && called.is_some_and(|list| !list.is_empty()) {
            changed |= finish_with_calls(choice);
        }
    }
    changed.then(|| document.to_string().into_bytes())
}

/// Ollama and others say `stop` where tools are to be called.
pub(super) fn finish_with_calls(choice: &mut Value) -> bool {
    let stops = choice.get("finish_reason").is_some_and(|reason| reason == "stop");
    if stops {
        choice["finish_reason"] = "tool_calls".into();
    }
    stops
}

/// Mistral's list of chunks as the text that OpenAI has, thoughts beside it; a list with anything else in
/// it stays.
pub(super) fn flatten(said: &mut Map<String, Value>) -> bool {
    let Some(Value::Array(chunks)) = said.get("content") else { return false };
    let (mut text, mut thought) = (None::<String>, None::<String>);
    let told = |chunk: &Value, key: &str| chunk.get(key).and_then(Value::as_str).map(str::to_owned);
    for chunk in chunks {
        match chunk.get("type").and_then(Value::as_str) {
            Some("text") => {
                text.get_or_insert_default().push_str(&told(chunk, "text").unwrap_or_default());
            }
            Some("thinking") => {
                let pieces = chunk.get("thinking").and_then(Value::as_array).into_iter().flatten();
                for piece in pieces.filter_map(|piece| told(piece, "text")) {
                    thought.get_or_insert_default().push_str(&piece);
                }
            }
            Some("reference") => {}
            _ => return false,
        }
    }
    said.insert("content".to_owned(), text.map_or(Value::Null, Value::String));
    if let Some(thought) = thought {
        said.insert("reasoning_content".to_owned(), thought.into());
    }
    true
}

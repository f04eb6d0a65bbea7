//! The Messages answer, plain and as events: blocks strictly one after the other.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Choice, Finish};
use super::super::reel::{Reel, Track};

const SAID: Track = Track::Said(0);
const THOUGHT: Track = Track::Thought(0);

/// The plain document.
pub(super) fn document(answer: &Answer) -> Value {
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    let mut content = Vec::new();
    if let Some(thinking) = &choice.thinking {
        let (text, signature) = (&thinking.text, &thinking.signature);
        content.push(json!({"type": "thinking", "thinking": text, "signature": signature}));
    }
    for text in [&choice.text, &choice.refusal].into_iter().flatten().filter(|t| !t.is_empty()) {
        content.push(json!({"type": "text", "text": text, "citations": null}));
    }
    for call in &choice.calls {
        // The provider parses what the model wrote; what it cannot parse it does not show.
        let input = call.object().unwrap_or_else(|| Value::Object(Map::new()));
        content.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
    }
    let mut message = head(answer);
    message["content"] = content.into();
    close(&mut message, choice);
    if let Some(usage) = &answer.usage {
        message["usage"] = usage.clone();
    }
    message
}

/// All events.
pub(super) fn events(answer: &Answer, reel: &mut Reel<'_>) {
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    let mut message = head(answer);
    message["content"] = json!([]);
    if let Some(usage) = answer.start_usage.clone().or_else(|| at_start(answer)) {
        message["usage"] = usage;
    }
    send(reel, "message_start", json!({"message": message}), 0);
    let mut index = 0;
    if let Some(thinking) = &choice.thinking {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        start(reel, index, &block);
        for piece in reel.pieces(&thinking.text) {
            let weight = reel.count(THOUGHT, piece);
            delta(reel, index, json!({"type": "thinking_delta", "thinking": piece}), weight);
        }
        let signature = &thinking.signature;
        delta(reel, index, json!({"type": "signature_delta", "signature": signature}), 0);
        stop(reel, &mut index);
    }
    for text in [&choice.text, &choice.refusal].into_iter().flatten().filter(|t| !t.is_empty()) {
        start(reel, index, &json!({"type": "text", "text": ""}));
        for piece in reel.pieces(text) {
            let weight = reel.count(SAID, piece);
            delta(reel, index, json!({"type": "text_delta", "text": piece}), weight);
        }
        stop(reel, &mut index);
    }
    for call in &choice.calls {
        let weight = reel.count(SAID, &call.name);
        let block = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
        started(reel, index, &block, weight);
        delta(reel, index, json!({"type": "input_json_delta", "partial_json": ""}), 0);
        for piece in reel.arguments(&call.arguments) {
            let weight = reel.count(SAID, piece);
            delta(reel, index, json!({"type": "input_json_delta", "partial_json": piece}), weight);
        }
        stop(reel, &mut index);
    }
    finish(answer, choice, reel);
}

fn finish(answer: &Answer, choice: &Choice, reel: &mut Reel<'_>) {
    let mut delta = json!({});
    close(&mut delta, choice);
    let mut last = json!({"delta": delta});
    if let Some(usage) = &answer.usage {
        last["usage"] = usage.clone();
    }
    send(reel, "message_delta", last, 0);
    if !reel.action().no_done {
        send(reel, "message_stop", json!({}), 0);
    }
}

fn head(answer: &Answer) -> Value {
    json!({
        "id": format!("msg_{}", answer.mark), "type": "message", "role": "assistant",
        "model": answer.model, "stop_reason": null, "stop_sequence": null,
    })
}

/// What is known before the first token.
fn at_start(answer: &Answer) -> Option<Value> {
    let mut usage = answer.usage.clone()?;
    if usage["output_tokens"].is_number() {
        usage["output_tokens"] = 1.into();
    }
    if let Some(members) = usage.as_object_mut() {
        members.remove("output_tokens_details");
    }
    Some(usage)
}

fn close(message: &mut Value, choice: &Choice) {
    let (reason, sequence) = match &choice.finish {
        Finish::Stop => ("end_turn", None),
        Finish::Length => ("max_tokens", None),
        Finish::Tools => ("tool_use", None),
        Finish::Refused => ("refusal", None),
        Finish::Sequence(text) => ("stop_sequence", Some(text)),
        Finish::Scripted(word) => (word.as_str(), None),
    };
    message["stop_reason"] = reason.into();
    message["stop_sequence"] = json!(sequence);
    if reason == "refusal" {
        message["stop_details"] =
            json!({"type": "refusal", "category": null, "explanation": choice.refusal});
    }
}

fn start(reel: &mut Reel<'_>, index: usize, block: &Value) {
    started(reel, index, block, 0);
}

fn started(reel: &mut Reel<'_>, index: usize, block: &Value, weight: u64) {
    let body = json!({"index": index, "content_block": block});
    send(reel, "content_block_start", body, weight);
    if index == 0 {
        send(reel, "ping", json!({}), 0);
    }
}

fn delta(reel: &mut Reel<'_>, index: usize, delta: Value, weight: u64) {
    send(reel, "content_block_delta", json!({"index": index, "delta": delta}), weight);
}

fn stop(reel: &mut Reel<'_>, index: &mut usize) {
    send(reel, "content_block_stop", json!({"index": *index}), 0);
    *index += 1;
}

fn send(reel: &mut Reel<'_>, name: &str, mut body: Value, weight: u64) {
    body["type"] = name.into();
    reel.sse(Some(name), &body.to_string(), weight);
}

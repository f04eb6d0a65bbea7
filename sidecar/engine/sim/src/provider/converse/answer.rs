//! The Converse answer, plain and as frames.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Choice, Finish};
use super::super::reel::{Reel, Track};
use super::frame;

const SAID: Track = Track::Said(0);
const THOUGHT: Track = Track::Thought(0);

/// The plain document.
pub(super) fn document(answer: &Answer) -> Value {
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    let mut content = Vec::new();
    if let Some(thinking) = &choice.thinking {
        let (text, signature) = (&thinking.text, &thinking.signature);
        let thought = json!({"reasoningText": {"text": text, "signature": signature}});
        content.push(json!({"reasoningContent": thought}));
    }
    for text in [&choice.text, &choice.refusal].into_iter().flatten().filter(|t| !t.is_empty()) {
        content.push(json!({"text": text}));
    }
    for call in &choice.calls {
        let input = call.object().unwrap_or_else(|| Value::Object(Map::new()));
        content.push(json!({"toolUse": {"toolUseId": call.id, "name": call.name, "input": input}}));
    }
    let mut document = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason(&choice.finish), "metrics": {"latencyMs": 1},
    });
    if let Some(usage) = &answer.usage {
        document["usage"] = usage.clone();
    }
    document
}

/// All frames; text and reasoning blocks have no start of their own.
pub(super) fn events(answer: &Answer, reel: &mut Reel<'_>) {
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    send(reel, "messageStart", json!({"role": "assistant"}), 0);
    let mut index = 0;
    if let Some(thinking) = &choice.thinking {
        for piece in reel.pieces(&thinking.text) {
            let weight = reel.count(THOUGHT, piece);
            delta(reel, index, &json!({"reasoningContent": {"text": piece}}), weight);
        }
        let signature = &thinking.signature;
        delta(reel, index, &json!({"reasoningContent": {"signature": signature}}), 0);
        stop(reel, &mut index);
    }
    for text in [&choice.text, &choice.refusal].into_iter().flatten().filter(|t| !t.is_empty()) {
        for piece in reel.pieces(text) {
            let weight = reel.count(SAID, piece);
            delta(reel, index, &json!({"text": piece}), weight);
        }
        stop(reel, &mut index);
    }
    for call in &choice.calls {
        let weight = reel.count(SAID, &call.name);
        let start = json!({"toolUse": {"toolUseId": call.id, "name": call.name}});
        let body = json!({"contentBlockIndex": index, "start": start});
        send(reel, "contentBlockStart", body, weight);
        for piece in reel.arguments(&call.arguments) {
            let weight = reel.count(SAID, piece);
            delta(reel, index, &json!({"toolUse": {"input": piece}}), weight);
        }
        stop(reel, &mut index);
    }
    if reel.action().no_done {
        return;
    }
    send(reel, "messageStop", json!({"stopReason": reason(&choice.finish)}), 0);
    let mut metadata = json!({"metrics": {"latencyMs": 1}});
    if let Some(usage) = &answer.usage {
        metadata["usage"] = usage.clone();
    }
    send(reel, "metadata", metadata, 0);
}

fn reason(finish: &Finish) -> &str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
        Finish::Refused => "content_filtered",
        Finish::Sequence(_) => "stop_sequence",
        Finish::Scripted(word) => word,
    }
}

fn delta(reel: &mut Reel<'_>, index: usize, delta: &Value, weight: u64) {
    send(reel, "contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}), weight);
}

fn stop(reel: &mut Reel<'_>, index: &mut usize) {
    send(reel, "contentBlockStop", json!({"contentBlockIndex": *index}), 0);
    *index += 1;
}

/// Every payload is padded, so that its length tells nobody what it says.
fn send(reel: &mut Reel<'_>, kind: &str, mut body: Value, weight: u64) {
    body["p"] = "abcdefghijk".into();
    let bytes: Bytes = frame::event(kind, &body);
    reel.raw(bytes, weight);
}

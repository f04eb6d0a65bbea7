//! Gemini's answer: plain, as server-sent events, or as a JSON array that grows.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Choice, Finish};
use super::super::bill::Tokens;
use super::super::prompt::signature;
use super::super::reel::{Reel, Track};
use super::REALM;

/// How usage is put.
pub(super) type Report = fn(Tokens) -> Value;

/// One piece of a stream: a part of one candidate and what it weighs.
struct Piece {
    candidate: usize,
    part: Value,
    weight: Vec<(Track, String)>,
    last: bool,
}

/// The plain document.
pub(super) fn document(answer: &Answer) -> Value {
    let candidates = answer.choices.iter().enumerate().map(|(index, choice)| {
        let parts: Vec<Value> = whole(choice);
        let mut candidate = json!({"finishReason": reason(&choice.finish), "index": index});
        if !parts.is_empty() {
            candidate["content"] = json!({"parts": parts, "role": "model"});
        }
        candidate
    });
    envelope(answer, candidates.collect(), answer.usage.clone())
}

/// All events; `array` writes them as one growing JSON array.
pub(super) fn events(answer: &Answer, reel: &mut Reel<'_>, array: bool, report: Report) {
    let mut queues: Vec<_> = answer
        .choices
        .iter()
        .enumerate()
        .map(|(candidate, choice)| pieces(candidate, choice, reel).into_iter())
        .collect();
    let total: usize = queues.iter().map(ExactSizeIterator::len).sum();
    let mut sent = 0;
    while sent < total {
        for queue in &mut queues {
            let Some(piece) = queue.next() else { continue };
            sent += 1;
            let weight: u64 =
                piece.weight.iter().map(|(track, text)| reel.count(*track, text)).sum();
            let mut candidate = json!({"index": piece.candidate});
            if !piece.part.is_null() {
                candidate["content"] = json!({"parts": [piece.part], "role": "model"});
            }
            if piece.last && !reel.action().no_done {
                let choice = answer.choices.get(piece.candidate);
                candidate["finishReason"] =
                    choice.map_or("OTHER", |choice| reason(&choice.finish)).into();
            }
            let counted = reel.action().usage.is_none().then(|| report(reel.so_far()));
            let usage = if sent == total { answer.usage.clone() } else { counted };
            let document = envelope(answer, vec![candidate], usage);
            put(reel, array, sent == total, &document, weight);
        }
    }
}

/// A document as the next item of the array.
pub(super) fn item(document: &Value, first: bool) -> String {
    format!("{}{document}", if first { "[" } else { ",\r\n" })
}

fn put(reel: &mut Reel<'_>, array: bool, last: bool, document: &Value, weight: u64) {
    if array {
        let mut text = item(document, reel.is_empty());
        if last && !reel.action().no_done {
            text.push(']');
        }
        reel.raw(text.into(), weight);
    } else {
        reel.sse(None, &document.to_string(), weight);
    }
}

fn envelope(answer: &Answer, candidates: Vec<Value>, usage: Option<Value>) -> Value {
    let mut document = json!({"candidates": candidates, "modelVersion": answer.model,
        "responseId": answer.mark});
    if let Some(usage) = usage {
        document["usageMetadata"] = usage;
    }
    document
}

fn thought(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

/// The parts of a whole candidate; only the first call of a turn carries a signature.
fn whole(choice: &Choice) -> Vec<Value> {
    let mut parts = Vec::new();
    if let Some(thinking) = &choice.thinking {
        parts.push(thought(&thinking.text));
    }
    if let Some(text) = choice.text.as_ref().filter(|text| !text.is_empty()) {
        parts.push(json!({"text": text}));
    }
    let calls = (0..choice.calls.len()).map(|index| call(choice, index));
    parts.extend(calls);
    parts
}

fn call(choice: &Choice, index: usize) -> Value {
    let call = &choice.calls[index];
    let args = call.object().unwrap_or_else(|| Value::Object(Map::new()));
    let mut part = json!({"functionCall": {"name": call.name, "args": args}});
    if !call.id.is_empty() {
        part["functionCall"]["id"] = call.id.clone().into();
    }
    if index == 0 {
        part["thoughtSignature"] = signature(REALM, &call.name).into();
    }
    part
}

fn pieces(candidate: usize, choice: &Choice, reel: &Reel<'_>) -> Vec<Piece> {
    let (said, thinks) = (Track::Said(candidate), Track::Thought(candidate));
    let piece =
        |part: Value, weight: Vec<(Track, String)>| Piece { candidate, part, weight, last: false };
    let mut all = Vec::new();
    if let Some(thinking) = &choice.thinking {
        for text in reel.pieces(&thinking.text) {
            all.push(piece(thought(text), vec![(thinks, text.to_owned())]));
        }
    }
    for text in reel.pieces(choice.text.as_deref().unwrap_or_default()) {
        all.push(piece(json!({"text": text}), vec![(said, text.to_owned())]));
    }
    for (index, made) in choice.calls.iter().enumerate() {
        let weight = vec![(said, made.name.clone()), (said, made.arguments.clone())];
        all.push(piece(call(choice, index), weight));
    }
    if all.is_empty() {
        let refusal = choice.refusal.clone().unwrap_or_default();
        all.push(piece(Value::Null, vec![(said, refusal)]));
    }
    if let Some(last) = all.last_mut() {
        last.last = true;
    }
    all
}

fn reason(finish: &Finish) -> &str {
    match finish {
        // Calls end with STOP, too.
        Finish::Stop | Finish::Tools | Finish::Sequence(_) => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Refused => "SAFETY",
        Finish::Scripted(word) => word,
    }
}

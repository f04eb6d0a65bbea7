//! The Responses answer: the document, and the events that build it item by item.

use serde_json::{Value, json};

use super::super::answer::{Answer, Choice, Finish, Invocation};
use super::super::prompt::{Prompt, signature};
use super::super::reel::{Reel, Track};
use super::REALM;

const SAID: Track = Track::Said(0);
const THOUGHT: Track = Track::Thought(0);

/// Members of the request that the response repeats, and what they are where it did not say.
const ECHOED: [(&str, &str); 15] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
];

/// The plain document.
pub(super) fn document(answer: &Answer, prompt: &Prompt) -> Value {
    let items = Items::of(answer, prompt);
    let mut output: Vec<Value> = items.reasoning().into_iter().collect();
    output.extend(items.message());
    output.extend(items.choice.calls.iter().enumerate().map(|(at, call)| items.call(at, call)));
    let mut whole = response(answer, prompt);
    close(&mut whole, answer, items.choice);
    whole["output"] = output.into();
    whole
}

/// All events.
pub(super) fn events(answer: &Answer, prompt: &Prompt, reel: &mut Reel<'_>) {
    let items = Items::of(answer, prompt);
    let mut feed = Feed { reel, number: 0, item: 0 };
    for name in ["response.created", "response.in_progress"] {
        feed.send(name, json!({"response": response(answer, prompt)}), 0);
    }
    if let Some(item) = items.reasoning() {
        feed.reasoning(&items, &item);
    }
    if let Some(item) = items.message() {
        feed.message(&items, &item);
    }
    for (at, call) in items.choice.calls.iter().enumerate() {
        feed.call(call, &items.call(at, call));
    }
    if !feed.reel.action().no_done {
        let whole = document(answer, prompt);
        let name = match whole["status"].as_str() {
            Some("completed") => "response.completed",
            Some("failed") => "response.failed",
            _ => "response.incomplete",
        };
        feed.send(name, json!({"response": whole}), 0);
    }
}

/// What a response is before anything was said.
fn response(answer: &Answer, prompt: &Prompt) -> Value {
    let mut made = json!({
        "id": format!("resp_{}", answer.mark), "object": "response", "created_at": answer.created,
        "status": "in_progress", "background": false, "error": null, "incomplete_details": null,
        "model": answer.model, "output": [], "service_tier": "default", "usage": null, "user": null,
    });
    for (name, otherwise) in ECHOED {
        made[name] = match &prompt.echo[name] {
            Value::Null => serde_json::from_str(otherwise).unwrap_or_default(),
            given => given.clone(),
        };
    }
    made
}

fn close(whole: &mut Value, answer: &Answer, choice: &Choice) {
    let reason = match &choice.finish {
        Finish::Length => Some("max_output_tokens"),
        Finish::Scripted(word) if word != "completed" => Some(word.as_str()),
        _ => None,
    };
    whole["status"] = if reason.is_some() { "incomplete" } else { "completed" }.into();
    if let Some(reason) = reason {
        whole["incomplete_details"] = json!({"reason": reason});
    }
    whole["usage"] = answer.usage.clone().unwrap_or_default();
}

/// The items of an answer in their final form.
struct Items<'a> {
    answer: &'a Answer,
    prompt: &'a Prompt,
    choice: &'a Choice,
}

static NOTHING: Choice =
    Choice { thinking: None, text: None, refusal: None, calls: Vec::new(), finish: Finish::Stop };

impl<'a> Items<'a> {
    fn of(answer: &'a Answer, prompt: &'a Prompt) -> Self {
        Self { answer, prompt, choice: answer.choices.first().unwrap_or(&NOTHING) }
    }

    /// There is one wherever the model thought, whether it shows a summary or not.
    fn reasoning(&self) -> Option<Value> {
        if self.choice.thinking.is_none() && self.answer.hidden == 0 {
            return None;
        }
        let id = format!("rs_{}", self.answer.mark);
        let summary = self.choice.thinking.iter().map(|thinking| summary(&thinking.text));
        let mut item =
            json!({"id": id, "type": "reasoning", "summary": summary.collect::<Vec<_>>()});
        let include = self.prompt.echo["include"].as_array();
        let sealed = |all: &Vec<Value>| all.iter().any(|one| one == "reasoning.encrypted_content");
        if include.is_some_and(sealed) {
            item["encrypted_content"] = signature(REALM, &id).into();
        }
        Some(item)
    }

    fn message(&self) -> Option<Value> {
        let cut = self.choice.finish == Finish::Length;
        let text = self
            .choice
            .text
            .as_ref()
            .filter(|text| !text.is_empty() || self.choice.calls.is_empty());
        let part = match (text, &self.choice.refusal) {
            (Some(text), _) => said(text),
            (None, Some(words)) => json!({"type": "refusal", "refusal": words}),
            (None, None) => return None,
        };
        Some(json!({"id": format!("msg_{}", self.answer.mark), "type": "message",
            "status": if cut { "incomplete" } else { "completed" }, "role": "assistant",
            "content": [part]}))
    }

    fn call(&self, at: usize, call: &Invocation) -> Value {
        json!({"id": format!("fc_{}{at:02}", self.answer.mark), "type": "function_call",
            "status": "completed", "call_id": call.id, "name": call.name,
            "arguments": call.arguments})
    }
}

fn said(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// Events with their running number.
struct Feed<'r, 's> {
    reel: &'r mut Reel<'s>,
    number: u64,
    /// Output index of the item being sent.
    item: usize,
}

impl Feed<'_, '_> {
    fn send(&mut self, name: &str, mut body: Value, weight: u64) {
        body["type"] = name.into();
        body["sequence_number"] = self.number.into();
        self.number += 1;
        self.reel.sse(Some(name), &body.to_string(), weight);
    }

    fn added(&mut self, item: &Value, empty: &str, weight: u64) {
        let mut item = item.clone();
        item[empty] = match &item[empty] {
            Value::String(_) => json!(""),
            _ => json!([]),
        };
        if item["status"].is_string() {
            item["status"] = "in_progress".into();
        }
        if let Some(members) = item.as_object_mut() {
            members.remove("encrypted_content");
        }
        let body = json!({"output_index": self.item, "item": item});
        self.send("response.output_item.added", body, weight);
    }

    fn done(&mut self, item: &Value) {
        let body = json!({"output_index": self.item, "item": item});
        self.send("response.output_item.done", body, 0);
        self.item += 1;
    }

    /// Sends `text` as deltas of the event `name`, then the same as its end.
    fn text(&mut self, name: &str, place: &Value, text: &str, track: Track, last: &str) {
        let pieces = match last {
            "arguments" => self.reel.arguments(text),
            _ => self.reel.pieces(text),
        };
        for piece in pieces {
            let weight = self.reel.count(track, piece);
            let mut body = place.clone();
            body["delta"] = piece.into();
            if name == "response.output_text" {
                body["logprobs"] = json!([]);
            }
            self.send(&format!("{name}.delta"), body, weight);
        }
        let mut body = place.clone();
        body[last] = text.into();
        if name == "response.output_text" {
            body["logprobs"] = json!([]);
        }
        self.send(&format!("{name}.done"), body, 0);
    }

    fn reasoning(&mut self, items: &Items<'_>, item: &Value) {
        self.added(item, "summary", 0);
        if let Some(thinking) = &items.choice.thinking {
            let place =
                json!({"item_id": item["id"], "output_index": self.item, "summary_index": 0});
            self.part("response.reasoning_summary_part.added", &place, &summary(""));
            let name = "response.reasoning_summary_text";
            self.text(name, &place, &thinking.text, THOUGHT, "text");
            self.part("response.reasoning_summary_part.done", &place, &summary(&thinking.text));
        }
        self.done(item);
    }

    fn message(&mut self, items: &Items<'_>, item: &Value) {
        self.added(item, "content", 0);
        let place = json!({"item_id": item["id"], "output_index": self.item, "content_index": 0});
        let whole = &item["content"][0];
        if let Some(words) = items.choice.refusal.as_ref().filter(|_| whole["type"] == "refusal") {
            let empty = json!({"type": "refusal", "refusal": ""});
            self.part("response.content_part.added", &place, &empty);
            self.text("response.refusal", &place, words, SAID, "refusal");
        } else {
            self.part("response.content_part.added", &place, &said(""));
            let text = items.choice.text.as_deref().unwrap_or_default();
            self.text("response.output_text", &place, text, SAID, "text");
        }
        self.part("response.content_part.done", &place, whole);
        self.done(item);
    }

    fn call(&mut self, call: &Invocation, item: &Value) {
        let weight = self.reel.count(SAID, &call.name);
        self.added(item, "arguments", weight);
        let place = json!({"item_id": item["id"], "output_index": self.item});
        let name = "response.function_call_arguments";
        self.text(name, &place, &call.arguments, SAID, "arguments");
        self.done(item);
    }

    fn part(&mut self, name: &str, place: &Value, part: &Value) {
        let mut body = place.clone();
        body["part"] = part.clone();
        self.send(name, body, 0);
    }
}

//! Events -> chunks.

use serde_json::{Map, Value, json};

use super::super::{error, marks, tools, usage};
use crate::form::{self, Event, Opening, Piece, Tokens};
use crate::{Facts, Fault};

/// Writes a stream of `chat.completion.chunk`s, `[DONE]` at its end.
#[derive(Debug)]
pub struct Writer {
    facts: Facts,
    id: Option<String>,
    model: Option<String>,
    created: Option<u64>,
    choices: Vec<Choice>,
    usage: Option<Tokens>,
}

#[derive(Debug, Default)]
struct Choice {
    /// Its first delta, with the role, is out.
    begun: bool,
    /// What each part is.
    parts: Vec<(u32, Kind)>,
    calls: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Call { index: usize, custom: bool, empty: bool },
    Silent,
}

impl Writer {
    /// A stream of which nothing is out.
    #[must_use]
    pub const fn new(facts: Facts) -> Self {
        let (id, model, created, usage) = (None, None, None, None);
        Self { facts, id, model, created, choices: Vec::new(), usage }
    }

    fn open(&mut self, number: u32, part: u32, opening: &Opening, out: &mut Vec<u8>) {
        let choice = self.choice(number, out);
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Refusal => Kind::Refusal,
            Opening::Thinking { .. } => Kind::Thinking,
            Opening::Foreign(_) => Kind::Silent,
            Opening::Call { custom, .. } => {
                choice.calls += 1;
                Kind::Call { index: choice.calls - 1, custom: *custom, empty: true }
            }
        };
        choice.parts.retain(|(known, _)| *known != part);
        choice.parts.push((part, kind));
        let (Opening::Call { id, name, custom, signature }, Kind::Call { index, .. }) =
            (opening, kind)
        else {
            return;
        };
        let id = marks::with_signature(id, signature.as_deref());
        let mut call = if *custom {
            json!({"index": index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}})
        } else {
            let function = json!({"name": name, "arguments": ""});
            json!({"index": index, "id": id, "type": "function", "function": function})
        };
        if let (Some(signature), Some(call)) = (signature, call.as_object_mut()) {
            call.insert("extra_content".into(), tools::extra(signature));
        }
        self.delta(number, &json!({"tool_calls": [call]}), out);
    }

    fn piece(&mut self, number: u32, part: u32, piece: &Piece, out: &mut Vec<u8>) {
        let Some((_, kind)) =
            self.choice(number, out).parts.iter_mut().find(|(known, _)| *known == part)
        else {
            return;
        };
        let delta = match (&mut *kind, piece) {
            (Kind::Text, Piece::Text(text)) => json!({"content": text}),
            (Kind::Refusal, Piece::Text(text)) => json!({"refusal": text}),
            (Kind::Thinking, Piece::Text(text)) => json!({"reasoning_content": text}),
            (Kind::Call { index, custom, empty }, Piece::Arguments(text) | Piece::Text(text)) => {
                *empty &= text.trim().is_empty();
                arguments(*index, *custom, text)
            }
            // A signature has no place in this dialect's stream but at a call's beginning.
            _ => return,
        };
        self.delta(number, &delta, out);
    }

    /// A call without arguments says `{}`, as OpenAI's own models do.
    fn close(&mut self, number: u32, part: u32, out: &mut Vec<u8>) {
        let parts = &self.choice(number, out).parts;
        let kind = parts.iter().find(|(known, _)| *known == part).map(|(_, kind)| *kind);
        if let Some(Kind::Call { index, custom: false, empty: true }) = kind {
            self.delta(number, &arguments(index, false, "{}"), out);
        }
    }

    fn choice(&mut self, number: u32, out: &mut Vec<u8>) -> &mut Choice {
        let place = number as usize;
        if self.choices.len() <= place {
            self.choices.resize_with(place + 1, Choice::default);
        }
        if !self.choices[place].begun {
            self.choices[place].begun = true;
            self.delta(number, &json!({"role": "assistant", "content": ""}), out);
        }
        &mut self.choices[place]
    }

    fn delta(&self, number: u32, delta: &Value, out: &mut Vec<u8>) {
        let choice =
            json!({"index": number, "delta": delta, "logprobs": null, "finish_reason": null});
        self.chunk(vec![choice], None, out);
    }

    fn chunk(&self, choices: Vec<Value>, usage: Option<Value>, out: &mut Vec<u8>) {
        let id = || format!("chatcmpl-{}", self.facts.id);
        let mut chunk = Map::new();
        chunk.insert("id".into(), self.id.clone().unwrap_or_else(id).into());
        chunk.insert("object".into(), "chat.completion.chunk".into());
        chunk.insert("created".into(), self.created.unwrap_or(self.facts.now).into());
        let model = self.model.as_deref().unwrap_or(&self.facts.requested);
        chunk.insert("model".into(), model.into());
        chunk.insert("choices".into(), choices.into());
        if self.facts.stream_usage {
            chunk.insert("usage".into(), usage.unwrap_or_default());
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(Value::Object(chunk).to_string().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.facts.stream_usage
            && let Some(tokens) = &self.usage
        {
            self.chunk(Vec::new(), Some(usage::write(tokens)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn arguments(index: usize, custom: bool, text: &str) -> Value {
    if custom {
        json!({"tool_calls": [{"index": index, "custom": {"input": text}}]})
    } else {
        json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
    }
}

impl form::Writer for Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Begin { id, model, created } => {
                (self.id, self.model) = (id.clone(), model.clone());
                self.created = *created;
            }
            Event::Open { choice, part, opening } => self.open(*choice, *part, opening, out),
            Event::Delta { choice, part, piece } => self.piece(*choice, *part, piece, out),
            Event::Close { choice, part } => self.close(*choice, *part, out),
            Event::Finish { choice: number, finish } => {
                self.choice(*number, out);
                let (reason, native) = marks::finish(finish);
                let mut choice = json!({"index": number, "delta": {}, "logprobs": null, "finish_reason": reason});
                if let (Some(native), Some(choice)) = (native, choice.as_object_mut()) {
                    choice.insert("native_finish_reason".into(), native.into());
                }
                self.chunk(vec![choice], None, out);
            }
            Event::Usage(tokens) => self.usage = Some(tokens.clone()),
            Event::End => self.end(out),
            Event::Error(_) => {}
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::event(fault));
    }
}

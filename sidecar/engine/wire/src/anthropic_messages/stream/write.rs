//! Events of the form -> events for a caller.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::blocks::{Block, Input};
use super::super::finish::{self, Held, Stop};
use super::super::{error, ids, usage};
use crate::form::{self, Event, Finish, Opening, Piece, Sequencer, Tokens};
use crate::{Facts, Fault};

/// Writes a stream of Anthropic's: `message_start`, blocks one after the other, `message_delta` with why it
/// ended and what it cost, `message_stop`. Only the first choice: no caller of this dialect can ask for more.
#[derive(Debug)]
pub struct Writer {
    facts: Facts,
    sequencer: Sequencer,
    /// What the sequencer lets go, reused.
    ready: Vec<Event>,
    open: Option<Open>,
    /// Of the next block.
    index: u64,
    calls: usize,
    held: Held,
    finish: Option<Finish>,
    usage: Option<Tokens>,
    begun: bool,
    ended: bool,
}

/// The part that is being written. Blocks of text begin with their first words: an empty one would be
/// refused when the caller sends it back.
#[derive(Debug)]
struct Open {
    part: u32,
    kind: Kind,
    begun: bool,
    /// Clients take the last `signature_delta` for the whole, and redacted data only at the beginning: so
    /// both wait until they are whole.
    signature: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    Call,
    Silent,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told<'a> {
    MessageStart { message: Value },
    ContentBlockStart { index: u64, content_block: Block<'a> },
    ContentBlockDelta { index: u64, delta: Delta<'a> },
    ContentBlockStop { index: u64 },
    MessageDelta { delta: Stop<'a>, usage: Value },
    MessageStop {},
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Arguments { partial_json: &'a str },
}

impl Told<'_> {
    fn frame(&self, out: &mut Vec<u8>) {
        let name = match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop {} => "message_stop",
        };
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let _ = serde_json::to_writer(&mut *out, self); // memory takes everything, and so does JSON
        out.extend_from_slice(b"\n\n");
    }
}

impl Writer {
    /// A stream of which nothing is out.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            sequencer: Sequencer::default(),
            ready: Vec::new(),
            open: None,
            index: 0,
            calls: 0,
            held: Held::default(),
            finish: None,
            usage: None,
            begun: false,
            ended: false,
        }
    }

    fn begin(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let own_id = id.filter(|id| !id.is_empty()).map(Cow::Borrowed);
        let message = json!({
            "id": own_id.unwrap_or_else(|| format!("msg_{}", self.facts.id).into()),
            "type": "message",
            "role": "assistant",
            "model": model.unwrap_or(&self.facts.requested),
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            // Clients count by it: zero would be a lie (A4).
            "usage": usage::estimate(self.facts.input_estimate),
        });
        Told::MessageStart { message }.frame(out);
    }

    fn sequenced(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Open { part, opening, .. } => self.open(*part, opening, out),
            Event::Delta { piece, .. } => self.piece(piece, out),
            Event::Close { .. } => self.close(out),
            _ => {}
        }
    }

    fn open(&mut self, part: u32, opening: &Opening, out: &mut Vec<u8>) {
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Refusal => {
                self.held.refusal = true;
                Kind::Text
            }
            Opening::Thinking { redacted: false } => Kind::Thinking,
            Opening::Thinking { redacted: true } => Kind::Redacted,
            Opening::Call { .. } => Kind::Call,
            Opening::Foreign(_) => Kind::Silent,
        };
        if let Opening::Call { id, name, signature, .. } = opening {
            let id = ids::shown(id, signature.as_deref(), &self.facts.id, self.calls);
            let (input, cache_control) = (Input::None {}, None);
            let content_block = Block::ToolUse { id, name, input, cache_control };
            Told::ContentBlockStart { index: self.index, content_block }.frame(out);
            self.calls += 1;
            self.held.call = true;
        }
        self.open = Some(Open { part, kind, begun: kind == Kind::Call, signature: String::new() });
    }

    fn piece(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        let index = self.index;
        let Some(open) = &mut self.open else { return };
        let delta = match (open.kind, piece) {
            (Kind::Text, Piece::Text(text)) if !text.is_empty() => Delta::Text { text },
            (Kind::Thinking, Piece::Text(text)) if !text.is_empty() => {
                Delta::Thinking { thinking: text }
            }
            (Kind::Call, Piece::Arguments(text) | Piece::Text(text)) if !text.is_empty() => {
                Delta::Arguments { partial_json: text }
            }
            (Kind::Thinking | Kind::Redacted, Piece::Signature(text)) => {
                open.signature.push_str(text);
                return;
            }
            _ => return,
        };
        open.begin(index, out);
        Told::ContentBlockDelta { index, delta }.frame(out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let index = self.index;
        let Some(mut open) = self.open.take() else { return };
        if !open.signature.is_empty() {
            open.begin(index, out);
            if open.kind == Kind::Thinking {
                let delta = Delta::Signature { signature: &open.signature };
                Told::ContentBlockDelta { index, delta }.frame(out);
            }
        }
        if open.begun {
            Told::ContentBlockStop { index }.frame(out);
            self.index += 1;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let Some(finish) = &self.finish else { return }; // then it has not ended properly
        self.ended = true;
        let estimated = || usage::estimate(self.facts.input_estimate);
        let usage = self.usage.as_ref().map_or_else(estimated, usage::write);
        Told::MessageDelta { delta: finish::write(finish, self.held), usage }.frame(out);
        Told::MessageStop {}.frame(out);
    }
}

impl Open {
    fn begin(&mut self, index: u64, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let content_block = match self.kind {
            Kind::Thinking => Block::Thinking { thinking: "", signature: "" },
            Kind::Redacted => Block::RedactedThinking { data: &self.signature },
            Kind::Text | Kind::Call | Kind::Silent => Block::Text { text: "", cache_control: None },
        };
        Told::ContentBlockStart { index, content_block }.frame(out);
    }
}

impl form::Writer for Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Begin { id, model, .. } => self.begin(id.as_deref(), model.as_deref(), out),
            Event::Usage(tokens) => self.usage = Some(tokens.clone()),
            Event::Finish { choice: 0, finish } => self.finish = Some(finish.clone()),
            Event::End => self.end(out),
            // More words of the part that is being written: the sequencer has nothing to say to that.
            Event::Delta { choice: 0, part, piece: piece @ Piece::Text(_) }
                if self
                    .open
                    .as_ref()
                    .is_some_and(|open| open.part == *part && open.kind != Kind::Call) =>
            {
                self.piece(piece, out);
            }
            Event::Open { choice: 0, .. }
            | Event::Delta { choice: 0, .. }
            | Event::Close { choice: 0, .. } => {
                self.begin(None, None, out);
                let mut ready = std::mem::take(&mut self.ready);
                self.sequencer.push(event.clone(), &mut ready);
                for event in ready.drain(..) {
                    self.sequenced(&event, out);
                }
                self.ready = ready;
            }
            // Another choice, or an error, which `error::event` tells.
            _ => {}
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::event(fault));
    }
}

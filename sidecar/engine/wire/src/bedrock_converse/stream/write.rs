//! A surface's stream.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bedrock_converse::answer::{Metrics, call_id, service_tier};
use crate::bedrock_converse::error;
use crate::bedrock_converse::stop_reason;
use crate::bedrock_converse::usage::{ServiceTier, Usage};
use crate::eventstream;
use crate::form::{self, Event, Opening, Piece, Sequencer, Tokens};
use crate::{Facts, Fault};

/// Writes Converse's stream, blocks one after the other.
#[derive(Debug)]
pub struct Writer {
    facts: Facts,
    sequencer: Sequencer,
    /// In order, to be written.
    ready: Vec<Event>,
    /// `contentBlockIndex` of the next block.
    next: u64,
    block: Option<Block>,
    tokens: Option<Tokens>,
    begun: bool,
    stopped: bool,
    ended: bool,
}

/// The open block. Where nothing comes before its first delta, an empty one leaves no trace.
#[derive(Debug)]
struct Block {
    index: u64,
    kind: Kind,
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    Call,
    /// Of another provider's own: not for here.
    Foreign,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<T> {
    #[serde(flatten)]
    inside: T,
    content_block_index: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Inside<'a> {
    Start(Start<'a>),
    Delta(Delta<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Start<'a> {
    #[serde(rename_all = "camelCase")]
    ToolUse { tool_use_id: &'a str, name: &'a str },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Delta<'a> {
    Text(&'a str),
    ToolUse { input: &'a str },
    ReasoningContent(Thought<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Thought<'a> {
    Text(&'a str),
    Signature(&'a str),
    RedactedContent(&'a str),
}

#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize)]
struct MessageStart {
    role: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop<'a> {
    stop_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_response_fields: Option<BTreeMap<&'static str, &'a str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<ServiceTier>,
}

impl form::Writer for Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if is_of_another_choice(event) {
            return; // a caller that speaks Converse cannot have asked for more
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.sequencer.push(event.clone(), &mut ready);
        for event in ready.drain(..) {
            self.put(event, out);
        }
        self.ready = ready;
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::event(fault));
    }
}

const fn is_of_another_choice(event: &Event) -> bool {
    match event {
        Event::Open { choice, .. }
        | Event::Delta { choice, .. }
        | Event::Close { choice, .. }
        | Event::Finish { choice, .. } => *choice > 0,
        _ => false,
    }
}

impl Writer {
    /// A writer for one stream.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            sequencer: Sequencer::default(),
            ready: Vec::new(),
            next: 0,
            block: None,
            tokens: None,
            begun: false,
            stopped: false,
            ended: false,
        }
    }

    fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Begin { .. } => self.begin(out),
            Event::Open { part, opening, .. } => self.open(part, &opening, out),
            Event::Delta { piece, .. } => self.delta(&piece, out),
            Event::Close { .. } => self.close(out),
            Event::Finish { finish, .. } => {
                self.close(out);
                self.begin(out);
                if !std::mem::replace(&mut self.stopped, true) {
                    let (stop_reason, more) = stop_reason(&finish);
                    let additional_model_response_fields = more.map(|pair| BTreeMap::from([pair]));
                    let stop = MessageStop { stop_reason, additional_model_response_fields };
                    send("messageStop", &stop, out);
                }
            }
            Event::Usage(tokens) => self.tokens = Some(tokens),
            Event::End if self.stopped && !self.ended => {
                self.ended = true;
                let usage = self.tokens.as_ref().map(Usage::from_tokens);
                let service_tier = self.tokens.as_ref().and_then(service_tier);
                send("metadata", &Metadata { usage, metrics: Metrics {}, service_tier }, out);
            }
            Event::End | Event::Error(_) => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            send("messageStart", &MessageStart { role: "assistant" }, out);
        }
    }

    fn open(&mut self, part: u32, opening: &Opening, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let kind = match opening {
            Opening::Text | Opening::Refusal => Kind::Text,
            Opening::Thinking { redacted: false } => Kind::Thinking,
            Opening::Thinking { redacted: true } => Kind::Redacted,
            Opening::Call { .. } => Kind::Call,
            Opening::Foreign(_) => Kind::Foreign,
        };
        let index = self.next;
        if let Opening::Call { id, name, .. } = opening {
            let id = call_id(id, part as usize, &self.facts);
            let start = Inside::Start(Start::ToolUse { tool_use_id: &id, name });
            let payload = Payload { inside: start, content_block_index: index };
            send("contentBlockStart", &payload, out);
        }
        self.block = Some(Block { index, kind, begun: kind == Kind::Call });
    }

    fn delta(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        let Some(block) = &mut self.block else { return };
        let delta = match (block.kind, piece) {
            (Kind::Text, Piece::Text(text)) => Delta::Text(text),
            (Kind::Thinking, Piece::Text(text)) => Delta::ReasoningContent(Thought::Text(text)),
            (Kind::Thinking, Piece::Signature(signature)) => {
                Delta::ReasoningContent(Thought::Signature(signature))
            }
            (Kind::Redacted, Piece::Signature(data)) => {
                Delta::ReasoningContent(Thought::RedactedContent(data))
            }
            (Kind::Call, Piece::Arguments(input)) => Delta::ToolUse { input },
            _ => return,
        };
        block.begun = true;
        let inside = Inside::Delta(delta);
        send("contentBlockDelta", &Payload { inside, content_block_index: block.index }, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(block) = self.block.take().filter(|block| block.begun) else { return };
        self.next = block.index + 1;
        let payload = Payload { inside: Nothing {}, content_block_index: block.index };
        send("contentBlockStop", &payload, out);
    }
}

/// Appends one message.
fn send<T: Serialize>(kind: &str, payload: &T, out: &mut Vec<u8>) {
    // Text, numbers and maps with text keys always become JSON.
    let payload = serde_json::to_vec(payload).unwrap_or_default();
    eventstream::event(kind, &payload, out);
}

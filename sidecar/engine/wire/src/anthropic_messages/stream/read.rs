//! Events of a provider -> events of the form.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::answer::read_block;
use super::super::finish;
use super::super::usage::Counts;
use crate::form::{self, Event, Finish, Frame, Garbled, Opening, Payload, Piece};

/// Reads a stream of Anthropic's. Its answer is one choice.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    /// The stop reason has come.
    finished: bool,
    /// `message_stop` has come.
    ended: bool,
    /// Blocks that have begun and not stopped: one, as Anthropic writes them.
    open: Vec<Open>,
    parts: u32,
    counts: Counts,
}

#[derive(Debug)]
struct Open {
    index: u64,
    part: u32,
    kind: Kind,
    /// Arguments that stood in `content_block_start`: they count where no delta brings any.
    whole: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
    Foreign,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    index: Option<u64>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Start {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    text: Option<String>,
    partial_json: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
}

impl Reader {
    /// `None`: not of the dialect's shape.
    fn told(&mut self, told: &Told<'_>, name: &str, out: &mut Vec<Event>) -> Option<()> {
        let kind = told.kind.as_deref().unwrap_or(name);
        if let Some(error) = told.error.filter(|_| matches!(kind, "error" | "")) {
            out.push(Event::Error(error.get().to_owned()));
            return Some(());
        }
        match kind {
            "message_start" => self.start(told.message?, out),
            "content_block_start" => self.open(told.index?, told.content_block?, out),
            "content_block_delta" => self.delta(told.index?, told.delta?, out),
            "content_block_stop" => self.close(told.index?, out),
            "message_delta" => self.finish(told, out),
            "message_stop" => {
                self.ended = true;
                out.push(Event::End);
                // Without a stop reason nobody knows whether the answer is whole.
                self.finished.then_some(())
            }
            "error" => None,
            _ => Some(()), // ping, and what will be invented
        }
    }

    fn start(&mut self, message: &RawValue, out: &mut Vec<Event>) -> Option<()> {
        let start: Start = serde_json::from_str(message.get()).ok()?;
        if self.begun {
            return None;
        }
        self.begun = true;
        out.push(Event::Begin { id: start.id, model: start.model, created: None });
        if let Some(counts) = start.usage {
            self.counts = counts;
            out.push(Event::Usage(self.counts.tokens()));
        }
        Some(())
    }

    fn open(&mut self, index: u64, block: &RawValue, out: &mut Vec<Event>) -> Option<()> {
        if !self.begun || self.finished || self.open.iter().any(|open| open.index == index) {
            return None;
        }
        let (part, choice) = (self.parts, 0);
        self.parts += 1;
        let mut whole = None;
        let mut pieces = Vec::new();
        let (kind, opening) = match read_block(block.get())? {
            Payload::Text(text) => {
                pieces.push(Piece::Text(text));
                (Kind::Text, Opening::Text)
            }
            Payload::Thinking(thinking) => {
                pieces.push(Piece::Text(thinking.text));
                pieces.extend(thinking.signature.map(Piece::Signature));
                (Kind::Thinking, Opening::Thinking { redacted: thinking.redacted })
            }
            Payload::Call(call) => {
                let given = !matches!(call.arguments.trim(), "" | "{}");
                whole = given.then_some(call.arguments);
                let (id, name, custom, signature) = (call.id, call.name, false, None);
                (Kind::Call, Opening::Call { id, name, custom, signature })
            }
            Payload::Foreign { kind, .. } => (Kind::Foreign, Opening::Foreign(kind)),
            _ => return None,
        };
        out.push(Event::Open { choice, part, opening });
        let said = pieces.into_iter().filter(|piece| !is_empty(piece));
        out.extend(said.map(|piece| Event::Delta { choice, part, piece }));
        self.open.push(Open { index, part, kind, whole });
        Some(())
    }

    fn delta(&mut self, index: u64, delta: &RawValue, out: &mut Vec<Event>) -> Option<()> {
        let open = self.open.iter_mut().find(|open| open.index == index)?;
        let delta: Delta = serde_json::from_str(delta.get()).ok()?;
        let piece = match (open.kind, delta.kind.as_ref()) {
            (Kind::Foreign, _) => return Some(()), // its own dialect passes as bytes
            (Kind::Text, "text_delta") => Piece::Text(delta.text?),
            (Kind::Thinking, "thinking_delta") => Piece::Text(delta.thinking?),
            (Kind::Thinking, "signature_delta") => Piece::Signature(delta.signature?),
            (Kind::Call, "input_json_delta") => Piece::Arguments(delta.partial_json?),
            (_, "text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta") => {
                return None;
            }
            _ => return Some(()), // citations
        };
        if !is_empty(&piece) {
            if open.kind == Kind::Call {
                open.whole = None;
            }
            out.push(Event::Delta { choice: 0, part: open.part, piece });
        }
        Some(())
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) -> Option<()> {
        let place = self.open.iter().position(|open| open.index == index)?;
        close(self.open.remove(place), out);
        Some(())
    }

    fn finish(&mut self, told: &Told<'_>, out: &mut Vec<Event>) -> Option<()> {
        if !self.begun {
            return None;
        }
        if let Some(delta) = told.delta {
            let end: finish::Told = serde_json::from_str(delta.get()).ok()?;
            if let Some((finish, refusal)) = end.read().filter(|_| !self.finished) {
                self.end(finish, refusal, out);
            }
        }
        if let Some(usage) = told.usage {
            self.counts.replace(serde_json::from_str(usage.get()).ok()?);
            out.push(Event::Usage(self.counts.tokens()));
        }
        Some(())
    }

    fn end(&mut self, finish: Finish, refusal: Option<String>, out: &mut Vec<Event>) {
        self.finished = true;
        self.open.drain(..).for_each(|open| close(open, out));
        let (part, choice) = (self.parts, 0);
        if let Some(words) = refusal {
            self.parts += 1;
            out.push(Event::Open { choice, part, opening: Opening::Refusal });
            out.push(Event::Delta { choice, part, piece: Piece::Text(words) });
            out.push(Event::Close { choice, part });
        }
        out.push(Event::Finish { choice, finish });
    }
}

fn close(open: Open, out: &mut Vec<Event>) {
    let (choice, part) = (0, open.part);
    if let Some(whole) = open.whole {
        out.push(Event::Delta { choice, part, piece: Piece::Arguments(whole) });
    }
    out.push(Event::Close { choice, part });
}

const fn is_empty(piece: &Piece) -> bool {
    let (Piece::Text(text) | Piece::Arguments(text) | Piece::Signature(text)) = piece;
    text.is_empty()
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        // Some servers of this dialect end with OpenAI's mark too.
        let data = frame.data.trim_ascii();
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let told: Told = serde_json::from_slice(data).map_err(|_| Garbled::Malformed)?;
        let first = out.len();
        self.told(&told, frame.name, out).ok_or_else(|| {
            out.truncate(first);
            Garbled::Malformed
        })
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.ended && self.finished { Ok(()) } else { Err(Garbled::Malformed) }
    }
}

//! Events of a provider's stream.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bedrock_converse::usage::{ServiceTier, Usage};
use crate::bedrock_converse::{answer::Additional, meaning};
use crate::eventstream::exception_type;
use crate::form::{self, Event, Frame, Garbled, Opening, Piece};

/// Reads Converse's stream.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    /// Blocks that are open, by `contentBlockIndex`.
    open: Vec<Open>,
    /// Parts so far.
    parts: u32,
    has_calls: bool,
    finished: bool,
    ended: bool,
}

#[derive(Debug)]
struct Open {
    index: u64,
    part: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
    Foreign,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    start: Map<String, Value>,
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallStart {
    tool_use_id: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta {
    delta: Delta,
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta {
    text: Option<String>,
    tool_use: Option<CallDelta>,
    reasoning_content: Option<ThoughtDelta>,
}

#[derive(Debug, Deserialize)]
struct CallDelta {
    #[serde(default)]
    input: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThoughtDelta {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
    additional_model_response_fields: Option<Additional>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    usage: Option<Usage>,
    service_tier: Option<ServiceTier>,
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.ended {
            return Ok(()); // nothing can be taken back or added
        }
        if let Some(kind) = exception_type(frame.name) {
            out.push(Event::Error(told(kind, frame.data)));
            return Ok(());
        }
        match frame.name {
            "messageStart" => self.begin(out),
            "contentBlockStart" => self.start(parse(frame.data)?, out)?,
            "contentBlockDelta" => self.delta(parse(frame.data)?, out)?,
            "contentBlockStop" => {
                let stop: BlockStop = parse(frame.data)?;
                self.close(|open| open.index == stop.content_block_index, out);
            }
            "messageStop" => self.stop(parse(frame.data)?, out)?,
            "metadata" => self.end(parse(frame.data)?, out)?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.ended { Ok(()) } else { Err(Garbled::Malformed) }
    }
}

impl Reader {
    fn begin(&mut self, out: &mut Vec<Event>) {
        if !self.begun {
            self.begun = true;
            out.push(Event::Begin { id: None, model: None, created: None });
        }
    }

    fn start(&mut self, start: Start, out: &mut Vec<Event>) -> Result<(), Garbled> {
        let index = start.content_block_index;
        let mut told = start.start.into_iter().filter(|(_, value)| !value.is_null());
        // Some models begin text with an empty `start`.
        let Some((kind, inside)) = told.next() else { return Ok(()) };
        if kind == "text" {
            return Ok(());
        }
        let foreign = (Kind::Foreign, Opening::Foreign(kind.clone()));
        let (kind, opening) = if kind == "toolUse" {
            let call: CallStart = serde_json::from_value(inside).map_err(|_| Garbled::Malformed)?;
            if call.kind.is_some() {
                foreign
            } else {
                self.has_calls = true;
                let (id, name) = (call.tool_use_id, call.name);
                (Kind::Call, Opening::Call { id, name, custom: false, signature: None })
            }
        } else {
            foreign
        };
        self.open(index, kind, opening, out).map(|_| ())
    }

    fn open(
        &mut self,
        index: u64,
        kind: Kind,
        opening: Opening,
        out: &mut Vec<Event>,
    ) -> Result<u32, Garbled> {
        if self.finished || self.open.iter().any(|open| open.index == index) {
            return Err(Garbled::Malformed);
        }
        self.begin(out);
        let part = self.parts;
        self.parts += 1;
        self.open.push(Open { index, part, kind });
        out.push(Event::Open { choice: 0, part, opening });
        Ok(part)
    }

    fn delta(&mut self, said: BlockDelta, out: &mut Vec<Event>) -> Result<(), Garbled> {
        let (index, delta) = (said.content_block_index, said.delta);
        if self.open.iter().any(|open| open.index == index && open.kind == Kind::Foreign) {
            return Ok(());
        }
        if let Some(text) = delta.text {
            self.push(index, Kind::Text, || Opening::Text, Piece::Text(text), out)?;
        }
        if let Some(call) = delta.tool_use {
            let part = self.part(index, Kind::Call)?.ok_or(Garbled::Malformed)?;
            out.push(Event::Delta { choice: 0, part, piece: Piece::Arguments(call.input) });
        }
        let Some(thought) = delta.reasoning_content else { return Ok(()) };
        let shown = || Opening::Thinking { redacted: false };
        if let Some(text) = thought.text {
            self.push(index, Kind::Thinking, shown, Piece::Text(text), out)?;
        }
        if let Some(signature) = thought.signature {
            self.push(index, Kind::Thinking, shown, Piece::Signature(signature), out)?;
        }
        if let Some(data) = thought.redacted_content {
            let hidden = || Opening::Thinking { redacted: true };
            self.push(index, Kind::Thinking, hidden, Piece::Signature(data), out)?;
        }
        Ok(())
    }

    fn push(
        &mut self,
        index: u64,
        kind: Kind,
        opening: impl FnOnce() -> Opening,
        piece: Piece,
        out: &mut Vec<Event>,
    ) -> Result<(), Garbled> {
        let part = match self.part(index, kind)? {
            Some(part) => part,
            None => self.open(index, kind, opening(), out)?,
        };
        out.push(Event::Delta { choice: 0, part, piece });
        Ok(())
    }

    /// The open part of a block, which must be of the kind that its delta is.
    fn part(&self, index: u64, kind: Kind) -> Result<Option<u32>, Garbled> {
        match self.open.iter().find(|open| open.index == index) {
            Some(open) if open.kind != kind => Err(Garbled::Malformed),
            open => Ok(open.map(|open| open.part)),
        }
    }

    fn close(&mut self, which: impl Fn(&Open) -> bool, out: &mut Vec<Event>) {
        self.open.retain(|open| {
            let closes = which(open);
            if closes {
                out.push(Event::Close { choice: 0, part: open.part });
            }
            !closes
        });
    }

    fn stop(&mut self, stop: MessageStop, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if std::mem::replace(&mut self.finished, true) {
            return Err(Garbled::Malformed);
        }
        self.begin(out);
        self.close(|_| true, out);
        let stop_text = stop.additional_model_response_fields.and_then(|more| more.stop_sequence);
        let finish = meaning(&stop.stop_reason, self.has_calls, stop_text);
        out.push(Event::Finish { choice: 0, finish });
        Ok(())
    }

    /// Before `messageStop` it is only news of the usage.
    fn end(&mut self, metadata: Metadata, out: &mut Vec<Event>) -> Result<(), Garbled> {
        self.begin(out);
        if let Some(usage) = metadata.usage {
            out.push(Event::Usage(usage.into_tokens(metadata.service_tier)));
        }
        if self.finished {
            self.ended = true;
            out.push(Event::End);
        }
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Garbled> {
    serde_json::from_slice(data).map_err(|_| Garbled::Malformed)
}

/// The exception's members, and its type as `__type`, where Bedrock's plain errors have theirs.
fn told(kind: &str, data: &[u8]) -> String {
    let mut error = Map::from_iter([("__type".to_owned(), Value::from(kind))]);
    match serde_json::from_slice(data) {
        Ok(Value::Object(members)) => error.extend(members),
        _ => _ = error.insert("message".into(), String::from_utf8_lossy(data).into()),
    }
    Value::Object(error).to_string()
}

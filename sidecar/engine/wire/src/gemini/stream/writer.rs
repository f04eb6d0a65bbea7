//! Events -> chunks.

use super::super::body::Piece as PartOf;
use super::super::body::{Args, Candidate, Content, FunctionCall, Response};
use super::super::{error, finish, usage};
use crate::form::{self, Event, Finish, Opening, Piece, Sequencer, Tokens};
use crate::json::written;
use crate::{Facts, Fault};

/// Writes a stream of `GenerateContentResponse`s.
///
/// A `finishReason` is all that tells a whole stream from a cut one, so it comes with [`Event::End`] and
/// never before. Calls are written whole, once their part closes.
#[derive(Debug)]
pub struct Writer {
    facts: Facts,
    framing: Framing,
    id: Option<String>,
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Tokens>,
    /// A chunk is out.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// `alt=sse`.
    Events,
    /// One array that grows, closed at the proper end.
    Array,
}

#[derive(Debug, Default)]
struct Choice {
    /// One part after the other, so that chunks put together are the plain answer.
    sequencer: Sequencer,
    open: Option<Part>,
    /// A call had no whole object of arguments.
    dropped: bool,
    finish: Option<Finish>,
}

#[derive(Debug)]
enum Part {
    Text,
    Thinking,
    Call { id: String, name: String, custom: bool, signature: Option<String>, arguments: String },
    Silent,
}

impl Writer {
    /// Server-sent events (`alt=sse`), of which nothing is out.
    #[must_use]
    pub const fn new(facts: Facts) -> Self {
        Self::framed(facts, Framing::Events)
    }

    /// The growing array that `streamGenerateContent` gives without `alt=sse`.
    #[must_use]
    pub const fn array(facts: Facts) -> Self {
        Self::framed(facts, Framing::Array)
    }

    const fn framed(facts: Facts, framing: Framing) -> Self {
        let (id, model, usage) = (None, None, None);
        Self { facts, framing, id, model, choices: Vec::new(), usage, begun: false }
    }

    fn choice(&mut self, number: u32) -> &mut Choice {
        let place = number as usize;
        if self.choices.len() <= place {
            self.choices.resize_with(place + 1, Choice::default);
        }
        &mut self.choices[place]
    }

    fn part(&mut self, number: u32, event: &Event, out: &mut Vec<u8>) {
        let mut ordered = Vec::new();
        self.choice(number).sequencer.push(event.clone(), &mut ordered);
        for event in ordered {
            match event {
                Event::Open { opening, .. } => self.choice(number).open = Some(Part::of(opening)),
                Event::Delta { piece, .. } => self.piece(number, piece, out),
                Event::Close { .. } => self.close(number, out),
                _ => {}
            }
        }
    }

    fn piece(&mut self, number: u32, piece: Piece, out: &mut Vec<u8>) {
        match (&mut self.choice(number).open, piece) {
            (Some(Part::Call { arguments, .. }), Piece::Arguments(text) | Piece::Text(text)) => {
                arguments.push_str(&text);
            }
            (Some(Part::Text), Piece::Text(text)) if !text.is_empty() => {
                self.say(number, PartOf::text(&text), out);
            }
            (Some(Part::Thinking), Piece::Text(text)) if !text.is_empty() => {
                self.say(number, PartOf::thought(&text, None), out);
            }
            // A signature of another provider, which Gemini would refuse later, or nothing.
            _ => {}
        }
    }

    fn close(&mut self, number: u32, out: &mut Vec<u8>) {
        let Some(Part::Call { id, name, custom, signature, arguments }) =
            self.choice(number).open.take()
        else {
            return;
        };
        let Some(args) = Args::of(&arguments).filter(|_| !custom) else {
            // Cut, or no JSON: as in the plain answer it is left out, and the finish says so.
            self.choice(number).dropped = true;
            return;
        };
        let function_call = FunctionCall { id: &id, name: &name, args };
        let thought_signature = signature.as_deref();
        self.say(number, PartOf::Call { function_call, thought_signature }, out);
    }

    fn say(&mut self, index: u32, part: PartOf<'_>, out: &mut Vec<u8>) {
        let content = Content { parts: vec![part], role: Some("model") };
        let (finish_reason, finish_message) = (None, None);
        let candidate = Candidate { content, finish_reason, finish_message, index };
        self.chunk(vec![candidate], false, out);
        self.begun = true;
    }

    fn chunk(&self, candidates: Vec<Candidate<'_>>, last: bool, out: &mut Vec<u8>) {
        let chunk = written(&Response {
            candidates,
            usage_metadata: self.usage.as_ref().filter(|_| last).map(usage::write),
            model_version: self.model.as_deref().unwrap_or(&self.facts.requested),
            response_id: self.id.as_deref().unwrap_or(&self.facts.id),
        });
        let (before, after): (&[u8], &[u8]) = match (self.framing, self.begun) {
            (Framing::Events, _) => (b"data: ", b"\r\n\r\n"),
            (Framing::Array, false) => (b"[", b""),
            (Framing::Array, true) => (b",\r\n", b""),
        };
        out.extend_from_slice(before);
        out.extend_from_slice(&chunk);
        out.extend_from_slice(after);
    }

    /// The chunk with every candidate's `finishReason` and the usage. Its empty text is there because SDKs
    /// take a content without parts for a broken one and forget the turn.
    fn end(&self, out: &mut Vec<u8>) {
        let last = self.choices.iter().zip(0..).filter_map(|(choice, index)| {
            let (reason, finish_message) = finish::word(choice.finish.as_ref()?, choice.dropped);
            let content = Content { parts: vec![PartOf::text("")], role: Some("model") };
            Some(Candidate { content, finish_reason: Some(reason), finish_message, index })
        });
        self.chunk(last.collect(), true, out);
        if self.framing == Framing::Array {
            out.push(b']');
        }
    }
}

impl Part {
    fn of(opening: Opening) -> Self {
        match opening {
            Opening::Text | Opening::Refusal => Self::Text,
            Opening::Thinking { redacted: false } => Self::Thinking,
            Opening::Thinking { redacted: true } | Opening::Foreign(_) => Self::Silent,
            Opening::Call { id, name, custom, signature } => {
                Self::Call { id, name, custom, signature, arguments: String::new() }
            }
        }
    }
}

impl form::Writer for Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Begin { id, model, .. } => {
                (self.id, self.model) = (id.clone(), model.clone());
            }
            Event::Open { choice, .. }
            | Event::Delta { choice, .. }
            | Event::Close { choice, .. } => self.part(*choice, event, out),
            Event::Finish { choice, finish } => {
                self.choice(*choice).finish = Some(finish.clone());
            }
            Event::Usage(tokens) => self.usage = Some(tokens.clone()),
            Event::End => self.end(out),
            Event::Error(_) => {}
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        let told = match self.framing {
            Framing::Events => error::event(fault),
            Framing::Array if self.begun => error::element(fault),
            Framing::Array => [b"[".as_slice(), &error::plain(fault)].concat(),
        };
        out.extend_from_slice(&told);
    }
}

//! Chunks -> events.

use serde_json::Value;

use super::super::answer::{self, Signatures};
use super::super::part::{self, Content};
use super::super::spelling::{count, object, objects};
use super::super::{finish, usage};
use super::partial::Partial;
use crate::form::{self, Call, Event, Finish, Frame, Garbled, Opening, Piece, Tokens};
use crate::json::Members;

/// Candidates that a stream may have.
const CANDIDATES: usize = 128;

/// Reads a stream of `GenerateContentResponse`s (`alt=sse`).
///
/// Nothing says that a candidate is whole before the body ends: older models put `finishReason: STOP` on
/// every chunk. So [`Event::Finish`] comes from [`form::Reader::finish`].
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    ended: bool,
    failed: bool,
    /// Candidates that were asked for beyond the first.
    further: usize,
    id: Option<String>,
    candidates: Vec<Candidate>,
    searches: u64,
}

#[derive(Debug, Default)]
struct Candidate {
    parts: u32,
    /// The part that goes on while pieces of its kind come.
    open: Option<(u32, Kind)>,
    signs: Signatures,
    partial: Option<Partial>,
    finish: Option<Finish>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

impl Reader {
    /// For a request that asked for this many candidates (`candidateCount`): fewer are a cut stream.
    #[must_use]
    pub fn of(candidates: usize) -> Self {
        Self { further: candidates.saturating_sub(1), ..Self::default() }
    }

    fn chunk(&mut self, mut chunk: Members, out: &mut Vec<Event>) -> Option<()> {
        let (id, model) = (chunk.text("responseId").ok()?, chunk.text("modelVersion").ok()?);
        if !self.begun {
            self.begun = true;
            self.id.clone_from(&id);
            out.push(Event::Begin { id, model, created: None });
        }
        for (place, candidate) in
            objects(&mut chunk, "candidates").ok()?.unwrap_or_default().into_iter().enumerate()
        {
            self.candidate(place, candidate, out)?;
        }
        if self.candidates.is_empty()
            && let Some(finish) = answer::blocked(&mut chunk).ok()?
        {
            let finish = Some(finish);
            self.candidates.push(Candidate { finish, ..Candidate::default() });
            self.further = 0;
        }
        if let Some(tokens) = usage::read(&mut chunk) {
            out.push(Event::Usage(Tokens { web_searches: self.searches, ..tokens }));
        }
        Some(())
    }

    fn candidate(
        &mut self,
        place: usize,
        mut members: Members,
        out: &mut Vec<Event>,
    ) -> Option<()> {
        let index = count(&mut members, "index").ok()?;
        let place = index.map_or(Some(place), |index| usize::try_from(index).ok())?;
        if place >= CANDIDATES {
            return None;
        }
        if self.candidates.len() <= place {
            self.candidates.resize_with(place + 1, Candidate::default);
        }
        self.searches = self.searches.max(usage::searches(&mut members).ok()?);
        let number = u32::try_from(place).ok()?;
        let candidate = self.candidates.get_mut(place)?;
        if let Some(mut content) = object(&mut members, "content").ok()? {
            for member in objects(&mut content, "parts").ok()?.unwrap_or_default() {
                candidate.part(number, self.id.as_deref(), member, out)?;
            }
        }
        if let Some(raw) = members.text("finishReason").ok()? {
            candidate.finish = Some(finish::meaning(raw, candidate.signs.calls > 0));
        }
        Some(())
    }

    fn whole(&self) -> bool {
        let whole = |one: &Candidate| one.finish.is_some() && one.partial.is_none();
        self.candidates.len() > self.further && self.candidates.iter().all(whole)
    }
}

impl Candidate {
    fn part(
        &mut self,
        number: u32,
        answer: Option<&str>,
        member: Members,
        out: &mut Vec<Event>,
    ) -> Option<()> {
        let read = part::read(member).ok()?;
        match read.content {
            Content::Text(text) => {
                self.signs.see(read.signature.as_deref());
                if !text.is_empty() {
                    self.piece(number, Kind::Text, Piece::Text(text), out);
                }
            }
            Content::Thought(text) => {
                self.signs.see(read.signature.as_deref());
                if !text.is_empty() {
                    self.piece(number, Kind::Thinking, Piece::Text(text), out);
                }
                if let Some(signature) = read.signature {
                    self.piece(number, Kind::Thinking, Piece::Signature(signature), out);
                }
            }
            Content::Call(call) => self.call(number, answer, call, read.signature, out),
            Content::Partial(mut piece) => {
                let mut partial = match self.partial.take() {
                    Some(partial) => partial,
                    None => Partial::begin(&mut piece, read.signature)?,
                };
                if partial.take(&mut piece)? {
                    self.partial = Some(partial);
                } else {
                    let mut call = partial.end();
                    let signature = call.signature.take();
                    self.call(number, answer, call, signature, out);
                }
            }
            // Pictures in a stream are asked for by Google's own surface alone, whose bytes pass as they are.
            Content::Media(_) => self.foreign(number, "inlineData".into(), out),
            Content::Foreign { kind, .. } => self.foreign(number, kind, out),
            Content::Response(_) => return None,
        }
        Some(())
    }

    fn piece(&mut self, choice: u32, kind: Kind, piece: Piece, out: &mut Vec<Event>) {
        let part = match self.open {
            Some((part, open)) if open == kind => part,
            _ => {
                let opening = match kind {
                    Kind::Text => Opening::Text,
                    Kind::Thinking => Opening::Thinking { redacted: false },
                };
                let part = self.begin(choice, opening, out);
                self.open = Some((part, kind));
                part
            }
        };
        out.push(Event::Delta { choice, part, piece });
    }

    fn call(
        &mut self,
        choice: u32,
        answer: Option<&str>,
        call: Call,
        signature: Option<String>,
        out: &mut Vec<Event>,
    ) {
        let Call { id, name, arguments, custom, signature } =
            self.signs.sign(call, signature, answer, choice as usize);
        let part = self.begin(choice, Opening::Call { id, name, custom, signature }, out);
        out.push(Event::Delta { choice, part, piece: Piece::Arguments(arguments) });
        out.push(Event::Close { choice, part });
    }

    fn foreign(&mut self, choice: u32, kind: String, out: &mut Vec<Event>) {
        let part = self.begin(choice, Opening::Foreign(kind), out);
        out.push(Event::Close { choice, part });
    }

    fn begin(&mut self, choice: u32, opening: Opening, out: &mut Vec<Event>) -> u32 {
        self.close(choice, out);
        let part = self.parts;
        self.parts += 1;
        out.push(Event::Open { choice, part, opening });
        part
    }

    fn close(&mut self, choice: u32, out: &mut Vec<Event>) {
        if let Some((part, _)) = self.open.take() {
            out.push(Event::Close { choice, part });
        }
    }
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.ended || self.failed || frame.data.trim_ascii().is_empty() {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(frame.data).map_err(|_| Garbled::Malformed)?;
        match answer::open(value) {
            Ok(chunk) => self.chunk(chunk, out).ok_or(Garbled::Malformed),
            Err(Garbled::Error(error)) => {
                self.failed = true;
                out.push(Event::Error(error));
                Ok(())
            }
            Err(garbled) => Err(garbled),
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.ended {
            return Ok(());
        }
        if self.failed || !self.whole() {
            return Err(Garbled::Malformed);
        }
        self.ended = true;
        for (candidate, choice) in self.candidates.iter_mut().zip(0..) {
            candidate.close(choice, out);
            if let Some(finish) = candidate.finish.take() {
                out.push(Event::Finish { choice, finish });
            }
        }
        out.push(Event::End);
        Ok(())
    }
}

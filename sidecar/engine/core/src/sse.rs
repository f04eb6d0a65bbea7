//! An upstream's chat stream, checked while it passes: bytes in, bytes out, no I/O.
//! `handle` pushes what arrives and sends what comes out; a fault before the commit is retriable,
//! one after it is told by `cut_event` and an aborted body. A stream that did not end properly never
//! looks complete downstream (I9).

mod fault;
mod frame;
mod stream;
mod template;
mod watched;

use bytes::{Bytes, BytesMut};
use pointsman_wire::openai_chat::quirks::{Mender, Quirks};

use crate::limits;
use crate::table::StreamEnd;
use crate::usage::{Seen, Usage};
use crate::wire::openai_chat::Chunk;
pub use fault::{StreamFault, cut_event, refusal_cut_event};
use frame::{Event, Framer};
pub use stream::Stream;
use template::Template;
pub use watched::Watched;

/// What is known of the stream beforehand.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// We asked for the usage event, the caller did not: it stays here.
    pub strip_usage_event: bool,
    /// What ends the stream properly.
    pub end: StreamEnd,
    /// Choices that the caller asked for (`n`).
    pub choices: u32,
}

/// How far the stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No content yet; everything is held back and the attempt may still be repeated.
    Waiting,
    /// Content goes down.
    Flowing,
    /// It ended properly; what may still arrive is ignored.
    Done,
}

/// One upstream answer on its way down.
#[derive(Debug)]
pub struct ChatStream {
    options: StreamOptions,
    expected: u128,
    framer: Framer,
    template: Template,
    /// The beginning of an event whose end has not arrived.
    tail: BytesMut,
    /// Whole events from before the commit.
    held: Vec<Bytes>,
    held_bytes: usize,
    progress: Progress,
    begun: u128,
    finished: u128,
    upstream_id: Option<Box<str>>,
    service_tier: Option<Box<str>>,
    seen: Seen,
    content_events: u64,
    /// For a server whose chunks differ from OpenAI's; boxed: few do.
    mender: Option<Box<Mender>>,
}

/// What becomes of an event.
enum Verdict {
    Pass,
    Drop,
    /// Something else goes down in its place.
    Replace(Bytes),
}

impl ChatStream {
    /// A stream of which nothing has arrived.
    #[must_use]
    pub fn new(options: StreamOptions) -> Self {
        let choices = options.choices.clamp(1, limits::CHOICES);
        Self {
            options,
            expected: u128::MAX >> (limits::CHOICES - choices),
            framer: Framer::default(),
            template: Template::default(),
            tail: BytesMut::new(),
            held: Vec::new(),
            held_bytes: 0,
            progress: Progress::Waiting,
            begun: 0,
            finished: 0,
            upstream_id: None,
            service_tier: None,
            seen: Seen::default(),
            content_events: 0,
            mender: None,
        }
    }

    /// The same, with chunks as OpenAI writes them where the server's differ.
    #[must_use]
    pub fn mended(self, quirks: Quirks) -> Self {
        Self { mender: Mender::of(quirks).map(Box::new), ..self }
    }

    /// Takes what arrived and adds to `out` what may go down now: whole events, unchanged.
    ///
    /// # Errors
    /// The stream is no proper answer. What was added to `out` before is sent all the same (nothing,
    /// before the commit), then `cut_event`. Nothing may be pushed afterwards.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<Progress, StreamFault> {
        if self.done() {
            return Ok(self.progress);
        }
        let mut at = 0;
        if !self.tail.is_empty() {
            let Some(end) = self.framer.event_end(&piece) else {
                return self.keep(&piece);
            };
            self.keep(&piece[..end])?;
            let event = self.tail.split().freeze();
            let verdict = self.event(&event)?;
            self.deliver_as(verdict, event, out)?;
            at = end;
        }
        at = self.whole_events(&piece, at, out)?;
        if self.done() { Ok(self.progress) } else { self.keep(&piece[at..]) }
    }

    /// The body has ended: was that its proper end?
    ///
    /// # Errors
    /// As `push`; `Truncated` above all.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if !self.done() && !self.tail.trim_ascii().is_empty() {
            // Some servers leave out the last blank line: what is there may still be a whole event.
            let newlines: &[u8] = if self.tail.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            self.tail.extend_from_slice(newlines);
            let event = self.tail.split().freeze();
            let verdict = self.event(&event).map_err(|fault| match fault {
                StreamFault::Garbage => StreamFault::Truncated,
                other => other,
            })?;
            self.deliver_as(verdict, event, out)?;
        }
        if self.done() {
            return Ok(());
        }
        if self.options.end == StreamEnd::Done || !self.all_finished() {
            return Err(StreamFault::Truncated);
        }
        self.progress = Progress::Done;
        out.append(&mut self.held);
        Ok(())
    }

    /// Has anything gone down? Then this attempt cannot be repeated.
    #[must_use]
    pub fn committed(&self) -> bool {
        self.progress != Progress::Waiting
    }

    /// Has it ended properly?
    #[must_use]
    pub fn done(&self) -> bool {
        self.progress == Progress::Done
    }

    /// The last usage that the provider reported.
    #[must_use]
    pub fn usage(&self) -> Option<&Usage> {
        self.seen.reported.as_ref()
    }

    /// Everything that `usage::Meter` needs.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The provider's id of the answer.
    #[must_use]
    pub fn upstream_id(&self) -> Option<&str> {
        self.upstream_id.as_deref()
    }

    /// The tier that the provider says it bills.
    #[must_use]
    pub fn service_tier(&self) -> Option<&str> {
        self.service_tier.as_deref()
    }

    /// Bytes of all deltas: never fewer than their tokens.
    #[must_use]
    pub fn delta_bytes(&self) -> u64 {
        self.seen.bytes
    }

    /// Events that carried output.
    #[must_use]
    pub fn content_events(&self) -> u64 {
        self.content_events
    }

    /// Passes the whole events from `start` on as few slices of `piece`; returns where the rest begins.
    fn whole_events(
        &mut self,
        piece: &Bytes,
        start: usize,
        out: &mut Vec<Bytes>,
    ) -> Result<usize, StreamFault> {
        let (mut run, mut at) = (start, start);
        while !self.done()
            && let Some(length) = self.framer.event_end(&piece[at..])
        {
            let end = at + length;
            let verdict = self.event(&piece[at..end]);
            if !matches!(verdict, Ok(Verdict::Pass)) {
                self.deliver(piece.slice(run..at), out)?;
                run = end;
            }
            if let Verdict::Replace(with) = verdict? {
                self.deliver(with, out)?;
            }
            at = end;
        }
        self.deliver(piece.slice(run..at), out)?;
        Ok(at)
    }

    fn deliver_as(
        &mut self,
        verdict: Verdict,
        event: Bytes,
        out: &mut Vec<Bytes>,
    ) -> Result<(), StreamFault> {
        match verdict {
            Verdict::Pass => self.deliver(event, out),
            Verdict::Replace(with) => self.deliver(with, out),
            Verdict::Drop => Ok(()),
        }
    }

    /// Sends events down, or holds them back before the commit.
    fn deliver(&mut self, events: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if events.is_empty() {
            return Ok(());
        }
        if self.committed() {
            out.append(&mut self.held);
            out.push(events);
            return Ok(());
        }
        self.held_bytes += events.len();
        if self.held_bytes > limits::STREAM_HOLD_BYTES {
            return Err(StreamFault::HoldOverflow);
        }
        self.held.push(events);
        Ok(())
    }

    fn keep(&mut self, part: &[u8]) -> Result<Progress, StreamFault> {
        if self.tail.len() + part.len() > limits::STREAM_EVENT_BYTES {
            return Err(StreamFault::EventTooLarge);
        }
        self.tail.extend_from_slice(part);
        Ok(self.progress)
    }

    fn event(&mut self, event: &[u8]) -> Result<Verdict, StreamFault> {
        match Event::read(event) {
            Event::Data(data) => self.data(data),
            Event::Joined(data) => self.data(data.trim_ascii()),
            Event::Error(data) => Err(StreamFault::of_error(error_member(&data))),
            // Before the commit there is nobody to keep awake.
            Event::Comment if self.committed() => Ok(Verdict::Pass),
            Event::Comment | Event::Empty => Ok(Verdict::Drop),
        }
    }

    fn data(&mut self, data: &[u8]) -> Result<Verdict, StreamFault> {
        if let Some(text) = self.template.text(data) {
            self.note_output(text.len() as u64, !text.is_empty());
            return Ok(Verdict::Pass);
        }
        if data == b"[DONE]" {
            if !self.all_finished() {
                return Err(StreamFault::Truncated);
            }
            self.progress = Progress::Done;
            return Ok(Verdict::Pass);
        }
        let chunk = Chunk::read(data).ok_or(StreamFault::Garbage)?;
        if let Some(error) = chunk.error {
            return Err(StreamFault::of_error(error));
        }
        if chunk.finished_by_error {
            return Err(StreamFault::of_error(b"null"));
        }
        self.note(&chunk);
        if let Some(mended) = self.mender.as_mut().and_then(|mender| mender.chunk(data)) {
            // What looks like one of these must be looked at, too.
            self.template = Template::default();
            let event = [b"data: ", mended.as_slice(), b"\n\n"].concat();
            return Ok(Verdict::Replace(event.into()));
        }
        self.template.learn(data, &chunk);
        let ours = self.options.strip_usage_event && chunk.is_usage_only();
        Ok(if ours { Verdict::Drop } else { Verdict::Pass })
    }

    fn note(&mut self, chunk: &Chunk<'_>) {
        if self.upstream_id.is_none() {
            self.upstream_id = chunk.id.and_then(label);
        }
        if chunk.service_tier.is_some() {
            self.service_tier = chunk.service_tier.and_then(label);
        }
        self.begun |= chunk.choices;
        self.finished |= chunk.finished;
        self.note_output(chunk.delta_bytes, chunk.output);
        if let Some(usage) = chunk.usage.and_then(Usage::of_chat) {
            self.seen.reported = Some(usage);
            self.seen.bytes_since_report = 0;
        }
    }

    fn note_output(&mut self, bytes: u64, output: bool) {
        self.seen.bytes += bytes;
        self.seen.bytes_since_report += bytes;
        self.seen.largest = self.seen.largest.max(bytes);
        if output {
            self.content_events += 1;
            self.progress = Progress::Flowing;
        }
    }

    fn all_finished(&self) -> bool {
        (self.expected | self.begun) & !self.finished == 0
    }
}

/// A provider's id or tier, bounded; ids hold no escapes, so a raw text that does is not kept.
fn label(raw: &[u8]) -> Option<Box<str>> {
    let text =
        std::str::from_utf8(raw).ok().filter(|text| !text.is_empty() && !text.contains('\\'))?;
    Some(text.chars().take(limits::UPSTREAM_ID_CHARS).collect::<String>().into())
}

/// The `error` member of an `event: error`, else its whole data.
fn error_member(data: &[u8]) -> &[u8] {
    Chunk::read(data).and_then(|chunk| chunk.error).unwrap_or(data)
}

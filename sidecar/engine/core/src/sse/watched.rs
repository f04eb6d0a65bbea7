//! A stream that its dialect's own reader reads, event by event: passed on unchanged to a caller of the
//! same dialect, written anew for one of another. Bytes in, bytes out, no I/O. The same rules hold as for
//! chat: nothing goes down before the first content, and a stream that did not end properly never looks
//! complete downstream (I9): only the reader's `End` makes the writer write one.

use std::fmt;

use bytes::{Bytes, BytesMut};
use pointsman_wire::Fault;
use pointsman_wire::eventstream::Decoder;
use pointsman_wire::form::{Event, Frame, Garbled, Opening, Piece, Reader, Writer};

use super::frame::{Framer, named};
use super::{Progress, StreamFault, label};
use crate::limits;
use crate::pin::Account;
use crate::usage::{Seen, Usage};

/// One upstream answer on its way down.
pub struct Watched {
    reader: Box<dyn Reader>,
    /// `None`: the provider's bytes go down.
    writer: Option<Box<dyn Writer>>,
    framer: Framer,
    /// Of a provider whose events are no server-sent ones.
    messages: Option<Decoder>,
    /// Usage that the caller did not ask for stays here.
    strip_usage: bool,
    /// Who keeps what the events refer to, where anybody does.
    keeper: Option<Account>,
    /// Thoughts are signed by another maker than the caller's dialect has.
    unsigned: bool,
    /// The beginning of an event whose end has not arrived.
    tail: BytesMut,
    /// What goes down once there is content.
    held: Vec<Bytes>,
    /// Bytes that have arrived without content.
    silent: usize,
    /// How many of them are borne.
    patience: usize,
    /// Bytes of the largest event.
    largest: usize,
    events: Vec<Event>,
    /// What the writer has made of the piece at hand.
    written: Vec<u8>,
    progress: Progress,
    upstream_id: Option<Box<str>>,
    seen: Seen,
}

impl Watched {
    /// A stream of which nothing has arrived. `echoed`: bytes of the request, which a provider may repeat
    /// before it answers.
    #[must_use]
    pub fn new(reader: Box<dyn Reader>, writer: Option<Box<dyn Writer>>, echoed: usize) -> Self {
        Self {
            reader,
            writer,
            framer: Framer::default(),
            messages: None,
            strip_usage: false,
            keeper: None,
            unsigned: false,
            tail: BytesMut::new(),
            held: Vec::new(),
            silent: 0,
            patience: limits::STREAM_HOLD_BYTES + limits::STREAM_ECHOES * echoed,
            largest: limits::STREAM_EVENT_BYTES,
            events: Vec::new(),
            written: Vec::new(),
            progress: Progress::Waiting,
            upstream_id: None,
            seen: Seen::default(),
        }
    }

    /// The same, of event-stream messages; they are always written anew.
    #[must_use]
    pub fn of_messages(self) -> Self {
        Self { messages: Some(Decoder::default()), ..self }
    }

    /// The same, of images and sound, whose events are large.
    #[must_use]
    pub fn of_media(self) -> Self {
        Self { largest: limits::MEDIA_EVENT_BYTES, ..self }
    }

    /// The same, without the events that tell usage and nothing else.
    #[must_use]
    pub fn without_usage(self) -> Self {
        Self { strip_usage: true, ..self }
    }

    /// The same, with the account's mark on ids of what it keeps; for what passes on.
    #[must_use]
    pub fn kept_by(self, account: Account) -> Self {
        Self { keeper: Some(account), ..self }
    }

    /// The same, without signatures of thoughts; for what is written anew.
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { unsigned: true, ..self }
    }

    /// Takes what arrived and adds to `out` what may go down now.
    ///
    /// # Errors
    /// As `ChatStream::push`.
    pub fn push(&mut self, piece: &Bytes, out: &mut Vec<Bytes>) -> Result<Progress, StreamFault> {
        if self.messages.is_some() {
            return self.push_messages(piece, out);
        }
        let (mut run, mut at) = (0, 0);
        let mut fault = None;
        while self.progress != Progress::Done
            && let Some(length) = self.framer.event_end(&piece[at..])
        {
            let end = at + length;
            let read = if self.tail.is_empty() {
                self.event(&piece[at..end])
            } else {
                self.tail.extend_from_slice(&piece[at..end]);
                let whole = self.tail.split().freeze();
                let read = self.event(&whole);
                if read == Ok(true) {
                    self.pass(whole);
                }
                run = end;
                read
            };
            match read {
                Ok(true) => {}
                Ok(false) => {
                    self.pass(piece.slice(run.min(at)..at));
                    run = end;
                }
                Err(told) => {
                    fault = Some(told);
                    break;
                }
            }
            at = end;
        }
        self.pass(piece.slice(run.min(at)..at));
        let delivered = self.deliver(out);
        if let Some(fault) = fault {
            return Err(fault);
        }
        delivered?;
        if self.progress != Progress::Done {
            if self.tail.len() + piece.len() - at > self.largest {
                return Err(StreamFault::EventTooLarge);
            }
            self.tail.extend_from_slice(&piece[at..]);
        }
        Ok(self.progress)
    }

    /// The body has ended: was that its proper end?
    ///
    /// # Errors
    /// As `ChatStream::finish`.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if self.progress != Progress::Done && !self.tail.trim_ascii().is_empty() {
            // Some servers leave out the last blank line: what is there may still be a whole event.
            let newlines: &[u8] = if self.tail.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            self.tail.extend_from_slice(newlines);
            let whole = self.tail.split().freeze();
            let passes = self.event(&whole).map_err(|fault| match fault {
                StreamFault::Garbage => StreamFault::Truncated,
                other => other,
            })?;
            if passes {
                self.pass(whole);
            }
        }
        if self.messages.as_ref().is_some_and(|decoder| decoder.finish().is_err()) {
            return Err(StreamFault::Truncated);
        }
        if self.progress != Progress::Done {
            let read = self.reader.finish(&mut self.events);
            self.take_events()?;
            read.map_err(of_garbled)?;
        }
        self.deliver(out)?;
        if self.progress == Progress::Done { Ok(()) } else { Err(StreamFault::Truncated) }
    }

    /// How far it has come.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Everything that `usage::Meter` needs.
    #[must_use]
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The provider's id of the answer.
    #[must_use]
    pub fn upstream_id(&self) -> Option<&str> {
        self.upstream_id.as_deref()
    }

    /// The writer's own error; `None`: nothing is written anew, or all has been said.
    pub(super) fn fail(&mut self, fault: &Fault) -> Option<Bytes> {
        let mut out = Vec::new();
        self.writer.as_mut()?.fail(fault, &mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// Reads one event; false: it is not for the caller.
    fn event(&mut self, event: &[u8]) -> Result<bool, StreamFault> {
        let Some((name, data)) = named(event) else { return Ok(true) };
        self.silent += event.len();
        self.frame(Frame { name, data: &data })
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<bool, StreamFault> {
        let read = self.reader.read(frame, &mut self.events);
        let usage_only = !self.events.is_empty()
            && self.events.iter().all(|event| matches!(event, Event::Usage(_)));
        self.take_events()?;
        read.map_err(of_garbled).map(|()| !(self.strip_usage && usage_only))
    }

    fn push_messages(
        &mut self,
        piece: &[u8],
        out: &mut Vec<Bytes>,
    ) -> Result<Progress, StreamFault> {
        if self.progress == Progress::Done {
            return Ok(self.progress);
        }
        self.silent += piece.len();
        let mut messages = Vec::new();
        let decoded = match &mut self.messages {
            Some(decoder) => decoder.push(piece, &mut messages),
            None => Ok(()),
        };
        let read = messages.iter().try_for_each(|it| self.frame(it.frame()).map(drop));
        let delivered = self.deliver(out);
        read?;
        decoded.map_err(|_| StreamFault::Garbage)?;
        delivered?;
        Ok(self.progress)
    }

    fn take_events(&mut self) -> Result<(), StreamFault> {
        let mut events = std::mem::take(&mut self.events);
        let taken = events.drain(..).try_for_each(|event| self.take(&event));
        self.events = events;
        taken
    }

    fn take(&mut self, event: &Event) -> Result<(), StreamFault> {
        match event {
            Event::Begin { id, .. } => {
                self.upstream_id = id.as_deref().and_then(|id| label(id.as_bytes()));
            }
            Event::Open { opening, .. } => self.open(opening),
            Event::Delta { piece, .. } => {
                let (Piece::Text(text) | Piece::Arguments(text) | Piece::Signature(text)) = piece;
                self.note_output(text.len(), !text.is_empty());
            }
            Event::Usage(tokens) => {
                if let Some(usage) = Usage::of_tokens(tokens) {
                    self.seen.reported = Some(usage);
                    self.seen.bytes_since_report = 0;
                }
            }
            Event::Error(error) => return Err(StreamFault::of_error(error.as_bytes())),
            Event::End => self.progress = Progress::Done,
            Event::Close { .. } | Event::Finish { .. } => {}
        }
        let signs = matches!(event, Event::Delta { piece: Piece::Signature(_), .. });
        if let Some(writer) = self.writer.as_mut().filter(|_| !(signs && self.unsigned)) {
            writer.write(event, &mut self.written);
        }
        Ok(())
    }

    fn open(&mut self, opening: &Opening) {
        match opening {
            Opening::Call { id, name, .. } => self.note_output(id.len() + name.len(), true),
            Opening::Foreign(_) => self.note_output(0, true),
            Opening::Text | Opening::Refusal | Opening::Thinking { .. } => {}
        }
    }

    fn note_output(&mut self, bytes: usize, output: bool) {
        let bytes = bytes as u64;
        self.seen.bytes += bytes;
        self.seen.bytes_since_report += bytes;
        self.seen.largest = self.seen.largest.max(bytes);
        if output && self.progress == Progress::Waiting {
            self.progress = Progress::Flowing;
        }
    }

    /// Bytes of the provider's own go down where nothing is written anew.
    fn pass(&mut self, events: Bytes) {
        if self.writer.is_none() && !events.is_empty() {
            let marked = self.keeper.map(|account| account.mark(events.clone()));
            self.held.push(marked.unwrap_or(events));
        }
    }

    /// Sends down what there is, or holds it back before the first content.
    fn deliver(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        if !self.written.is_empty() {
            self.held.push(std::mem::take(&mut self.written).into());
        }
        if self.progress != Progress::Waiting {
            out.append(&mut self.held);
        } else if self.silent > self.patience {
            return Err(StreamFault::HoldOverflow);
        }
        Ok(())
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let translated = self.writer.is_some();
        let mut shown = f.debug_struct("Watched");
        shown.field("translated", &translated).field("progress", &self.progress);
        shown.field("seen", &self.seen).finish_non_exhaustive()
    }
}

fn of_garbled(garbled: Garbled) -> StreamFault {
    match garbled {
        Garbled::Malformed => StreamFault::Garbage,
        Garbled::Error(error) => StreamFault::of_error(error.as_bytes()),
        Garbled::Empty => StreamFault::Truncated,
    }
}

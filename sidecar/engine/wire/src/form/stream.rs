//! A streamed answer.

use super::{Finish, Garbled, Tokens};
use crate::Fault;

/// One event of a stream: a server-sent event's name and data, or an event-stream message's type and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// `event:`, or `:event-type`; empty where there is none.
    pub name: &'a str,
    /// `data:` lines joined by a line feed, or the payload.
    pub data: &'a [u8],
}

/// What happens in a stream. Parts are numbered by each choice from 0 in the order in which they open.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins; always the first.
    Begin {
        /// The provider's id.
        id: Option<String>,
        /// The model that answers.
        model: Option<String>,
        /// Unix seconds, where the provider says it.
        created: Option<u64>,
    },
    /// A part begins. Between a reader and a [`super::Sequencer`], several may be open at once.
    Open {
        /// Which answer.
        choice: u32,
        /// Which part of it.
        part: u32,
        /// What it is.
        opening: Opening,
    },
    /// More of an open part.
    Delta {
        /// Which answer.
        choice: u32,
        /// Which part of it.
        part: u32,
        /// What came.
        piece: Piece,
    },
    /// A part is whole. Readers of dialects without such a mark send it when the answer finishes.
    Close {
        /// Which answer.
        choice: u32,
        /// Which part of it.
        part: u32,
    },
    /// An answer is whole; all its parts are closed.
    Finish {
        /// Which answer.
        choice: u32,
        /// Why it ended.
        finish: Finish,
    },
    /// Tokens so far; the last one counts and replaces all before it.
    Usage(Tokens),
    /// The stream ended properly: every choice finished and the dialect's end mark came.
    End,
    /// The provider broke off and said why: its error's JSON.
    Error(String),
}

/// How a part begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    /// Text.
    Text,
    /// A refusal's text.
    Refusal,
    /// Reasoning.
    Thinking {
        /// Redacted; its data comes as [`Piece::Signature`].
        redacted: bool,
    },
    /// A tool call.
    Call {
        /// The model's id; empty where the dialect has none.
        id: String,
        /// The tool.
        name: String,
        /// Takes free text.
        custom: bool,
        /// Gemini's `thoughtSignature`, which its calls bring along.
        signature: Option<String>,
    },
    /// A block that only its own dialect knows; its `type`.
    Foreign(String),
}

/// More of a part.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Of text, refusal or reasoning, as the part is.
    Text(String),
    /// Of a call's arguments, JSON text.
    Arguments(String),
    /// Of a signature or redacted data.
    Signature(String),
}

/// Reads one provider's stream. Also watches a stream that passes unchanged.
pub trait Reader {
    /// Reads one event.
    ///
    /// # Errors
    /// Not of the dialect's shape. An error that the provider tells is [`Event::Error`].
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled>;

    /// The body has ended. Emits [`Event::End`] only where an end without a mark is the dialect's proper
    /// end (Gemini) and every choice finished.
    ///
    /// # Errors
    /// The stream was cut.
    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Garbled>;
}

/// Writes one surface's stream: exactly what its grammar allows, whatever order the events come in within
/// the rules of [`Event`]. `End` alone writes the end; without it the stream looks broken (I9). `Error` writes
/// nothing: `core` makes a [`Fault`] of it, which [`Writer::fail`] tells.
pub trait Writer {
    /// Appends an event's bytes, framing included.
    fn write(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Breaks the stream off: appends the surface's own error, which is no end; the body is cut after it.
    /// It follows what has been written so far, as a dialect that numbers its events needs. Nothing is
    /// written after it.
    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>);
}

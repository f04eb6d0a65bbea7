//! A provider's stream on its way down, whichever dialects are spoken at its two ends.

use bytes::Bytes;
use pointsman_wire::Fault;

use super::fault::as_fault;
use super::{ChatStream, Progress, StreamFault, Watched, cut_event, refusal_cut_event};
use crate::error::Refusal;
use crate::usage::Seen;
use crate::wire::Dialect;

/// OpenAI's chat to OpenAI's chat, by far the most common, or anything else.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every stream is chat's: a box would cost each an allocation"
)]
pub enum Stream {
    /// Read by the members that matter.
    Chat(ChatStream),
    /// Read whole, event by event.
    Watched(Box<Watched>),
}

impl Stream {
    /// As [`ChatStream::push`].
    ///
    /// # Errors
    /// As there.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<Progress, StreamFault> {
        match self {
            Self::Chat(chat) => chat.push(piece, out),
            Self::Watched(watched) => watched.push(&piece, out),
        }
    }

    /// As [`ChatStream::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        match self {
            Self::Chat(chat) => chat.finish(out),
            Self::Watched(watched) => watched.finish(out),
        }
    }

    /// As [`ChatStream::committed`].
    #[must_use]
    pub fn committed(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.committed(),
            Self::Watched(watched) => watched.progress() != Progress::Waiting,
        }
    }

    /// As [`ChatStream::done`].
    #[must_use]
    pub fn done(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.done(),
            Self::Watched(watched) => watched.progress() == Progress::Done,
        }
    }

    /// As [`ChatStream::seen`].
    #[must_use]
    pub fn seen(&self) -> &Seen {
        match self {
            Self::Chat(chat) => chat.seen(),
            Self::Watched(watched) => watched.seen(),
        }
    }

    /// The provider's id of the answer.
    #[must_use]
    pub fn upstream_id(&self) -> Option<&str> {
        match self {
            Self::Chat(chat) => chat.upstream_id(),
            Self::Watched(watched) => watched.upstream_id(),
        }
    }

    /// The last words of an answer that broke off, as callers of `dialect` are told them.
    #[must_use]
    pub fn cut_event(&mut self, dialect: Dialect, fault: &StreamFault, request_id: &str) -> Bytes {
        if dialect.has_chat_streams() {
            return cut_event(fault);
        }
        self.fail(dialect, &as_fault(fault, request_id))
    }

    /// The same of an answer that we cut.
    #[must_use]
    pub fn refusal_cut_event(
        &mut self,
        dialect: Dialect,
        refusal: &Refusal,
        request_id: &str,
    ) -> Bytes {
        if dialect.has_chat_streams() {
            return refusal_cut_event(refusal);
        }
        self.fail(dialect, &dialect.fault(refusal, request_id))
    }

    /// Where we write the stream ourselves its error goes on from what is out; what only passes through
    /// is not known so well.
    fn fail(&mut self, dialect: Dialect, fault: &Fault) -> Bytes {
        let written = match self {
            Self::Watched(watched) => watched.fail(fault),
            Self::Chat(_) => None,
        };
        written.unwrap_or_else(|| dialect.error_event(fault).into())
    }
}

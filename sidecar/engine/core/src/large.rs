//! A plain answer too large to be buffered (a thousand embeddings, say): passed on as it comes, its
//! usage read from its end. One that breaks off is aborted, so that it never looks complete (I9).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, Sleep};

use crate::call::{Call, DRAINED, Outcome};
use crate::decode::Decoder;
use crate::dispatch::Begun;
use crate::error::Class;
use crate::limits;
use crate::media::Medium;
use crate::pin::Account;
use crate::relay::{Cut, OVERDUE};
use crate::surface::Surface;
use crate::upstream::Connection;
use crate::usage::Usage;
use crate::wire::media;

/// One large answer on its way.
#[derive(Debug)]
pub struct Large {
    call: Box<Call>,
    first: Option<Bytes>,
    upstream: Option<(Incoming, Connection)>,
    decoder: Option<Decoder>,
    /// The last bytes that went down: usage stands at the end.
    tail: Vec<u8>,
    /// Who keeps what it refers to, where anybody does.
    keeper: Option<Account>,
    /// What may still be the half of an id that wants the keeper's mark.
    unmarked: Vec<u8>,
    deadline: Pin<Box<Sleep>>,
}

impl Large {
    /// Takes over an answer that has begun, and its call.
    #[must_use]
    pub fn new(call: Box<Call>, begun: Begun, deadline: Instant) -> Self {
        let keeper = call.account().filter(|_| call.surface == Surface::Responses);
        let mut large = Self {
            keeper,
            unmarked: Vec::new(),
            call,
            first: None,
            upstream: Some((begun.body, begun.connection)),
            decoder: begun.decoder,
            tail: Vec::with_capacity(2 * limits::LARGE_TAIL_BYTES),
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
        };
        large.remember(&begun.first);
        large.first = Some(large.marked(begun.first));
        large
    }

    /// The next frame for the app.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            let Some((body, _)) = &mut self.upstream else { return Poll::Ready(None) };
            if self.call.worker().cut_short.get() {
                return Poll::Ready(Some(Err(self.cut_by_us(DRAINED))));
            }
            let polled = Pin::new(body).poll_frame(cx);
            let Poll::Ready(polled) = polled else {
                std::task::ready!(self.deadline.as_mut().poll(cx));
                return Poll::Ready(Some(Err(self.cut_by_us(OVERDUE))));
            };
            let piece = match polled {
                None => return self.finish(),
                Some(Err(_)) => return Poll::Ready(Some(Err(self.cut()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => piece,
                    Err(_) => continue,
                },
            };
            let decoded = match &mut self.decoder {
                None => piece,
                Some(decoder) => match decoder.push(&piece) {
                    Ok(piece) => piece,
                    Err(_) => return Poll::Ready(Some(Err(self.cut()))),
                },
            };
            self.remember(&decoded);
            let decoded = self.marked(decoded);
            if !decoded.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(decoded))));
            }
        }
    }

    /// The bytes with the keeper's marks, as far as no id goes on in what is to come. Between an id's name
    /// and its end no comma stands, so nothing is cut in two behind one.
    fn marked(&mut self, piece: Bytes) -> Bytes {
        let Some(keeper) = self.keeper else { return piece };
        self.unmarked.extend_from_slice(&piece);
        let whole = memchr::memrchr(b',', &self.unmarked).map_or(0, |at| at + 1);
        // Where no comma comes, there is a long text and no id, but at its very end.
        let whole = whole.max(self.unmarked.len().saturating_sub(limits::LARGE_TAIL_BYTES));
        keeper.mark(self.unmarked.drain(..whole).collect::<Vec<u8>>().into())
    }

    fn remember(&mut self, piece: &[u8]) {
        let keep = piece.len().min(limits::LARGE_TAIL_BYTES);
        self.tail.extend_from_slice(&piece[piece.len() - keep..]);
        if self.tail.len() > 2 * limits::LARGE_TAIL_BYTES {
            self.tail.drain(..self.tail.len() - limits::LARGE_TAIL_BYTES);
        }
    }

    fn finish(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(keeper) = self.keeper.filter(|_| !self.unmarked.is_empty()) {
            let rest = keeper.mark(std::mem::take(&mut self.unmarked).into());
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let whole = self.decoder.as_ref().is_none_or(|decoder| decoder.finish().is_ok());
        // A file or sound may end as it likes; its own length says whether it is whole.
        let free = self.call.surface.keeps() || self.call.surface.medium() == Some(Medium::Speech);
        let ended = free || self.tail.trim_ascii_end().ends_with(b"}");
        if !whole || !ended {
            return Poll::Ready(Some(Err(self.cut())));
        }
        if let Some(usage) = usage_at_end(&self.tail, self.call.surface) {
            self.call.book_large(usage);
        } // else the bound that was booked at dispatch stands: never a zero bill
        self.call.note_upstream("");
        self.call.target_answered();
        self.call.end(Outcome::Ok, 200);
        if let Some((_, connection)) = self.upstream.take() {
            connection.recycle();
        }
        Poll::Ready(None)
    }

    fn cut(&mut self) -> Cut {
        self.call.target_failed(Class::MidStream);
        self.end_cut(Class::MidStream)
    }

    /// Nothing is wrong with the provider.
    fn cut_by_us(&mut self, why: &'static str) -> Cut {
        self.call.ended_by = Some(why);
        self.call.target_spared(Class::MidStream);
        self.end_cut(Class::MidStream)
    }

    fn end_cut(&mut self, class: Class) -> Cut {
        self.upstream = None;
        self.call.attempt_cut(class, "");
        self.call.end(Outcome::Cut, 200);
        Cut
    }

    /// A panic of ours in mid-answer: the connection is aborted.
    pub fn crashed(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.call.worker().shared.stats.panics.inc();
        if self.upstream.is_some() {
            self.call.target_spared(Class::Server);
            self.end_cut(Class::Server);
        }
        Poll::Ready(Some(Err(Cut)))
    }
}

impl Drop for Large {
    /// As with a stream: a caller that does not read has not left.
    fn drop(&mut self) {
        if self.upstream.is_none() {
            return;
        }
        if self.call.worker().cut_short.get() {
            let _aborted = self.cut_by_us(DRAINED);
        } else if Instant::now() >= self.deadline.deadline() {
            let _aborted = self.cut_by_us(OVERDUE);
        }
    }
}

/// The last `"usage": {…}` of a document's end.
fn usage_at_end(tail: &[u8], surface: Surface) -> Option<Usage> {
    let at = memchr::memmem::rfind(tail, b"\"usage\"")? + b"\"usage\"".len();
    let value = tail.get(at..)?.trim_ascii_start().strip_prefix(b":")?;
    let usage = <&RawValue>::deserialize(&mut serde_json::Deserializer::from_slice(value)).ok()?;
    let usage = usage.get().as_bytes();
    match surface {
        Surface::Chat => Usage::of_chat(usage),
        Surface::Embeddings => Usage::of_embeddings(usage),
        Surface::Media(medium) => media::usage(medium, usage),
        // Of these a bound is booked.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_end_whatever_comes_before() {
        let tail = br#"0.1,0.2]}],"model":"e","usage" : {"prompt_tokens":7,"total_tokens":7}}"#;
        assert_eq!(usage_at_end(tail, Surface::Embeddings).unwrap().input, 7);
        assert_eq!(usage_at_end(br#"0.1]}],"model":"e"}"#, Surface::Embeddings), None);
        assert_eq!(usage_at_end(br#""usage":{"prompt_"#, Surface::Embeddings), None);
    }
}

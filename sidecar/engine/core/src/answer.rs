//! The body of an answer to the app: a whole document, or a stream in relay.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::large::Large;
use crate::relay::{Cut, Relay};
use crate::serve::Ended;

/// What goes down to the app, and by when it must have gone.
#[derive(Debug, Default)]
pub struct Answer {
    content: Content,
    until: Option<Instant>,
    ended: Ended,
}

#[derive(Debug)]
enum Content {
    /// Known bytes; `None` once sent.
    Whole(Option<Bytes>),
    /// A document too large to be buffered.
    Large(Box<Large>),
    /// Server-sent events as they come.
    Stream(Box<Relay>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(None)
    }
}

impl Answer {
    /// A whole document of our own.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(Some(bytes.into())), ..Self::default() }
    }

    /// A whole document to a call that may take until `deadline`.
    #[must_use]
    pub fn whole_until(bytes: impl Into<Bytes>, deadline: Instant) -> Self {
        Self { until: Some(deadline), ..Self::whole(bytes) }
    }

    /// A document too large to be buffered.
    #[must_use]
    pub fn large(large: Large, deadline: Instant) -> Self {
        Self { content: Content::Large(Box::new(large)), until: Some(deadline), ..Self::default() }
    }

    /// Server-sent events as they come.
    #[must_use]
    pub fn stream(relay: Relay, deadline: Instant) -> Self {
        Self { content: Content::Stream(Box::new(relay)), until: Some(deadline), ..Self::default() }
    }

    /// When the call's time is over; `None` for an answer of our own.
    #[must_use]
    pub const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// What is to go with it: its end lets the next request begin.
    pub fn tell_end(&mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    /// A panic ends this answer as a cut one, and nothing else.
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let content = &mut self.get_mut().content;
        let polled = catch_unwind(AssertUnwindSafe(|| match content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Large(large) => large.poll_frame(cx),
            Content::Stream(relay) => relay.poll_frame(cx),
        }));
        polled.unwrap_or_else(|_| match content {
            Content::Whole(_) => Poll::Ready(Some(Err(Cut))),
            Content::Large(large) => large.crashed(),
            Content::Stream(relay) => relay.crashed(),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Large(_) | Content::Stream(_) => SizeHint::default(),
        }
    }
}

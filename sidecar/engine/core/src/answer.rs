//! The body of an answer to the app: a whole document, or a stream in relay.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::large::Large;
use crate::relay::{Cut, Relay};

/// What goes down to the app.
#[derive(Debug)]
pub enum Answer {
    /// Known bytes; `None` once sent.
    Whole(Option<Bytes>),
    /// A document too large to be buffered.
    Large(Box<Large>),
    /// Server-sent events as they come.
    Stream(Box<Relay>),
}

impl Answer {
    /// A whole document.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
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

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Large(large) => large.poll_frame(cx),
            Self::Stream(relay) => relay.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Large(_) | Self::Stream(_) => SizeHint::default(),
        }
    }
}

//! A future and an answer's body that are dropped after so many polls.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use pointsman_core::answer::Answer;
use pointsman_core::handle::Reply;

/// Ends the connection, as a caller's leaving does.
#[derive(Debug)]
pub(crate) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped")
    }
}

impl std::error::Error for Dropped {}

impl From<Infallible> for Dropped {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Counts down; false once nothing is left.
fn may_poll(left: &Cell<usize>) -> bool {
    let polls = left.get();
    left.set(polls.saturating_sub(1));
    polls > 1
}

/// A call that may be polled only so often.
pub(crate) struct DropAfter<F> {
    call: Option<Pin<Box<F>>>,
    left: Rc<Cell<usize>>,
}

impl<F> DropAfter<F> {
    pub(crate) fn new(call: F, left: Rc<Cell<usize>>) -> Self {
        Self { call: Some(Box::pin(call)), left }
    }
}

impl<F: Future<Output = Reply>> Future for DropAfter<F> {
    type Output = Result<Response<Limited>, Dropped>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(call) = &mut this.call else { return Poll::Ready(Err(Dropped)) };
        let polled = call.as_mut().poll(cx);
        if !may_poll(&this.left) {
            this.call = None;
            return Poll::Ready(Err(Dropped));
        }
        let left = this.left.clone();
        polled.map(|reply| Ok(reply.map(|body| Limited { body: Some(body), left })))
    }
}

/// Its answer's body, under the same count.
pub(crate) struct Limited {
    body: Option<Answer>,
    left: Rc<Cell<usize>>,
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(Some(Err(Dropped))) };
        let polled = Pin::new(body).poll_frame(cx);
        if !may_poll(&this.left) {
            this.body = None;
            return Poll::Ready(Some(Err(Dropped)));
        }
        polled.map_err(|_| Dropped)
    }
}

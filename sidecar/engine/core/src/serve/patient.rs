//! Callers that do not go on. One that does not read: hyper waits for its socket and asks nothing of the
//! answer any more, so the call's own timers never fire; here the wait ends with the call's time, and with it
//! the connection. One that does not end the head it has begun: hyper has one limit for that and for the time
//! between two requests, which is long (load balancers keep connections for minutes); here it is a short one.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::turn::Turn;
use super::wire::Wire;
use crate::limits;

/// A socket whose writes fail when they are still blocked at the call's end, and whose reads fail when a
/// head that has begun does not end.
#[derive(Debug)]
pub(super) struct Patient {
    socket: Wire,
    turn: Rc<Turn>,
    /// Made when a write blocks for the first time.
    timer: Option<Pin<Box<Sleep>>>,
    head: Head,
}

/// The request head that is awaited.
#[derive(Debug)]
struct Head {
    /// The request before it.
    after: u64,
    /// Whether a byte of it has come. A new connection's counts from the start: it was made for a request.
    begun: bool,
    /// Made when one that has begun is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(super) const fn new(socket: Wire, turn: Rc<Turn>) -> Self {
        Self { socket, turn, timer: None, head: Head { after: 0, begun: true, timer: None } }
    }

    /// What a read gave, or that the head has taken too long.
    fn timely(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<Result<()>>,
        came: bool,
    ) -> Poll<Result<()>> {
        if self.head.after != self.turn.requests() {
            self.head = Head { after: self.turn.requests(), begun: false, timer: None };
        }
        if !self.turn.is_the_callers() {
            return polled;
        }
        self.head.begun |= came;
        if polled.is_ready() || !self.head.begun {
            return polled;
        }
        let limit = Duration::from_millis(limits::HEADER_READ_TIMEOUT_MS);
        let timer = self.head.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        std::task::ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(Error::new(
            ErrorKind::TimedOut,
            "the caller does not end its request's head",
        )))
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, polled: Poll<Result<T>>) -> Poll<Result<T>> {
        let (Poll::Pending, Some(until)) = (&polled, self.turn.until()) else { return polled };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        std::task::ready!(timer.as_mut().poll(cx));
        // What the kernel still holds for this caller goes, too: it sees a reset, not an end.
        let socket = socket2::SockRef::from(self.socket.tcp());
        let _closed_already = socket.set_linger(Some(Duration::ZERO));
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the caller does not read")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        let came = buffer.filled().len() > before;
        self.timely(cx, polled, came)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.bounded(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.bounded(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_flush(cx);
        self.bounded(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

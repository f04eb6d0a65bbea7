//! A caller that does not read: hyper waits for its socket and asks nothing of the answer any more, so
//! the call's own timers never fire. Here the wait ends with the call's time, and with it the connection.

use std::cell::Cell;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::wire::Wire;

/// When the answer on its way must have been taken; `None` before the first one.
pub(super) type Until = Rc<Cell<Option<Instant>>>;

/// A socket whose writes fail when they are still blocked then.
#[derive(Debug)]
pub(super) struct WriteUntil {
    socket: Wire,
    until: Until,
    /// Made when a write blocks for the first time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl WriteUntil {
    pub(super) const fn new(socket: Wire, until: Until) -> Self {
        Self { socket, until, timer: None }
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, polled: Poll<Result<T>>) -> Poll<Result<T>> {
        let (Poll::Pending, Some(until)) = (&polled, self.until.get()) else { return polled };
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

impl AsyncRead for WriteUntil {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteUntil {
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

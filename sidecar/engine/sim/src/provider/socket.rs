//! The server's side of a connection: a socket whose end can be scripted (reset, raw bytes)
//! although hyper owns it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Orders given to a connection by the requests on it.
#[derive(Default)]
pub(crate) struct Switch {
    http2: AtomicBool,
    reset: AtomicBool,
    raw: Mutex<Option<Bytes>>,
}

impl Switch {
    /// The connection speaks HTTP/2.
    pub(crate) fn set_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
    }

    /// Whether the connection speaks HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// The socket closes with RST instead of FIN.
    pub(crate) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// Sends `bytes` in place of whatever is written next, then nothing more.
    pub(crate) fn send_raw(&self, bytes: Bytes) {
        *self.raw.lock() = Some(bytes);
    }
}

/// A plain or TLS connection.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// A connection under a [`Switch`].
pub(crate) struct Wire {
    transport: Transport,
    switch: Arc<Switch>,
}

impl Wire {
    /// Puts `transport` under `switch`.
    pub(crate) fn new(transport: Transport, switch: Arc<Switch>) -> Self {
        Self { transport, switch }
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Transport::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }
}

/// Makes close send RST.
pub(crate) fn reset(tcp: &TcpStream) {
    // A socket that the peer already reset refuses the option; it is gone either way.
    let _gone = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.switch.reset.load(Ordering::Relaxed) {
            reset(self.transport.tcp());
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Transport::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let Some(raw) = self.switch.raw.lock().clone() else {
                return self.write(context, bytes);
            };
            if raw.is_empty() {
                return Poll::Ready(Ok(bytes.len()));
            }
            let written = ready!(self.write(context, &raw))?;
            if let Some(left) = self.switch.raw.lock().as_mut() {
                left.advance(written);
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Transport::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.switch.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Transport::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

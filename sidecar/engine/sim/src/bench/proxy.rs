//! The bench's baseline: hyper's server and client on one thread, a `Vec` of idle connections,
//! bodies streamed through. What it costs is what any hyper proxy must cost.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use clap::Args;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, output, runtime};

/// Command line of the proxy.
#[derive(Args)]
pub(crate) struct Options {
    /// Address to serve on
    #[arg(long)]
    listen: String,
    /// Address of the origin (host:port)
    #[arg(long)]
    upstream: String,
}

struct Pool {
    upstream: String,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

/// An answer's body that brings its connection back to the pool when it was read to the end.
struct Lent {
    body: Incoming,
    whole: bool,
    sender: Option<SendRequest<Incoming>>,
    pool: Rc<Pool>,
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.whole = frame.is_none() || self.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take().filter(|_| self.whole) {
            self.pool.idle.borrow_mut().push(sender);
        }
    }
}

/// Serves until the process is killed.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let pool = Rc::new(Pool { upstream: options.upstream, idle: RefCell::default() });
    tokio::task::LocalSet::new().block_on(&runtime()?, async move {
        let listener = TcpListener::bind(&options.listen).await?;
        output::say(&listener.local_addr()?.to_string());
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let pool = Rc::clone(&pool);
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| forward(Rc::clone(&pool), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service);
                let _closed = connection.await;
            });
        }
    })
}

async fn forward(
    pool: Rc<Pool>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Lent>, Failure> {
    let mut sender = idle(&pool).await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let whole = body.is_end_stream();
    Ok(http::Response::from_parts(head, Lent { body, whole, sender: Some(sender), pool }))
}

/// An idle connection, or a new one.
async fn idle(pool: &Pool) -> Result<SendRequest<Incoming>, Failure> {
    loop {
        let Some(mut sender) = pool.idle.borrow_mut().pop() else { break };
        if sender.ready().await.is_ok() {
            return Ok(sender);
        }
    }
    let socket = TcpStream::connect(&pool.upstream).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

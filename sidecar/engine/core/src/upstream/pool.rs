//! The pool of one data thread: idle HTTP/1.1 connections a stack, shared HTTP/2 connections with room.
//! Everything here lives on one thread: no locks, no atomics.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::connect::{Connected, TlsRoots, connect};
use super::{Origin, Pieces, Unreached};
use crate::limits;

/// Why a request got no answer head.
#[derive(Debug)]
pub enum SendError {
    /// No connection; nothing was sent.
    Unreachable(Unreached),
    /// The connection broke before the answer's head; the peer may have seen the request.
    Broken(String),
}

/// An answer and the connection that it occupies.
#[derive(Debug)]
pub struct Exchange {
    /// Head and body of the answer.
    pub response: Response<Incoming>,
    /// Give it back with `recycle` once the body has ended; dropped: the connection closes.
    pub connection: Connection,
}

/// What an answer occupies until its body has ended.
#[derive(Debug)]
pub enum Connection {
    /// A whole HTTP/1.1 connection.
    Http1(http1::SendRequest<Pieces>, Rc<PerOrigin>),
    /// One of a shared connection's streams.
    Http2(StreamSlot),
}

impl Connection {
    /// The body was read to its end: the connection may serve the next request.
    pub fn recycle(self) {
        if let Self::Http1(sender, origin) = self {
            let mut idle = origin.idle.borrow_mut();
            if idle.len() < limits::IDLE_CONNECTIONS && !sender.is_closed() {
                idle.push((sender, Instant::now()));
            }
        }
    }
}

/// Connections to one origin.
#[derive(Debug, Default)]
pub struct PerOrigin {
    idle: RefCell<Vec<(http1::SendRequest<Pieces>, Instant)>>,
    shared: RefCell<Vec<Shared>>,
    /// A TLS peer that chose HTTP/1.1: nothing to share.
    http1_only: Cell<bool>,
    /// Held while a connection that many may share is being made.
    opening: tokio::sync::Mutex<()>,
    failure: RefCell<Option<(Instant, Unreached)>>,
}

#[derive(Debug, Clone)]
struct Shared {
    sender: http2::SendRequest<Pieces>,
    in_use: Rc<Cell<usize>>,
    peer_limit: Rc<Cell<usize>>,
}

/// Counts a stream on a shared connection for as long as it lives.
#[derive(Debug)]
pub struct StreamSlot(Rc<Cell<usize>>);

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// All connections of one data thread.
#[derive(Debug)]
pub struct Pool {
    origins: RefCell<HashMap<Origin, Rc<PerOrigin>>>,
    roots: TlsRoots,
    proxies: Matcher,
}

impl Pool {
    /// An empty pool; `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are read once, here.
    #[must_use]
    pub fn new(roots: TlsRoots) -> Self {
        Self { origins: RefCell::default(), roots, proxies: Matcher::from_env() }
    }

    /// Sends `request` (absolute URI, Host header set) and waits for the answer's head.
    ///
    /// # Errors
    /// No connection, or it broke before the head. Whether to retry is the caller's decision.
    pub async fn send(
        &self,
        origin: &Origin,
        mut request: Request<Pieces>,
    ) -> Result<Exchange, SendError> {
        let per_origin = self.origin(origin);
        let mut closed = false;
        loop {
            if let Some(shared) = per_origin.shared_with_room() {
                match per_origin.send_http2(shared, request).await {
                    Ok(exchange) => return Ok(exchange),
                    // Once: the next connection is a new one.
                    Err(Unsent::Request(unsent)) if !closed => request = *unsent,
                    Err(Unsent::Request(_)) => {
                        return Err(unreachable(CLOSED.to_owned()));
                    }
                    Err(Unsent::No(why)) => return Err(SendError::Broken(why)),
                }
                closed = true;
                continue;
            }
            let (mut sender, fresh) = match per_origin.take_idle() {
                Some(sender) => (sender, false),
                None => match self.open(origin, &per_origin).await? {
                    Some(sender) => (sender, true),
                    None => continue,
                },
            };
            if sender.ready().await.is_err() {
                if fresh {
                    return Err(unreachable(CLOSED.to_owned()));
                }
                continue;
            }
            let absolute = request.uri().clone();
            *request.uri_mut() = origin_form(&absolute);
            match sender.try_send_request(request).await {
                Ok(response) => {
                    return Ok(Exchange {
                        response,
                        connection: Connection::Http1(sender, per_origin),
                    });
                }
                // A connection that the peer had closed: nothing of the request went out.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => {
                        request = unsent;
                        *request.uri_mut() = absolute;
                    }
                    Some(_) => {
                        return Err(unreachable(error.into_error().to_string()));
                    }
                    None => return Err(SendError::Broken(error.into_error().to_string())),
                },
            }
        }
    }

    fn origin(&self, origin: &Origin) -> Rc<PerOrigin> {
        if let Some(found) = self.origins.borrow().get(origin) {
            return found.clone();
        }
        let mut origins = self.origins.borrow_mut();
        // Pods are replaced for ever, each at another address: what is gone makes room for what comes.
        origins.retain(|_, known| Rc::strong_count(known) > 1 || known.is_of_use());
        origins.entry(origin.clone()).or_default().clone()
    }

    /// Opens a connection: an HTTP/1.1 sender, or `None` when there is room on a shared one. Where the
    /// peer may share, one handshake goes at a time, and those who waited for it share its failure.
    async fn open(
        &self,
        origin: &Origin,
        per_origin: &Rc<PerOrigin>,
    ) -> Result<Option<http1::SendRequest<Pieces>>, SendError> {
        if !origin.tls || per_origin.http1_only.get() {
            return self.dial(origin, per_origin).await;
        }
        let began = Instant::now();
        let turn = per_origin.opening.lock().await;
        if per_origin.shared_with_room().is_some() {
            return Ok(None);
        }
        let failed = per_origin.failure.borrow().clone().filter(|(at, _)| *at >= began);
        if let Some((_, why)) = failed {
            return Err(SendError::Unreachable(why));
        }
        if per_origin.http1_only.get() {
            drop(turn);
            return self.dial(origin, per_origin).await;
        }
        let opened = self.dial(origin, per_origin).await;
        match &opened {
            Ok(sender) => per_origin.http1_only.set(sender.is_some()),
            Err(SendError::Unreachable(why)) => {
                *per_origin.failure.borrow_mut() = Some((Instant::now(), why.clone()));
            }
            Err(SendError::Broken(_)) => {} // nothing was sent yet
        }
        opened
    }

    async fn dial(
        &self,
        origin: &Origin,
        per_origin: &Rc<PerOrigin>,
    ) -> Result<Option<http1::SendRequest<Pieces>>, SendError> {
        let limit = Duration::from_millis(limits::CONNECT_TIMEOUT_MS);
        let connected = tokio::time::timeout(limit, connect(origin, &self.roots, &self.proxies))
            .await
            .map_err(|_| unreachable(format!("no connection to {} in 5 s", origin.host)))?
            .map_err(SendError::Unreachable)?;
        let failed = |error: hyper::Error| unreachable(error.to_string());
        if connected.http2 {
            let shared = handshake_http2(connected).await.map_err(failed)?;
            per_origin.shared.borrow_mut().push(shared);
            return Ok(None);
        }
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(limits::UPSTREAM_HEAD_BYTES.max(limits::HTTP_BUFFER_BYTES))
            .handshake(TokioIo::new(connected.io))
            .await
            .map_err(failed)?;
        // Its errors reach the requests that use the connection.
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(Some(sender))
    }
}

/// That may go better the next time.
fn unreachable(why: String) -> SendError {
    SendError::Unreachable(why.into())
}

const CLOSED: &str = "closed at once after connecting";

/// The request line's target in HTTP/1.1: servers need not know the absolute form (llama.cpp's
/// answers it with 404), HTTP/2 needs it.
fn origin_form(absolute: &Uri) -> Uri {
    absolute.path_and_query().cloned().map_or_else(|| absolute.clone(), Uri::from)
}

impl PerOrigin {
    /// Whether a connection is open.
    fn is_of_use(&self) -> bool {
        self.idle.borrow().iter().any(|(sender, _)| !sender.is_closed())
            || self.shared.borrow().iter().any(|connection| !connection.sender.is_closed())
    }

    fn take_idle(&self) -> Option<http1::SendRequest<Pieces>> {
        let mut idle = self.idle.borrow_mut();
        while let Some((sender, since)) = idle.pop() {
            if since.elapsed() > Duration::from_millis(limits::IDLE_CONNECTION_MS) {
                idle.clear(); // a stack: what lies below is older still
                return None;
            }
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    fn shared_with_room(&self) -> Option<Shared> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|connection| !connection.sender.is_closed());
        let room =
            |one: &&Shared| one.in_use.get() < one.peer_limit.get().min(limits::HTTP2_STREAMS);
        shared.iter().filter(room).min_by_key(|one| one.in_use.get()).cloned()
    }

    async fn send_http2(
        &self,
        mut shared: Shared,
        request: Request<Pieces>,
    ) -> Result<Exchange, Unsent> {
        shared.in_use.set(shared.in_use.get() + 1);
        let slot = StreamSlot(shared.in_use.clone());
        match shared.sender.try_send_request(request).await {
            Ok(response) => Ok(Exchange { response, connection: Connection::Http2(slot) }),
            Err(mut error) => match error.take_message() {
                // The connection had ended: it takes no other request either.
                Some(unsent) => {
                    self.shared.borrow_mut().retain(|it| !Rc::ptr_eq(&it.in_use, &shared.in_use));
                    Err(Unsent::Request(Box::new(unsent)))
                }
                None => Err(Unsent::No(error.into_error().to_string())),
            },
        }
    }
}

/// What failed to be sent on a shared connection.
enum Unsent {
    /// Nothing of it went out.
    Request(Box<Request<Pieces>>),
    /// It may have arrived.
    No(String),
}

async fn handshake_http2(connected: Connected) -> Result<Shared, hyper::Error> {
    let (sender, connection) = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_millis(limits::HTTP2_PING_MS))
        .keep_alive_while_idle(false)
        .adaptive_window(true)
        .handshake(TokioIo::new(connected.io))
        .await?;
    let peer_limit = Rc::new(Cell::new(limits::HTTP2_STREAMS));
    let seen = peer_limit.clone();
    let mut connection = Box::pin(connection);
    tokio::task::spawn_local(std::future::poll_fn(move |cx| {
        let ended = connection.as_mut().poll(cx).map(drop);
        seen.set(connection.current_max_send_streams().max(1));
        ended
    }));
    Ok(Shared { sender, in_use: Rc::default(), peer_limit })
}

/// Runs hyper's HTTP/2 helper tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        let task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move { drop(future.await) });
        tokio::task::spawn_local(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http1_requests_name_the_path_alone() {
        let form = |text: &str| origin_form(&text.parse().unwrap()).to_string();
        assert_eq!(form("http://127.0.0.1:8099/v1/chat/completions"), "/v1/chat/completions");
        assert_eq!(form("https://h.example/a/b?c=d"), "/a/b?c=d");
    }
}

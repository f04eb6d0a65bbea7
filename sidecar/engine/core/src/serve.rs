//! Threads, listeners, connections, drain: everything around `handle`.
//! Each data thread runs its own single-threaded runtime; a background thread runs the admin port,
//! the ledger client and the signals. `Engine::run` parks the caller until the drain is over.

mod malformed;
mod patient;
mod turn;
mod wire;

use std::future::Future;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::engine::Shared;
use crate::error::Refusal;
use crate::handle::{Reply, Worker, handle, stand_in};
use crate::limits;
use crate::surface;
use crate::upstream::TlsRoots;
use malformed::Worded;
use patient::Patient;
pub use turn::Ended;
use turn::Turn;
use wire::Wire;

/// Where the engine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Taking calls.
    Serving,
    /// Finishing calls, taking no connections.
    Draining,
    /// Calls in flight have ended or run out of time; what still runs is cut.
    Ended,
}

/// Binds a listening socket with SO_REUSEADDR and, for several threads, SO_REUSEPORT.
///
/// # Errors
/// The system's own.
pub fn bind(address: SocketAddr, shared_port: bool) -> std::io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::LISTEN_QUEUE)?;
    Ok(socket.into())
}

/// Runs one data thread until the drain is over.
///
/// # Errors
/// The runtime cannot be made.
pub fn run_data_thread(
    listener: StdListener,
    shared: Arc<Shared>,
    roots: TlsRoots,
    phase: watch::Receiver<Phase>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async move {
        let listener = TcpListener::from_std(listener)?;
        let worker = Rc::new(Worker::new(shared, roots));
        tokio::task::spawn_local(keep_a_timer_near());
        accept_until_drain(listener, &worker, phase.clone()).await;
        wait_for_calls(&worker, phase).await;
        Ok(())
    }))
}

/// A timer that is due before all others wakes the driver with a system call when it is set. Requests set
/// timers seconds ahead; with one that is always nearer, none of theirs is the first.
async fn keep_a_timer_near() {
    let mut near = tokio::time::interval(Duration::from_millis(limits::NEAR_TIMER_MS));
    loop {
        near.tick().await;
    }
}

async fn accept_until_drain(
    listener: TcpListener,
    worker: &Rc<Worker>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut stop = phase.clone();
    let mut draining = pin!(stop.wait_for(|phase| *phase >= Phase::Draining));
    let pause = Duration::from_millis(limits::ACCEPT_PAUSE_MS);
    loop {
        let full = worker.connections.get() >= limits::CONNECTIONS;
        tokio::select! {
            biased;
            _ = &mut draining => return,
            () = tokio::time::sleep(pause), if full => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((stream, _)) => {
                    phase.mark_unchanged();
                    tokio::task::spawn_local(serve_connection(stream, worker.clone(), phase.clone()));
                }
                // Out of descriptors or the like: others may close soon.
                Err(_) => tokio::time::sleep(pause).await,
            },
        }
    }
}

async fn wait_for_calls(worker: &Rc<Worker>, mut phase: watch::Receiver<Phase>) {
    let look = Duration::from_millis(limits::DRAIN_LOOK_MS);
    while worker.connections.get() + worker.ending.get() > 0 {
        let ended = phase.wait_for(|phase| *phase >= Phase::Ended);
        if tokio::time::timeout(look, ended).await.is_ok() {
            break;
        }
    }
    worker.cut_short.set(true);
    let until = Instant::now() + LAST_WORDS;
    while worker.connections.get() + worker.ending.get() > 0 && Instant::now() < until {
        tokio::time::sleep(look).await;
    }
}

/// How long a call that the drain cuts has to tell its caller.
const LAST_WORDS: Duration = Duration::from_millis(limits::LAST_WORDS_MS);

/// Counts a connection for as long as its task lives.
struct Connected(Rc<Worker>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

async fn serve_connection(
    stream: TcpStream,
    worker: Rc<Worker>,
    mut phase: watch::Receiver<Phase>,
) {
    worker.connections.set(worker.connections.get() + 1);
    let _connected = Connected(worker.clone());
    if stream.set_nodelay(true).is_err() {
        return; // closed already
    }
    let Some(socket) = open(stream, &worker.shared).await else { return };
    let idle_ms = match worker.shared.gateway {
        Some(_) => limits::IDLE_GUEST_MS,
        None => limits::IDLE_CALLER_MS,
    };
    let turn = Rc::new(Turn::default());
    let service =
        service_fn(|request: Request<Incoming>| guarded(worker.clone(), turn.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(idle_ms))
        .max_buf_size(limits::HTTP_BUFFER_BYTES)
        .half_close(false)
        .serve_connection(TokioIo::new(Worded::new(Patient::new(socket, turn.clone()))), service);
    let mut connection = pin!(connection);
    // A connection's own errors (resets, garbage) concern nobody else.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase >= Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase >= Phase::Ended) => worker.cut_short.set(true),
    }
    // Polled once more, its call or its answer sees the end and says so.
    drop(tokio::time::timeout(LAST_WORDS, connection).await);
}

/// The caller's socket; `None` where the handshake with a gateway fails, which concerns nobody else.
async fn open(stream: TcpStream, shared: &Shared) -> Option<Wire> {
    let gateway = shared.gateway.as_ref().filter(|gateway| !gateway.plain);
    let Some(gateway) = gateway else { return Some(Wire::Plain(stream)) };
    let limit = Duration::from_millis(limits::TLS_HANDSHAKE_MS);
    let handshake = gateway.certificate.acceptor().accept(stream);
    let tls = tokio::time::timeout(limit, handshake).await.ok()?.ok()?;
    Some(Wire::Tls(Box::new(tls)))
}

/// `handle`, with a panic turned into a 500 and a counter, and a call that outlives the drain into a 503.
async fn guarded(
    worker: Rc<Worker>,
    turn: Rc<Turn>,
    request: Request<Incoming>,
) -> Result<Reply, std::convert::Infallible> {
    turn.on_request();
    let dialect = surface::dialect_of(request.uri(), request.headers());
    let mut future = Box::pin(handle(worker.clone(), request));
    let ended = std::future::poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(reply)) => Poll::Ready(Ok(reply)),
            Ok(Poll::Pending) if worker.cut_short.get() => Poll::Ready(Err(Refusal::Draining)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Refusal::Internal)),
        }
    })
    .await;
    drop(future); // with its call, which says what became of it
    let mut reply = ended.unwrap_or_else(|refusal| {
        if refusal == Refusal::Internal {
            worker.shared.stats.panics.inc();
        }
        stand_in(&worker, &refusal, dialect)
    });
    let own = || Instant::now() + Duration::from_millis(limits::ANSWER_WRITE_MS);
    let until = reply.body().until().unwrap_or_else(own);
    reply.body_mut().tell_end(turn.on_answer(until));
    Ok(reply)
}

/// Waits for SIGTERM, SIGINT or a call to `Engine::shutdown`, then leads the drain.
///
/// # Errors
/// Signal handlers cannot be installed.
pub async fn lead_drain(shared: &Shared, phase: &watch::Sender<Phase>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = shared.shutdown.notified() => {}
    }
    phase.send_replace(Phase::Draining);
    // Connections, not calls: a call has ended when its last byte is handed over, not yet sent.
    let drained = phase.closed();
    let limit = Duration::from_secs(shared.config.drain_seconds);
    drop(tokio::time::timeout(limit, drained).await);
    phase.send_replace(Phase::Ended);
    // The last report to the ledger comes after the last call has settled.
    drop(tokio::time::timeout(2 * LAST_WORDS, phase.closed()).await);
    Ok(())
}

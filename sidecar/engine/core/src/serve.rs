//! Threads, listeners, connections, drain: everything around `handle`.
//! Each data thread runs its own single-threaded runtime; a background thread runs the admin port,
//! the ledger client and the signals. `Engine::run` parks the caller until the drain is over.

mod malformed;

use std::future::Future;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
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

use crate::engine::Shared;
use crate::error::Refusal;
use crate::handle::{Reply, Worker, handle, refuse};
use crate::limits;
use crate::upstream::TlsRoots;
use malformed::Worded;

/// Where the engine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Taking calls.
    Serving,
    /// Finishing calls, taking no connections.
    Draining,
    /// Calls in flight have ended or run out of time.
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
    while worker.connections.get() + worker.ending.get() > 0 {
        let ended = phase.wait_for(|phase| *phase >= Phase::Ended);
        if tokio::time::timeout(Duration::from_millis(limits::DRAIN_LOOK_MS), ended).await.is_ok() {
            return;
        }
    }
}

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
    let service = service_fn(|request: Request<Incoming>| guarded(worker.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits::HEADER_READ_TIMEOUT_MS))
        .max_buf_size(limits::HTTP_BUFFER_BYTES)
        .max_headers(limits::REQUEST_HEADERS)
        .half_close(false)
        .serve_connection(TokioIo::new(Worded::new(stream)), service);
    let mut connection = pin!(connection);
    // A connection's own errors (resets, garbage) concern nobody else.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase >= Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

/// `handle`, with a panic turned into a 500 and a counter.
async fn guarded(
    worker: Rc<Worker>,
    request: Request<Incoming>,
) -> Result<Reply, std::convert::Infallible> {
    let shared = worker.shared.clone();
    let mut future = Box::pin(handle(worker, request));
    let caught = std::future::poll_fn(move |cx| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => std::task::Poll::Ready(None),
        }
    });
    Ok(caught.await.unwrap_or_else(|| {
        shared.stats.panics.inc();
        refuse(&Refusal::Internal, None)
    }))
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
    Ok(())
}

//! Simulated providers over real sockets (docs/contracts.md section 7).
//!
//! `service` takes a request through its call (`surface`), script (`behaviour`), content
//! (`prompt`, `answer`, `replay`), wire form (a `dialect` each) and `player`, which pays (`bill`)
//! and sends. A second, plain listener serves `/_sim/` only, so that it answers while the data port
//! refuses.

mod answer;
mod anthropic;
mod behaviour;
mod bill;
mod capture;
mod compress;
mod config;
mod converse;
mod dialect;
mod failure;
mod gemini;
mod identity;
mod kept;
mod names;
mod openai;
mod player;
mod prompt;
mod quota;
mod reel;
mod replay;
mod responses;
mod schema;
mod service;
mod shape;
mod socket;
mod stats;
mod surface;
mod turn;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{Failure, runtime, tls};
use behaviour::{Gate, Script};
use config::{Config, Pace};
use service::Provider;
use socket::{Switch, Transport, Wire};

/// How long a stalled connection is held before it is let go.
const STALL: Duration = Duration::from_secs(3600);

/// Serves until the process is killed.
///
/// # Errors
/// When the configuration is wrong or an address cannot be bound.
pub(crate) fn run(path: &Path) -> Result<(), Failure> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let config: Config =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    runtime()?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Failure> {
    let acceptor = config.tls.as_ref().map(|tls| tls::acceptor(&tls.cert_out)).transpose()?;
    let replayed = config.replay.is_some();
    let pace = config.pace.unwrap_or(if replayed { Pace::plausible() } else { Pace::default() });
    let provider = Arc::new(Provider {
        script: Script::new(config.behaviour),
        bill: Arc::new(bill::Bill::open(config.bill.as_deref(), config.prices)?),
        stats: Arc::default(),
        capture: config.capture.map(capture::Capture::open).transpose()?,
        replay: replay::Replay::read(config.replay.as_deref())?,
        models: config.models,
        strict: config.strict,
        identity: identity::Identity::new(config.identity),
        quotas: quota::Quotas::new(config.limits),
        seed: config.seed,
        pace,
        sequence: AtomicU64::new(1),
        shelf: kept::Shelf::default(),
    });
    let data = TcpListener::bind(&config.listen).await?;
    let control = TcpListener::bind("127.0.0.1:0").await?;
    if let Some(path) = &config.announce {
        let document = json!({
            "address": data.local_addr()?.to_string(),
            "control": control.local_addr()?.to_string(),
            "pid": std::process::id(),
        });
        let part = path.with_extension("part");
        std::fs::write(&part, document.to_string())?;
        std::fs::rename(part, path)?;
    }
    let told = Arc::clone(&provider);
    tokio::spawn(crate::control::serve(control, move |head, body| {
        service::control(&told, head, body)
    }));
    loop {
        let (socket, _) = data.accept().await?;
        provider.stats.connected();
        tokio::spawn(connection(socket, acceptor.clone(), Arc::clone(&provider)));
    }
}

/// One connection of the data port.
async fn connection(socket: TcpStream, acceptor: Option<TlsAcceptor>, provider: Arc<Provider>) {
    match provider.script.gate() {
        Gate::Open => {}
        Gate::Refuse => return socket::reset(&socket),
        Gate::Stall => return tokio::time::sleep(STALL).await,
    }
    // A peer that is already gone makes both of these fail; there is nobody to tell.
    let _gone = socket.set_nodelay(true);
    let switch = Arc::new(Switch::default());
    let transport = match acceptor {
        None => Transport::Plain(socket),
        Some(acceptor) => match acceptor.accept(socket).await {
            Ok(stream) => {
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    switch.set_http2();
                }
                Transport::Tls(Box::new(stream))
            }
            Err(_gone) => return,
        },
    };
    let http2 = switch.is_http2();
    let io = TokioIo::new(Wire::new(transport, Arc::clone(&switch)));
    let service = service_fn(move |request| {
        let answering = service::answer(Arc::clone(&provider), Arc::clone(&switch), request);
        async move { answering.await.map_err(service::report) }
    });
    // Cuts and clients that go away end here as errors; both are already accounted for.
    let _ended = if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
    };
}

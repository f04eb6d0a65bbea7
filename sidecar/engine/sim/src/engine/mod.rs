//! A simulated self-hosted engine over real sockets (docs/contracts.md section 7): the surface of
//! vLLM, SGLang or llama.cpp before a queueing model (`model`) that is fitted to a real vLLM.
//!
//! `service` answers requests, `live` runs the model in real time, `life` plays the process
//! around it, and `control` lets tests stop and restart it.

mod answer;
mod ask;
mod config;
mod control;
mod errors;
mod life;
mod live;
mod metrics;
mod model;
mod overrides;
mod service;
mod tally;

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, runtime};
use config::Config;
use life::{Life, Phase};
use live::Live;
use service::Server;

/// Serves until the process is killed.
///
/// # Errors
/// When the configuration is wrong or an address cannot be bound.
pub(crate) fn run(path: &Path) -> Result<(), Failure> {
    let named = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read(path).map_err(|error| named(error.to_string()))?;
    let (config, profile) = Config::read(&text).map_err(named)?;
    runtime()?.block_on(async {
        let live = Live::new(profile, config.speed);
        let start = Duration::from_secs_f64(config.start_seconds);
        let life = Life::new(Arc::clone(&live), start);
        serve(Arc::new(Server { config, live, life })).await
    })
}

async fn serve(server: Arc<Server>) -> Result<(), Failure> {
    let data = TcpListener::bind(&server.config.listen).await?;
    let control = TcpListener::bind(&server.config.control).await?;
    if let Some(path) = &server.config.announce {
        let document = json!({
            "address": data.local_addr()?.to_string(),
            "control": control.local_addr()?.to_string(),
            "pid": std::process::id(),
        });
        let part = path.with_extension("part");
        std::fs::write(&part, document.to_string())?;
        std::fs::rename(part, path)?;
    }
    tokio::spawn(Arc::clone(&server.live).drive());
    let told = Arc::clone(&server);
    tokio::spawn(crate::control::serve(control, move |head, body| {
        control::answer(&told, &head.method, head.uri.path(), body)
    }));
    loop {
        let (socket, _) = data.accept().await?;
        server.life.connected();
        tokio::spawn(connection(socket, Arc::clone(&server)));
    }
}

/// One connection of the data port; a restart resets it.
async fn connection(socket: TcpStream, server: Arc<Server>) {
    // A peer that is already gone makes these fail; there is nobody to tell.
    let _gone = socket.set_nodelay(true);
    let Ok(handle) = socket.as_fd().try_clone_to_owned() else { return };
    let reset = || {
        let _gone = SockRef::from(&handle).set_linger(Some(Duration::ZERO));
    };
    if server.life.phase() == Phase::Refusing {
        return reset();
    }
    let dropped = server.life.dropped();
    let service = service_fn(|request| service::answer(Arc::clone(&server), request));
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        // A restart also ends the calls; the reset comes first.
        biased;
        () = dropped => reset(),
        // Clients that go away end here as errors; their calls are taken out by their drop.
        _ended = serving => {}
    }
}

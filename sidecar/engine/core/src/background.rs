//! The background thread: admin ports, spans, the ledger client and the signals. None of it is on the
//! request's path; all of it answers while Python is busy.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::MissedTickBehavior;

use crate::admin;
use crate::engine::Shared;
use crate::export::{self, Exporter};
use crate::ledger::{self, HttpTransport};
use crate::limits;
use crate::quota;
use crate::serve::{Phase, lead_drain};
use crate::tokens;
use crate::upstream::{Endpoint, TlsRoots};

/// What the thread serves.
#[derive(Debug)]
pub struct Background {
    /// Shared with the data threads.
    pub shared: Arc<Shared>,
    /// Probes and metrics.
    pub admin: TcpListener,
    /// Debug pages, where they have a port of their own.
    pub debug: Option<TcpListener>,
    /// For the span collector.
    pub roots: TlsRoots,
}

impl Background {
    /// Runs until the drain is over and the ledger has had its last report.
    ///
    /// # Errors
    /// The runtime, a listener or an address of the configuration cannot be used.
    pub fn run(self, phase: &watch::Sender<Phase>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        runtime.block_on(local.run_until(async move {
            let shared = self.shared.clone();
            admin::serve(self.admin, self.debug, &shared)?;
            let tokens = tokens::serve(
                shared.secrets.desk.clone(),
                self.roots.clone(),
                shared.clock.clone(),
            );
            tokio::task::spawn_local(tokens);
            let export = start_export(&shared, self.roots)?;
            tokio::task::spawn_local(watch_credentials(shared.clone()));
            tokio::task::spawn_local(watch_callers(shared.clone()));
            let ledger = start_ledger(&shared)?;
            let quotas = start_quotas(&shared)?;
            lead_drain(&shared, phase).await?;
            // All are told before one is waited for. The ledger client may have died of a fault; the
            // journal then tells the next start.
            let ending: Vec<JoinHandle<()>> =
                [ledger, quotas, export].into_iter().flatten().map(end).collect();
            for task in ending {
                let _died = task.await;
            }
            Ok(())
        }))
    }
}

/// A task that does its last duty when it is told to.
type Duty = (oneshot::Sender<()>, JoinHandle<()>);

fn end((drained, task): Duty) -> JoinHandle<()> {
    let _gone = drained.send(());
    task
}

/// The exporter of spans; `None` without a collector.
fn start_export(shared: &Shared, roots: TlsRoots) -> std::io::Result<Option<Duty>> {
    let (Some(spans), Some(tracing)) = (&shared.spans, &shared.config.tracing) else {
        return Ok(None);
    };
    let endpoint = Endpoint::parse(&tracing.otlp_endpoint).map_err(std::io::Error::other)?;
    let resource = export::resource(&shared.config.identity);
    let exporter = Exporter::new(spans.clone(), endpoint, roots, &resource);
    let (drained, told) = oneshot::channel();
    let run = exporter.run(async { drop(told.await) });
    Ok(Some((drained, tokio::task::spawn_local(run))))
}

/// Ends the rest of credentials whose Secret holds another key. Files are read only while one rests.
async fn watch_credentials(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_millis(limits::KEY_WATCH_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        shared.breakers.credentials.look(&shared.secrets, shared.clock.boot_ms());
    }
}

/// Keeps what callers are known by as new as its mount.
async fn watch_callers(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_millis(limits::CALLERS_LOOK_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(gateway) = &shared.gateway {
            gateway.look();
        }
    }
}

/// Who asks for shares of limits; `None` without a hub: limited models are not called then.
fn start_quotas(shared: &Shared) -> std::io::Result<Option<Duty>> {
    let Some(hub) = &shared.config.hub else {
        shared.quotas.note_trouble(Some("no hub is configured"));
        return Ok(None);
    };
    let (token, authority) = (Some(hub.token_file.clone()), hub.ca_file.clone());
    let transport = HttpTransport::to(quota::PATH, &hub.url, token, authority)
        .map_err(std::io::Error::other)?;
    let holder = quota::Holder {
        sidecar: shared.config.identity.sidecar.as_str().into(),
        boot: shared.boot.as_str().into(),
    };
    let (drained, told) = oneshot::channel();
    let run = quota::run(shared.quotas.clone(), holder, transport, async { drop(told.await) });
    Ok(Some((drained, tokio::task::spawn_local(run))))
}

/// The ledger client; `None` without a hub: enforced Budgets then refuse.
fn start_ledger(shared: &Shared) -> std::io::Result<Option<Duty>> {
    let Some(hub) = &shared.config.hub else {
        // Said once, so that no call waits for an answer that cannot come.
        shared.book.sync_failed("no hub is configured");
        return Ok(None);
    };
    let transport = HttpTransport::new(&hub.url, Some(hub.token_file.clone()), hub.ca_file.clone())
        .map_err(std::io::Error::other)?;
    let recovered = std::mem::take(&mut *shared.recovered.lock());
    let (drained, told) = oneshot::channel();
    let shutdown = async { drop(told.await) };
    let client = ledger::run(shared.book.clone(), recovered, transport, shutdown);
    // Whether its last report arrived, the hub knows.
    let run = async {
        let _arrived = client.await;
    };
    Ok(Some((drained, tokio::task::spawn_local(run))))
}

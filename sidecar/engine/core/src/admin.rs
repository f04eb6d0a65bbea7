//! Port 4618: probes and metrics on the pod's address, debug pages and decisions on loopback only.
//! Served by the background thread: they answer while Python is busy or stuck.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::engine::Shared;
use crate::fleet;
use crate::limits;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Which pages a listener shows.
#[derive(Debug, Clone, Copy)]
struct Pages {
    open: bool,
    debug: bool,
}

/// Starts the listeners on the current `LocalSet`. Without a debug listener of its own, the first one
/// (then on loopback, too) shows everything.
///
/// # Errors
/// A listener cannot be registered.
pub fn serve(
    admin: std::net::TcpListener,
    debug: Option<std::net::TcpListener>,
    shared: &Arc<Shared>,
) -> std::io::Result<()> {
    let pages = Pages { open: true, debug: debug.is_none() };
    spawn(TcpListener::from_std(admin)?, pages, shared.clone());
    if let Some(debug) = debug {
        spawn(TcpListener::from_std(debug)?, Pages { open: false, debug: true }, shared.clone());
    }
    Ok(())
}

fn spawn(listener: TcpListener, pages: Pages, shared: Arc<Shared>) {
    tokio::task::spawn_local(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(limits::ACCEPT_PAUSE_MS)).await;
                continue;
            };
            let shared = shared.clone();
            let service = service_fn(move |request| {
                let reply = answer(&shared, pages, &request);
                async move { Ok::<_, Infallible>(reply) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_millis(
                    limits::HEADER_READ_TIMEOUT_MS,
                ))
                .serve_connection(TokioIo::new(stream), service);
            // A scraper that hangs up concerns nobody.
            tokio::task::spawn_local(async move { drop(connection.await) });
        }
    });
}

fn answer(shared: &Shared, pages: Pages, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".to_owned());
    }
    let path = request.uri().path();
    match path {
        "/livez" if pages.open => {
            probe(is_live(shared), "Python has been silent for over 5 minutes\n")
        }
        "/startupz" if pages.open => probe(is_started(shared), "waiting for a table\n"),
        "/readyz" if pages.open => match unready(shared) {
            None => probe(true, ""),
            Some(why) => probe(false, &why),
        },
        "/metrics" if pages.open => {
            refresh_gauges(shared);
            reply(StatusCode::OK, OPENMETRICS, shared.stats.text(shared.clock.boot_ms()))
        }
        "/debug/state" if pages.debug => reply(StatusCode::OK, JSON, shared.state().to_string()),
        _ if pages.debug && path.starts_with("/debug/decisions/") => {
            let id = path.trim_start_matches("/debug/decisions/");
            match shared.records.find(id) {
                Some(record) => reply(StatusCode::OK, JSON, record.to_string()),
                None => reply(
                    StatusCode::NOT_FOUND,
                    TEXT,
                    "no such record in this engine's ring\n".to_owned(),
                ),
            }
        }
        _ => reply(StatusCode::NOT_FOUND, TEXT, "see /livez /startupz /metrics\n".to_owned()),
    }
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn probe(good: bool, otherwise: &str) -> Response<Full<Bytes>> {
    if good {
        reply(StatusCode::OK, TEXT, "ok\n".to_owned())
    } else {
        reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, otherwise.to_owned())
    }
}

/// A silent supervisor makes the pod restart, but never under running streams.
fn is_live(shared: &Shared) -> bool {
    let age_ms = shared.stats.heartbeat_age_ms(shared.clock.boot_ms()).unwrap_or(0);
    age_ms < limits::SUPERVISOR_SILENCE_MS || shared.room.calls() > 0
}

/// A table is there, or the wait for one is over: Pointsman does not block an app's start.
fn is_started(shared: &Shared) -> bool {
    shared.current.load().is_some()
        || shared.clock.boot_ms() >= shared.started_ms + limits::STARTUP_WAIT_MS
}

/// Why not: a gateway takes no call that it could not serve; a sidecar is ready when it has started.
fn unready(shared: &Shared) -> Option<String> {
    let Some(gateway) = &shared.gateway else {
        return (!is_started(shared)).then(|| "waiting for a table\n".to_owned());
    };
    let lacks = gateway.lacks(shared.current.load().is_some());
    (!lacks.is_empty()).then(|| format!("the hub has not brought {} yet\n", lacks.join(" and ")))
}

fn refresh_gauges(shared: &Shared) {
    let now_ms = shared.clock.boot_ms();
    for model in shared.current.load().iter().flat_map(|plan| &plan.models) {
        model.stats.breaker.set(i64::from(model.is_cooling(now_ms)));
        model.stats.told_down.set(i64::from(model.breaker.is_told(now_ms)));
        if let Some(quota) = &model.quota {
            shared.stats.shares(&model.stats, quota.standings().into_iter());
        }
        if let Some(group) = &model.group {
            let counts = fleet::by_level(group, now_ms);
            shared.stats.endpoints(&model.stats, fleet::LEVELS.into_iter().zip(counts));
        }
    }
    shared.stats.ledger_away.set(i64::from(shared.book.ledger_is_away()));
    shared.stats.in_flight.set(i64::try_from(shared.room.calls()).unwrap_or(i64::MAX));
}

//! The tests' own door, on the control port and on the data port: hang, restart, reset, figures.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::service::{Body, Server, document};

/// What `POST /control/restart` may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Restart {
    /// Seconds until it answers again.
    start_seconds: f64,
    /// Refuse connections until then; else every request gets 503.
    refuse: bool,
}

impl Default for Restart {
    fn default() -> Self {
        Self { start_seconds: 0.0, refuse: false }
    }
}

/// Answers a control call.
pub(crate) fn answer(server: &Server, method: &Method, path: &str, body: &Bytes) -> Response<Body> {
    let life = &server.life;
    match (method, path) {
        (&Method::POST, "/control/stop") => life.set_answering(false),
        (&Method::POST, "/control/resume") => life.set_answering(true),
        (&Method::POST, "/control/reset") => life.restart(Duration::ZERO, false),
        (&Method::POST, "/control/restart") => match order(body) {
            Ok((start, refuse)) => life.restart(start, refuse),
            Err(error) => return document(StatusCode::BAD_REQUEST, &json!({"error": error})),
        },
        (&Method::GET, "/control/stats") => return document(StatusCode::OK, &stats(server)),
        _ => {
            let error = json!({"error": "unknown control call"});
            return document(StatusCode::NOT_FOUND, &error);
        }
    }
    document(StatusCode::OK, &json!({}))
}

fn order(body: &Bytes) -> Result<(Duration, bool), String> {
    let restart: Restart = if body.is_empty() {
        Restart::default()
    } else {
        serde_json::from_slice(body).map_err(|error| error.to_string())?
    };
    if !(0.0..=3_600.0).contains(&restart.start_seconds) {
        return Err(format!("startSeconds: {} is not from 0 to 3600", restart.start_seconds));
    }
    Ok((Duration::from_secs_f64(restart.start_seconds), restart.refuse))
}

/// Counts since the last start.
fn stats(server: &Server) -> Value {
    let (gauges, tally) = server.live.report();
    json!({
        "connections": server.life.connections(),
        "calls": tally.calls,
        "concurrent": tally.concurrent,
        "concurrentMax": tally.concurrent_max,
        "completed": tally.stopped + tally.cut,
        "cancelled": tally.cancelled,
        "promptTokens": tally.prompt_tokens,
        "outputTokens": tally.output_tokens,
        "running": gauges.running,
        "waiting": gauges.waiting,
        "preemptions": gauges.preemptions,
    })
}

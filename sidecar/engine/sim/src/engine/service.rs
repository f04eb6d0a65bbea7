//! The data port's requests: the OpenAI surface, health, load, metrics and the sleep endpoints.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};

use super::answer::{Answer, VERSION};
use super::ask::Ask;
use super::config::{Config, Dialect};
use super::control;
use super::errors::Refused;
use super::life::{Life, Phase};
use super::live::{Call, Live};
use super::metrics;
use super::model::Chunk;
use crate::Failure;

/// The body type of every answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Failure>;

/// Everything that requests share.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) live: Arc<Live>,
    pub(crate) life: Life,
}

/// Answers one request of the data port.
///
/// # Errors
/// Where the client broke off its body, or a restart ended the call; the connection ends then.
pub(crate) async fn answer(
    server: Arc<Server>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path();
    if path.starts_with("/control/") {
        return Ok(control::answer(&server, &head.method, path, &body));
    }
    server.life.answers().await;
    let dialect = server.config.engine;
    if server.life.phase() != Phase::Serving {
        return Ok(refused(dialect.starting()));
    }
    match (&head.method, path) {
        (&Method::POST, "/v1/chat/completions") => chat(&server, &body).await,
        (&Method::GET, "/v1/models") => Ok(document(StatusCode::OK, &models(&server.config))),
        (&Method::GET, "/health") if dialect == Dialect::LlamaCpp => {
            Ok(document(StatusCode::OK, &json!({"status": "ok"})))
        }
        (&Method::GET, "/health") => Ok(text(StatusCode::OK, None, String::new())),
        (&Method::GET, "/metrics") => Ok(exposition(&server)),
        _ if dialect == Dialect::Vllm => vllm(&server, &head).await,
        _ => Ok(refused(dialect.unknown_path())),
    }
}

/// What only vLLM has; the sleep endpoints as in its development mode.
async fn vllm(server: &Server, head: &http::request::Parts) -> Result<Response<Body>, Failure> {
    let config = &server.config;
    let empty = || text(StatusCode::OK, None, String::new());
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/version") => Ok(document(StatusCode::OK, &json!({"version": VERSION}))),
        (&Method::GET, "/load") => {
            let load = server.live.report().1.concurrent;
            Ok(document(StatusCode::OK, &json!({"server_load": load})))
        }
        (&Method::GET, "/is_sleeping") => {
            let asleep = server.life.sleep_level() > 0;
            Ok(document(StatusCode::OK, &json!({"is_sleeping": asleep})))
        }
        (&Method::POST, "/sleep") => {
            let level = match head.uri.query() {
                None | Some("level=1") => 1,
                Some("level=2") => 2,
                Some(query) => {
                    let message = format!("level must be 1 or 2, got {query}");
                    return Ok(refused(config.engine.bad_value(&message, "level")));
                }
            };
            server.life.set_sleep_level(level, Duration::from_secs_f64(config.sleep_seconds)).await;
            Ok(empty())
        }
        (&Method::POST, "/wake_up") => {
            server.life.set_sleep_level(0, Duration::from_secs_f64(config.wake_seconds)).await;
            Ok(empty())
        }
        _ => Ok(refused(config.engine.unknown_path())),
    }
}

async fn chat(server: &Server, body: &[u8]) -> Result<Response<Body>, Failure> {
    let ask = match Ask::read(body, &server.config) {
        Ok(ask) => ask,
        Err(error) => return Ok(refused(error)),
    };
    let mut call = server.live.call(&ask);
    let streamed = ask.stream;
    let answer = Answer::new(server.config.engine, ask, call.number, unix_time_s());
    let mut chunk = arrived(&mut call).await?;
    if streamed {
        return Ok(events(call, answer, chunk));
    }
    while !chunk.last {
        chunk = arrived(&mut call).await?;
    }
    Ok(document(StatusCode::OK, &answer.document()))
}

/// The next event of a call that a restart may end.
async fn arrived(call: &mut Call) -> Result<Chunk, Failure> {
    call.next().await.ok_or_else(|| Failure::from("the engine was restarted under the call"))
}

/// The stream of server-sent events; it begins with `first`, which is there already.
fn events(call: Call, answer: Answer, first: Chunk) -> Response<Body> {
    let state = (call, answer, Some(first), false);
    let frames = stream::unfold(state, |(mut call, mut answer, first, over)| async move {
        if over {
            return None;
        }
        let next = match first {
            Some(chunk) => Ok(chunk),
            None => arrived(&mut call).await,
        };
        let over = next.as_ref().map_or(true, |chunk| chunk.last);
        let frame =
            next.map(|chunk| Frame::data(Bytes::from(answer.events(chunk.tokens, chunk.last))));
        Some((frame, (call, answer, None, over)))
    });
    respond(
        StatusCode::OK,
        Some("text/event-stream; charset=utf-8"),
        StreamBody::new(frames).boxed_unsync(),
    )
}

fn models(config: &Config) -> Value {
    let (model, most) = (&config.model, config.max_model_len);
    let owner = match config.engine {
        Dialect::Vllm => "vllm",
        Dialect::SgLang => "sglang",
        Dialect::LlamaCpp => "llamacpp",
    };
    json!({"object": "list", "data": [{"id": model, "object": "model", "created": unix_time_s(),
        "owned_by": owner, "root": model, "parent": null, "max_model_len": most}]})
}

fn exposition(server: &Server) -> Response<Body> {
    let (gauges, tally) = server.live.report();
    let config = &server.config;
    let level = server.life.sleep_level();
    let page = metrics::page(config.engine, &config.model, &gauges, &tally, level);
    text(StatusCode::OK, Some("text/plain; version=1.0.0; charset=utf-8"), page)
}

/// A refusal in the engine's words.
fn refused(refused: Refused) -> Response<Body> {
    document(refused.status, &refused.body)
}

/// A JSON answer.
pub(crate) fn document(status: StatusCode, body: &Value) -> Response<Body> {
    text(status, Some("application/json"), body.to_string())
}

fn text(status: StatusCode, kind: Option<&'static str>, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {});
    respond(status, kind, body.boxed_unsync())
}

fn respond(status: StatusCode, kind: Option<&'static str>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("server", HeaderValue::from_static("uvicorn"));
    if let Some(kind) = kind {
        headers.insert("content-type", HeaderValue::from_static(kind));
    }
    response
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator plays the outside world, whose clock no test moves"
)]
fn unix_time_s() -> u64 {
    std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

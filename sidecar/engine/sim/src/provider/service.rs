//! One request, from its bytes to its answer: script first, then what a healthy provider does.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::answer::Answer;
use super::behaviour::{Action, Cut, Facts, Script};
use super::bill::{Bill, Call, Tokens};
use super::capture::Capture;
use super::compress::compress;
use super::config::Pace;
use super::errors::{self, Refused};
use super::player::{CutShort, Player};
use super::prompt::{self, Prompt};
use super::replay::Replay;
use super::socket::Switch;
use super::stats::{Stats, unix_time_ns};
use super::stream::Event;
use super::{chat, embeddings, stream};
use crate::Failure;
use crate::output::complain;

/// The body type of every answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, CutShort>;

/// Everything that requests share.
pub(crate) struct Provider {
    pub(crate) script: Script,
    pub(crate) bill: Arc<Bill>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) capture: Option<Capture>,
    pub(crate) replay: Replay,
    pub(crate) models: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) pace: Pace,
    pub(crate) sequence: AtomicU64,
}

/// What goes down, before script and bill have had their say about how.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    events: Vec<Event>,
    streamed: bool,
    billed: bool,
}

impl Reply {
    /// A document of one piece.
    fn document(status: StatusCode, bytes: Vec<u8>, tokens: Option<Tokens>) -> Self {
        let billed = tokens.is_some();
        let tokens = tokens.unwrap_or_default();
        let event = Event { bytes: bytes.into(), tokens, weight: 1 };
        let content_type = "application/json";
        Self { status, content_type, events: vec![event], streamed: false, billed }
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        Self::document(refused.status, refused.body.to_string().into_bytes(), None)
    }
}

/// Answers one request of the data port.
///
/// # Errors
/// Where the script closes the connection without an answer, or the client broke off its body.
pub(crate) async fn answer(
    provider: Arc<Provider>,
    switch: Arc<Switch>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if head.uri.path().starts_with("/_sim/") {
        return Ok(control(&provider, &head, &body));
    }
    if let Some(capture) = &provider.capture {
        capture.keep(&head, &body)?;
    }
    let parsed = if head.method == Method::POST { prompt::parse(&body) } else { Ok(Value::Null) };
    let model = parsed.as_ref().ok().and_then(|body| body["model"].as_str()).unwrap_or_default();
    let sequence = provider.sequence.fetch_add(1, Ordering::Relaxed);
    let mut call = Call::open(
        Arc::clone(&provider.bill),
        Arc::clone(&provider.stats),
        call_id(&head.headers, sequence),
        model,
    );
    let facts = Facts {
        path: head.uri.path(),
        model: Some(model).filter(|model| !model.is_empty()),
        headers: &head.headers,
    };
    let action = match provider.script.decide(&facts) {
        Ok(action) => action,
        Err(error) => {
            call.close();
            return Ok(json_response(
                StatusCode::BAD_REQUEST,
                &json!({"error": error.to_string()}),
            ));
        }
    };
    sleep_ms(action.delay_ms).await;
    if action.accept_and_stall {
        std::future::pending::<()>().await;
    }
    if action.refuse {
        call.close();
        switch.reset_on_close();
        return Err(CutShort.into());
    }
    if let Some(raw) = &action.raw {
        call.close();
        switch.send_raw(STANDARD.decode(raw)?.into());
        let body = Full::default().map_err(|never: Infallible| match never {}).boxed_unsync();
        return Ok(Response::builder().header("connection", "close").body(body)?);
    }
    let reply = match scripted(&action) {
        Some(reply) => reply,
        None => healthy(&provider, &head, parsed, &action, sequence, &mut call)?,
    };
    play(&provider, reply, &action, sequence, call, switch)
}

/// The script's own status or body, where it names one.
fn scripted(action: &Action) -> Option<Reply> {
    let status = StatusCode::from_u16(action.status.unwrap_or(200)).unwrap_or_default();
    let body = match &action.body {
        None if status.as_u16() >= 400 => errors::scripted(status.as_u16()).to_string(),
        None => return None,
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let tokens = action.usage.as_ref().filter(|usage| usage.is_object()).map(|usage| Tokens {
        input: usage["prompt_tokens"].as_u64().unwrap_or(0),
        cached: usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        output: usage["completion_tokens"].as_u64().unwrap_or(0),
    });
    let mut reply = Reply::document(status, Vec::new(), tokens);
    let events = ["data:", "event:", ":"].iter().any(|start| body.starts_with(start));
    let pieces: Vec<&str> =
        if events { body.split_inclusive("\n\n").collect() } else { vec![body.as_str()] };
    reply.streamed = events;
    reply.content_type = if events { "text/event-stream" } else { reply.content_type };
    reply.events = pieces
        .into_iter()
        .map(|piece| Event {
            bytes: Bytes::copy_from_slice(piece.as_bytes()),
            tokens: tokens.unwrap_or_default(),
            weight: 1,
        })
        .collect();
    Some(reply)
}

/// What a provider without faults answers.
fn healthy(
    provider: &Provider,
    head: &Parts,
    parsed: Result<Value, Refused>,
    action: &Action,
    sequence: u64,
    call: &mut Call,
) -> Result<Reply, Failure> {
    let path = head.uri.path();
    let path = path.find("/v1/").map_or(path, |at| &path[at..]);
    match (&head.method, path) {
        (&Method::GET, "/v1/models") => {
            let document = models(provider).to_string().into_bytes();
            Ok(Reply::document(StatusCode::OK, document, None))
        }
        (&Method::POST, "/v1/chat/completions") => {
            let read = parsed.and_then(|body| Prompt::read(&body));
            match read.and_then(|prompt| served(provider, &prompt.model).map(|()| prompt)) {
                Ok(prompt) => Ok(chat_reply(provider, &prompt, action, sequence, call)?),
                Err(refused) => Ok(refused.into()),
            }
        }
        (&Method::POST, "/v1/embeddings") => {
            let made = parsed.and_then(|body| {
                served(provider, body["model"].as_str().unwrap_or_default())?;
                embeddings::document(&body, provider.seed)
            });
            Ok(made.map_or_else(Reply::from, |(document, tokens)| {
                let bytes = document.to_string().into_bytes();
                Reply::document(StatusCode::OK, bytes, Some(tokens))
            }))
        }
        (method, path) => Ok(Refused::unknown_path(method.as_str(), path).into()),
    }
}

fn chat_reply(
    provider: &Provider,
    prompt: &Prompt,
    action: &Action,
    sequence: u64,
    call: &mut Call,
) -> serde_json::Result<Reply> {
    call.set_choices(prompt.choices as u64);
    let created = unix_time_ns() / 1_000_000_000;
    let answer =
        Answer::compose(prompt, action, &provider.replay, provider.seed, sequence, created);
    let status = StatusCode::from_u16(action.status.unwrap_or(200)).unwrap_or_default();
    if !prompt.stream {
        return Ok(Reply::document(status, chat::document(&answer)?, Some(answer.tokens)));
    }
    let delta_tokens = provider.pace.delta_tokens;
    Ok(Reply {
        status,
        content_type: "text/event-stream; charset=utf-8",
        events: stream::events(&answer, action, prompt.include_usage, delta_tokens)?,
        streamed: true,
        billed: true,
    })
}

/// Puts the head on and hands the events to the player.
fn play(
    provider: &Provider,
    mut reply: Reply,
    action: &Action,
    sequence: u64,
    call: Call,
    switch: Arc<Switch>,
) -> Result<Response<Body>, Failure> {
    if let Some(coding) = action.compress {
        compress(&mut reply.events, coding)?;
    }
    let mut response = Response::builder()
        .status(reply.status)
        .header("content-type", reply.content_type)
        .header("x-request-id", format!("req_{sequence:016x}"))
        .header("openai-processing-ms", "1");
    if let Some(coding) = action.compress {
        response = response.header("content-encoding", coding.name());
    }
    let ends_early =
        action.cut == Cut::End && (action.cut_at_byte.is_some() || action.cut_at_event.is_some());
    if !reply.streamed && !ends_early {
        let length: usize = reply.events.iter().map(|event| event.bytes.len()).sum();
        response = response.header("content-length", length);
    }
    // A plain answer comes when all its tokens are made.
    let mut pace = provider.pace;
    if !reply.streamed && action.first_token_ms.is_none() {
        pace.first_token_ms = whole_answer_ms(&reply, pace);
    }
    let player = Player::new(reply.events, action, pace, call, switch, reply.billed);
    let mut response = response.body(StreamBody::new(player.frames()).boxed_unsync())?;
    for (name, value) in &action.headers {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        response.headers_mut().insert(name, HeaderValue::from_str(value)?);
    }
    Ok(response)
}

fn whole_answer_ms(reply: &Reply, pace: Pace) -> u64 {
    let tokens = reply.events.last().map_or(0, |event| event.tokens.output);
    let made = (tokens * 1000).checked_div(pace.tokens_per_second).unwrap_or(0);
    if reply.billed { pace.first_token_ms + made } else { 0 }
}

/// The tests' own door: the script and the counters.
pub(crate) fn control(provider: &Provider, head: &Parts, body: &[u8]) -> Response<Body> {
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/_sim/stats") => json_response(StatusCode::OK, &provider.stats.report()),
        (&Method::POST, "/_sim/behaviour") => match serde_json::from_slice(body) {
            Ok(rules) => {
                provider.script.replace(rules);
                json_response(StatusCode::OK, &json!({}))
            }
            Err(error) => {
                json_response(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()}))
            }
        },
        _ => json_response(StatusCode::NOT_FOUND, &json!({"error": "unknown control call"})),
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let bytes = Full::new(Bytes::from(body.to_string()));
    let mut response =
        Response::new(bytes.map_err(|never: Infallible| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn models(provider: &Provider) -> Value {
    let data = provider.models.iter().map(
        |id| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "sim"}),
    );
    json!({"object": "list", "data": data.collect::<Vec<_>>()})
}

fn served(provider: &Provider, model: &str) -> Result<(), Refused> {
    if model.is_empty() {
        return Err(Refused::bad_request("you must provide a model parameter", Some("model")));
    }
    if provider.models.is_empty() || provider.models.iter().any(|name| name == model) {
        return Ok(());
    }
    Err(Refused::unknown_model(model))
}

/// The caller's own request id, on which the bill is joined.
fn call_id(headers: &HeaderMap, sequence: u64) -> String {
    let given = headers.get("x-client-request-id").and_then(|value| value.to_str().ok());
    given.map_or_else(|| format!("sim-{sequence}"), str::to_owned)
}

async fn sleep_ms(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}

/// Reports a connection that failed for a reason that is ours, not the script's or the client's.
/// hyper ends the connection on what it returns.
pub(crate) fn report(error: Failure) -> CutShort {
    if error.downcast_ref::<CutShort>().is_none() && error.downcast_ref::<hyper::Error>().is_none()
    {
        complain(&error.to_string());
    }
    CutShort
}

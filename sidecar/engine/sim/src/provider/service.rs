//! One request, from its bytes to its answer: script first, then what a healthy provider does.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::behaviour::{Action, Cut, Facts, Script};
use super::bill::{Bill, Call};
use super::capture::Capture;
use super::compress::compress;
use super::config::Pace;
use super::identity::Identity;
use super::kept::{Shelf, Told};
use super::openai::form;
use super::player::{CutShort, Player};
use super::quota::Quotas;
use super::replay::Replay;
use super::socket::Switch;
use super::stats::Stats;
use super::surface::Surface;
use super::turn::{Reply, Turn};
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
    pub(crate) strict: bool,
    pub(crate) identity: Identity,
    pub(crate) quotas: Quotas,
    pub(crate) seed: u64,
    pub(crate) pace: Pace,
    pub(crate) sequence: AtomicU64,
    pub(crate) shelf: Shelf,
}

impl Provider {
    /// Whether `model` is served.
    pub(crate) fn serves(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|name| name == model)
    }

    /// Puts the date on, where the provider's clock is not the world's.
    fn dated(&self, reply: &mut Reply) {
        if self.identity.has_own_clock() {
            let now_s = u64::try_from(self.identity.now_s()).unwrap_or_default();
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now_s);
            reply.headers.push(("date", httpdate::fmt_http_date(now)));
        }
    }

    /// Keeps what its dialect keeps of answers.
    fn remember(&self, head: &Parts, body: Option<&Value>, reply: &Reply) {
        let keeps = head.uri.path().ends_with("/v1/responses");
        if keeps && reply.status.is_success() && reply.billed {
            let said: Vec<u8> =
                reply.events.iter().flat_map(|event| event.bytes.to_vec()).collect();
            self.shelf.remember(head, body, &said);
        }
    }

    /// What is about something that is kept, or refers to what is not.
    fn kept(&self, head: &Parts, body: &Bytes, parsed: Option<&Value>) -> Option<Told> {
        self.shelf.answer(head, body).or_else(|| self.shelf.lacks(head, parsed))
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
    let surface = Surface::of(&head);
    let parsed = parse(&head, &body).filter(|_| head.method == Method::POST);
    let named = parsed.as_ref().and_then(|body| body["model"].as_str());
    let model = surface.model.as_deref().or(named).unwrap_or_default();
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
    let turn = Turn { provider: &provider, surface: &surface, action: &action, sequence };
    let mut reply = match turn.scripted() {
        Some(reply) => reply,
        None => match (provider.identity.give(&head, &body), provider.identity.judge(&head, &body))
        {
            (Some(given), _) => Reply::given(given)?,
            (None, Ok(())) => match provider.kept(&head, &body, parsed.as_ref()) {
                Some(told) => Reply::told(told),
                None => turn.served(&head, parsed.as_ref(), model, &mut call)?,
            },
            (None, Err(refused)) => turn.refused(&refused),
        },
    };
    provider.dated(&mut reply);
    provider.remember(&head, parsed.as_ref(), &reply);
    reply.headers.extend(surface.dialect.headers(&turn.mark()));
    play(&provider, reply, &action, call, switch)
}

/// Puts the head on and hands the events to the player.
fn play(
    provider: &Provider,
    mut reply: Reply,
    action: &Action,
    call: Call,
    switch: Arc<Switch>,
) -> Result<Response<Body>, Failure> {
    if let Some(coding) = action.compress {
        compress(&mut reply.events, coding)?;
    }
    let mut response =
        Response::builder().status(reply.status).header("content-type", reply.content_type);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
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
        (&Method::GET, "/_sim/stats") => {
            let mut report = provider.stats.report();
            report["limited"] = provider.quotas.report();
            json_response(StatusCode::OK, &report)
        }
        (&Method::POST, "/_sim/revoke") => {
            provider.identity.revoke();
            json_response(StatusCode::OK, &json!({}))
        }
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

/// The body's JSON object, or what a form says as one.
fn parse(head: &Parts, body: &[u8]) -> Option<Value> {
    if let Some(form) = form::read(&head.headers, body) {
        return Some(form);
    }
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object)
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

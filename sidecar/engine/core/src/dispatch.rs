//! One upstream attempt: the request with its splices and headers, the answer's head, and the answer
//! up to the commit point (plain: all of it; stream: the first content). Nothing has gone down yet
//! when this returns, so every failure here can still be retried or taken elsewhere.

mod edits;
mod failure;

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use self::edits::edits;
pub use self::failure::Failure;
use crate::call::{Call, Endpoint, Leaving};
use crate::collect::{Collected, collect};
use crate::decode::Decoder;
use crate::error::{Class, classify};
use crate::headers::{self, CLIENT_REQUEST_ID};
use crate::limits;
use crate::scan::splice;
use crate::secrets::Missing;
use crate::sse::{ChatStream, StreamOptions};
use crate::table::ProviderType;
use crate::upstream::{Connection, Exchange, Pieces, SendError};
use crate::wire::openai_chat::Answer as Read;

/// How an attempt went.
#[derive(Debug)]
pub enum Attempted {
    /// A whole, valid answer.
    Whole(Whole),
    /// A plain answer too large to be buffered.
    Large(Box<Begun>),
    /// A stream whose first content is here.
    Stream(Box<Opened>),
    /// Nothing usable.
    Failed(Failure),
}

/// A plain answer.
#[derive(Debug)]
pub struct Whole {
    /// Upstream headers.
    pub headers: HeaderMap,
    /// Its bytes, decoded.
    pub body: Bytes,
    /// What it says: usage, id, finish reasons.
    pub read: Read,
}

/// A plain answer of which more has come than is buffered.
#[derive(Debug)]
pub struct Begun {
    /// Upstream headers.
    pub headers: HeaderMap,
    /// What has come.
    pub first: Bytes,
    /// The rest of the body.
    pub body: Incoming,
    /// The connection it occupies.
    pub connection: Connection,
    /// Where the upstream compressed although asked not to.
    pub decoder: Option<Decoder>,
}

/// A stream that has begun.
#[derive(Debug)]
pub struct Opened {
    /// Upstream headers.
    pub headers: HeaderMap,
    /// The rest of the body.
    pub body: Incoming,
    /// The connection it occupies.
    pub connection: Connection,
    /// Framing and usage.
    pub stream: ChatStream,
    /// Bytes that may go down.
    pub ready: VecDeque<Bytes>,
    /// Where the upstream compressed although asked not to.
    pub decoder: Option<Decoder>,
}

/// Headers of the caller that go upstream; everything else stays here: cookies and the like are
/// meant for us, credentials are never forwarded.
const FORWARDED: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, USER_AGENT];

/// Makes one attempt at the call's chosen model. `leaving`: what ends it although its time is not over.
pub async fn attempt(
    call: &mut Call,
    pieces: &[Bytes],
    head: &HeaderMap,
    deadline: Instant,
    leaving: Option<Leaving>,
) -> Attempted {
    let (request, key) = match build(call, pieces, head) {
        Ok(built) => built,
        Err(failure) => return Attempted::Failed(failure),
    };
    call.key_sent = key;
    let limit = attempt_limit(call, deadline);
    // One timer for all of it: each costs an entry in the wheel, made and taken out again.
    let exchanged = match leaving {
        None => tokio::time::timeout_at(limit, exchange(call, request)).await,
        // Boxed: calls to one fixed address would be larger by what these hold.
        Some(leaving) => Box::pin(unless_left(call, request, limit, leaving)).await,
    };
    exchanged.unwrap_or_else(|_| Attempted::Failed(Failure::new(Class::SlowFirstToken, 0, true)))
}

/// An exchange that is given up where its endpoint leaves; until it commits the call has lost nothing.
async fn unless_left(
    call: &mut Call,
    request: Request<Pieces>,
    limit: Instant,
    leaving: Leaving,
) -> Result<Attempted, Elapsed> {
    let clock = call.worker().shared.clock.clone();
    let exchanged = tokio::time::timeout_at(limit, exchange(call, request));
    tokio::select! {
        biased;
        exchanged = exchanged => exchanged,
        () = leaving.is_due(|| clock.boot_ms()) => {
            let left = Failure { left: true, ..Failure::new(Class::SlowFirstToken, 0, true) };
            Ok(Attempted::Failed(left))
        }
    }
}

/// Sends the request and reads the answer up to the commit point.
async fn exchange(call: &mut Call, request: Request<Pieces>) -> Attempted {
    let worker = call.worker().clone();
    let Some(upstream) = call.upstream() else {
        return Attempted::Failed(Failure::new(Class::ModelGone, 0, false));
    };
    let exchange = match worker.pool.send(&upstream.origin, request).await {
        Err(SendError::Unreachable(_)) => {
            return Attempted::Failed(Failure::new(Class::Connect, 0, false));
        }
        Err(SendError::Broken(_)) => {
            return Attempted::Failed(Failure::new(Class::Connect, 0, true));
        }
        Ok(exchange) => exchange,
    };
    let elapsed_us = call.elapsed_us();
    if let Some(row) = call.attempts.last_mut() {
        row.first_byte_us = elapsed_us;
        row.status = exchange.response.status().as_u16();
    }
    answer(call, exchange).await
}

/// Streams must show content within the first-token limit; plain answers have the time that their
/// longest text takes besides.
fn attempt_limit(call: &Call, deadline: Instant) -> Instant {
    let timeouts = call.route().map(|route| route.route.timeouts).unwrap_or_default();
    let mut limit_ms = timeouts.first_token_ms;
    if !call.wants_stream() {
        let cap = call.output_cap().unwrap_or(limits::UNCAPPED_ANSWER_TOKENS);
        limit_ms += cap.min(limits::UNCAPPED_ANSWER_TOKENS) * limits::PLAIN_ANSWER_MS_PER_TOKEN;
    }
    deadline.min(Instant::now() + Duration::from_millis(limit_ms))
}

/// The request, and the fingerprint of the key in it; 0 without one.
fn build(
    call: &Call,
    pieces: &[Bytes],
    head: &HeaderMap,
) -> Result<(Request<Pieces>, u64), Failure> {
    let unusable = || Failure::new(Class::ModelGone, 0, false);
    let (model, _) = call.model().ok_or_else(unusable)?;
    let upstream = call.upstream().ok_or_else(unusable)?;
    let uri = match call.endpoint {
        Endpoint::Chat => &upstream.chat,
        Endpoint::Embeddings => &upstream.embeddings,
    };
    let body = Pieces::new(splice(pieces, &edits(call)));
    let mut request = Request::new(body);
    // Room for all of them: a map that grows on the way hashes everything again.
    *request.headers_mut() = HeaderMap::with_capacity(12);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    let sent = request.headers_mut();
    for name in &FORWARDED {
        if let Some(value) = head.get(name) {
            sent.insert(name, value.clone());
        }
    }
    if model.provider.kind == ProviderType::OpenAI {
        let openai = head.iter().filter(|(name, _)| name.as_str().starts_with("openai-"));
        sent.extend(openai.map(|(name, value)| (name.clone(), value.clone())));
    }
    sent.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    sent.insert(HOST, upstream.authority.clone());
    sent.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    sent.insert(CLIENT_REQUEST_ID, call.attempt_name().ok_or_else(unusable)?);
    call.propagate_trace(head, sent);
    if let Some(way) = &model.provider.gateway {
        let ticket = call.worker().shared.tickets.of(&way.audience);
        let none = || Failure { target_alone: true, ..Failure::new(Class::Auth, 0, false) };
        sent.insert(headers::TICKET, ticket.ok_or_else(none)?);
    }
    let mut fingerprint = 0;
    if let Some(credential) = &model.provider.credential {
        let shared = &call.worker().shared;
        let (host, hosts) = (&upstream.origin.host, &model.provider.allowed_hosts);
        let key = shared.secrets.resolve_for(credential, host, hosts, shared.clock.boot_ms());
        let key = key.map_err(|missing| Failure {
            target_alone: missing == Missing::Host,
            ..Failure::new(Class::Auth, 0, false)
        })?;
        sent.insert(AUTHORIZATION, key.authorization.clone());
        fingerprint = key.fingerprint;
    }
    Ok((request, fingerprint))
}

async fn answer(call: &Call, exchange: Exchange) -> Attempted {
    let Exchange { response, connection } = exchange;
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        let mut failure = refused(Response::from_parts(head, body), connection).await;
        // A gateway that does not take the ticket: the hub mints another soon.
        failure.target_alone = failure.class == Class::Auth && call.goes_to_gateway();
        return Attempted::Failed(failure);
    }
    let failed = |class| Attempted::Failed(Failure::new(class, head.status.as_u16(), true));
    let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if head.headers.iter().map(length).sum::<usize>() > limits::UPSTREAM_HEAD_BYTES {
        return failed(Class::Server);
    }
    let limit =
        if call.wants_stream() { limits::STREAM_DECODED_BYTES } else { limits::PLAIN_ANSWER_BYTES };
    let Ok(decoder) = Decoder::of(&head.headers, limit) else { return failed(Class::Server) };
    if call.wants_stream() {
        return open(call, head.headers, body, connection, decoder).await;
    }
    let (mut body, mut decoder) = (body, decoder);
    let collected = collect(&mut body, decoder.as_mut(), limits::PLAIN_ANSWER_BYTES).await;
    match collected {
        Err(class) => failed(class),
        Ok(Collected::Part(first)) => {
            let headers = head.headers;
            Attempted::Large(Box::new(Begun { headers, first, body, connection, decoder }))
        }
        Ok(Collected::All(bytes)) => {
            connection.recycle();
            let read = match call.endpoint {
                Endpoint::Chat => Read::chat(&bytes),
                Endpoint::Embeddings => Read::embeddings(&bytes),
            };
            match read {
                Ok(read) => Attempted::Whole(Whole { headers: head.headers, body: bytes, read }),
                Err(_) => failed(Class::TruncatedEarly),
            }
        }
    }
}

/// An answer that is no success: classified by status, headers and body.
async fn refused(response: Response<Incoming>, connection: Connection) -> Failure {
    let (head, mut body) = response.into_parts();
    let read = match Decoder::of(&head.headers, limits::ERROR_BODY_BYTES) {
        Ok(mut decoder) => collect(&mut body, decoder.as_mut(), limits::ERROR_BODY_BYTES).await,
        Err(_) => Err(Class::Server),
    };
    let (bytes, whole) = match read {
        Ok(Collected::All(bytes)) => {
            connection.recycle();
            (bytes, true)
        }
        // An error page that is too long still has a status and a beginning.
        Ok(Collected::Part(bytes)) => (bytes, false),
        Err(_) => (Bytes::new(), false),
    };
    let found = classify(head.status.as_u16(), &head.headers, &bytes, now());
    let content_type = head.headers.get(CONTENT_TYPE).cloned();
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/json"));
    Failure {
        class: found.class,
        status: head.status.as_u16(),
        retry_after: found.retry_after,
        capability_gap: found.capability_gap,
        billable: false,
        target_alone: false,
        left: false,
        // One that broke off, cannot be decoded or says nothing is not passed on as if it were whole.
        answer: (whole && !bytes.is_empty()).then_some((head.status, content_type, bytes)),
    }
}

/// HTTP dates in Retry-After are the only use of calendar time on the path.
#[expect(
    clippy::disallowed_methods,
    reason = "an HTTP date can only be compared with the wall clock"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Waits for the first content of a stream.
async fn open(
    call: &Call,
    headers: HeaderMap,
    mut body: Incoming,
    connection: Connection,
    mut decoder: Option<Decoder>,
) -> Attempted {
    let failed = |class| Attempted::Failed(Failure::new(class, 200, true));
    let is_stream = headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let Some((model, _)) = call.model() else { return failed(Class::ModelGone) };
    if !is_stream {
        return failed(Class::TruncatedEarly);
    }
    let mut stream = ChatStream::new(StreamOptions {
        strip_usage_event: call.scan.include_usage != Some(true),
        end: model.provider.stream_end,
        choices: u32::try_from(call.scan.n.unwrap_or(1)).unwrap_or(u32::MAX),
    });
    let mut out = Vec::new();
    while !stream.committed() {
        let piece = match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => piece,
                Err(_) => continue,
            },
            Some(Err(_)) => return failed(Class::TruncatedEarly),
            None => match stream.finish(&mut out) {
                Ok(()) => break,
                Err(fault) => return failed(fault.class(false)),
            },
        };
        let piece = match &mut decoder {
            None => piece,
            Some(decoder) => match decoder.push(&piece) {
                Ok(piece) => piece,
                Err(fault) => return failed(fault.class(false)),
            },
        };
        if let Err(fault) = stream.push(piece, &mut out) {
            return failed(fault.class(false));
        }
    }
    let opened = Opened { headers, body, connection, stream, ready: out.into(), decoder };
    Attempted::Stream(Box::new(opened))
}

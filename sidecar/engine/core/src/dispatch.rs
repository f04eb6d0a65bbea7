//! One upstream attempt: the request with its splices and headers, the answer's head, and the answer
//! up to the commit point (plain: all of it; stream: the first content). Nothing has gone down yet
//! when this returns, so every failure here can still be retried or taken elsewhere.

mod answer;
mod authorize;
mod clock;
mod edits;
mod failure;
mod hold;
mod request;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use self::answer::answer;
pub use self::authorize::renewed;
use self::authorize::unsettled;
pub use self::edits::spliced;
pub use self::failure::Failure;
use self::request::build;
use crate::call::{Call, Leaving};
use crate::decode::Decoder;
use crate::error::Class;
use crate::limits;
use crate::sse::Stream;
use crate::upstream::{Connection, Pieces, SendError, Unreached};
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
    /// Its bytes, decoded, in the caller's dialect.
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
    pub stream: Stream,
    /// Bytes that may go down.
    pub ready: VecDeque<Bytes>,
    /// Where the upstream compressed although asked not to.
    pub decoder: Option<Decoder>,
}

/// Makes one attempt at the call's chosen model. `translated`: what is sent in place of the caller's own
/// body; `leaving`: what ends it although its time is not over.
pub async fn attempt(
    call: &mut Call,
    (pieces, translated): (&[Bytes], Option<Bytes>),
    head: &HeaderMap,
    deadline: Instant,
    leaving: Option<Leaving>,
) -> Attempted {
    call.key_sent = 0;
    if let Some(source) = unsettled(call) {
        // Boxed: few calls are the first ones.
        let now_ms = call.worker().shared.clock.boot_ms();
        let settled = tokio::time::timeout_at(deadline, source.settled(now_ms));
        let _late = Box::pin(settled).await;
    }
    let (request, key) = match build(call, pieces, translated, head) {
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
    let attempted = exchanged
        .unwrap_or_else(|_| Attempted::Failed(Failure::new(Class::SlowFirstToken, 0, true)));
    let Attempted::Stream(opened) = attempted else { return attempted };
    match call.route().and_then(|route| route.route.hold_back) {
        None => Attempted::Stream(opened),
        // Boxed: few routes hold anything back.
        Some(hold) => Box::pin(hold::hold(call, opened, hold, deadline)).await,
    }
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
        Err(SendError::Unreachable(Unreached { hopeless, .. })) => {
            let failure = Failure::new(Class::Connect, 0, false);
            return Attempted::Failed(Failure { hopeless, ..failure });
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

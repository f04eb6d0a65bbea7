//! What goes down: answers with their headers, and errors in the words of the caller's surface.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use pointsman_wire::{Fault, anthropic_messages, gemini};
use tokio::time::Instant;

use super::{Reply, Worker};
use crate::answer::Answer;
use crate::call::{Call, Outcome};
use crate::dispatch::{Begun, Failure, Opened, Whole};
use crate::error::{Class, NoCandidate, Refusal, told_in, upstream_code, upstream_kind};
use crate::headers;
use crate::large::Large;
use crate::price::Usd;
use crate::relay::Relay;
use crate::surface::Surface;
use crate::wire::Dialect;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// A plain answer: the provider's bytes, or what they are in the caller's dialect, its cost exact.
pub(super) fn answer(mut call: Box<Call>, whole: Whole, deadline: Instant) -> Reply {
    call.book_answer(&whole.read);
    call.trace_answer(&whole.body);
    call.note_upstream(whole.read.id.as_deref().unwrap_or_default());
    call.target_answered();
    let mut reply = begin_reply(&call, &whole.headers);
    if let Some(cost) = headers::value_of(Usd(call.booked.cost)) {
        reply.headers_mut().insert(headers::COST, cost);
    }
    *reply.body_mut() = Answer::whole_until(whole.body, deadline);
    call.end_after_answer(Outcome::Ok, 200);
    reply
}

pub(super) fn stream(mut call: Box<Call>, opened: Opened, deadline: Instant) -> Reply {
    let mut reply = begin_reply(&call, &opened.headers);
    if let Some(cost) = headers::value_of(Usd(call.reserved.max(call.expected_cost()))) {
        reply.headers_mut().insert(headers::COST_ESTIMATE, cost);
    }
    call.first_token();
    call.trace_answer(opened.ready.front().map_or(&[], |events| events));
    *reply.body_mut() = Answer::stream(Relay::new(call, opened, deadline), deadline);
    reply
}

/// An answer too large to be buffered: its cost is known at its end, in the record.
pub(super) fn large(call: Box<Call>, begun: Begun, deadline: Instant) -> Reply {
    let mut reply = begin_reply(&call, &begun.headers);
    *reply.body_mut() = Answer::large(Large::new(call, begun, deadline), deadline);
    reply
}

/// How many tokens a prompt has, where the candidate has no word for that: our own estimate.
pub(super) fn counted(mut call: Box<Call>) -> Reply {
    let tokens = call.estimated_tokens();
    let body = match call.surface {
        Surface::GeminiCount => gemini::count::write(tokens),
        _ => anthropic_messages::count_tokens::write(tokens),
    };
    let mut reply = begin_reply(&call, &HeaderMap::new());
    *reply.body_mut() = Answer::whole(body);
    call.end(Outcome::Ok, 200);
    reply
}

/// Status 200 with our headers and those of the provider's that callers use.
fn begin_reply(call: &Call, upstream: &HeaderMap) -> Reply {
    let mut reply = Response::new(Answer::default());
    *reply.headers_mut() = HeaderMap::with_capacity(12);
    let sent = reply.headers_mut();
    if call.is_rewritten() {
        let events = call.wants_stream() && call.surface != Surface::GenerateArray;
        sent.insert(CONTENT_TYPE, if events { EVENTS } else { JSON });
    } else {
        let passed = upstream.iter().filter(|(name, _)| is_passed(name.as_str()));
        sent.extend(passed.map(|(name, value)| (name.clone(), value.clone())));
        if call.surface == Surface::GeminiFiles {
            pass_upload(call, upstream, sent);
        }
    }
    if let Some((model, planned)) = call.model() {
        sent.insert(headers::MODEL, planned.header.clone());
        if model.provider.simulated {
            sent.insert(headers::SIMULATED, HeaderValue::from_static("1"));
        }
    }
    if let Some(dropped) = &call.dropped {
        sent.insert(headers::DROPPED, dropped.clone());
    }
    if let Some(cap) = call.capped {
        sent.insert(headers::CAPPED, HeaderValue::from(cap));
    }
    identify(sent, &call.id, call.surface.dialect());
    reply
}

/// How an upload goes on, and where: with us.
fn pass_upload(call: &Call, upstream: &HeaderMap, sent: &mut HeaderMap) {
    let about = upstream.iter().filter(|(name, _)| name.as_str().starts_with(headers::UPLOAD));
    sent.extend(about.map(|(name, value)| (name.clone(), value.clone())));
    let Some(theirs) = sent.remove(headers::UPLOAD_URL) else { return };
    let ours = call.kept().zip(call.account()).and_then(|(kept, account)| {
        kept.upload_at(account, &theirs, call.worker().shared.gateway.is_some())
    });
    sent.extend(ours.map(|ours| (headers::UPLOAD_URL, ours)));
}

/// Headers of the provider's that its own clients use.
fn is_passed(name: &str) -> bool {
    *name == *CONTENT_TYPE.as_str()
        || matches!(name, "x-request-id" | "request-id")
        || ["openai-", "x-ratelimit-", "anthropic-ratelimit-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn identify(sent: &mut HeaderMap, id: &str, dialect: Dialect) {
    let Ok(id) = HeaderValue::from_str(id) else { return };
    if dialect == Dialect::Messages {
        // Where its clients look for one; the provider's own stays.
        sent.entry(headers::ANTHROPIC_REQUEST_ID).or_insert_with(|| id.clone());
    }
    sent.insert(headers::REQUEST_ID, id);
}

/// All attempts failed: the provider's own answer where its class passes it on, else ours.
pub(super) fn failed(mut call: Box<Call>, mut failure: Failure, deadline: Instant) -> Reply {
    let class = failure.class;
    let passed = failure.answer.take().filter(|_| class.passes_answer());
    let Some((status, content_type, bytes)) = passed else {
        let refusal = why_failed(&call, &failure, deadline);
        call.end(Outcome::Failed, refusal.status().as_u16());
        return refuse(&refusal, Some(&call.id), call.surface.dialect());
    };
    let (status, content_type, bytes) = if call.is_translated() {
        told(&call, class, (status, &bytes))
    } else {
        (status, content_type, bytes)
    };
    let mut reply = begin_reply(&call, &HeaderMap::new());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    if class != Class::BadRequest {
        reply.headers_mut().insert(headers::SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    *reply.body_mut() = Answer::whole_until(bytes, deadline);
    call.end(Outcome::Failed, status.as_u16());
    reply
}

/// A provider's own error in the caller's dialect.
fn told(
    call: &Call,
    class: Class,
    answer: (StatusCode, &[u8]),
) -> (StatusCode, HeaderValue, Bytes) {
    let (status, body) = answer;
    let words = || format!("The model's provider {}.", class.phrase());
    let fault = Fault {
        status: status.as_u16(),
        kind: upstream_kind(class).to_owned(),
        code: Some(code_of(class).to_owned()),
        param: None,
        message: told_in(body).unwrap_or_else(words),
        request_id: call.id.clone(),
    };
    (status, JSON, call.surface.dialect().plain_error(&fault).into())
}

/// OpenAI's `error.code` for what a provider of another dialect said.
const fn code_of(class: Class) -> &'static str {
    match class {
        Class::ContextTooLong => "context_length_exceeded",
        Class::ContentFilter => "content_filter",
        Class::BadRequest => "invalid_value",
        _ => upstream_code(class),
    }
}

/// Without an answer of the provider's: our own words, naming what the user can change.
fn why_failed(call: &Call, failure: &Failure, deadline: Instant) -> Refusal {
    let Failure { class, hopeless, status: answered, .. } = *failure;
    let attempts = u8::try_from(call.attempts.len()).unwrap_or(u8::MAX);
    match class {
        Class::SlowFirstToken if Instant::now() >= deadline => {
            Refusal::DeadlineExceeded { total_ms: call.total_ms() }
        }
        Class::Auth if answered == 0 => Refusal::NoCandidate(NoCandidate::Credential),
        Class::Connect if call.lacks_endpoint() => Refusal::NoCandidate(call.no_endpoint()),
        _ => Refusal::UpstreamFailed { class, hopeless, attempts },
    }
}

pub(super) fn refused(mut call: Box<Call>, refusal: &Refusal) -> Reply {
    call.worker().shared.stats.refusal(refusal.label());
    call.class = Some(refusal.class());
    let gone = *refusal == Refusal::CallerGone;
    let outcome = if gone { Outcome::Cancelled } else { Outcome::Refused };
    call.end(outcome, refusal.status().as_u16());
    refuse(refusal, Some(&call.id), call.surface.dialect())
}

/// A refusal before there is a call.
pub(super) fn turn_away(worker: &Worker, refusal: &Refusal, dialect: Dialect) -> Reply {
    worker.shared.stats.refusal(refusal.label());
    refuse(refusal, None, dialect)
}

/// The answer to a request whose `handle` was dropped or panicked; its call, if it came to one, has
/// left its id.
pub fn stand_in(worker: &Worker, refusal: &Refusal, dialect: Dialect) -> Reply {
    worker.shared.stats.refusal(refusal.label());
    refuse(refusal, worker.orphan.take().as_deref(), dialect)
}

/// An answer of our own, in the words of a surface.
#[must_use]
pub fn refuse(refusal: &Refusal, id: Option<&str>, dialect: Dialect) -> Reply {
    let mut reply = if dialect.has_openai_errors() {
        refusal.response().map(Answer::whole)
    } else {
        let fault = dialect.fault(refusal, id.unwrap_or_default());
        let (_, headers) = refusal.to_response_parts();
        let mut reply = Response::new(Answer::whole(dialect.plain_error(&fault)));
        *reply.headers_mut() = headers;
        *reply.status_mut() = StatusCode::from_u16(fault.status).unwrap_or(refusal.status());
        reply
    };
    if let Some(id) = id {
        identify(reply.headers_mut(), id, dialect);
    }
    reply
}

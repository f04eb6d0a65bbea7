//! What comes back: an answer's head, and its body up to the commit point.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use pointsman_wire::form::{Garbled, Payload, Reply};
use pointsman_wire::openai_chat::quirks;
use pointsman_wire::openai_responses;

use super::{Attempted, Begun, Failure, Opened, Whole, clock};
use crate::call::Call;
use crate::collect::{Collected, collect};
use crate::decode::Decoder;
use crate::error::{Class, classify};
use crate::kept::results_at_ours;
use crate::limits;
use crate::media::Medium;
use crate::sse::{ChatStream, Stream, StreamOptions, Watched};
use crate::surface::Surface;
use crate::table::Provider;
use crate::upstream::{Connection, Exchange};
use crate::wire::openai_chat::Answer as Read;
use crate::wire::{Dialect, media};

/// Reads an answer up to the point where it may go down.
pub(super) async fn answer(call: &Call, exchange: Exchange) -> Attempted {
    let Exchange { response, connection } = exchange;
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        let off = matches!(head.status.as_u16(), 401 | 403) && clock::was_off(call, &head.headers);
        let mut failure = refused(Response::from_parts(head, body), connection).await;
        // A gateway that does not take the ticket: the hub mints another soon. A clock that was off: the
        // next signature reckons with it.
        failure.target_alone = failure.class == Class::Auth && (off || call.goes_to_gateway());
        if call.surface.keeps() && failure.class == Class::ModelGone {
            failure.class = Class::StatefulMiss; // no model was asked for
        }
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
    if call.surface == Surface::Media(Medium::Speech) {
        return sound(head.headers, body, connection, decoder).await;
    }
    let collected = collect(&mut body, decoder.as_mut(), limits::PLAIN_ANSWER_BYTES).await;
    match collected {
        Err(class) => failed(class),
        // What must be translated must be whole, and no text is that long.
        Ok(Collected::Part(_)) if call.is_translated() => failed(Class::Server),
        Ok(Collected::Part(first)) => {
            let headers = head.headers;
            Attempted::Large(Box::new(Begun { headers, first, body, connection, decoder }))
        }
        Ok(Collected::All(bytes)) => {
            connection.recycle();
            match whole(call, &head.headers, bytes) {
                Some((body, read)) => Attempted::Whole(Whole { headers: head.headers, body, read }),
                None => failed(Class::TruncatedEarly),
            }
        }
    }
}

/// Sound goes down as it comes, once some of it is there.
async fn sound(
    headers: HeaderMap,
    mut body: Incoming,
    connection: Connection,
    mut decoder: Option<Decoder>,
) -> Attempted {
    let failed = |class| Attempted::Failed(Failure::new(class, 200, true));
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if ["application/json", "text/"].iter().any(|other| kind.starts_with(other.as_bytes())) {
        return failed(Class::TruncatedEarly); // whatever it is, nobody can play it
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return failed(Class::TruncatedEarly) };
        let Ok(piece) = frame.into_data() else { continue };
        let first = match &mut decoder {
            None => piece,
            Some(decoder) => match decoder.push(&piece) {
                Ok(piece) => piece,
                Err(fault) => return failed(fault.class(false)),
            },
        };
        if !first.is_empty() {
            let begun = Begun { headers, first, body, connection, decoder };
            return Attempted::Large(Box::new(begun));
        }
    }
    failed(Class::TruncatedEarly)
}

/// Whether an answer says that it is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/json"))
}

/// A plain answer in the caller's dialect, and what it says; `None`: it is none.
fn whole(call: &Call, headers: &HeaderMap, body: Bytes) -> Option<(Bytes, Read)> {
    let (own, spoken) = (call.surface.dialect(), call.spoken());
    let read = match spoken {
        _ if call.surface.counts() => Read::count(&body)?,
        _ if call.surface.keeps() => {
            if !is_json(headers) {
                return Some((body, Read::default()));
            }
            let (account, batches) = (call.account()?, call.surface == Surface::MessageBatches);
            let body = if batches { results_at_ours(account, body) } else { body };
            return Some((account.mark(body), Read::default()));
        }
        Dialect::Media => media::read(call.surface.medium()?, &body, is_json(headers)).ok()?,
        Dialect::Chat if own == spoken => {
            let read = Read::chat(&body).ok()?;
            let quirks = call.quirks();
            let mended = quirks.of_answers().then(|| quirks::mended(quirks, &body)).flatten();
            return Some((mended.map_or(body, Bytes::from), read));
        }
        Dialect::Embeddings if own == spoken => Read::embeddings(&body).ok()?,
        _ if spoken.embeds() => {
            let reply = spoken.read_embeddings(headers, &body).ok()?;
            let read = Read::of_vectors(&reply);
            if own != spoken {
                let wish = call.wish();
                let written = own.write_embeddings(&reply, wish, &call.facts());
                return (reply.vectors.len() == wish.vectors).then(|| (written.into(), read));
            }
            read
        }
        Dialect::Responses if own == spoken => {
            let read = match spoken.read_answer(&body) {
                Ok(reply) => Read::of(&reply),
                // Its provider works on it in the background.
                Err(Garbled::Empty) => Read::pending(&openai_responses::answer::pending(&body)?),
                Err(_) => return None,
            };
            return Some((call.account()?.mark(body), read));
        }
        _ => {
            let mut reply = spoken.read_answer(&body).ok()?;
            let read = Read::of(&reply);
            if own != spoken {
                if signed_elsewhere(own, spoken) {
                    unsign(&mut reply);
                }
                return Some((own.write_answer(&reply, &call.facts()).into(), read));
            }
            read
        }
    };
    Some((body, read))
}

/// Whether thoughts that go down at Anthropic's surface are not Claude's: their signatures would come back
/// to be refused. Claude's at Bedrock are good at Anthropic.
fn signed_elsewhere(own: Dialect, spoken: Dialect) -> bool {
    own == Dialect::Messages && !matches!(spoken, Dialect::Messages | Dialect::Converse)
}

fn unsign(reply: &mut Reply) {
    for part in reply.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        if let Payload::Thinking(thinking) = &mut part.payload {
            thinking.signature = None;
        }
    }
}

/// The media type of the current candidate's streams.
fn kind_of_stream(call: &Call) -> &'static str {
    if call.spoken().has_messages() {
        "application/vnd.amazon.eventstream"
    } else {
        "text/event-stream"
    }
}

/// A stream of which nothing has arrived; `None`: the provider has none for this surface.
fn begin(call: &Call, provider: &Provider) -> Option<Stream> {
    let (own, spoken) = (call.surface.dialect(), call.spoken());
    if own == spoken && own == Dialect::Chat {
        let stream = ChatStream::new(StreamOptions {
            strip_usage_event: call.scan.include_usage != Some(true),
            end: provider.stream_end,
            choices: u32::try_from(call.scan.n.unwrap_or(1)).unwrap_or(u32::MAX),
        });
        return Some(Stream::Chat(stream.mended(call.quirks())));
    }
    let writer = match call.is_rewritten() {
        true => Some(own.writer(call.surface, call.facts())?),
        false => None,
    };
    let reader = spoken.reader(provider.stream_end, call.choices())?;
    let mut watched = Watched::new(reader, writer, call.scan.body_len);
    if spoken.has_messages() {
        watched = watched.of_messages();
    } else if own == Dialect::Media {
        watched = watched.of_media();
    } else if !call.is_rewritten() && own == Dialect::Responses {
        watched = watched.kept_by(call.account()?);
    } else if spoken == Dialect::Completions && call.scan.include_usage != Some(true) {
        watched = watched.without_usage();
    }
    if signed_elsewhere(own, spoken) {
        watched = watched.unsigned();
    }
    Some(Stream::Watched(Box::new(watched)))
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
        hopeless: None,
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
        .is_some_and(|value| value.as_bytes().starts_with(kind_of_stream(call).as_bytes()));
    let Some((model, _)) = call.model() else { return failed(Class::ModelGone) };
    if !is_stream {
        return failed(Class::TruncatedEarly);
    }
    let Some(mut stream) = begin(call, &model.provider) else { return failed(Class::ModelGone) };
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

//! Everything that reads bytes of a caller or a provider, each as a function that any bytes may be given
//! to. None may panic, hang or grow; beside that each states what must hold of its outcome. Bytes that
//! choose (a dialect, where a piece ends) stand first, so that a mutated input is mostly the same case.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pointsman_core::decode::Decoder;
use pointsman_core::error::{classify, classify_event, retry_after, told_in};
use pointsman_core::intake::Reads;
use pointsman_core::media::form::Reader;
use pointsman_core::scan::{Profile, Scan, ScanError, ScanOptions, Scanner};
use pointsman_core::sse::{ChatStream, StreamOptions, Watched};
use pointsman_core::surface::{self, Surface};
use pointsman_core::table::StreamEnd;
use pointsman_core::wire::Dialect;
use pointsman_core::{check, kept, limits};
use pointsman_wire::eventstream;
use serde::de::IgnoredAny;
use serde_json::Value;

#[path = "../../wire/tests/support/facts.rs"]
mod facts;

use facts::facts;

/// A name (its corpus is `corpus/NAME`) and what reads the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("scanner", scanner),
    ("chat_stream", chat_stream),
    ("event_stream", event_stream),
    ("headers", headers),
    ("errors", errors),
    ("compressed", compressed),
    ("requests", requests),
    ("answers", answers),
    ("streams", streams),
    ("forms", forms),
    ("paths", paths),
    ("table", table),
];

/// What callers speak.
const SURFACES: [Surface; 6] = [
    Surface::Chat,
    Surface::Completions,
    Surface::Responses,
    Surface::Messages,
    Surface::GenerateEvents,
    Surface::GenerateArray,
];
/// What providers speak.
const PROVIDERS: [Dialect; 6] = [
    Dialect::Chat,
    Dialect::Messages,
    Dialect::Gemini,
    Dialect::Converse,
    Dialect::Responses,
    Dialect::Completions,
];

/// What stands between a form's parts.
const BOUNDARIES: [&str; 2] = ["x", "----WebKitFormBoundary7MA4YWxkTrZu0gW"];

/// `body` in two pieces; `at` says where, in 256ths.
fn halves(body: &[u8], at: u8) -> [&[u8]; 2] {
    let (first, second) = body.split_at(body.len() * usize::from(at) / 256);
    [first, second]
}

/// A request body is read the same however it is split, and only where `serde_json` reads it too.
pub fn scanner(data: &[u8]) {
    let Some((&[how, at], body)) = data.split_first_chunk::<2>() else { return };
    let profiles = [
        Profile::Chat,
        Profile::Completions,
        Profile::Responses,
        Profile::Messages,
        Profile::Gemini,
    ];
    let profile = profiles[usize::from(how & 0x0f) % profiles.len()];
    let options = ScanOptions { detect_pii: how & 0x40 != 0, keep_text: how & 0x80 != 0 };
    let scan = |pieces: &[&[u8]]| -> Result<Scan, ScanError> {
        let mut scanner = Scanner::of(profile, options);
        pieces.iter().try_for_each(|piece| scanner.push(piece))?;
        scanner.finish()
    };
    let whole = scan(&[body]);
    // Of several faults a scanner may find either first.
    assert_eq!(whole.as_ref().ok(), scan(&halves(body, at)).ok().as_ref(), "split at {at}");
    if let Ok(scan) = whole {
        serde_json::from_slice::<IgnoredAny>(body)
            .expect("serde_json reads what the scanner reads");
        if let Some(model) = scan.model {
            let again: String = serde_json::from_slice(&body[model.span]).expect("a string");
            assert_eq!(again, model.value);
        }
    }
}

/// A chat stream gives the same bytes however it is split, and ends well only at its end mark.
pub fn chat_stream(data: &[u8]) {
    let Some((&[how, at], body)) = data.split_first_chunk::<2>() else { return };
    let end = if how & 1 == 0 { StreamEnd::Done } else { StreamEnd::Eof };
    let choices = u32::from(how >> 4) + 1;
    let options = StreamOptions { strip_usage_event: how & 2 != 0, end, choices };
    let run = |pieces: &[&[u8]]| {
        let (mut stream, mut out) = (ChatStream::new(options), Vec::new());
        let pushed = pieces
            .iter()
            .try_for_each(|piece| stream.push(Bytes::copy_from_slice(piece), &mut out).map(drop));
        let ended = pushed.and_then(|()| stream.finish(&mut out));
        (out.concat(), ended.is_ok())
    };
    let (whole, ended) = run(&[body]);
    assert_eq!((&whole, ended), (&run(&halves(body, at)).0, run(&halves(body, at)).1));
    if ended && end == StreamEnd::Done {
        assert!(holds(body, b"[DONE]"), "an end without its mark");
    }
    if !ended {
        assert!(!holds(&whole, b"\ndata: [DONE]"), "a cut stream that looks whole");
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|it| it == part)
}

/// Event-stream messages are the same however they are split, and written ones are read again.
pub fn event_stream(data: &[u8]) {
    let Some((&[at], body)) = data.split_first_chunk::<1>() else { return };
    let run = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (eventstream::Decoder::default(), Vec::new());
        let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut out));
        (out, pushed.and_then(|()| decoder.finish()))
    };
    assert_eq!(run(&[body]), run(&halves(body, at)));
    let mut framed = Vec::new();
    eventstream::event("contentBlockDelta", body, &mut framed);
    let (read, ended) = run(&halves(&framed, at));
    assert_eq!((read.len(), ended), (1, Ok(())));
    assert_eq!(read[0].frame().data, body);
}

/// Lines `name: value`, as far as HTTP can carry them.
fn header_map(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// However a provider asks for patience, we are patient for so long and no longer.
pub fn headers(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_367_210);
    if let Some(wait) = retry_after(&header_map(data), now) {
        assert!(wait <= limits::RETRY_AFTER, "{wait:?}");
    }
}

/// An error answer has a class, a bounded wait, and a code that is fit for a label.
pub fn errors(data: &[u8]) {
    let Some((&[status], rest)) = data.split_first_chunk::<1>() else { return };
    let split = rest.windows(2).position(|it| it == b"\n\n");
    let (head, body) = split.map_or((&b""[..], rest), |at| (&rest[..at], &rest[at + 2..]));
    let status = 400 + u16::from(status) % 200;
    let found = classify(status, &header_map(head), body, SystemTime::UNIX_EPOCH);
    let event = serde_json::from_slice::<Value>(body).map(|error| classify_event(&error));
    for found in [Some(found), event.ok()].into_iter().flatten() {
        assert!(found.retry_after.is_none_or(|wait| wait <= limits::RETRY_AFTER));
        let fit = |code: &String| {
            code.len() <= 64
                && code.bytes().all(|it| it.is_ascii_alphanumeric() || b"_.-".contains(&it))
        };
        assert!(found.code.as_ref().is_none_or(fit), "{:?}", found.code);
    }
    black_box(told_in(body));
}

/// A compressed answer never grows beyond its limit or beyond what any text grows.
pub fn compressed(data: &[u8]) {
    let Some((&[how, at], body)) = data.split_first_chunk::<2>() else { return };
    let coding = if how & 1 == 0 { "gzip" } else { "deflate" };
    let headers = header_map(format!("content-encoding: {coding}").as_bytes());
    let limit = usize::from(how >> 1) << 12;
    let Ok(Some(mut decoder)) = Decoder::of(&headers, limit) else { return };
    let mut decoded = 0_u64;
    for piece in halves(body, at) {
        let Ok(bytes) = decoder.push(piece) else { return };
        decoded += bytes.len() as u64;
    }
    assert!(decoded <= limit as u64, "{decoded} of {limit}");
    let most = body.len() as u64 * limits::DECODE_RATIO + limits::DECODE_SLACK_BYTES;
    assert!(decoded <= most, "{decoded} of {} bytes", body.len());
    black_box(decoder.finish().is_ok());
}

/// A request of any surface that can be read is written for every provider as a JSON object.
pub fn requests(data: &[u8]) {
    let Some((&[how], body)) = data.split_first_chunk::<1>() else { return };
    let from = SURFACES[usize::from(how) % SURFACES.len()].dialect();
    let Ok(asked) = from.read_request(body) else { return };
    for to in PROVIDERS {
        let Ok(written) = to.write_request(&asked, "a-model", "max_tokens") else { continue };
        let sent: Value = serde_json::from_slice(&written.body).expect("JSON goes out");
        assert!(sent.is_object(), "{from:?} to {to:?}");
    }
}

/// An answer of any provider that can be read is written for every surface as a JSON object.
pub fn answers(data: &[u8]) {
    let Some((&[how], body)) = data.split_first_chunk::<1>() else { return };
    let from = PROVIDERS[usize::from(how) % PROVIDERS.len()];
    let Ok(reply) = from.read_answer(body) else { return };
    for surface in SURFACES {
        let told = surface.dialect().write_answer(&reply, &facts());
        let told: Value = serde_json::from_slice(&told).expect("JSON goes down");
        assert!(told.is_object(), "{from:?} to {surface:?}");
    }
}

/// A provider's stream, passed on or written anew: the same outcome however it is split, and no end mark
/// of the surface where it was cut.
pub fn streams(data: &[u8]) {
    let Some((&[how, to, at], body)) = data.split_first_chunk::<3>() else { return };
    let from = PROVIDERS[usize::from(how & 0x0f) % PROVIDERS.len()];
    let surface = SURFACES[usize::from(to) % SURFACES.len()];
    let end = if how & 0x80 == 0 { StreamEnd::Done } else { StreamEnd::Eof };
    let run = |pieces: &[&[u8]]| {
        let reader = from.reader(end, u64::from(how >> 4 & 3) + 1)?;
        let writer = surface.dialect().writer(surface, facts());
        let mut stream = Watched::new(reader, writer, 0);
        if from.has_messages() {
            stream = stream.of_messages();
        }
        let mut out = Vec::new();
        let pushed = pieces
            .iter()
            .try_for_each(|piece| stream.push(&Bytes::copy_from_slice(piece), &mut out).map(drop));
        let ended = pushed.and_then(|()| stream.finish(&mut out)).is_ok();
        Some((out.concat(), ended))
    };
    let Some((whole, ended)) = run(&[body]) else { return };
    let Some((split, split_ended)) = run(&halves(body, at)) else { return };
    assert_eq!(ended, split_ended, "{from:?} to {surface:?}");
    if ended {
        assert_eq!(whole, split, "{from:?} to {surface:?}");
        return;
    }
    for cut in [whole, split] {
        for mark in
            [&b"\ndata: [DONE]"[..], b"\nevent: message_stop", b"\nevent: response.completed"]
        {
            assert!(!holds(&cut, mark), "{from:?} to {surface:?}: cut, and looks whole");
        }
    }
}

/// A form is read the same however it is split; its model stands where it says, and its texts are bounded.
pub fn forms(data: &[u8]) {
    let Some((&[how, at], body)) = data.split_first_chunk::<2>() else { return };
    let boundary = BOUNDARIES[usize::from(how) % BOUNDARIES.len()];
    let read = |pieces: &[&[u8]]| {
        let mut reader = Reader::begin(boundary.to_owned());
        pieces.iter().try_for_each(|piece| reader.push(piece))?;
        reader.finish()
    };
    let (whole, split) = (read(&[body]), read(&halves(body, at)));
    let Ok(form) = whole else { return assert!(split.is_err()) };
    assert_eq!(form.length, body.len());
    let texts: usize = form.texts.iter().map(|(_, text)| text.len()).sum();
    assert!(texts <= limits::FORM_TEXT_BYTES);
    if let Some(model) = &form.model {
        assert_eq!(&body[model.span.clone()], model.value.as_bytes());
    }
    assert_eq!(form, split.expect("in two pieces as in one"));
}

/// A request line is one of ours or none; a name in it holds what it held, unescaped.
pub fn paths(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, query) = text.split_once('?').map_or((text, None), |(path, it)| (path, Some(it)));
    if let Ok(uri) = text.parse() {
        black_box(surface::dialect_of(&uri, &HeaderMap::new()));
    }
    for dialect in [Dialect::Chat, Dialect::Messages, Dialect::Gemini] {
        black_box(kept::find(&Method::GET, (path, query), dialect));
    }
    if let Some(asked) = surface::find(path, query)
        && let Some(model) = asked.model
    {
        assert!(model.len() <= 3 * path.len());
    }
}

/// A table is read or refused with a sentence.
pub fn table(data: &[u8]) {
    if let Err(rejected) = check::read(data) {
        assert!(!rejected.to_string().is_empty());
    }
}

//! Chat streams: every cut is told, every split gives the same bytes, whatever came is accounted.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "support/grammar.rs"]
mod grammar;
#[path = "support/recordings.rs"]
mod recordings;

use grammar::{Verdict, check};
use memchr::memmem;
use pointsman_core::error::{BudgetNo, Class, LimitName, Refusal};
use pointsman_core::sse::{StreamFault, StreamOptions, cut_event, refusal_cut_event};
use pointsman_core::table::StreamEnd;
use pointsman_core::usage::Usage;
use proptest::prelude::*;
use recordings::{COMPLETE, Downstream, Recording, run};

fn named(name: &str) -> &'static Recording {
    COMPLETE.iter().find(|recording| recording.name == name).unwrap()
}

fn complete(end: StreamEnd) -> Verdict {
    if end == StreamEnd::Done { Verdict::Done } else { Verdict::Finished }
}

/// The first byte count at which the upstream's answer was complete: after `[DONE]`, or after the last
/// event's JSON where the server ends by EOF. Found by searching, not by the engine.
fn complete_at(recording: &Recording) -> usize {
    match recording.end {
        StreamEnd::Done => memmem::rfind(recording.body, b"[DONE]").unwrap() + "[DONE]".len(),
        StreamEnd::Eof => recording.body.trim_ascii_end().len(),
    }
}

/// I9: cut at every byte, an answer is complete downstream only if it was complete upstream.
#[test]
fn i9_cut_at_every_byte_never_looks_complete() {
    for recording in COMPLETE {
        for strip in [false, true] {
            for cut in 0..=recording.body.len() {
                let down = run(recording.options(strip), [&recording.body[..cut]]);
                let at = format!("{} cut at {cut}", recording.name);
                let verdict = check(&down.body).unwrap_or_else(|broken| panic!("{at}: {broken}"));
                if cut >= complete_at(recording) {
                    assert_eq!(down.result, Ok(()), "{at}");
                    assert_eq!(verdict, complete(recording.end), "{at}");
                } else {
                    assert_eq!(down.result, Err(StreamFault::Truncated), "{at}");
                    let told =
                        if down.stream.committed() { Verdict::Failed } else { Verdict::Empty };
                    assert_eq!(verdict, told, "{at}");
                }
            }
        }
    }
}

/// Split in two at every byte, the caller gets the same bytes.
#[test]
fn every_split_gives_the_same_bytes() {
    for recording in COMPLETE {
        let whole = run(recording.options(true), [recording.body]);
        for at in 0..=recording.body.len() {
            let (a, b) = recording.body.split_at(at);
            let down = run(recording.options(true), [a, b]);
            assert_eq!(down.result, Ok(()), "{} split at {at}", recording.name);
            assert!(down.body == whole.body, "{} split at {at}", recording.name);
            assert_eq!(down.stream.seen(), whole.stream.seen());
        }
    }
}

proptest! {
    /// Cut anywhere and split into any pieces: same bytes, same fault, same account, valid grammar.
    #[test]
    fn any_pieces_of_any_cut_give_the_same(
        which in 0..COMPLETE.len(),
        cut in 0.0..=1.0_f64,
        sizes in proptest::collection::vec(1..400_usize, 1..40),
        strip in any::<bool>(),
    ) {
        let recording = &COMPLETE[which];
        let cut = (recording.body.len() as f64 * cut) as usize;
        let body = &recording.body[..cut];
        let mut pieces = Vec::new();
        let (mut rest, mut sizes) = (body, sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let whole = run(recording.options(strip), [body]);
        let split = run(recording.options(strip), pieces);
        prop_assert_eq!(&split.result, &whole.result);
        prop_assert!(split.body == whole.body);
        prop_assert_eq!(split.stream.seen(), whole.stream.seen());
        prop_assert!(check(&split.body).is_ok());
    }

    /// Whatever bytes arrive, nothing panics, and what goes down is valid or nothing.
    #[test]
    fn garbage_never_passes(
        which in 0..COMPLETE.len(),
        at in 0.0..1.0_f64,
        junk in proptest::collection::vec(any::<u8>(), 1..30),
    ) {
        let recording = &COMPLETE[which];
        let at = (recording.body.len() as f64 * at) as usize;
        let mut body = recording.body.to_vec();
        body.splice(at..at, junk);
        let down = run(recording.options(false), [&body[..]]);
        if down.result.is_err() && down.stream.committed() {
            let text = String::from_utf8_lossy(&down.body);
            prop_assert!(text.contains("\"error\":"), "{}", text);
            prop_assert!(!text.contains("data: [DONE]\n\n"), "{}", text);
        }
    }
}

/// Bytes pass unchanged, odd spellings included; only comments from before the first content are dropped.
#[test]
fn bytes_pass_unchanged() {
    for recording in COMPLETE {
        let down = run(recording.options(false), [recording.body]);
        let start = memmem::find(recording.body, b"data:").unwrap();
        assert!(down.body == recording.body[start..], "{}", recording.name);
    }
}

/// The usage event that only we asked for stays here, `"usage":null` members stay byte-equal.
#[test]
fn strips_exactly_the_usage_event() {
    for name in ["vllm_usage", "openai_text_usage", "openai_two_choices", "empty_answer"] {
        let recording = named(name);
        let down = run(recording.options(true), [recording.body]);
        let events: Vec<&[u8]> = split_events(recording.body);
        let kept: Vec<&[u8]> = events
            .iter()
            .filter(|event| memmem::find(event, b"\"choices\":[],").is_none())
            .copied()
            .collect();
        assert_eq!(kept.len() + 1, events.len(), "{name}");
        assert!(down.body == kept.concat(), "{name}");
        assert!(down.stream.usage().is_some(), "{name}");
    }
    let filters = named("azure_filters");
    let down = run(filters.options(true), [filters.body]);
    assert!(memmem::find(&down.body, b"prompt_filter_results").is_some());
    assert!(memmem::find(&down.body, b"prompt_tokens").is_none());
}

fn split_events(body: &[u8]) -> Vec<&[u8]> {
    let mut ends: Vec<usize> = memmem::find_iter(body, b"\n\n").map(|at| at + 2).collect();
    ends.insert(0, 0);
    ends.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

/// The last usage counts, wherever it sits; zeros are values.
#[test]
fn accounts_for_what_came() {
    let usage = |name: &str| {
        let recording = named(name);
        *run(recording.options(true), [recording.body]).stream.usage().unwrap()
    };
    let plain = |input, output| Usage { input, output, ..Usage::default() };
    assert_eq!(usage("vllm_usage"), plain(10, 16));
    assert_eq!(usage("vllm_continuous_usage"), plain(10, 8));
    assert_eq!(usage("odd_framing"), plain(4, 2));
    assert_eq!(usage("groq_usage"), plain(7, 3));
    assert_eq!(usage("empty_answer"), plain(0, 0));
    assert_eq!(usage("deepseek_queued"), Usage { reasoning: 3, ..plain(12, 6) });
    let full = Usage { input: 19, cached_input: 16, output: 9, reasoning: 2, ..Usage::default() };
    assert_eq!(usage("openai_text_usage"), full);

    let recording = named("openai_text_usage");
    let stream = run(recording.options(true), [recording.body]).stream;
    assert_eq!(stream.upstream_id(), Some("chatcmpl-CeA1"));
    assert_eq!(stream.service_tier(), Some("default"));
    assert_eq!(stream.content_events(), 6);
    let texts =
        ["Grüße", r#"! 🚂 The \"points\""#, r" are set:\n\n", r" [DONE]\n\n", "data: [DONE]"];
    let json = r#"{\"error\": \"usage\", \"finish_reason\": \"stop\"}"#;
    let bytes = texts.iter().map(|text| text.len()).sum::<usize>() + json.len();
    assert_eq!(stream.delta_bytes(), bytes as u64);
    assert_eq!(stream.seen().largest, json.len() as u64);
}

const CHUNK: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;

fn stream_of(events: &[&str]) -> Downstream {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let options = StreamOptions { strip_usage_event: true, end: StreamEnd::Done, choices: 1 };
    run(options, [body.as_bytes()])
}

/// An error before any content is classified and retriable; afterwards it is passed on as an error event.
#[test]
fn error_events_are_faults() {
    let error = r#"{"error":{"message":"Overloaded","type":"overloaded_error","code":null}}"#;
    let early = stream_of(&[error]);
    assert!(early.body.is_empty());
    assert_eq!(early.result.unwrap_err().class(false), Class::Overload);

    let late = stream_of(&[CHUNK, error]);
    assert_eq!(check(&late.body), Ok(Verdict::Failed));
    assert!(memmem::find(&late.body, b"Overloaded").is_some());
    assert_eq!(late.result.unwrap_err().class(true), Class::MidStream);

    let key = r#"{"error":{"message":"Incorrect key sk-secret","code":"invalid_api_key"}}"#;
    let secret = stream_of(&[CHUNK, key]);
    assert_eq!(check(&secret.body), Ok(Verdict::Failed));
    assert!(memmem::find(&secret.body, b"sk-secret").is_none());

    let finish = CHUNK.replace("null", "\"error\"");
    assert!(matches!(stream_of(&[&finish]).result, Err(StreamFault::ErrorEvent { .. })));
    let null = CHUNK.replacen('{', r#"{"error":null,"#, 1);
    assert_eq!(stream_of(&[&null]).result, Err(StreamFault::Truncated));
}

/// Events that are not JSON chunks end the stream with an error, `[DONE]` too soon is a truncation.
#[test]
fn nonsense_is_a_fault() {
    for garbage in ["garbage", "{", "[]", "{}x", r#"{"a":nope}"#, r#"{"choices":[{"index":200}]}"#]
    {
        let down = stream_of(&[CHUNK, garbage]);
        assert_eq!(down.result, Err(StreamFault::Garbage), "{garbage}");
        assert_eq!(check(&down.body), Ok(Verdict::Failed));
    }
    let early = stream_of(&[CHUNK, "[DONE]"]);
    assert_eq!(early.result, Err(StreamFault::Truncated));
    assert_eq!(check(&early.body), Ok(Verdict::Failed));
}

/// Of two choices asked for, one finished is not enough.
#[test]
fn every_expected_choice_must_finish() {
    let body = named("vllm_usage");
    let options = StreamOptions { choices: 2, ..body.options(true) };
    assert_eq!(run(options, [body.body]).result, Err(StreamFault::Truncated));
}

/// What follows the proper end is ignored.
#[test]
fn nothing_follows_the_end() {
    let recording = named("vllm_usage");
    let long = [recording.body, b"data: {\"error\":{\"message\":\"late\"}}\n\n"].concat();
    let down = run(recording.options(false), [&long[..]]);
    assert_eq!(down.result, Ok(()));
    assert!(down.body == recording.body);
}

/// Held bytes and single events are bounded.
#[test]
fn bounds_hold() {
    let role = CHUNK.replace("Hi", "");
    let many = vec![role.as_str(); 1000];
    let down = stream_of(&many);
    assert_eq!((down.result, down.body.len()), (Err(StreamFault::HoldOverflow), 0));
    let huge = format!("data: {}", "x".repeat(5 << 20));
    let options = StreamOptions { strip_usage_event: true, end: StreamEnd::Done, choices: 1 };
    let pieces = huge.as_bytes().chunks(64 << 10);
    assert_eq!(run(options, pieces).result, Err(StreamFault::EventTooLarge));
}

/// Every way to break off is told by an event that SDKs raise at, a Budget's with its name and reset.
#[test]
fn every_cut_has_its_event() {
    let chunk = format!("data: {CHUNK}\n\n");
    for fault in [
        StreamFault::Truncated,
        StreamFault::Garbage,
        StreamFault::HoldOverflow,
        StreamFault::EventTooLarge,
        StreamFault::Undecodable,
        StreamFault::Stalled,
        StreamFault::Broken,
        StreamFault::ErrorEvent { class: Class::Server, code: None, error: None },
    ] {
        let body = [chunk.as_bytes(), &cut_event(&fault)].concat();
        assert_eq!(check(&body), Ok(Verdict::Failed), "{fault:?}");
        assert!(fault.class(false).row() < 14 && fault.class(true) == Class::MidStream);
    }
    let of = LimitName {
        budget: "demo/team".to_owned(),
        limit: "day (5 USD)".to_owned(),
        resets_at: "2026-11-23T00:00:00+01:00".to_owned(),
    };
    let refusal = Refusal::Budget { no: BudgetNo::UsedUp, of };
    let body = [chunk.as_bytes(), &refusal_cut_event(&refusal)].concat();
    assert_eq!(check(&body), Ok(Verdict::Failed));
    for part in ["demo/team", "2026-11-23T00:00:00+01:00", "insufficient_quota"] {
        assert!(memmem::find(&body, part.as_bytes()).is_some(), "{part}");
    }
}

/// An error object with line breaks in it cannot break out of its event.
#[test]
fn errors_cannot_inject_events() {
    let error = "{\"error\":{\"message\":\"over two lines\",\n\"code\":1}}";
    let down = stream_of(&[CHUNK, &error.replace('\n', "\ndata: ")]);
    assert!(matches!(down.result, Err(StreamFault::ErrorEvent { error: Some(_), .. })));
    assert_eq!(check(&down.body), Ok(Verdict::Failed));
}

/// The checker itself refuses what no caller may see.
#[test]
fn the_grammar_has_teeth() {
    let finish = CHUNK.replace("null", "\"stop\"");
    let tool = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t","function":{"name":"f"}}]},"finish_reason":null}]}"#;
    let other = CHUNK.replace("\"id\":\"c\"", "\"id\":\"d\"");
    for events in [
        vec![CHUNK, "[DONE]"],
        vec![&finish, CHUNK],
        vec![&finish, &finish],
        vec![&finish, "[DONE]", CHUNK],
        vec![CHUNK, &other],
        vec![tool],
        vec!["{"],
    ] {
        let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        assert!(check(body.as_bytes()).is_err(), "{body}");
        assert!(check(body.trim_end().as_bytes()).is_err());
    }
    let open = format!("data: {CHUNK}\n\n");
    assert_eq!(check(open.as_bytes()), Ok(Verdict::Open));
}

//! The provider's scripted faults, seen from a raw socket.

use std::io::Read;
use std::time::Instant;

use base64::Engine;
use serde_json::{Value, json};

use crate::driver::{End, provider, receive};

fn stream() -> Value {
    json!({"stream": true})
}

/// A cut at byte N delivers exactly N bytes of the body, at every N, plain and streamed, and
/// ends as the script says.
#[test]
fn cuts_are_exact_at_every_byte() {
    let provider = provider(&json!({}));
    for extra in [json!({}), stream()] {
        let whole = provider.chat(&json!({"text": "abc"}), &extra);
        let lengths = (0..whole.body.len()).step_by(37).chain([whole.body.len() - 1]);
        for at in lengths {
            for (cut, end) in [("reset", End::Reset), ("eof", End::Eof), ("end", End::Whole)] {
                let action = json!({"text": "abc", "cutAtByte": at, "cut": cut});
                let answer = provider.chat(&action, &extra);
                assert_eq!((answer.body.len(), answer.end), (at, end), "{cut} at {at}");
            }
        }
    }
    assert!(provider.bill().iter().all(|line| line["cost"].is_u64()));
}

/// A cut at an event comes between events.
#[test]
fn cuts_at_events_lie_between_events() {
    let provider = provider(&json!({}));
    for count in 0..6 {
        let action = json!({"text": "some words to stream", "cutAtEvent": count, "cut": "eof"});
        let answer = provider.chat(&action, &stream());
        assert_eq!((answer.events().len(), answer.end), (count, End::Eof));
        assert!(count == 0 || answer.body.ends_with(b"\n\n"));
    }
}

/// Garbage and errors in a stream, a missing end, CRLF, comments.
#[test]
fn streams_can_be_damaged() {
    let provider = provider(&json!({}));
    let answer = provider.chat(&json!({"garbageAtEvent": 2}), &stream());
    assert!(serde_json::from_str::<Value>(&answer.events()[2]).is_err());
    let answer = provider.chat(&json!({"errorAtEvent": 2}), &stream());
    let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
    assert_eq!((answer.events().len(), &last["error"]["type"]), (3, &"server_error".into()));
    let answer = provider.chat(&json!({"noDone": true}), &stream());
    assert!(answer.events().last().unwrap().contains("\"finish_reason\":\"stop\""));
    let answer = provider.chat(&json!({"crlf": true, "comments": true}), &stream());
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains(": keep-alive\r\n\r\ndata: ") && text.ends_with("[DONE]\r\n\r\n"));
}

/// Scripted statuses carry their headers and OpenAI's error document.
#[test]
fn statuses_carry_their_headers() {
    let provider = provider(&json!({}));
    let action = json!({"status": 429, "headers": {"retry-after": "7"}});
    let answer = provider.chat(&action, &json!({}));
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 7"));
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    let answer = provider.chat(&json!({"body": "{\"half", "status": 200}), &json!({}));
    assert_eq!((answer.status, answer.body), (200, b"{\"half".to_vec()));
    let answer = provider.chat(&json!({"headers": {"x-big": "y".repeat(9000)}}), &json!({}));
    assert!(answer.head.len() > 9000);
    assert_eq!(provider.bill().len(), 1);
}

/// What nobody asked to be compressed is, and still is the whole answer.
#[test]
fn compression_is_forced() {
    let provider = provider(&json!({}));
    for extra in [json!({}), stream()] {
        let answer = provider.chat(&json!({"compress": "gzip", "text": "plain"}), &extra);
        assert!(answer.head.contains("content-encoding: gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert!(text.contains("plain"));
        let answer = provider.chat(&json!({"compress": "deflate", "text": "plain"}), &extra);
        let mut text = String::new();
        flate2::read::ZlibDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert!(text.contains("plain"));
    }
}

/// Raw bytes replace the answer; a refused request is reset without one.
#[test]
fn raw_bytes_and_refusals() {
    let provider = provider(&json!({}));
    let raw = base64::engine::general_purpose::STANDARD.encode("not HTTP at all\n");
    let answer = provider.chat(&json!({"raw": raw}), &json!({}));
    assert_eq!((answer.status, answer.end), (0, End::Eof));
    assert_eq!(answer.body, b"not HTTP at all\n");
    let answer = provider.chat(&json!({"refuse": true}), &json!({}));
    assert_eq!((answer.status, answer.end), (0, End::Reset));
    assert!(provider.bill().is_empty());
}

/// Delays lie where the script puts them: before the head, or before the first content.
#[test]
fn delays_lie_where_they_are_put() {
    let provider = provider(&json!({}));
    for (action, head_first) in [(r#"{"delayMs":200}"#, false), (r#"{"firstTokenMs":200}"#, true)] {
        let start = Instant::now();
        let header = format!("x-sim-do: {action}\r\n");
        let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
        let mut socket = provider.send("/v1/chat/completions", &header, body);
        socket.peek(&mut [0; 1]).unwrap();
        assert_eq!(start.elapsed().as_millis() < 150, head_first, "{action}");
        assert_eq!(receive(&mut socket).end, End::Whole);
        assert!(start.elapsed().as_millis() >= 200, "{action}");
    }
}

/// `chunkBytes` splits the body without changing it.
#[test]
fn small_chunks_change_nothing() {
    let provider = provider(&json!({}));
    let action = |chunk: Value| json!({"text": "same", "chunkBytes": chunk});
    let small = provider.chat(&action(json!(7)), &stream());
    let whole = provider.chat(&action(Value::Null), &stream());
    assert_eq!(small.events().len(), whole.events().len());
    assert_eq!((small.body.len(), small.end), (whole.body.len(), End::Whole));
}

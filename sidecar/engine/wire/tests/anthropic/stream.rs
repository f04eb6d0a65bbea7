//! Streams: what Anthropic's servers send is read whole, and what is written keeps to the grammar.

use pointsman_wire::anthropic_messages::stream::{Reader, Writer};
use pointsman_wire::form::{
    Event, Finish, FinishReason, Frame, Garbled, Opening, Piece, Reader as _, Tokens, Writer as _,
};
use serde_json::{Value, json};

use crate::build::facts;
use crate::grammar::{self, Verdict};

/// What a reader makes of events, each named by its type.
pub(crate) fn read(told: &[Value]) -> Result<Vec<Event>, Garbled> {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    for one in told {
        let data = one.as_str().map_or_else(|| one.to_string(), str::to_owned);
        let name = one["type"].as_str().unwrap_or_default();
        reader.read(Frame { name, data: data.as_bytes() }, &mut events)?;
    }
    reader.finish(&mut events)?;
    Ok(events)
}

pub(crate) fn written(events: &[Event]) -> Vec<u8> {
    let (mut writer, mut out) = (Writer::new(facts()), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    out
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "m1", "type": "message", "role": "assistant",
        "model": "claude", "content": [], "usage": {"input_tokens": 20, "output_tokens": 1,
        "cache_creation_input_tokens": 10, "cache_creation": {"ephemeral_1h_input_tokens": 4}}}})
}

fn block(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    [
        json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}),
        json!({"type": "message_stop"}),
    ]
}

fn text(index: u64, words: &str) -> Vec<Value> {
    vec![
        block(index, &json!({"type": "text", "text": ""})),
        delta(index, &json!({"type": "text_delta", "text": words})),
        stop(index),
    ]
}

fn finish(reason: FinishReason, raw: &str) -> Event {
    Event::Finish { choice: 0, finish: Finish { reason, raw: raw.into() } }
}

fn piece(part: u32, piece: Piece) -> Event {
    Event::Delta { choice: 0, part, piece }
}

fn open(part: u32, opening: Opening) -> Event {
    Event::Open { choice: 0, part, opening }
}

fn close(part: u32) -> Event {
    Event::Close { choice: 0, part }
}

fn calls(part: u32, id: &str) -> Event {
    let (id, name) = (id.into(), "f".into());
    open(part, Opening::Call { id, name, custom: false, signature: None })
}

/// A stream of every kind of block, with pings, is read event by event; usage is replaced, not added.
#[test]
fn a_stream_is_read() {
    let mut told = vec![start(), json!({"type": "ping"})];
    told.push(block(0, &json!({"type": "thinking", "thinking": "", "signature": ""})));
    told.push(delta(0, &json!({"type": "thinking_delta", "thinking": "hm"})));
    told.push(delta(0, &json!({"type": "signature_delta", "signature": "sig=="})));
    told.push(stop(0));
    told.push(block(1, &json!({"type": "redacted_thinking", "data": "blob"})));
    told.push(stop(1));
    told.push(block(
        2,
        &json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
    ));
    told.push(delta(2, &json!({"type": "input_json_delta", "partial_json": "{}"})));
    told.push(stop(2));
    told.extend(text(3, "a\nb"));
    told.push(block(4, &json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})));
    told.push(delta(4, &json!({"type": "input_json_delta", "partial_json": ""})));
    told.push(delta(4, &json!({"type": "input_json_delta", "partial_json": "{\"a\": 1.0"})));
    told.push(json!({"type": "ping"}));
    told.push(delta(4, &json!({"type": "input_json_delta", "partial_json": "}"})));
    told.push(stop(4));
    told.push(json!({"type": "content_block_invented", "index": 9}));
    told.extend(end("tool_use"));
    let usage = |output| {
        Event::Usage(Tokens {
            input: 30,
            cache_write: 6,
            cache_write_long: 4,
            output,
            ..Tokens::default()
        })
    };
    let expected = vec![
        Event::Begin { id: Some("m1".into()), model: Some("claude".into()), created: None },
        usage(1),
        open(0, Opening::Thinking { redacted: false }),
        piece(0, Piece::Text("hm".into())),
        piece(0, Piece::Signature("sig==".into())),
        close(0),
        open(1, Opening::Thinking { redacted: true }),
        piece(1, Piece::Signature("blob".into())),
        close(1),
        open(2, Opening::Foreign("server_tool_use".into())),
        close(2),
        open(3, Opening::Text),
        piece(3, Piece::Text("a\nb".into())),
        close(3),
        open(4, Opening::Call { id: "t".into(), name: "f".into(), custom: false, signature: None }),
        piece(4, Piece::Arguments("{\"a\": 1.0".into())),
        piece(4, Piece::Arguments("}".into())),
        close(4),
        finish(FinishReason::Calls, "tool_use"),
        usage(7),
        Event::End,
    ];
    assert_eq!(read(&told).unwrap(), expected);
}

/// I9: a stream is whole with its stop reason and its end mark, and with nothing less.
#[test]
fn a_cut_stream_is_not_whole() {
    let mut told = vec![start()];
    told.extend(text(0, "a"));
    told.extend(end("end_turn"));
    assert_eq!(read(&told).unwrap().last(), Some(&Event::End));
    for cut in 0..told.len() {
        assert_eq!(read(&told[..cut]), Err(Garbled::Malformed), "{cut}");
    }
    let mut unreasoned = told.clone();
    unreasoned.remove(told.len() - 2);
    assert_eq!(read(&unreasoned), Err(Garbled::Malformed));
}

/// What is against the grammar is not taken for an answer.
#[test]
fn a_lawless_stream_is_refused() {
    let opened = block(0, &json!({"type": "text", "text": ""}));
    let table = [
        vec![opened.clone()],
        vec![start(), start()],
        vec![start(), opened.clone(), opened.clone()],
        vec![start(), stop(0)],
        vec![start(), delta(0, &json!({"type": "text_delta", "text": "a"}))],
        vec![
            start(),
            opened.clone(),
            delta(0, &json!({"type": "input_json_delta", "partial_json": "{"})),
        ],
        vec![start(), json!("{\"type\": \"content_block_start\"")],
        vec![start(), end("end_turn")[0].clone(), opened],
    ];
    for told in table {
        assert_eq!(read(&told), Err(Garbled::Malformed), "{told:?}");
    }
}

/// An error in the stream is told with the provider's words, and nothing is whole after it.
#[test]
fn an_error_in_the_stream_is_told() {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    let error =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    for told in [start(), error.clone()] {
        let data = told.to_string();
        reader.read(Frame { name: "", data: data.as_bytes() }, &mut events).unwrap();
    }
    assert_eq!(events.last(), Some(&Event::Error(error["error"].to_string())));
    assert!(reader.finish(&mut events).is_err());
}

/// A11: arguments that come whole in the block's beginning are not lost, and count once.
#[test]
fn arguments_that_come_whole_are_read() {
    let whole = block(0, &json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}));
    let again = delta(0, &json!({"type": "input_json_delta", "partial_json": "{\"a\":2}"}));
    let arguments = |told: Vec<Value>| -> Vec<String> {
        let events = read(&told).unwrap().into_iter();
        let said = events.filter_map(|event| match event {
            Event::Delta { piece: Piece::Arguments(text), .. } => Some(text),
            _ => None,
        });
        said.collect()
    };
    let [delta, over] = end("tool_use");
    // The stop may be missing too.
    assert_eq!(arguments(vec![start(), whole.clone(), delta.clone(), over.clone()]), ["{\"a\":1}"]);
    assert_eq!(arguments(vec![start(), whole, again, stop(0), delta, over]), ["{\"a\":2}"]);
}

/// The recorded stream of vLLM's server of this dialect is read (shared data, `wire.json`).
#[test]
fn a_recorded_stream_is_read() {
    let recorded = [
        json!({"type":"message_start","message":{"id":"chatcmpl-8025e7ed52ca3cfa","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":0}}}),
        json!({"type":"content_block_start","content_block":{"type":"text","text":""},"index":0}),
        json!({"type":"content_block_delta","delta":{"type":"text_delta","text":" (\u{2013}"},"index":0}),
        json!({"type":"content_block_delta","delta":{"type":"text_delta","text":" coin"},"index":0}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"input_tokens":10,"output_tokens":6}}),
        json!({"type":"message_stop"}),
        json!("[DONE]"),
    ];
    let events = read(&recorded).unwrap();
    let message = grammar::message(&written(&events));
    assert_eq!(message["content"], json!([{"type": "text", "text": " (\u{2013} coin"}]));
    assert_eq!(
        (&message["usage"]["input_tokens"], &message["usage"]["output_tokens"]),
        (&json!(10), &json!(6))
    );
    assert_eq!(message["stop_reason"], "max_tokens");
}

/// The first event tells the estimate of the prompt, the last what it cost (A4).
#[test]
fn the_first_event_tells_an_estimate() {
    let begin = Event::Begin { id: None, model: None, created: None };
    let tokens = Tokens { input: 30, cache_read: 20, output: 2, ..Tokens::default() };
    let out =
        written(&[begin, finish(FinishReason::Stop, "stop"), Event::Usage(tokens), Event::End]);
    assert_eq!(grammar::check(&out), Ok(Verdict::Complete));
    let text = String::from_utf8(out.clone()).unwrap();
    let first = text.split("\n\n").next().unwrap();
    let first: Value = serde_json::from_str(first.split_once("data: ").unwrap().1).unwrap();
    let expected = json!({"input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0});
    assert_eq!(first["message"]["usage"], expected);
    assert_eq!(
        (&first["message"]["id"], &first["message"]["model"]),
        (&json!("msg_f1"), &json!("asked"))
    );
    let message = grammar::message(&out);
    assert_eq!(
        (&message["usage"]["input_tokens"], &message["usage"]["cache_read_input_tokens"]),
        (&json!(10), &json!(20))
    );
    assert_eq!(message["stop_reason"], "end_turn");
}

/// A11: parallel calls, their pieces interleaved, become blocks one after the other, each with its own
/// arguments and index; empty texts leave no block.
#[test]
fn parallel_calls_do_not_overlap() {
    let arguments = |part, text: &str| piece(part, Piece::Arguments(text.into()));
    let events = [
        Event::Begin { id: Some("c".into()), model: Some("m".into()), created: None },
        open(0, Opening::Text),
        piece(0, Piece::Text(String::new())),
        calls(1, "a:0"),
        calls(2, ""),
        arguments(1, "{\"x\""),
        arguments(2, "{\"y\":2}"),
        arguments(1, ":1}"),
        calls(3, "c"),
        close(0),
        close(1),
        close(2),
        close(3),
        finish(FinishReason::Stop, "stop"),
        Event::End,
    ];
    let message = grammar::message(&written(&events));
    let expected = json!([
        {"type": "tool_use", "id": "a_0", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "toolu_f1_1", "name": "f", "input": {"y": 2}},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    ]);
    assert_eq!(message["content"], expected);
    assert_eq!(message["stop_reason"], "tool_use");
}

/// Signatures go down whole, for clients replace them by each delta; redacted data stands at the beginning.
#[test]
fn signatures_go_down_whole() {
    let events = [
        Event::Begin { id: None, model: None, created: None },
        open(0, Opening::Thinking { redacted: false }),
        piece(0, Piece::Signature("si".into())),
        piece(0, Piece::Text("hm".into())),
        piece(0, Piece::Signature("g".into())),
        close(0),
        open(1, Opening::Thinking { redacted: true }),
        piece(1, Piece::Signature("bl".into())),
        piece(1, Piece::Signature("ob".into())),
        close(1),
        open(2, Opening::Thinking { redacted: false }),
        close(2),
        open(3, Opening::Foreign("audio".into())),
        piece(3, Piece::Text("x".into())),
        close(3),
        open(4, Opening::Refusal),
        piece(4, Piece::Text("no".into())),
        close(4),
        finish(FinishReason::Stop, "stop"),
        Event::End,
    ];
    let message = grammar::message(&written(&events));
    let expected = json!([
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "text", "text": "no"},
    ]);
    assert_eq!(message["content"], expected);
    assert_eq!(message["stop_reason"], "refusal");
}

/// Nothing looks like an end that is none: not an end without a finish, and nothing comes after the end.
#[test]
fn only_a_proper_end_is_written() {
    let begin = Event::Begin { id: None, model: None, created: None };
    let words = [begin.clone(), open(0, Opening::Text), piece(0, Piece::Text("a".into()))];
    for broken in [Event::End, Event::Error("{}".into())] {
        let out = written(&[words.as_slice(), &[broken]].concat());
        assert_eq!(grammar::check(&out), Ok(Verdict::Incomplete));
    }
    let done = [begin, finish(FinishReason::Stop, "stop"), Event::End];
    let more = [done.as_slice(), &words, &[Event::End]].concat();
    assert_eq!(grammar::check(&written(&more)), Ok(Verdict::Complete));
    assert_eq!(written(&more), written(&done));
}

/// The second choice of another provider's stream has no place here.
#[test]
fn another_choice_is_left_out() {
    let events = [
        Event::Begin { id: None, model: None, created: None },
        Event::Open { choice: 1, part: 0, opening: Opening::Text },
        open(0, Opening::Text),
        Event::Delta { choice: 1, part: 0, piece: Piece::Text("other".into()) },
        piece(0, Piece::Text("mine".into())),
        Event::Close { choice: 1, part: 0 },
        close(0),
        Event::Finish {
            choice: 1,
            finish: Finish { reason: FinishReason::Length, raw: "length".into() },
        },
        finish(FinishReason::Stop, "stop"),
        Event::End,
    ];
    let message = grammar::message(&written(&events));
    assert_eq!(message["content"], json!([{"type": "text", "text": "mine"}]));
    assert_eq!(message["stop_reason"], "end_turn");
}

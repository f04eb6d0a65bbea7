//! Golden cases of Converse, one file each, named after the row of wire.md A11 where there is one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use pointsman_wire::eventstream::{Decoder, Message};
use pointsman_wire::form::{Cannot, Conversation, Event, Frame, Loss, Reader, Writer, Written};
use pointsman_wire::{Facts, anthropic_messages, bedrock_converse, openai_chat};
use serde_json::{Value, json};

#[path = "support/grammar_bedrock.rs"]
mod grammar;

const MODEL: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn cases() -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bedrock_converse");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let case = serde_json::from_slice(&std::fs::read(&path).unwrap());
        cases.push((name.clone(), case.unwrap_or_else(|error| panic!("{name}: {error}"))));
    }
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}

fn facts() -> Facts {
    Facts {
        id: "x1".into(),
        requested: "asked".into(),
        now: 1_700_000_000,
        input_estimate: 0,
        stream_usage: true,
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn losses(lost: &[Loss]) -> Value {
    lost.iter().map(|loss| loss.path.as_str()).collect()
}

fn written(outcome: Result<Written, Cannot>) -> Value {
    match outcome {
        Ok(written) => json!({
            "body": serde_json::from_slice::<Value>(&written.body).unwrap(),
            "losses": losses(&written.losses),
        }),
        Err(cannot) => json!({"cannot": cannot.path}),
    }
}

/// `frames`: pairs of name and data; what came of them, and whether the stream ended properly.
fn streamed(
    frames: &[Value],
    mut reader: impl Reader,
    mut writer: impl Writer,
) -> (Vec<u8>, &'static str) {
    let (mut events, mut out) = (Vec::new(), Vec::new());
    let mut end = "proper";
    for frame in frames {
        let text = frame[1].as_str().map_or_else(|| frame[1].to_string(), str::to_owned);
        let frame = Frame { name: frame[0].as_str().unwrap(), data: text.as_bytes() };
        if reader.read(frame, &mut events).is_err() {
            end = "garbled";
        }
    }
    if reader.finish(&mut events).is_err() {
        end = "cut";
    }
    for event in &events {
        if let Event::Error(error) = event {
            assert!(error.contains("Exception"), "{error}");
            end = "error";
        }
        writer.write(event, &mut out);
    }
    (out, end)
}

fn to_chat(frames: &[Value]) -> Value {
    let reader = bedrock_converse::stream::Reader::default();
    let (out, end) = streamed(frames, reader, openai_chat::stream::Writer::new(facts()));
    let text = String::from_utf8(out).unwrap();
    let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let chunk = |data: &str| serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
    let brief = |mut chunk: Value| match chunk.pointer_mut("/choices/0").map(Value::take) {
        None => chunk.get("usage").cloned().unwrap_or(chunk),
        Some(choice) => json!([choice["delta"], choice["finish_reason"]]),
    };
    json!({"end": end, "chunks": data.map(chunk).map(brief).collect::<Vec<Value>>()})
}

fn from_chat(frames: &[Value]) -> Value {
    let writer = bedrock_converse::stream::Writer::new(facts());
    let (out, end) = streamed(frames, openai_chat::stream::Reader::default(), writer);
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    decoder.push(&out, &mut messages).unwrap();
    let verdict = format!("{:?}", grammar::check(&out));
    let payload = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let pair = |message: &Message| json!([message.name, payload(&message.payload)]);
    json!({"end": end, "verdict": verdict, "events": messages.iter().map(pair).collect::<Vec<_>>()})
}

/// What a case's input becomes.
fn outcome(case: &Value) -> Value {
    let input = bytes(&case["input"]);
    let model = case["model"].as_str().unwrap_or(MODEL);
    let chat = |body: &[u8]| -> Conversation { openai_chat::request::read(body).unwrap() };
    match case["what"].as_str().unwrap() {
        "chat request to converse" => {
            written(bedrock_converse::request::write(&chat(&input), model))
        }
        "messages request to converse" => {
            let conversation = anthropic_messages::request::read(&input).unwrap();
            written(bedrock_converse::request::write(&conversation, model))
        }
        "converse request to chat" => match bedrock_converse::request::read(&input) {
            Ok(conversation) => written(openai_chat::request::write(&conversation, "gpt-x")),
            Err(unreadable) => json!({"unreadable": unreadable.path}),
        },
        "converse request to converse" => {
            let conversation = bedrock_converse::request::read(&input).unwrap();
            written(bedrock_converse::request::write(&conversation, model))
        }
        "converse answer to chat" => match bedrock_converse::answer::read(&input) {
            Ok(reply) => {
                serde_json::from_slice(&openai_chat::answer::write(&reply, &facts())).unwrap()
            }
            Err(garbled) => json!({"garbled": format!("{garbled:?}")}),
        },
        "chat answer to converse" => {
            let reply = openai_chat::answer::read(&input).unwrap();
            serde_json::from_slice(&bedrock_converse::answer::write(&reply, &facts())).unwrap()
        }
        "converse stream to chat" => to_chat(case["input"].as_array().unwrap()),
        "chat stream to converse" => from_chat(case["input"].as_array().unwrap()),
        other => panic!("{other}: no such kind of case"),
    }
}

/// Every case comes out as its file says.
#[test]
fn converse_golden_cases() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .map(|(name, case)| (name, outcome(case), &case["output"]))
        .filter(|(_, found, expected)| found != *expected)
        .map(|(name, found, expected)| format!("{name}\n  found    {found}\n  expected {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each kind of case is there.
#[test]
fn converse_golden_cases_go_both_ways() {
    let kinds: BTreeSet<String> =
        cases().iter().map(|(_, case)| case["what"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

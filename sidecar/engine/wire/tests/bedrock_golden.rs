//! Golden cases of Converse, one file each, named after the row of wire.md A11 where there is one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use pointsman_wire::form::{Cannot, Conversation, Loss, Written};
use pointsman_wire::{Facts, bedrock_converse, openai_chat};
use serde_json::{Value, json};

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

/// What a case's input becomes.
fn outcome(case: &Value) -> Value {
    let input = bytes(&case["input"]);
    let model = case["model"].as_str().unwrap_or(MODEL);
    let chat = |body: &[u8]| -> Conversation { openai_chat::request::read(body).unwrap() };
    match case["what"].as_str().unwrap() {
        "chat request to converse" => {
            written(bedrock_converse::request::write(&chat(&input), model))
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
        other => panic!("{other}: no such kind of case"),
    }
}

/// Every case comes out as its file says.
#[test]
fn converse_golden_cases() {
    let cases = cases();
    assert!(cases.len() >= 20, "{} cases", cases.len());
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
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}

//! Embeddings between OpenAI's and Gemini's formats.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use pointsman_wire::form::{EmbeddingReply, Encoding, Garbled, Tokens};
use pointsman_wire::gemini::embed;
use pointsman_wire::{Facts, embeddings};
use proptest::prelude::*;
use serde_json::{Value, json};

fn facts() -> Facts {
    Facts {
        id: "abc".into(),
        requested: "auto".into(),
        now: 1_700_000_000,
        input_estimate: 10,
        stream_usage: false,
    }
}

fn object(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn paths(losses: Vec<pointsman_wire::form::Loss>) -> Vec<String> {
    losses.into_iter().map(|loss| loss.path).collect()
}

/// A3: an OpenAI SDK's call (base64 by default) reaches Gemini and comes back as base64.
#[test]
fn openai_to_gemini_and_back() {
    let asked = json!({"model": "auto", "input": ["a", "b"], "dimensions": 2, "user": "u",
        "encoding_format": "base64", "truncate": true});
    let request = embeddings::request::read(asked.to_string().as_bytes()).unwrap();
    let written = embed::request::write(&request, "gemini-embedding-001").unwrap();
    let one = |text: &str| {
        json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
            "outputDimensionality": 2})
    };
    assert_eq!(object(&written.body), json!({"requests": [one("a"), one("b")]}));
    assert_eq!(paths(written.losses), ["truncate", "user"]);
    let answer = json!({"embeddings": [{"values": [1, -0.5]}, {"values": [0.1, 0]}],
        "usageMetadata": {"promptTokenCount": 4}});
    let reply = embed::answer::read(answer.to_string().as_bytes()).unwrap();
    let told = object(&embeddings::answer::write(&reply, request.encoding, &facts()));
    let expected = json!({"object": "list", "model": "auto", "data": [
        {"object": "embedding", "index": 0, "embedding": "AACAPwAAAL8="},
        {"object": "embedding", "index": 1, "embedding": "zczMPQAAAAA="},
    ], "usage": {"prompt_tokens": 4, "total_tokens": 4}});
    assert_eq!(told, expected);
}

/// A3: Gemini's single call and its batch reach an OpenAI-compatible server and come back in their own shape.
#[test]
fn gemini_to_openai_and_back() {
    let single = json!({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "task_type": "RETRIEVAL_QUERY",
        "output_dimensionality": 2});
    let request = embed::request::read(single.to_string().as_bytes()).unwrap();
    let written = embeddings::request::write(&request, "m").unwrap();
    let body =
        json!({"model": "m", "input": ["a\nb"], "encoding_format": "float", "dimensions": 2});
    assert_eq!(object(&written.body), body);
    assert_eq!(paths(written.losses), ["taskType"]);
    let answer =
        json!({"data": [{"index": 0, "embedding": "AACAPwAAAL8="}], "usage": {"prompt_tokens": 3}});
    let reply = embeddings::answer::read(answer.to_string().as_bytes()).unwrap();
    let usage = json!({"promptTokenCount": 3, "totalTokenCount": 3});
    let told = object(&embed::answer::write(&reply, request.single));
    assert_eq!(told, json!({"embedding": {"values": [1.0, -0.5]}, "usageMetadata": usage}));
    let batch = json!({"requests": [{"model": "models/x", "content": {"parts": [{"text": "a"}]}}]});
    let request = embed::request::read(batch.to_string().as_bytes()).unwrap();
    assert_eq!((request.model.as_str(), request.single), ("x", false));
    let told = object(&embed::answer::write(&reply, request.single));
    assert_eq!(told, json!({"embeddings": [{"values": [1.0, -0.5]}], "usageMetadata": usage}));
}

/// Gemini's own settings return to Gemini; requests that disagree are refused or named.
#[test]
fn settings_of_gemini() {
    let one = |text: &str, task: &str, dimensions: u64| {
        json!({"model": "models/x", "content": {"parts": [{"text": text}]}, "outputDimensionality": dimensions,
            "taskType": task})
    };
    let same = json!({"requests": [one("a", "CLUSTERING", 2), one("b", "CLUSTERING", 2)]});
    let request = embed::request::read(same.to_string().as_bytes()).unwrap();
    assert_eq!(object(&embed::request::write(&request, "x").unwrap().body), same);
    let tasks = json!({"requests": [one("a", "CLUSTERING", 2), one("b", "RETRIEVAL_QUERY", 2)]});
    let request = embed::request::read(tasks.to_string().as_bytes()).unwrap();
    assert_eq!(paths(request.lost), ["requests[1].taskType"]);
    let sizes = json!({"requests": [one("a", "CLUSTERING", 2), one("b", "CLUSTERING", 3)]});
    let error = embed::request::read(sizes.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.path, "requests[1].outputDimensionality");
    let image =
        json!({"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}});
    assert_eq!(
        embed::request::read(image.to_string().as_bytes()).unwrap_err().path,
        "content.parts"
    );
}

/// Tokens belong to one provider's models.
#[test]
fn tokens_do_not_travel() {
    let asked = json!({"model": "auto", "input": [1, 2]});
    let request = embeddings::request::read(asked.to_string().as_bytes()).unwrap();
    assert_eq!(embed::request::write(&request, "x").unwrap_err().path, "input");
}

/// What holds no vectors, or not one for each place, is no answer.
#[test]
fn answers_must_be_whole() {
    let of = |answer: Value| embeddings::answer::read(answer.to_string().as_bytes());
    assert_eq!(of(json!({"data": []})), Err(Garbled::Empty));
    assert_eq!(of(json!({"error": {"a": 1}})), Err(Garbled::Error(r#"{"a":1}"#.into())));
    let twice = json!({"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]});
    assert_eq!(of(twice), Err(Garbled::Malformed));
    let turned = json!({"data": [{"index": 1, "embedding": [1]}, {"index": 0, "embedding": [2]}]});
    assert_eq!(of(turned).unwrap().vectors, [[2.0], [1.0]]);
    assert_eq!(embed::answer::read(b"{}"), Err(Garbled::Empty));
    assert_eq!(embed::answer::read(br#"{"embedding":{"values":["x"]}}"#), Err(Garbled::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Vectors survive every way of telling them bit by bit.
    #[test]
    fn vectors_survive(vectors in proptest::collection::vec(
        proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::ZERO, 1..9), 1..4)) {
        let usage = Some(Tokens { input: 3, ..Tokens::default() });
        let reply = EmbeddingReply { model: Some("m".into()), vectors, usage };
        for encoding in [Encoding::Floats, Encoding::Base64] {
            let body = embeddings::answer::write(&reply, encoding, &facts());
            prop_assert_eq!(&embeddings::answer::read(&body).unwrap(), &reply);
        }
        let expected = EmbeddingReply { model: None, ..reply.clone() };
        prop_assert_eq!(embed::answer::read(&embed::answer::write(&reply, false)).unwrap(), expected);
    }

    /// Bytes that are no request are refused without panic.
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = (embeddings::request::read(&bytes), embeddings::answer::read(&bytes));
        let _ = (embed::request::read(&bytes), embed::answer::read(&bytes));
    }
}

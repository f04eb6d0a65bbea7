//! Embeddings at Vertex AI, by contents and by instances.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use pointsman_wire::form::{EmbeddingRequest, Garbled, Written};
use pointsman_wire::vertex_embed::{contents, predict};
use pointsman_wire::{embeddings, gemini};
use serde_json::{Value, json};

fn of_openai(body: &Value) -> EmbeddingRequest {
    embeddings::request::read(body.to_string().as_bytes()).unwrap()
}

fn of_google(body: &Value) -> EmbeddingRequest {
    gemini::embed::request::read(body.to_string().as_bytes()).unwrap()
}

fn body(written: Written) -> (Value, usize) {
    (serde_json::from_slice(&written.body).unwrap(), written.losses.len())
}

/// One text and several are asked for by different calls; settings stand in a member of their own.
#[test]
fn contents_by_number() {
    let one = of_openai(&json!({"model": "m", "input": "a", "dimensions": 8, "user": "u"}));
    let content = |text: &str| json!({"parts": [{"text": text}]});
    let config = json!({"outputDimensionality": 8});
    let asked = json!({"content": content("a"), "embedContentConfig": config});
    assert_eq!(body(contents::write(&one).unwrap()), (asked, 1));
    let two = of_openai(&json!({"model": "m", "input": ["a", "b"]}));
    let asked = json!({"requests": [{"content": content("a")}, {"content": content("b")}]});
    assert_eq!(body(contents::write(&two).unwrap()), (asked, 0));
    let own = json!({"content": content("a"), "taskType": "CLUSTERING", "x": 1});
    let asked = json!({"content": content("a"), "embedContentConfig": {"taskType": "CLUSTERING"}});
    assert_eq!(body(contents::write(&of_google(&own)).unwrap()), (asked, 1));
}

/// Instances in the older calls' spelling; OpenAI's members of these names mean nothing.
#[test]
fn instances() {
    let own = json!({"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING",
        "outputDimensionality": 4, "autoTruncate": false});
    let asked = json!({"instances": [{"content": "a", "task_type": "CLUSTERING"}],
        "parameters": {"outputDimensionality": 4, "autoTruncate": false}});
    assert_eq!(body(predict::write(&of_google(&own)).unwrap()), (asked, 0));
    let foreign = of_openai(&json!({"model": "m", "input": "a", "taskType": "CLUSTERING"}));
    let asked = json!({"instances": [{"content": "a"}], "parameters": {}});
    assert_eq!(body(predict::write(&foreign).unwrap()), (asked, 1));
}

/// Tokens and too many texts are refused with a remedy.
#[test]
fn what_cannot_be_embedded() {
    let of = |input: Value| of_openai(&json!({"model": "m", "input": input}));
    for why in [
        predict::write(&of(json!(vec!["a"; 251]))).unwrap_err(),
        predict::write(&of(json!([1, 2]))).unwrap_err(),
        contents::write(&of(json!([1, 2]))).unwrap_err(),
    ] {
        assert!(why.path == "input" && why.why.contains("send"), "{why}");
    }
    assert!(predict::write(&of(json!(vec!["a"; 250]))).is_ok());
}

/// What is billed is the sum of what each text was; a cut answer and an error are none.
#[test]
fn predictions() {
    let one = |tokens: f64| json!({"embeddings": {"values": [1, 2], "statistics": {"token_count": tokens}}});
    let told = json!({"predictions": [one(3.0), one(4.0)]}).to_string();
    let read = predict::read(told.as_bytes()).unwrap();
    assert_eq!((read.vectors.len(), read.usage.unwrap().input), (2, 7));
    for cut in 0..told.len() {
        assert!(predict::read(&told.as_bytes()[..cut]).is_err(), "{cut}");
    }
    let silent = br#"{"predictions":[{"embeddings":{"values":[1]}}]}"#;
    assert_eq!(predict::read(silent).unwrap().usage, None);
    assert_eq!(predict::read(b"{}"), Err(Garbled::Empty));
    assert_eq!(
        predict::read(br#"{"error":{"code":1}}"#),
        Err(Garbled::Error("{\"code\":1}".into()))
    );
}

//! Embeddings at Bedrock, in the words of the models' makers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use pointsman_wire::bedrock_embed::{cohere, titan};
use pointsman_wire::embeddings;
use pointsman_wire::form::{Cannot, EmbeddingRequest, Garbled};
use serde_json::{Value, json};

fn asked(body: &Value) -> EmbeddingRequest {
    embeddings::request::read(body.to_string().as_bytes()).unwrap()
}

fn titan_body(model: &str) -> (Value, usize) {
    let request = asked(&json!({"model": "m", "input": "a", "dimensions": 256}));
    let written = titan::write(&request, model).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.losses.len())
}

/// Each generation of Titan takes the length of its vectors in its own way, or not at all, which is said.
#[test]
fn titans_generations() {
    let text = |body: Value| (body, 0);
    let v2 = titan_body("eu.amazon.titan-embed-text-v2:0");
    assert_eq!(v2, text(json!({"inputText": "a", "dimensions": 256})));
    let image = titan_body("amazon.titan-embed-image-v1");
    let config = json!({"outputEmbeddingLength": 256});
    assert_eq!(image, text(json!({"inputText": "a", "embeddingConfig": config})));
    assert_eq!(titan_body("amazon.titan-embed-text-v1"), (json!({"inputText": "a"}), 1));
}

/// What the models cannot embed is refused by name and with a remedy: several texts at Titan, tokens, and
/// more texts than Cohere takes.
#[test]
fn what_they_cannot_embed() {
    let of = |input: Value| asked(&json!({"model": "m", "input": input}));
    let refused = |why: Cannot| {
        assert!(why.path == "input" && why.why.contains("send"), "{why}");
    };
    refused(titan::write(&of(json!(["a", "b"])), "titan").unwrap_err());
    refused(titan::write(&of(json!([1, 2])), "titan").unwrap_err());
    refused(cohere::write(&of(json!([1, 2]))).unwrap_err());
    refused(cohere::write(&of(json!(vec!["a"; 97]))).unwrap_err());
    assert!(cohere::write(&of(json!(vec!["a"; 96]))).is_ok());
}

/// Cohere's answers by type and its older ones are read; cut, empty and failed ones are none.
#[test]
fn answers() {
    for body in [r#"{"embeddings":{"float":[[1,2]]}}"#, r#"{"embeddings":[[1,2]],"id":"x"}"#] {
        assert_eq!(cohere::read(body.as_bytes()).unwrap().vectors, [[1.0, 2.0]]);
        for cut in 0..body.len() {
            assert!(cohere::read(&body.as_bytes()[..cut]).is_err(), "{cut}");
        }
    }
    let vector = titan::read(br#"{"embedding":[0.5],"inputTextTokenCount":3}"#).unwrap();
    assert_eq!((vector.vectors, vector.usage.unwrap().input), (vec![vec![0.5]], 3));
    assert_eq!(titan::read(b"{}"), Err(Garbled::Empty));
    assert_eq!(cohere::read(br#"{"embeddings":[]}"#), Err(Garbled::Empty));
    assert_eq!(titan::read(br#"{"message":"no"}"#), Err(Garbled::Error("no".to_owned())));
    assert_eq!(titan::read(br#"{"embedding":["x"]}"#), Err(Garbled::Malformed));
}

//! What holds for every provider alike: faults, transport, replay and the bill know no dialect.

use std::fs;
use std::io::{Read, Write};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::driver::{Answer, End, Provider, eventually, folder, merged, provider};

const KEYS: &str = "authorization: Bearer k\r\nanthropic-version: 2026-10-21\r\n";

/// A provider's call as it is asked for a plain answer and for a stream.
pub(crate) struct Surface {
    pub(crate) path: &'static str,
    pub(crate) streamed: &'static str,
    pub(crate) body: Value,
    /// The stream is asked for in the body.
    in_body: bool,
}

impl Surface {
    /// The body that asks for a stream.
    pub(crate) fn stream_body(&self) -> Value {
        if self.in_body { merged(&self.body, &json!({"stream": true})) } else { self.body.clone() }
    }

    fn stream(&self, provider: &Provider, action: &Value) -> Answer {
        provider.ask(self.streamed, KEYS, action, &self.stream_body())
    }

    fn plain(&self, provider: &Provider, action: &Value) -> Answer {
        provider.ask(self.path, KEYS, action, &self.body)
    }
}

/// All of them, asked "hi there".
pub(crate) fn surfaces() -> Vec<Surface> {
    let in_body = |path, body| Surface { path, streamed: path, body, in_body: true };
    let in_path = |path, streamed, body| Surface { path, streamed, body, in_body: false };
    let said = "hi there";
    let message = json!([{"role": "user", "content": said}]);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": said}]}]});
    let converse = json!({"messages": [{"role": "user", "content": [{"text": said}]}]});
    let plain = "/v1/models/m:generateContent";
    vec![
        in_body("/v1/chat/completions", json!({"model": "m", "messages": message})),
        in_body("/v1/completions", json!({"model": "m", "prompt": said, "max_tokens": 999})),
        in_body("/v1/responses", json!({"model": "m", "input": said})),
        in_body("/v1/messages", json!({"model": "m", "max_tokens": 999, "messages": message})),
        in_body(
            "/openai/deployments/m/chat/completions?api-version=1",
            json!({"messages": message}),
        ),
        in_path(plain, "/v1/models/m:streamGenerateContent?alt=sse", gemini.clone()),
        in_path(plain, "/v1beta/models/m:streamGenerateContent", gemini),
        in_path("/model/m/converse", "/model/m/converse-stream", converse),
    ]
}

/// A cut at byte N delivers exactly N bytes, and has cost no more than the whole.
#[test]
fn cuts_are_exact_everywhere() {
    let provider = provider(&json!({}));
    for surface in surfaces() {
        let whole = surface.stream(&provider, &json!({"text": "abc def ghi"}));
        assert_eq!((whole.status, whole.end), (200, End::Whole), "{}", surface.streamed);
        let price = provider.bill().pop().unwrap()["cost"].as_u64().unwrap();
        for at in (0..whole.body.len()).step_by(91) {
            let action = json!({"text": "abc def ghi", "cutAtByte": at, "cut": "eof"});
            let answer = surface.stream(&provider, &action);
            assert_eq!((answer.body.len(), answer.end), (at, End::Eof), "{}", surface.streamed);
            let billed = provider.bill().pop().unwrap();
            assert!(billed["cost"].as_u64().unwrap() <= price, "{billed}");
        }
    }
}

/// The same answer costs the same by every provider, streamed or not.
#[test]
fn the_same_answer_costs_the_same() {
    let provider = provider(&json!({}));
    let action = json!({"text": "twelve chars", "thinkingTokens": 2, "cachedTokens": 1});
    for surface in surfaces() {
        for answer in [surface.plain(&provider, &action), surface.stream(&provider, &action)] {
            assert_eq!(answer.status, 200, "{}", surface.path);
            let line = provider.bill().pop().unwrap();
            assert_eq!((&line["cost"], &line["end"]), (&json!(100 + 50 + 5 * 1000), &json!(true)));
        }
    }
}

/// A client that leaves a stalled stream is noticed, and the line on the bill is closed.
#[test]
fn leavers_are_noticed_everywhere() {
    let provider = provider(&json!({}));
    for (number, surface) in surfaces().iter().enumerate() {
        let headers = format!("{KEYS}x-sim-do: {{\"stallAtEvent\":1}}\r\n");
        let socket = provider.send(surface.streamed, &headers, &surface.stream_body().to_string());
        eventually("the call", || (provider.stats()["open"] == 1).then_some(()));
        drop(socket);
        let wanted = json!(number + 1);
        eventually(surface.streamed, || (provider.stats()["cancelled"] == wanted).then_some(()));
        assert!(provider.bill().last().is_none_or(|line| line["end"] == true));
    }
}

/// Compression and small pieces change nothing about a stream; `noDone` shortens it.
#[test]
fn transport_changes_nothing() {
    let provider = provider(&json!({}));
    for surface in surfaces() {
        let text = json!({"text": "some words"});
        let whole = surface.stream(&provider, &text).body.len();
        let zipped = surface.stream(&provider, &merged(&text, &json!({"compress": "gzip"})));
        assert!(zipped.head.contains("content-encoding: gzip"));
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut plain).unwrap();
        let small = surface.stream(&provider, &merged(&text, &json!({"chunkBytes": 7})));
        assert_eq!((plain.len(), small.body.len()), (whole, whole), "{}", surface.streamed);
        let short = surface.stream(&provider, &merged(&text, &json!({"noDone": true})));
        assert!(short.body.len() < whole, "{}", surface.streamed);
    }
}

/// A recorded answer is given by every provider.
#[test]
fn recorded_answers_are_given_everywhere() {
    let digest = Sha256::digest(b"hi there");
    let prompt: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let recorded = json!({prompt: {"m": {"answer": "42", "chars": 60}}});
    let folder = folder();
    let path = folder.join("replay.json.gz");
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    file.write_all(recorded.to_string().as_bytes()).unwrap();
    fs::write(&path, file.finish().unwrap()).unwrap();
    let pace = json!({"firstTokenMs": 0, "tokensPerSecond": 0, "deltaTokens": 1000});
    let provider = provider(&json!({"replay": path, "pace": pace}));
    for surface in surfaces() {
        for answer in [surface.plain(&provider, &json!({})), surface.stream(&provider, &json!({}))]
        {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(body.contains("Answer: 42"), "{}: {body}", surface.streamed);
            assert_eq!(provider.bill().pop().unwrap()["output"], 15);
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

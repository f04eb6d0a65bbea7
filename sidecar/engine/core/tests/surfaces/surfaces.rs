//! One question, "Hi", as each surface's callers ask it, and how they read what comes down.

use serde_json::{Value, json};

use super::world::Answer;

/// How callers of one surface speak.
pub(crate) struct Surface {
    pub(crate) name: &'static str,
    pub(crate) path: fn(bool) -> String,
    pub(crate) body: fn(bool) -> Value,
    /// The member that holds what is asked.
    pub(crate) messages: &'static str,
    /// The text of a plain answer.
    pub(crate) said: fn(&Value) -> String,
    /// The text of a stream.
    pub(crate) streamed: fn(&Answer) -> String,
    /// The stream has its proper end.
    pub(crate) ended: fn(&Answer) -> bool,
    /// The stream's last words are an error.
    pub(crate) told: fn(&Answer) -> bool,
    pub(crate) is_error: fn(&Value) -> bool,
}

pub(crate) const SURFACES: &[Surface] = &[
    Surface {
        name: "chat",
        path: |_| "/v1/chat/completions".to_owned(),
        body: |stream| json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}),
        messages: "messages",
        said: |told| text(&told["choices"][0]["message"]["content"]),
        streamed: |answer| joined(answer, |data| text(&data["choices"][0]["delta"]["content"])),
        ended: |answer| answer.body.contains("[DONE]"),
        told: |answer| last(answer)["error"]["message"].is_string(),
        is_error: |told| told["error"]["message"].is_string() && told["error"]["code"].is_string(),
    },
    Surface {
        name: "completions",
        path: |_| "/v1/completions".to_owned(),
        body: |stream| json!({"model": "m", "stream": stream, "prompt": "Hi", "max_tokens": 50}),
        messages: "prompt",
        said: |told| text(&told["choices"][0]["text"]),
        streamed: |answer| joined(answer, |data| text(&data["choices"][0]["text"])),
        ended: |answer| answer.body.contains("[DONE]"),
        told: |answer| last(answer)["error"]["message"].is_string(),
        is_error: |told| told["error"]["message"].is_string() && told["error"]["code"].is_string(),
    },
    Surface {
        name: "messages",
        path: |_| "/v1/messages".to_owned(),
        body: |stream| {
            json!({
                "model": "m", "stream": stream, "max_tokens": 50,
                "messages": [{"role": "user", "content": "Hi"}],
            })
        },
        messages: "messages",
        said: |told| text(&told["content"][0]["text"]),
        streamed: |answer| joined(answer, |data| text(&data["delta"]["text"])),
        ended: |answer| answer.body.contains("event: message_stop"),
        told: |answer| {
            let last = answer.events().pop().unwrap();
            last.0 == "error" && last.1["error"]["message"].is_string()
        },
        is_error: |told| told["type"] == "error" && told["error"]["type"].is_string(),
    },
    Surface {
        name: "responses",
        path: |_| "/v1/responses".to_owned(),
        body: |stream| json!({"model": "m", "stream": stream, "input": "Hi"}),
        messages: "input",
        said: |told| text(&told["output"][0]["content"][0]["text"]),
        streamed: |answer| {
            let delta = |(name, data): &(String, Value)| {
                if name == "response.output_text.delta" {
                    text(&data["delta"])
                } else {
                    String::new()
                }
            };
            answer.events().iter().map(delta).collect()
        },
        ended: |answer| answer.body.contains("event: response.completed"),
        told: |answer| last(answer)["type"] == "response.failed",
        is_error: |told| told["error"]["message"].is_string() && told["error"]["code"].is_string(),
    },
    Surface {
        name: "gemini",
        path: |stream| {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            format!("/v1beta/models/m:{method}")
        },
        body: |_| json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
        messages: "contents",
        said: gemini_text,
        streamed: |answer| joined(answer, gemini_text),
        // The end is the body's own.
        ended: |answer| answer.whole && answer.body.contains("finishReason"),
        told: |answer| last(answer)["error"]["status"].is_string(),
        is_error: |told| told["error"]["status"].is_string(),
    },
    Surface {
        name: "gemini's array",
        path: |stream| {
            let method = if stream { "streamGenerateContent" } else { "generateContent" };
            format!("/v1/models/m:{method}")
        },
        body: |_| json!({"contents": [{"parts": [{"text": "Hi"}]}]}),
        messages: "contents",
        said: gemini_text,
        streamed: |answer| {
            let all: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
            all.iter().map(gemini_text).collect()
        },
        ended: |answer| serde_json::from_str::<Vec<Value>>(&answer.body).is_ok(),
        told: |answer| answer.body.rsplit(",\r\n").next().unwrap().contains("\"error\""),
        is_error: |told| told["error"]["status"].is_string(),
    },
];

fn gemini_text(told: &Value) -> String {
    text(&told["candidates"][0]["content"]["parts"][0]["text"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn joined(answer: &Answer, said: fn(&Value) -> String) -> String {
    answer.events().iter().map(|(_, data)| said(data)).collect()
}

fn last(answer: &Answer) -> Value {
    answer.events().pop().unwrap().1
}

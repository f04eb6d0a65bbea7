//! One answer, "Hello.", as each provider gives it: 100 prompt tokens of which 60 were cached, 7 of answer.

use serde_json::{Value, json};

/// How one provider speaks.
pub(crate) struct Provider {
    pub(crate) kind: &'static str,
    /// Its key's header.
    pub(crate) key: (&'static str, &'static str),
    pub(crate) line: fn(bool) -> String,
    pub(crate) plain: fn() -> Value,
    pub(crate) stream: fn() -> Vec<Vec<u8>>,
    pub(crate) stream_kind: &'static str,
    /// How many events there are before and with the first content.
    pub(crate) begins: usize,
}

const EVENTS: &str = "text/event-stream";

/// What it costs at the prices of `world::model`.
pub(crate) const COST: u64 = 40 * 1_000 + 60 * 100 + 7 * 5_000;

pub(crate) const PROVIDERS: &[Provider] = &[
    Provider {
        kind: "OpenAI",
        key: ("authorization", "Bearer sk-OpenAI"),
        line: |_| "POST /v1/chat/completions HTTP/1.1".to_owned(),
        plain: || {
            let message = json!({"role": "assistant", "content": "Hello.", "refusal": null});
            json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-x",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": chat_usage(),
            })
        },
        stream: chat_stream,
        stream_kind: EVENTS,
        begins: 2,
    },
    Provider {
        kind: "Anthropic",
        key: ("x-api-key", "sk-Anthropic"),
        line: |_| "POST /v1/messages HTTP/1.1".to_owned(),
        plain: || {
            messages_answer(json!([{"type": "text", "text": "Hello."}]), json!("end_turn"), 7)
        },
        stream: messages_stream,
        stream_kind: EVENTS,
        begins: 3,
    },
    Provider {
        kind: "Gemini",
        key: ("x-goog-api-key", "sk-Gemini"),
        line: |stream| {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            format!("POST /v1/models/Gemini-upstream:{method} HTTP/1.1")
        },
        plain: || gemini_chunk("Hello.", Some("STOP")),
        stream: || {
            [("Hel", None), ("lo.", None), ("", Some("STOP"))]
                .map(|(text, finish)| {
                    format!("data: {}\r\n\r\n", gemini_chunk(text, finish)).into()
                })
                .to_vec()
        },
        stream_kind: EVENTS,
        begins: 1,
    },
    Provider {
        kind: "Bedrock",
        key: ("authorization", "Bearer sk-Bedrock"),
        line: |stream| {
            let method = if stream { "converse-stream" } else { "converse" };
            format!("POST /v1/model/Bedrock-upstream/{method} HTTP/1.1")
        },
        plain: || {
            json!({
                "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
                "stopReason": "end_turn", "usage": converse_usage(), "metrics": {"latencyMs": 1},
            })
        },
        stream: converse_stream,
        stream_kind: "application/vnd.amazon.eventstream",
        begins: 2,
    },
];

fn converse_usage() -> Value {
    json!({"inputTokens": 40, "outputTokens": 7, "totalTokens": 107,
        "cacheReadInputTokens": 60, "cacheWriteInputTokens": 0})
}

fn converse_stream() -> Vec<Vec<u8>> {
    let message = |kind: &str, payload: Value| {
        let mut out = Vec::new();
        pointsman_wire::eventstream::event(kind, payload.to_string().as_bytes(), &mut out);
        out
    };
    let text = |text: &str| {
        message("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": text}}))
    };
    vec![
        message("messageStart", json!({"role": "assistant"})),
        text("Hel"),
        text("lo."),
        message("contentBlockStop", json!({"contentBlockIndex": 0})),
        message("messageStop", json!({"stopReason": "end_turn"})),
        message("metadata", json!({"usage": converse_usage(), "metrics": {"latencyMs": 1}})),
    ]
}

fn chat_usage() -> Value {
    json!({
        "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 60},
    })
}

fn chat_stream() -> Vec<Vec<u8>> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n").into_bytes()
    };
    let delta = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
    };
    vec![
        delta(json!({"role": "assistant", "content": ""}), Value::Null),
        delta(json!({"content": "Hel"}), Value::Null),
        delta(json!({"content": "lo."}), Value::Null),
        delta(json!({}), json!("stop")),
        chunk(json!([]), chat_usage()),
        b"data: [DONE]\n\n".to_vec(),
    ]
}

fn messages_answer(content: Value, stop: Value, output: u64) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": content, "stop_reason": stop, "stop_sequence": null,
        "usage": {"input_tokens": 40, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 60, "output_tokens": output},
    })
}

fn messages_stream() -> Vec<Vec<u8>> {
    let event = |name: &str, mut data: Value| {
        data["type"] = json!(name);
        format!("event: {name}\ndata: {data}\n\n").into_bytes()
    };
    let text = |text: &str| {
        let delta = json!({"type": "text_delta", "text": text});
        event("content_block_delta", json!({"index": 0, "delta": delta}))
    };
    let usage = messages_answer(json!([]), Value::Null, 7)["usage"].clone();
    vec![
        event("message_start", json!({"message": messages_answer(json!([]), Value::Null, 1)})),
        event(
            "content_block_start",
            json!({"index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
        text("Hel"),
        text("lo."),
        event("content_block_stop", json!({"index": 0})),
        event(
            "message_delta",
            json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": usage}),
        ),
        event("message_stop", json!({})),
    ]
}

fn gemini_chunk(text: &str, finish: Option<&str>) -> Value {
    let mut candidate =
        json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({
        "candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 60,
            "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 107},
    })
}

//! The documents of a chat answer in the shapes that vLLM was recorded with; the other engines
//! send the part of them that OpenAI defines.

use serde_json::{Value, json};

use super::ask::Ask;
use super::config::Dialect;

/// What the answers are made of.
const WORDS: [&str; 16] = [
    "train", "point", "line", "signal", "track", "yard", "switch", "north", "green", "clear",
    "night", "steel", "freight", "coach", "lamp", "gauge",
];

/// One answer, known from its beginning, told as the model makes it.
pub(crate) struct Answer {
    dialect: Dialect,
    ask: Ask,
    id: String,
    /// Seconds since the epoch.
    created: u64,
    /// Tokens told so far.
    told: usize,
}

impl Answer {
    /// The answer to `ask`; `number` makes its identifier unique.
    pub(crate) fn new(dialect: Dialect, ask: Ask, number: u64, created: u64) -> Self {
        let unique = ask.prompt_key ^ number.rotate_left(32);
        Self { dialect, ask, id: format!("chatcmpl-{unique:016x}"), created, told: 0 }
    }

    /// The whole answer as one document.
    pub(crate) fn document(&self) -> Value {
        let content = self.text(0, self.ask.output_tokens);
        let mut document = json!({
            "id": self.id, "object": "chat.completion", "created": self.created,
            "model": self.ask.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "logprobs": null,
                "finish_reason": self.finish(),
            }],
            "usage": self.usage(self.ask.output_tokens),
        });
        if self.dialect == Dialect::Vllm {
            merge(
                &mut document["choices"][0]["message"],
                &json!({"refusal": null,
                "annotations": null, "audio": null, "function_call": null, "reasoning": null}),
            );
            let choice = json!({"stop_reason": null, "token_ids": null, "routed_experts": null});
            merge(&mut document["choices"][0], &choice);
            merge(
                &mut document,
                &json!({"service_tier": null, "system_fingerprint": FINGERPRINT,
                "prompt_logprobs": null, "prompt_token_ids": null, "prompt_text": null,
                "kv_transfer_params": null}),
            );
            document["usage"]["prompt_tokens_details"] = Value::Null;
        }
        document
    }

    /// The events that tell `tokens` more; the role comes before the first, usage (where it was
    /// asked for) and `[DONE]` after the last.
    pub(crate) fn events(&mut self, tokens: usize, last: bool) -> String {
        let mut text = String::new();
        if self.told == 0 {
            let mut role = self.chunk(json!({"role": "assistant", "content": ""}), None);
            if self.dialect == Dialect::Vllm {
                merge(&mut role, &json!({"prompt_token_ids": null, "prompt_text": null}));
            }
            self.push(&mut text, role);
        }
        let content = self.text(self.told, tokens);
        self.told += tokens;
        let mut event = self.chunk(json!({"content": content}), last.then_some(self.finish()));
        if self.dialect == Dialect::Vllm {
            let choice = &mut event["choices"][0];
            choice["token_ids"] = Value::Null;
            if last {
                choice["stop_reason"] = Value::Null;
            }
        }
        self.push(&mut text, event);
        if last && self.ask.include_usage {
            let mut event = self.chunk(Value::Null, None);
            event["choices"] = json!([]);
            event["usage"] = self.usage(self.told);
            if self.dialect == Dialect::Vllm {
                event["system_fingerprint"] = FINGERPRINT.into();
            }
            text.push_str(&format!("data: {event}\n\n"));
        }
        if last {
            text.push_str("data: [DONE]\n\n");
        }
        text
    }

    fn push(&self, text: &mut String, mut event: Value) {
        // Only vLLM knows the option.
        if self.ask.continuous_usage && self.dialect == Dialect::Vllm {
            event["usage"] = self.usage(self.told);
        }
        text.push_str(&format!("data: {event}\n\n"));
    }

    fn chunk(&self, delta: Value, finish: Option<&str>) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.ask.model,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        })
    }

    fn usage(&self, output: usize) -> Value {
        let input = self.ask.prompt_tokens;
        json!({"prompt_tokens": input, "total_tokens": input + output, "completion_tokens": output})
    }

    fn finish(&self) -> &'static str {
        if self.ask.cut { "length" } else { "stop" }
    }

    /// `count` words from the token number `from` on.
    fn text(&self, from: usize, count: usize) -> String {
        let start = usize::try_from(self.ask.prompt_key % WORDS.len() as u64).unwrap_or(0);
        (from..from + count).fold(String::new(), |mut text, at| {
            text.push(' ');
            text.push_str(WORDS[(start + at * 7 + at / WORDS.len()) % WORDS.len()]);
            text
        })
    }
}

/// The version that is played.
pub(crate) const VERSION: &str = "0.24.0";

const FINGERPRINT: &str = "vllm-0.24.0-pointsman-sim";

/// Adds the members of `more` to `object`.
fn merge(object: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
}

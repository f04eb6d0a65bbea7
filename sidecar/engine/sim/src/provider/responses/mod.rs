//! OpenAI's Responses.

mod answer;
mod members;
mod request;

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};

use super::answer::Answer;
use super::behaviour::Action;
use super::bill::Tokens;
use super::dialect::{Ask, Dialect};
use super::failure::{Class, Refused};
use super::openai::chat::Chat;
use super::openai::error;
use super::prompt::Prompt;
use super::reel::{Reel, sse};

/// Whose sealed reasoning is accepted.
const REALM: &str = "openai";

/// The Responses API; errors, models and headers are those of chat.
pub(crate) struct Responses;

impl Dialect for Responses {
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if bearer.or(text("api-key")).is_some_and(|key| !key.trim().is_empty()) {
            return Ok(());
        }
        Err(error::no_key())
    }

    fn read(&self, ask: &Ask<'_>) -> Result<Prompt, Refused> {
        request::read(ask)
    }

    fn document(&self, answer: &Answer, prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&answer::document(answer, prompt))
    }

    fn stream(
        &self,
        answer: &Answer,
        prompt: &Prompt,
        reel: &mut Reel<'_>,
    ) -> serde_json::Result<()> {
        answer::events(answer, prompt, reel);
        Ok(())
    }

    fn count(&self, ask: &Ask<'_>) -> Result<Value, Refused> {
        let tokens = request::read(ask)?.tokens;
        Ok(json!({"object": "response.input_tokens", "input_tokens": tokens}))
    }

    fn models(&self, models: &[String]) -> Value {
        Chat.models(models)
    }

    fn usage(&self, tokens: Tokens) -> Value {
        let written = tokens.cache_write + tokens.cache_write_long;
        json!({
            "input_tokens": tokens.input,
            "input_tokens_details": {"cached_tokens": tokens.cached,
                "cache_write_tokens": written,
                "cache_write_tokens_details": {"ttl_30m": tokens.cache_write,
                    "ttl_12h": tokens.cache_write_long}},
            "output_tokens": tokens.output,
            "output_tokens_details": {"reasoning_tokens": tokens.thinking},
            "total_tokens": tokens.input + tokens.output,
        })
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        let input = &usage["input_tokens_details"];
        let written = input["cache_write_tokens"].as_u64().unwrap_or(0);
        let long = input["cache_write_tokens_details"]["ttl_12h"].as_u64().unwrap_or(0);
        Tokens {
            input: usage["input_tokens"].as_u64().unwrap_or(counted.input),
            cached: input["cached_tokens"].as_u64().unwrap_or(0),
            cache_write: written.saturating_sub(long),
            cache_write_long: long.min(written),
            thinking: usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
            output: usage["output_tokens"].as_u64().unwrap_or(counted.output),
            ..Tokens::default()
        }
    }

    fn failure(&self, class: Class) -> Refused {
        error::failure(class)
    }

    fn unparsable(&self) -> Refused {
        error::unparsable()
    }

    fn unknown_path(&self, method: &str, path: &str) -> Refused {
        error::unknown_path(method, path)
    }

    fn unknown_model(&self, model: &str) -> Refused {
        error::unknown_model(model)
    }

    /// A broken server sends an `error` event; any other failure ends the response as failed.
    fn broken_off(&self, refused: &Refused, action: &Action, at: usize) -> Bytes {
        let error = &refused.body["error"];
        let code = if error["code"].is_null() { &error["type"] } else { &error["code"] };
        let (name, mut body) = if error["type"] == "server_error" && error["code"].is_null() {
            let message = &error["message"];
            ("error", json!({"code": code, "message": message, "param": error["param"]}))
        } else {
            let failed = json!({"id": "resp_failed", "object": "response", "status": "failed",
                "error": {"code": code, "message": error["message"]}, "output": [],
                "incomplete_details": null, "usage": null});
            ("response.failed", json!({"response": failed}))
        };
        body["type"] = name.into();
        body["sequence_number"] = at.into();
        sse(action, Some(name), &body.to_string()).into()
    }

    fn garbage(&self, action: &Action) -> Bytes {
        sse(action, Some("response.output_text.delta"), "{\"type\":\"response.").into()
    }

    fn headers(&self, mark: &str) -> Vec<(&'static str, String)> {
        Chat.headers(mark)
    }
}

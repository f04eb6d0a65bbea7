//! Anthropic's Messages.

mod answer;
mod error;
mod members;
mod request;
mod turns;

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};

use super::answer::Answer;
use super::behaviour::Action;
use super::bill::Tokens;
use super::dialect::{Ask, Dialect};
use super::failure::{Class, Refused};
use super::prompt::Prompt;
use super::reel::{Reel, sse};

/// Whose signatures are accepted.
const REALM: &str = "anthropic";

/// The Messages API.
pub(crate) struct Anthropic;

impl Dialect for Anthropic {
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if text("x-api-key").or(bearer).is_none_or(|key| key.trim().is_empty()) {
            return Err(error::refused(
                401,
                "authentication_error",
                "x-api-key header is required",
            ));
        }
        match text("anthropic-version") {
            Some(version) if !version.is_empty() => Ok(()),
            _ => Err(error::bad_request("anthropic-version: header is required")),
        }
    }

    fn read(&self, ask: &Ask<'_>) -> Result<Prompt, Refused> {
        request::read(ask)
    }

    fn document(&self, answer: &Answer, _prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&answer::document(answer))
    }

    fn stream(
        &self,
        answer: &Answer,
        _prompt: &Prompt,
        reel: &mut Reel<'_>,
    ) -> serde_json::Result<()> {
        answer::events(answer, reel);
        Ok(())
    }

    fn count(&self, ask: &Ask<'_>) -> Result<Value, Refused> {
        Ok(json!({"input_tokens": request::count(ask)?}))
    }

    fn models(&self, models: &[String]) -> Value {
        let data = models.iter().map(|id| {
            json!({"type": "model", "id": id, "display_name": id,
                "created_at": "2026-01-01T00:00:00Z"})
        });
        json!({"data": data.collect::<Vec<_>>(), "has_more": false,
            "first_id": models.first(), "last_id": models.last()})
    }

    /// The cache lies beside the input; thinking is part of the output.
    fn usage(&self, tokens: Tokens) -> Value {
        let written = tokens.cache_write + tokens.cache_write_long;
        json!({
            "input_tokens": tokens.input.saturating_sub(tokens.cached + written),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": tokens.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": tokens.cache_write,
                "ephemeral_1h_input_tokens": tokens.cache_write_long},
            "output_tokens": tokens.output,
            "output_tokens_details": {"thinking_tokens": tokens.thinking},
            "service_tier": "standard",
        })
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        let number = |name: &str| usage[name].as_u64();
        let cached = number("cache_read_input_tokens").unwrap_or(0);
        let written = number("cache_creation_input_tokens").unwrap_or(0);
        let long = usage["cache_creation"]["ephemeral_1h_input_tokens"].as_u64().unwrap_or(0);
        let thinking = &usage["output_tokens_details"]["thinking_tokens"];
        Tokens {
            input: number("input_tokens").map_or(counted.input, |fresh| fresh + cached + written),
            cached,
            cache_write: written.saturating_sub(long),
            cache_write_long: long.min(written),
            thinking: thinking.as_u64().unwrap_or(0),
            output: number("output_tokens").unwrap_or(counted.output),
            ..Tokens::default()
        }
    }

    fn failure(&self, class: Class) -> Refused {
        error::failure(class)
    }

    fn unparsable(&self) -> Refused {
        error::bad_request("The request body is not valid JSON")
    }

    fn unknown_path(&self, _method: &str, _path: &str) -> Refused {
        error::refused(404, "not_found_error", "Not Found")
    }

    fn unknown_model(&self, model: &str) -> Refused {
        error::refused(404, "not_found_error", &format!("model: {model}"))
    }

    fn sealed(&self, refused: &Refused, mark: &str) -> Value {
        error::sealed(&refused.body, mark)
    }

    fn broken_off(&self, refused: &Refused, action: &Action, _at: usize) -> Bytes {
        sse(action, Some("error"), &refused.body.to_string()).into()
    }

    fn garbage(&self, action: &Action) -> Bytes {
        sse(action, Some("content_block_delta"), "{\"type\":\"content_block_").into()
    }

    fn headers(&self, mark: &str) -> Vec<(&'static str, String)> {
        vec![("request-id", format!("req_{mark}")), ("anthropic-organization-id", "sim".to_owned())]
    }
}

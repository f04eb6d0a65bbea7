//! Bedrock's Converse.

mod answer;
mod embed;
mod error;
mod frame;
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
use super::prompt::Prompt;
use super::reel::Reel;

/// Whose signatures are accepted: Claude's are good at every provider of its models.
const REALM: &str = "anthropic";

/// A caller that is not known, or may not do this (403).
pub(super) fn denied(kind: &str, message: &str) -> Refused {
    error::refused(403, kind, message)
}

/// The Converse API, with an API key as bearer or signed.
pub(crate) struct Converse;

impl Dialect for Converse {
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        let header = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        match header.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(key) if !key.trim().is_empty() => Ok(()),
            // Judged before, with the body that it is for.
            _ if super::identity::is_signed(head) => Ok(()),
            _ => Err(error::refused(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            )),
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
        Ok(json!({"inputTokens": request::count(ask)?}))
    }

    fn embed(&self, ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
        embed::document(ask)
    }

    /// What Cohere's answers do not say.
    fn counted(&self, tokens: Tokens) -> Option<(&'static str, String)> {
        Some(("x-amzn-bedrock-input-token-count", tokens.input.to_string()))
    }

    fn models(&self, models: &[String]) -> Value {
        let all = models.iter().map(|id| json!({"modelId": id, "modelName": id}));
        json!({"modelSummaries": all.collect::<Vec<_>>()})
    }

    /// The cache lies beside the input; thinking is part of the output and not told apart.
    fn usage(&self, tokens: Tokens) -> Value {
        let written = tokens.cache_write + tokens.cache_write_long;
        let mut details = Vec::new();
        for (ttl, count) in [("5m", tokens.cache_write), ("1h", tokens.cache_write_long)] {
            if count > 0 {
                details.push(json!({"ttl": ttl, "inputTokens": count}));
            }
        }
        json!({
            "inputTokens": tokens.input.saturating_sub(tokens.cached + written),
            "outputTokens": tokens.output,
            "totalTokens": tokens.input + tokens.output,
            "cacheReadInputTokens": tokens.cached,
            "cacheWriteInputTokens": written,
            "cacheDetails": details,
        })
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        let number = |name: &str| usage[name].as_u64();
        let cached = number("cacheReadInputTokens").unwrap_or(0);
        let written = number("cacheWriteInputTokens").unwrap_or(0);
        let details = usage["cacheDetails"].as_array().into_iter().flatten();
        let long: u64 = details
            .filter(|detail| detail["ttl"] == "1h")
            .filter_map(|detail| detail["inputTokens"].as_u64())
            .sum();
        Tokens {
            input: number("inputTokens").map_or(counted.input, |fresh| fresh + cached + written),
            cached,
            cache_write: written.saturating_sub(long),
            cache_write_long: long.min(written),
            thinking: counted.thinking,
            output: number("outputTokens").unwrap_or(counted.output),
            ..Tokens::default()
        }
    }

    fn failure(&self, class: Class) -> Refused {
        error::failure(class)
    }

    fn unparsable(&self) -> Refused {
        error::refused(400, "SerializationException", "Unable to parse the request body")
    }

    fn unknown_path(&self, _method: &str, _path: &str) -> Refused {
        error::refused(404, "UnknownOperationException", "Unknown operation")
    }

    fn unknown_model(&self, _model: &str) -> Refused {
        error::invalid("The provided model identifier is invalid.")
    }

    fn broken_off(&self, refused: &Refused, _action: &Action, _at: usize) -> Bytes {
        frame::exception(error::exception(refused), &refused.body)
    }

    fn garbage(&self, _action: &Action) -> Bytes {
        frame::garbage()
    }

    fn stream_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn headers(&self, mark: &str) -> Vec<(&'static str, String)> {
        let last = mark.get(4..).unwrap_or(mark);
        vec![("x-amzn-requestid", format!("00000000-0000-4000-8000-{last:0>12}"))]
    }
}

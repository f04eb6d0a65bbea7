//! Google's Gemini.

mod answer;
mod embed;
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
const REALM: &str = "gemini";

/// The Gemini API; a stream is a JSON array unless server-sent events are asked for.
pub(crate) struct Gemini {
    /// Streams are JSON arrays.
    pub(crate) array: bool,
}

impl Dialect for Gemini {
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let queried = head
            .uri
            .query()
            .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
        let key = text("x-goog-api-key").or(queried).or(bearer);
        if key.is_some_and(|key| !key.trim().is_empty()) {
            return Ok(());
        }
        Err(error::refused(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). \
             Please use API Key or other form of API consumer identity to call this API.",
        ))
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
        answer::events(answer, reel, self.array, usage);
        Ok(())
    }

    fn count(&self, ask: &Ask<'_>) -> Result<Value, Refused> {
        let tokens = request::count(ask)?;
        Ok(json!({"totalTokens": tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}))
    }

    fn embed(&self, ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
        embed::document(ask)
    }

    fn models(&self, models: &[String]) -> Value {
        let data = models.iter().map(|id| {
            json!({"name": format!("models/{id}"), "version": "1", "displayName": id,
                "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"]})
        });
        json!({"models": data.collect::<Vec<_>>()})
    }

    fn usage(&self, tokens: Tokens) -> Value {
        usage(tokens)
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        let number = |name: &str| usage[name].as_u64();
        let thinking = number("thoughtsTokenCount").unwrap_or(0);
        let tools = number("toolUsePromptTokenCount").unwrap_or(0);
        Tokens {
            input: number("promptTokenCount").unwrap_or(counted.input) + tools,
            cached: number("cachedContentTokenCount").unwrap_or(0),
            output: number("candidatesTokenCount").map_or(counted.output, |said| said + thinking),
            thinking,
            ..Tokens::default()
        }
    }

    fn failure(&self, class: Class) -> Refused {
        error::failure(class)
    }

    fn unparsable(&self) -> Refused {
        error::bad_request("Invalid JSON payload received. Unexpected end of string.")
    }

    fn unknown_path(&self, _method: &str, _path: &str) -> Refused {
        error::refused(404, "NOT_FOUND", "Requested entity was not found.")
    }

    fn unknown_model(&self, model: &str) -> Refused {
        let message = format!(
            "models/{model} is not found for API version v1, or is not supported for \
             generateContent."
        );
        error::refused(404, "NOT_FOUND", &message)
    }

    fn sealed(&self, refused: &Refused, _mark: &str) -> Value {
        error::sealed(refused)
    }

    fn broken_off(&self, refused: &Refused, action: &Action, at: usize) -> Bytes {
        let body = error::sealed(refused);
        if self.array {
            return format!("{}]", answer::item(&body, at == 0)).into();
        }
        sse(action, None, &body.to_string()).into()
    }

    fn garbage(&self, action: &Action) -> Bytes {
        if self.array {
            return Bytes::from_static(b",\r\n{\"candidates\": [{");
        }
        sse(action, None, "{\"candidates\": [{").into()
    }

    fn stream_type(&self) -> &'static str {
        if self.array { "application/json; charset=UTF-8" } else { "text/event-stream" }
    }

    fn headers(&self, _mark: &str) -> Vec<(&'static str, String)> {
        vec![("server-timing", "gfet4t7; dur=1".to_owned())]
    }
}

/// The cache lies inside the input, thinking beside the output.
fn usage(tokens: Tokens) -> Value {
    let said = tokens.output.saturating_sub(tokens.thinking);
    let mut usage = json!({
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": said,
        "totalTokenCount": tokens.input + tokens.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    });
    if tokens.thinking > 0 {
        usage["thoughtsTokenCount"] = tokens.thinking.into();
    }
    if tokens.cached > 0 {
        usage["cachedContentTokenCount"] = tokens.cached.into();
    }
    usage
}

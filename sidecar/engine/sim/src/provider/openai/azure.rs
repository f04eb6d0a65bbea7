//! Azure's OpenAI: the same calls at other paths, with Azure's key, content filters and errors.

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::behaviour::Action;
use super::super::bill::Tokens;
use super::super::dialect::{Ask, Dialect};
use super::super::failure::{Class, Refused};
use super::super::prompt::Prompt;
use super::super::reel::Reel;

/// A call of OpenAI's as Azure serves it.
pub(crate) struct Azure {
    /// The call.
    pub(crate) inner: &'static dyn Dialect,
    /// The path names a deployment, and the query has to name a version.
    pub(crate) versioned: bool,
    /// Prompt and answer pass a content filter that reports.
    pub(crate) filtered: bool,
}

impl Dialect for Azure {
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if text("api-key").or(bearer).is_none_or(|key| key.trim().is_empty()) {
            return Err(coded(401, "401", DENIED));
        }
        let query = head.uri.query().unwrap_or_default();
        let version = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
        if self.versioned && version.is_none_or(str::is_empty) {
            return Err(coded(404, "404", "Resource not found"));
        }
        Ok(())
    }

    fn read(&self, ask: &Ask<'_>) -> Result<Prompt, Refused> {
        self.inner.read(ask)
    }

    fn document(&self, answer: &Answer, prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
        let plain = self.inner.document(answer, prompt)?;
        if !self.filtered {
            return Ok(plain);
        }
        let mut document: Value = serde_json::from_slice(&plain)?;
        document["prompt_filter_results"] = prompt_filter();
        for choice in document["choices"].as_array_mut().into_iter().flatten() {
            choice["content_filter_results"] = safe();
        }
        serde_json::to_vec(&document)
    }

    /// The first chunk has no choices: it brings the filter's word about the prompt.
    fn stream(
        &self,
        answer: &Answer,
        prompt: &Prompt,
        reel: &mut Reel<'_>,
    ) -> serde_json::Result<()> {
        if self.filtered {
            let first = json!({"choices": [], "created": 0, "id": "", "model": "", "object": "",
                "prompt_filter_results": prompt_filter()});
            reel.sse(None, &first.to_string(), 0);
        }
        self.inner.stream(answer, prompt, reel)
    }

    fn embed(&self, ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
        self.inner.embed(ask)
    }

    fn models(&self, models: &[String]) -> Value {
        self.inner.models(models)
    }

    fn usage(&self, tokens: Tokens) -> Value {
        self.inner.usage(tokens)
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        self.inner.billed(usage, counted)
    }

    fn failure(&self, class: Class) -> Refused {
        match class {
            Class::RateLimit => coded(429, "429", RATE)
                .with("retry-after", "1")
                .with("retry-after-ms", "1000")
                .with("x-ratelimit-remaining-requests", "0")
                .with("x-ratelimit-reset-requests", "1"),
            Class::Auth => coded(401, "401", DENIED),
            Class::ModelGone => coded(404, "DeploymentNotFound", GONE),
            Class::ContentFilter => filtered(),
            class => self.inner.failure(class),
        }
    }

    fn unparsable(&self) -> Refused {
        self.inner.unparsable()
    }

    fn unknown_path(&self, _method: &str, _path: &str) -> Refused {
        coded(404, "404", "Resource not found")
    }

    fn unknown_model(&self, _model: &str) -> Refused {
        coded(404, "DeploymentNotFound", GONE)
    }

    fn broken_off(&self, refused: &Refused, action: &Action, at: usize) -> Bytes {
        self.inner.broken_off(refused, action, at)
    }

    fn garbage(&self, action: &Action) -> Bytes {
        self.inner.garbage(action)
    }

    fn headers(&self, mark: &str) -> Vec<(&'static str, String)> {
        let mut headers =
            vec![("apim-request-id", mark.to_owned()), ("x-ms-region", "Sim Central".to_owned())];
        headers.extend(self.inner.headers(mark));
        headers
    }
}

const DENIED: &str = "Access denied due to invalid subscription key or wrong API endpoint. Make \
                      sure to provide a valid key for an active subscription and use a correct \
                      regional API endpoint for your resource.";
const GONE: &str = "The API deployment for this resource does not exist. If you created the \
                    deployment within the last 5 minutes, please wait a moment and try again.";
const RATE: &str = "Requests to the ChatCompletions_Create Operation have exceeded call rate limit \
                    of your current OpenAI S0 pricing tier. Please retry after 1 second.";

fn coded(status: u16, code: &str, message: &str) -> Refused {
    Refused::new(status, json!({"error": {"code": code, "message": message}}))
}

fn filtered() -> Refused {
    Refused::new(
        400,
        json!({"error": {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's \
                content management policy. Please modify your prompt and retry.",
            "type": null, "param": "prompt", "code": "content_filter", "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"violence": {"filtered": true, "severity": "high"}}},
        }}),
    )
}

fn prompt_filter() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": safe()}])
}

fn safe() -> Value {
    let fine = json!({"filtered": false, "severity": "safe"});
    json!({"hate": fine, "self_harm": fine, "sexual": fine, "violence": fine})
}

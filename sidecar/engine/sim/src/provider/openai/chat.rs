//! The chat completion: the plain document, and what it shares with the stream.

use bytes::Bytes;
use http::request::Parts;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Invocation};
use super::super::behaviour::Action;
use super::super::bill::Tokens;
use super::super::dialect::{Ask, Dialect};
use super::super::failure::{Class, Refused};
use super::super::prompt::Prompt;
use super::super::reel::{Reel, sse};
use super::{embeddings, error, judge, request, stream};

/// Fingerprint of the "system" that answers.
pub(crate) const FINGERPRINT: &str = "fp_pointsman_sim";

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'a str,
    created: u64,
    model: &'a str,
    choices: Vec<PlainChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Value>,
    service_tier: &'a str,
    system_fingerprint: &'a str,
}

#[derive(Serialize)]
struct PlainChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    annotations: [(); 0],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<PlainCall<'a>>,
}

#[derive(Serialize)]
struct PlainCall<'a> {
    id: &'a str,
    r#type: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// OpenAI's chat completions.
pub(crate) struct Chat;

impl Dialect for Chat {
    /// Self-hosted servers of this format ask for no key, so none is demanded.
    fn admit(&self, _head: &Parts) -> Result<(), Refused> {
        Ok(())
    }

    fn read(&self, ask: &Ask<'_>) -> Result<Prompt, Refused> {
        if ask.strict {
            judge::judge(ask.body)?;
        }
        request::read(ask.body, ask.model)
    }

    fn document(&self, answer: &Answer, _prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
        document(answer)
    }

    fn stream(
        &self,
        answer: &Answer,
        prompt: &Prompt,
        reel: &mut Reel<'_>,
    ) -> serde_json::Result<()> {
        stream::write(answer, prompt.include_usage, reel)
    }

    fn embed(&self, ask: &Ask<'_>) -> Result<(Value, Tokens), Refused> {
        embeddings::document(ask.body, ask.model, ask.seed)
    }

    fn models(&self, models: &[String]) -> Value {
        let data = models.iter().map(
            |id| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "sim"}),
        );
        json!({"object": "list", "data": data.collect::<Vec<_>>()})
    }

    fn usage(&self, tokens: Tokens) -> Value {
        let mut usage = json!({
            "prompt_tokens": tokens.input,
            "completion_tokens": tokens.output,
            "total_tokens": tokens.input + tokens.output,
            "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": tokens.thinking, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        });
        let written = tokens.cache_write + tokens.cache_write_long;
        if written > 0 {
            usage["prompt_tokens_details"]["cache_write_tokens"] = written.into();
        }
        usage
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        let (input, output) =
            (&usage["prompt_tokens_details"], &usage["completion_tokens_details"]);
        Tokens {
            input: usage["prompt_tokens"].as_u64().unwrap_or(counted.input),
            cached: input["cached_tokens"].as_u64().unwrap_or(0),
            cache_write: input["cache_write_tokens"].as_u64().unwrap_or(0),
            cache_write_long: 0,
            thinking: output["reasoning_tokens"].as_u64().unwrap_or(0),
            output: usage["completion_tokens"].as_u64().unwrap_or(counted.output),
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

    fn broken_off(&self, refused: &Refused, action: &Action, _at: usize) -> Bytes {
        sse(action, None, &refused.body.to_string()).into()
    }

    fn garbage(&self, action: &Action) -> Bytes {
        sse(action, None, "{\"id\":\"chatcmpl-").into()
    }

    fn headers(&self, mark: &str) -> Vec<(&'static str, String)> {
        vec![("x-request-id", format!("req_{mark}")), ("openai-processing-ms", "1".to_owned())]
    }
}

/// Why a choice ended, in this dialect.
pub(super) fn finish_reason(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::Refused | Finish::Sequence(_) => "stop",
        Finish::Length => "length",
        Finish::Tools => "tool_calls",
        Finish::Scripted(word) => word,
    }
}

/// The identifier of an answer.
pub(super) fn id(answer: &Answer) -> String {
    format!("chatcmpl-{}", answer.mark)
}

/// The whole JSON document.
///
/// # Errors
/// Never for real answers; passed up rather than hidden.
fn document(answer: &Answer) -> serde_json::Result<Vec<u8>> {
    let choices = answer.choices.iter().enumerate().map(|(index, choice)| PlainChoice {
        index,
        message: Message {
            role: "assistant",
            content: choice.text.as_deref(),
            refusal: choice.refusal.as_deref(),
            annotations: [],
            tool_calls: choice.calls.iter().map(plain_call).collect(),
        },
        logprobs: None,
        finish_reason: finish_reason(&choice.finish),
    });
    serde_json::to_vec(&Completion {
        id: &id(answer),
        object: "chat.completion",
        created: answer.created,
        model: &answer.model,
        choices: choices.collect(),
        usage: answer.usage.as_ref(),
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
    })
}

fn plain_call(call: &Invocation) -> PlainCall<'_> {
    let function = Function { name: &call.name, arguments: &call.arguments };
    PlainCall { id: &call.id, r#type: "function", function }
}

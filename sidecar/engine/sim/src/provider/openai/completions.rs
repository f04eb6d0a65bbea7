//! The legacy completion: text in, text out.

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::behaviour::Action;
use super::super::bill::Tokens;
use super::super::dialect::{Ask, Dialect};
use super::super::failure::{Class, Refused};
use super::super::prompt::{Prompt, Weight};
use super::super::reel::{Reel, Track, sse};
use super::super::shape::{Habits, Shape, check, may, must};
use super::chat::{Chat, FINGERPRINT, finish_reason};
use super::error::{bad_parameter, malformed};

/// Output tokens where the caller names no limit.
const CAP: u64 = 16;
const MANY: usize = 100_000;

static REQUEST: Shape = Shape::Fields(&[
    must("model", Shape::Filled),
    must("prompt", Shape::Either(&[Shape::Text, Shape::List(&Shape::Any, 1, MANY)])),
    may("best_of", Shape::Whole(1, 20)),
    may("echo", Shape::Flag),
    may("frequency_penalty", Shape::Number(-2.0, 2.0)),
    may("presence_penalty", Shape::Number(-2.0, 2.0)),
    may("logit_bias", Shape::Object),
    may("logprobs", Shape::Whole(0, 5)),
    may("max_tokens", Shape::Whole(0, i64::MAX)),
    may("n", Shape::Whole(1, 128)),
    may("seed", Shape::Whole(i64::MIN, i64::MAX)),
    may("stop", Shape::Either(&[Shape::Text, Shape::List(&Shape::Text, 0, 4)])),
    may("stream", Shape::Flag),
    may(
        "stream_options",
        Shape::Fields(&[
            may("include_usage", Shape::Flag),
            may("include_obfuscation", Shape::Flag),
        ]),
    ),
    may("suffix", Shape::Text),
    may("temperature", Shape::Number(0.0, 2.0)),
    may("top_p", Shape::Number(0.0, 1.0)),
    may("user", Shape::Text),
]);

/// OpenAI's completions.
pub(crate) struct Completions;

impl Dialect for Completions {
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        Chat.admit(head)
    }

    fn read(&self, ask: &Ask<'_>) -> Result<Prompt, Refused> {
        let body = ask.body;
        let habits = Habits { null_is_absent: true, snake: false };
        check(body, &REQUEST, habits).map_err(|fault| malformed(&fault))?;
        let mut weight = Weight::default();
        let prompts = prompts(&body["prompt"], &mut weight)
            .ok_or_else(|| bad_parameter("'prompt' is invalid.", "prompt", "invalid_type"))?;
        let each = usize::try_from(body["n"].as_u64().unwrap_or(1)).unwrap_or(1);
        let cap = body["max_tokens"].as_u64().unwrap_or(CAP);
        let stops = match &body["stop"] {
            Value::String(stop) => vec![stop.clone()],
            list => list
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|s| s.as_str())
                .map(str::to_owned)
                .collect(),
        };
        let echo = if body["echo"] == true { json!(prompts) } else { json!([]) };
        Ok(Prompt {
            model: ask.model.to_owned(),
            stream: body["stream"] == true,
            include_usage: body["stream_options"]["include_usage"] == true,
            choices: each * prompts.len(),
            cap: Some(usize::try_from(cap).unwrap_or(usize::MAX)),
            tokens: weight.tokens(),
            last_user: prompts.concat(),
            stops,
            echo,
            ..Prompt::default()
        })
    }

    fn document(&self, answer: &Answer, prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
        let choices = answer.choices.iter().enumerate().map(|(index, choice)| {
            let text = echoed(prompt, index).to_owned() + choice.text.as_deref().unwrap_or("");
            json!({"text": text, "index": index, "logprobs": null,
                "finish_reason": finish_reason(&choice.finish)})
        });
        let mut document = envelope(answer, choices.collect());
        if let Some(usage) = &answer.usage {
            document["usage"] = usage.clone();
        }
        serde_json::to_vec(&document)
    }

    fn stream(
        &self,
        answer: &Answer,
        prompt: &Prompt,
        reel: &mut Reel<'_>,
    ) -> serde_json::Result<()> {
        let send = |reel: &mut Reel<'_>, choices: Vec<Value>, usage: Option<&Value>, weight| {
            let mut document = envelope(answer, choices);
            if prompt.include_usage {
                document["usage"] = usage.cloned().unwrap_or_default();
            }
            reel.sse(None, &document.to_string(), weight);
        };
        for (index, choice) in answer.choices.iter().enumerate() {
            let piece = |text: &str, finish: Option<&str>| {
                vec![
                    json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish}),
                ]
            };
            match echoed(prompt, index) {
                "" => {}
                text => send(reel, piece(text, None), None, 0),
            }
            for text in reel.pieces(choice.text.as_deref().unwrap_or_default()) {
                let weight = reel.count(Track::Said(index), text);
                send(reel, piece(text, None), None, weight);
            }
            send(reel, piece("", Some(finish_reason(&choice.finish))), None, 0);
        }
        if prompt.include_usage && answer.usage.is_some() {
            send(reel, Vec::new(), answer.usage.as_ref(), 0);
        }
        if !reel.action().no_done {
            reel.sse(None, "[DONE]", 0);
        }
        Ok(())
    }

    fn models(&self, models: &[String]) -> Value {
        Chat.models(models)
    }

    fn usage(&self, tokens: Tokens) -> Value {
        Chat.usage(tokens)
    }

    fn billed(&self, usage: &Value, counted: Tokens) -> Tokens {
        Chat.billed(usage, counted)
    }

    fn failure(&self, class: Class) -> Refused {
        Chat.failure(class)
    }

    fn unparsable(&self) -> Refused {
        Chat.unparsable()
    }

    fn unknown_path(&self, method: &str, path: &str) -> Refused {
        Chat.unknown_path(method, path)
    }

    fn unknown_model(&self, model: &str) -> Refused {
        Chat.unknown_model(model)
    }

    fn broken_off(&self, refused: &Refused, action: &Action, at: usize) -> Bytes {
        Chat.broken_off(refused, action, at)
    }

    fn garbage(&self, action: &Action) -> Bytes {
        sse(action, None, "{\"id\":\"cmpl-").into()
    }

    fn headers(&self, mark: &str) -> Vec<(&'static str, String)> {
        Chat.headers(mark)
    }
}

fn envelope(answer: &Answer, choices: Vec<Value>) -> Value {
    json!({"id": format!("cmpl-{}", answer.mark), "object": "text_completion",
        "created": answer.created, "model": answer.model, "choices": choices,
        "system_fingerprint": FINGERPRINT})
}

/// The prompt of the choice of this number, where it is to be repeated.
fn echoed(prompt: &Prompt, index: usize) -> &str {
    let Some(prompts) = prompt.echo.as_array().filter(|prompts| !prompts.is_empty()) else {
        return "";
    };
    let each = (prompt.choices / prompts.len()).max(1);
    prompts.get(index / each).and_then(Value::as_str).unwrap_or_default()
}

/// A text, a list of texts, a list of token ids, or a list of those.
fn prompts(value: &Value, weight: &mut Weight) -> Option<Vec<String>> {
    let items = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(items) if items.first()?.is_u64() => std::slice::from_ref(value),
        Value::Array(items) => items,
        _ => return None,
    };
    let texts = items.iter().map(|item| match item {
        Value::String(text) => {
            weight.text(text);
            Some(text.clone())
        }
        Value::Array(ids) if !ids.is_empty() && ids.iter().all(Value::is_u64) => {
            weight.text(&"tok ".repeat(ids.len()));
            Some(item.to_string())
        }
        _ => None,
    });
    texts.collect()
}

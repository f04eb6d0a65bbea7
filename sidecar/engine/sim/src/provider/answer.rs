//! What the model "says": scripted, recorded or made-up content, cut at the caller's limit, with
//! the usage that goes with it.

use serde_json::{Value, json};

use super::behaviour::Action;
use super::bill::Tokens;
use super::prompt::{Prompt, tokens_of};
use super::replay::{Replay, filler, neutral, seed_of};
use super::schema;

/// An answer before it is put on the wire.
pub(crate) struct Answer {
    pub(crate) id: String,
    /// Seconds since the epoch.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) choices: Vec<Choice>,
    /// What is billed when all of it was sent.
    pub(crate) tokens: Tokens,
    /// What is reported; none where the script says null.
    pub(crate) usage: Option<Value>,
}

/// One choice: text, or tool calls.
pub(crate) struct Choice {
    pub(crate) text: Option<String>,
    pub(crate) calls: Vec<Invocation>,
    pub(crate) finish: &'static str,
}

/// A tool call with its arguments as JSON text.
#[derive(Clone)]
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Choice {
    fn chars(&self) -> usize {
        let calls = self.calls.iter();
        self.text.as_ref().map_or(0, |text| text.chars().count())
            + calls
                .map(|call| call.name.chars().count() + call.arguments.chars().count())
                .sum::<usize>()
    }
}

impl Answer {
    /// Composes the answer to `prompt`; `sequence` makes the identifiers unique.
    pub(crate) fn compose(
        prompt: &Prompt,
        action: &Action,
        replay: &Replay,
        seed: u64,
        sequence: u64,
        created: u64,
    ) -> Self {
        let unique = seed_of(&prompt.last_user, &prompt.model, seed ^ sequence.rotate_left(17));
        let choices: Vec<Choice> = (0..prompt.choices)
            .map(|index| choice(prompt, action, replay, seed.wrapping_add(index as u64), unique))
            .collect();
        let counted = Tokens {
            input: prompt.tokens,
            cached: 0,
            output: choices.iter().map(|choice| tokens_of(choice.chars())).sum(),
        };
        let tokens = action.usage.as_ref().map_or(counted, |usage| overridden(usage, counted));
        let usage = match &action.usage {
            None => Some(reported(tokens)),
            Some(Value::Null) => None,
            Some(usage) => Some(usage.clone()),
        };
        let id = format!("chatcmpl-{unique:016x}{sequence:08x}");
        Self { id, created, model: prompt.model.clone(), choices, tokens, usage }
    }
}

/// The usage document of `tokens`.
fn reported(tokens: Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}

/// A scripted usage is what the provider charges, too; members it lacks stay as counted.
fn overridden(usage: &Value, counted: Tokens) -> Tokens {
    let cached = &usage["prompt_tokens_details"]["cached_tokens"];
    Tokens {
        input: usage["prompt_tokens"].as_u64().unwrap_or(counted.input),
        cached: cached.as_u64().unwrap_or(0),
        output: usage["completion_tokens"].as_u64().unwrap_or(counted.output),
    }
}

fn choice(prompt: &Prompt, action: &Action, replay: &Replay, seed: u64, unique: u64) -> Choice {
    let calls = invocations(prompt, action, unique);
    if !calls.is_empty() {
        return Choice { text: action.text.clone(), calls, finish: "tool_calls" };
    }
    let mut text = content(prompt, action, replay, seed);
    let mut finish = "stop";
    if let Some(cap) = prompt.cap
        && let Some((end, _)) = text.char_indices().nth(cap.saturating_mul(4))
    {
        text.truncate(end);
        finish = "length";
    }
    Choice { text: Some(text), calls, finish }
}

fn content(prompt: &Prompt, action: &Action, replay: &Replay, seed: u64) -> String {
    if let Some(text) = &action.text {
        return text.clone();
    }
    if let Some(tokens) = action.output_tokens {
        let seed = seed_of(&prompt.last_user, &prompt.model, seed);
        return neutral(tokens.saturating_mul(4), seed);
    }
    if let Some(schema) = &prompt.schema {
        return schema::instance(schema).to_string();
    }
    replay
        .answer(&prompt.last_user, &prompt.model)
        .unwrap_or_else(|| filler(&prompt.last_user, &prompt.model, seed))
}

/// Scripted tool calls, else the one that the caller demands.
fn invocations(prompt: &Prompt, action: &Action, unique: u64) -> Vec<Invocation> {
    let scripted = action.tool_calls.iter().enumerate().map(|(index, call)| Invocation {
        id: call.id.clone().unwrap_or_else(|| format!("call_{unique:016x}{index:02}")),
        name: call.name.clone(),
        arguments: match &call.arguments {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        },
    });
    let forced = prompt.forced_tool.iter().filter(|_| action.tool_calls.is_empty());
    let forced = forced.map(|tool| Invocation {
        id: format!("call_{unique:016x}00"),
        name: tool.name.clone(),
        arguments: schema::instance(&tool.parameters).to_string(),
    });
    scripted.chain(forced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compose(body: &Value, action: &str) -> Answer {
        let prompt = Prompt::read(body).unwrap();
        let action: Action = serde_json::from_str(action).unwrap();
        Answer::compose(&prompt, &action, &Replay::default(), 1, 1, 0)
    }

    fn body(extra: &Value) -> Value {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    /// The caller's limit cuts the answer and says so.
    #[test]
    fn the_cap_cuts_with_length() {
        let answer = compose(&body(&json!({"max_completion_tokens": 5})), r#"{"outputTokens":50}"#);
        assert_eq!(answer.choices[0].finish, "length");
        assert_eq!(answer.tokens.output, 5);
        let answer = compose(&body(&json!({"max_tokens": 50})), r#"{"outputTokens":50}"#);
        assert_eq!(answer.choices[0].finish, "stop");
        assert_eq!(answer.tokens.output, 50);
    }

    /// What a scripted usage reports is what is billed; null reports nothing and bills the count.
    #[test]
    fn scripted_usage_is_billed() {
        let usage = r#"{"usage":{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60}}}"#;
        let answer = compose(&body(&json!({})), usage);
        assert_eq!(answer.tokens, Tokens { input: 100, cached: 60, output: 7 });
        let answer = compose(&body(&json!({})), r#"{"usage":null,"text":"abcdefgh"}"#);
        assert_eq!(answer.tokens, Tokens { input: 2, cached: 0, output: 2 });
        assert!(answer.usage.is_none());
    }

    /// Several choices are all billed, and structured output fits its schema.
    #[test]
    fn choices_and_structured_output() {
        let answer = compose(&body(&json!({"n": 3})), r#"{"text":"abcde"}"#);
        assert_eq!(answer.choices.len(), 3);
        assert_eq!(answer.tokens.output, 6);
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
        let format =
            json!({"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}});
        let answer = compose(&body(&format), "{}");
        assert_eq!(answer.choices[0].text.as_deref(), Some(r#"{"a":1}"#));
    }
}

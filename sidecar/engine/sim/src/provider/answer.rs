//! What the model "says": scripted, recorded or made-up content, cut at the caller's limit, with
//! the usage that goes with it.

use serde_json::Value;

use super::behaviour::Action;
use super::bill::Tokens;
use super::dialect::Dialect;
use super::prompt::{Prompt, signature, tokens_of};
use super::replay::{Replay, filler, neutral, seed_of};
use super::schema;

/// Characters that a model thinks where it is asked to and the script says nothing.
const THOUGHT_CHARS: usize = 60;

/// An answer before it is put on the wire.
pub(crate) struct Answer {
    /// What is unique in its identifiers.
    pub(crate) mark: String,
    /// Seconds since the epoch.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) choices: Vec<Choice>,
    /// What is billed when all of it was sent.
    pub(crate) tokens: Tokens,
    /// Tokens of thinking that the answer does not show.
    pub(crate) hidden: u64,
    /// What is reported; none where the script says null.
    pub(crate) usage: Option<Value>,
    /// What a stream reports first instead, where the script says so.
    pub(crate) start_usage: Option<Value>,
}

/// One choice: text, a refusal, or tool calls, after thinking.
#[derive(Default)]
pub(crate) struct Choice {
    pub(crate) thinking: Option<Thinking>,
    pub(crate) text: Option<String>,
    pub(crate) refusal: Option<String>,
    pub(crate) calls: Vec<Invocation>,
    pub(crate) finish: Finish,
}

/// Thinking that is shown.
pub(crate) struct Thinking {
    pub(crate) text: String,
    pub(crate) signature: String,
}

/// Why a choice ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model was done.
    #[default]
    Stop,
    /// The caller's limit.
    Length,
    /// The model waits for tools.
    Tools,
    /// The model declines.
    Refused,
    /// This text of the caller's was about to be said.
    Sequence(String),
    /// The script's word.
    Scripted(String),
}

/// A tool call with its arguments as JSON text.
#[derive(Clone)]
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Invocation {
    /// The arguments as an object; `None` where they are none (cut short, or scripted so).
    pub(crate) fn object(&self) -> Option<Value> {
        if self.arguments.is_empty() {
            return Some(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_str(&self.arguments).ok().filter(Value::is_object)
    }
}

impl Choice {
    fn chars(&self) -> usize {
        let texts = [&self.text, &self.refusal].into_iter().flatten();
        let calls = self.calls.iter();
        texts.map(|text| text.chars().count()).sum::<usize>()
            + calls
                .map(|call| call.name.chars().count() + call.arguments.chars().count())
                .sum::<usize>()
    }

    fn thought(&self) -> u64 {
        self.thinking.as_ref().map_or(0, |thinking| tokens_of(thinking.text.chars().count()))
    }
}

/// Where answers come from, and what tells this one from the others.
pub(crate) struct Source<'a> {
    /// Recorded answers.
    pub(crate) replay: &'a Replay,
    /// Seed of what is made up.
    pub(crate) seed: u64,
    /// Makes the identifiers unique.
    pub(crate) sequence: u64,
    /// Seconds since the epoch.
    pub(crate) created: u64,
}

impl Answer {
    /// Composes the answer to `prompt`.
    pub(crate) fn compose(
        dialect: &dyn Dialect,
        prompt: &Prompt,
        action: &Action,
        source: &Source<'_>,
    ) -> Self {
        let Source { replay, seed, sequence, created } = *source;
        let unique = seed_of(&prompt.last_user, &prompt.model, seed ^ sequence.rotate_left(17));
        let thought = thought(prompt, action, seed);
        let mut hidden = action.thinking_tokens;
        if !prompt.shows_thinking {
            hidden += thought.as_ref().map_or(0, |text| tokens_of(text.chars().count()));
        }
        if let Some(cap) = prompt.cap.filter(|_| prompt.cap_holds_thinking) {
            hidden = hidden.min(cap as u64);
        }
        let choices: Vec<Choice> = (0..prompt.choices)
            .map(|index| {
                let maker = Maker { prompt, action, replay, unique, hidden };
                maker.choice(thought.clone(), seed.wrapping_add(index as u64))
            })
            .collect();
        let thinking = hidden + choices.iter().map(Choice::thought).sum::<u64>();
        let said = choices.iter().map(|choice| tokens_of(choice.chars())).sum::<u64>();
        let (cached, cache_write) = (action.cached_tokens, action.cache_write_tokens);
        let cache_write_long = action.cache_write_long_tokens;
        let counted = Tokens {
            input: prompt.tokens.max(cached + cache_write + cache_write_long),
            cached,
            cache_write,
            cache_write_long,
            output: said + thinking,
            thinking,
            ..Tokens::default()
        };
        let scripted = action.usage.as_ref();
        let tokens = scripted.map_or(counted, |usage| dialect.billed(usage, counted));
        let usage = match scripted {
            None => Some(dialect.usage(tokens)),
            Some(Value::Null) => None,
            Some(usage) => Some(usage.clone()),
        };
        let mark = format!("{unique:016x}{sequence:08x}");
        let start_usage = action.start_usage.clone();
        Self {
            mark,
            created,
            model: prompt.model.clone(),
            choices,
            tokens,
            hidden,
            usage,
            start_usage,
        }
    }
}

/// What is thought: the script's words, or a few of our own where thinking is asked for.
fn thought(prompt: &Prompt, action: &Action, seed: u64) -> Option<String> {
    if let Some(text) = &action.thinking {
        return Some(text.clone());
    }
    let seed = || seed_of(&prompt.last_user, &prompt.model, seed);
    prompt.thinks.then(|| neutral(THOUGHT_CHARS, seed()))
}

/// Makes one choice.
struct Maker<'a> {
    prompt: &'a Prompt,
    action: &'a Action,
    replay: &'a Replay,
    unique: u64,
    hidden: u64,
}

impl Maker<'_> {
    fn choice(&self, thought: Option<String>, seed: u64) -> Choice {
        let mut choice = self.said(seed);
        let mut room = self.prompt.cap.map(|cap| cap.saturating_mul(4));
        if let Some(mut text) = thought.filter(|_| self.prompt.shows_thinking) {
            if let Some(left) = room.filter(|_| self.prompt.cap_holds_thinking) {
                let tokens = text.chars().count().div_ceil(4);
                room = Some(left.saturating_sub(tokens * 4));
                if cut(&mut text, left) || room == Some(0) {
                    choice = Choice { finish: Finish::Length, ..Choice::default() };
                }
            }
            let signature = signature(self.prompt.realm, &text);
            choice.thinking = Some(Thinking { text, signature });
        } else if let Some(left) = room.filter(|_| self.prompt.cap_holds_thinking) {
            let hidden = usize::try_from(self.hidden).unwrap_or(usize::MAX).saturating_mul(4);
            room = Some(left.saturating_sub(hidden));
        }
        if choice.calls.is_empty()
            && let (Some(text), Some(room)) = (&mut choice.text, room)
            && cut(text, room)
        {
            choice.finish = Finish::Length;
        }
        if let Some(word) = &self.action.finish {
            choice.finish = Finish::Scripted(word.clone());
        }
        choice
    }

    /// What is said, before any limit.
    fn said(&self, seed: u64) -> Choice {
        if let Some(words) = &self.action.refusal {
            let refusal = Some(words.clone());
            return Choice { refusal, finish: Finish::Refused, ..Choice::default() };
        }
        let calls = invocations(self.prompt, self.action, self.unique);
        if !calls.is_empty() {
            let text = self.action.text.clone();
            return Choice { text, calls, finish: Finish::Tools, ..Choice::default() };
        }
        let mut text = self.content(seed);
        let mut finish = Finish::Stop;
        let stops = self.prompt.stops.iter().filter(|stop| !stop.is_empty());
        let found = stops.filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop))).min();
        if let Some((at, stop)) = found {
            text.truncate(at);
            finish = Finish::Sequence(stop.clone());
        }
        Choice { text: Some(text), finish, ..Choice::default() }
    }

    fn content(&self, seed: u64) -> String {
        let (prompt, action) = (self.prompt, self.action);
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
        self.replay
            .answer(&prompt.last_user, &prompt.model)
            .unwrap_or_else(|| filler(&prompt.last_user, &prompt.model, seed))
    }
}

/// Cuts `text` to so many characters; whether anything was lost.
fn cut(text: &mut String, room: usize) -> bool {
    let end = text.char_indices().nth(room).map(|(end, _)| end);
    if let Some(end) = end {
        text.truncate(end);
    }
    end.is_some()
}

/// An identifier for a call; none where the dialect needs none.
fn made_up(prompt: &Prompt, unique: u64, index: usize) -> String {
    match prompt.call_prefix {
        "" => String::new(),
        prefix => format!("{prefix}{unique:016x}{index:02}"),
    }
}

/// Scripted tool calls, else the one that the caller demands.
fn invocations(prompt: &Prompt, action: &Action, unique: u64) -> Vec<Invocation> {
    let scripted = action.tool_calls.iter().enumerate().map(|(index, call)| Invocation {
        id: call.id.clone().unwrap_or_else(|| made_up(prompt, unique, index)),
        name: call.name.clone(),
        arguments: match &call.arguments {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        },
    });
    let forced = prompt.forced_tool.iter().filter(|_| action.tool_calls.is_empty());
    let forced = forced.map(|tool| Invocation {
        id: made_up(prompt, unique, 0),
        name: tool.name.clone(),
        arguments: schema::instance(&tool.parameters).to_string(),
    });
    scripted.chain(forced).collect()
}

#[cfg(test)]
mod tests {
    use super::super::openai::{chat::Chat, request};
    use super::*;
    use serde_json::json;

    fn compose(body: &Value, action: &str) -> Answer {
        let prompt = request::read(body, "m").unwrap();
        let action: Action = serde_json::from_str(action).unwrap();
        let source = Source { replay: &Replay::default(), seed: 1, sequence: 1, created: 0 };
        Answer::compose(&Chat, &prompt, &action, &source)
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
        assert_eq!(answer.choices[0].finish, Finish::Length);
        assert_eq!(answer.tokens.output, 5);
        let answer = compose(&body(&json!({"max_tokens": 50})), r#"{"outputTokens":50}"#);
        assert_eq!(answer.choices[0].finish, Finish::Stop);
        assert_eq!(answer.tokens.output, 50);
    }

    /// What a scripted usage reports is what is billed; null reports nothing and bills the count.
    #[test]
    fn scripted_usage_is_billed() {
        let usage = r#"{"usage":{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60}}}"#;
        let answer = compose(&body(&json!({})), usage);
        assert_eq!(
            answer.tokens,
            Tokens { input: 100, cached: 60, output: 7, ..Tokens::default() }
        );
        let answer = compose(&body(&json!({})), r#"{"usage":null,"text":"abcdefgh"}"#);
        assert_eq!(answer.tokens, Tokens { input: 2, output: 2, ..Tokens::default() });
        assert!(answer.usage.is_none());
    }

    /// Thinking that nobody sees is billed, and the caller's limit holds for it, too.
    #[test]
    fn the_cap_holds_for_hidden_thinking() {
        let cap = body(&json!({"max_completion_tokens": 5}));
        let answer = compose(&cap, r#"{"thinkingTokens":3,"outputTokens":50}"#);
        assert_eq!((answer.tokens.output, answer.tokens.thinking), (5, 3));
        let answer = compose(&cap, r#"{"thinkingTokens":90,"outputTokens":50}"#);
        assert_eq!((answer.tokens.output, answer.tokens.thinking), (5, 5));
        assert_eq!(answer.choices[0].finish, Finish::Length);
        let answer = compose(&body(&json!({})), r#"{"thinkingTokens":90,"text":"abcd"}"#);
        assert_eq!(answer.usage.unwrap()["completion_tokens_details"]["reasoning_tokens"], 90);
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

//! The streamed chat completion: server-sent events in OpenAI's order (role first, content or
//! tool deltas, finish reasons, the usage event if asked for, `[DONE]`), with what each one costs.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Choice};
use super::behaviour::Action;
use super::bill::Tokens;
use super::chat::FINGERPRINT;
use super::errors;
use super::prompt::tokens_of;

/// One event, or a whole plain body.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) bytes: Bytes,
    /// Cumulative tokens of the call once this is sent.
    pub(crate) tokens: Tokens,
    /// Output tokens in this event: it is paced by them. Zero: sent at once.
    pub(crate) weight: u64,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'a str,
    created: u64,
    model: &'a str,
    service_tier: &'a str,
    system_fingerprint: &'a str,
    choices: Vec<ChunkChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Value>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallDelta<'a>>,
}

#[derive(Clone, Serialize)]
struct CallDelta<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    function: FunctionDelta<'a>,
}

#[derive(Clone, Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// Builds all events of `answer`.
///
/// # Errors
/// Never for real answers; passed up rather than hidden.
pub(crate) fn events(
    answer: &Answer,
    action: &Action,
    include_usage: bool,
    delta_tokens: usize,
) -> serde_json::Result<Vec<Event>> {
    let mut writer = Writer {
        answer,
        null_usage: include_usage.then_some(&Value::Null),
        line_end: if action.crlf { "\r\n" } else { "\n" },
        comments: action.comments,
        chars: vec![0; answer.choices.len()],
        events: Vec::new(),
    };
    let deltas: Vec<Vec<Delta<'_>>> =
        answer.choices.iter().map(|choice| deltas(choice, delta_tokens.max(1) * 4)).collect();
    for index in 0..deltas.len() {
        let tools = answer.choices[index].text.is_none();
        let content = if tools { None } else { Some("") };
        writer.choice(
            index,
            Delta { role: Some("assistant"), content, ..Delta::default() },
            None,
        )?;
    }
    let mut queues: Vec<_> = deltas.into_iter().map(Vec::into_iter).collect();
    let mut left = true;
    while left {
        left = false;
        for (index, queue) in queues.iter_mut().enumerate() {
            if let Some(delta) = queue.next() {
                left = true;
                writer.choice(index, delta, None)?;
            }
        }
    }
    for (index, choice) in answer.choices.iter().enumerate() {
        writer.choice(index, Delta::default(), Some(choice.finish))?;
    }
    if include_usage && answer.usage.is_some() {
        writer.chunk(Vec::new(), answer.usage.as_ref(), 0)?;
    }
    if !action.no_done {
        writer.event("[DONE]", 0);
    }
    Ok(finish(writer, action))
}

/// Applies the scripted damage and makes the last event pay for the whole.
fn finish(writer: Writer<'_>, action: &Action) -> Vec<Event> {
    let line_end = writer.line_end;
    let total = writer.answer.tokens;
    let mut events = writer.events;
    if let Some(garbage) = action.garbage_at_event.and_then(|at| events.get_mut(at)) {
        garbage.bytes = Bytes::from(format!("data: {{\"id\":\"chatcmpl-{line_end}{line_end}"));
    }
    if let Some(at) = action.error_at_event {
        let error = errors::document(
            "The server had an error while processing your request.",
            "server_error",
            None,
            None,
        );
        events.truncate(at);
        let tokens = events.last().map_or(Tokens { output: 0, ..total }, |event| event.tokens);
        let bytes = Bytes::from(format!("data: {error}{line_end}{line_end}"));
        events.push(Event { bytes, tokens, weight: 0 });
    } else if let Some(last) = events.last_mut() {
        last.tokens = total;
    }
    events
}

struct Writer<'a> {
    answer: &'a Answer,
    null_usage: Option<&'a Value>,
    line_end: &'static str,
    comments: bool,
    /// Characters sent so far, by choice.
    chars: Vec<usize>,
    events: Vec<Event>,
}

impl<'a> Writer<'a> {
    fn choice(
        &mut self,
        index: usize,
        delta: Delta<'a>,
        finish_reason: Option<&'a str>,
    ) -> serde_json::Result<()> {
        let before = tokens_of(self.chars[index]);
        self.chars[index] += delta.content.map_or(0, |text| text.chars().count());
        for call in &delta.tool_calls {
            let name = call.function.name.map_or(0, |name| name.chars().count());
            self.chars[index] += name + call.function.arguments.chars().count();
        }
        let weight = tokens_of(self.chars[index]) - before;
        let choice = ChunkChoice { index, delta, logprobs: None, finish_reason };
        self.chunk(vec![choice], self.null_usage, weight)
    }

    fn chunk(
        &mut self,
        choices: Vec<ChunkChoice<'a>>,
        usage: Option<&'a Value>,
        weight: u64,
    ) -> serde_json::Result<()> {
        let text = serde_json::to_string(&Chunk {
            id: &self.answer.id,
            object: "chat.completion.chunk",
            created: self.answer.created,
            model: &self.answer.model,
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            choices,
            usage,
        })?;
        self.event(&text, weight);
        Ok(())
    }

    fn event(&mut self, data: &str, weight: u64) {
        let end = self.line_end;
        let comment = if self.comments { format!(": keep-alive{end}{end}") } else { String::new() };
        let output = self.chars.iter().map(|chars| tokens_of(*chars)).sum();
        self.events.push(Event {
            bytes: Bytes::from(format!("{comment}data: {data}{end}{end}")),
            tokens: Tokens { output, ..self.answer.tokens },
            weight,
        });
    }
}

/// A choice's content in pieces of `size` characters; tool calls one after the other, the
/// identifier and name in the first delta of each.
fn deltas(choice: &Choice, size: usize) -> Vec<Delta<'_>> {
    let text = choice.text.as_deref().into_iter().flat_map(|text| pieces(text, size));
    let mut all: Vec<Delta<'_>> =
        text.map(|part| Delta { content: Some(part), ..Delta::default() }).collect();
    for (index, call) in choice.calls.iter().enumerate() {
        all.push(tool_delta(CallDelta {
            index,
            id: Some(&call.id),
            r#type: Some("function"),
            function: FunctionDelta { name: Some(&call.name), arguments: "" },
        }));
        for arguments in pieces(&call.arguments, size) {
            let function = FunctionDelta { name: None, arguments };
            all.push(tool_delta(CallDelta { index, id: None, r#type: None, function }));
        }
    }
    all
}

fn tool_delta(call: CallDelta<'_>) -> Delta<'_> {
    Delta { tool_calls: vec![call], ..Delta::default() }
}

/// Cuts `text` into pieces of `size` characters.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(size).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

//! The streamed chat completion: server-sent events in OpenAI's order (role first, content or
//! tool deltas, finish reasons, the usage event if asked for, `[DONE]`), with what each one costs.

use serde::Serialize;
use serde_json::Value;

use super::super::answer::{Answer, Choice};
use super::super::reel::{Reel, Track};
use super::chat::{FINGERPRINT, finish_reason, id};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
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

/// Writes all events of `answer`.
///
/// # Errors
/// Never for real answers; passed up rather than hidden.
pub(super) fn write(
    answer: &Answer,
    include_usage: bool,
    reel: &mut Reel<'_>,
) -> serde_json::Result<()> {
    let deltas: Vec<Vec<Delta<'_>>> =
        answer.choices.iter().map(|choice| deltas(choice, reel)).collect();
    let null_usage = include_usage.then_some(&Value::Null);
    let mut writer = Writer { answer, id: id(answer), null_usage, reel };
    for (index, choice) in answer.choices.iter().enumerate() {
        let content = choice.text.as_ref().map(|_| "");
        let first = Delta { role: Some("assistant"), content, ..Delta::default() };
        writer.choice(index, first, None)?;
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
        writer.choice(index, Delta::default(), Some(finish_reason(&choice.finish)))?;
    }
    if include_usage && answer.usage.is_some() {
        writer.chunk(Vec::new(), answer.usage.as_ref(), 0)?;
    }
    if !writer.reel.action().no_done {
        writer.reel.sse(None, "[DONE]", 0);
    }
    Ok(())
}

struct Writer<'a, 'r, 's> {
    answer: &'a Answer,
    id: String,
    null_usage: Option<&'a Value>,
    reel: &'r mut Reel<'s>,
}

impl<'a> Writer<'a, '_, '_> {
    fn choice(
        &mut self,
        index: usize,
        delta: Delta<'a>,
        finish_reason: Option<&'a str>,
    ) -> serde_json::Result<()> {
        let said = Track::Said(index);
        let mut weight = 0;
        for text in [delta.content, delta.refusal].into_iter().flatten() {
            weight += self.reel.count(said, text);
        }
        for call in &delta.tool_calls {
            weight += self.reel.count(said, call.function.name.unwrap_or_default());
            weight += self.reel.count(said, call.function.arguments);
        }
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
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.answer.created,
            model: &self.answer.model,
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            choices,
            usage,
        })?;
        self.reel.sse(None, &text, weight);
        Ok(())
    }
}

/// A choice's content in pieces; tool calls one after the other, the identifier and name in the
/// first delta of each.
fn deltas<'a>(choice: &'a Choice, reel: &Reel<'_>) -> Vec<Delta<'a>> {
    let text = reel.pieces(choice.text.as_deref().unwrap_or_default()).into_iter();
    let refusal = reel.pieces(choice.refusal.as_deref().unwrap_or_default()).into_iter();
    let mut all: Vec<Delta<'_>> = text
        .map(|part| Delta { content: Some(part), ..Delta::default() })
        .chain(refusal.map(|part| Delta { refusal: Some(part), ..Delta::default() }))
        .collect();
    for (index, call) in choice.calls.iter().enumerate() {
        all.push(tool_delta(CallDelta {
            index,
            id: Some(&call.id),
            r#type: Some("function"),
            function: FunctionDelta { name: Some(&call.name), arguments: "" },
        }));
        for arguments in reel.arguments(&call.arguments) {
            let function = FunctionDelta { name: None, arguments };
            all.push(tool_delta(CallDelta { index, id: None, r#type: None, function }));
        }
    }
    all
}

fn tool_delta(call: CallDelta<'_>) -> Delta<'_> {
    Delta { tool_calls: vec![call], ..Delta::default() }
}

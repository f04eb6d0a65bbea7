//! The plain answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::blocks::{Block, Input, to_json};
use super::finish::{self, Held, Stop, StopDetails, Told};
use super::ids;
use super::usage::{self, Counts};
use crate::Facts;
use crate::form::{Call, Choice, Garbled, Part, Payload, Reply, Thinking};

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    stop_details: Option<StopDetails>,
    usage: Option<Counts>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Reads an answer.
///
/// # Errors
/// It is cut, an error, or holds nothing.
pub fn read(body: &[u8]) -> Result<Reply, Garbled> {
    let message: Message = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    if let Some(error) = message.error {
        return Err(Garbled::Error(error.get().to_owned()));
    }
    let blocks = message.content.ok_or(Garbled::Empty)?;
    let read = |raw: &RawValue| read_block(raw.get()).map(Part::from).ok_or(Garbled::Malformed);
    let mut parts = blocks.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // A plain answer always says why it ended: without that it is not one.
    let Message { stop_reason, stop_sequence, stop_details, .. } = message;
    let end = Told { stop_reason, stop_sequence, stop_details };
    let (finish, refusal) = end.read().ok_or(Garbled::Malformed)?;
    parts.extend(refusal.map(|words| Part::from(Payload::Refusal(words))));
    Ok(Reply {
        id: message.id,
        model: message.model,
        created: None,
        choices: vec![Choice { parts, finish }],
        usage: message.usage.map(|counts| counts.tokens()),
    })
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Known<'a> {
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// A content block of an answer or of a stream's `content_block_start`; arguments as the provider wrote
/// them. `None`: not of the dialect's shape.
pub(super) fn read_block(raw: &str) -> Option<Payload> {
    let kind = serde_json::from_str::<Kind>(raw).ok()?.kind;
    let known = || serde_json::from_str::<Known>(raw).ok();
    Some(match kind.as_ref() {
        "text" => Payload::Text(known()?.text?),
        "thinking" => {
            let Known { thinking, signature, .. } = known()?;
            let signature = signature.filter(|signature| !signature.is_empty());
            Payload::Thinking(Thinking { text: thinking?, signature, ..Thinking::default() })
        }
        "redacted_thinking" => {
            let signature = Some(known()?.data?);
            Payload::Thinking(Thinking { signature, redacted: true, ..Thinking::default() })
        }
        "tool_use" => {
            let Known { id, name, input, .. } = known()?;
            let arguments = input.map_or_else(String::new, |input| input.get().to_owned());
            Payload::Call(Call { id: id?, name: name?, arguments, ..Call::default() })
        }
        _ => {
            let value: Value = serde_json::from_str(raw).ok()?;
            Payload::Foreign { kind: kind.into_owned(), value }
        }
    })
}

#[derive(Serialize)]
struct Body<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    #[serde(flatten)]
    stop: Option<Stop<'a>>,
    usage: Value,
}

/// Writes an answer: the first choice, for no caller of this dialect can ask for more.
///
/// Arguments that are no JSON object (cut at the cap, or badly written) cannot stand in `input`: they go as
/// `{"INVALID_JSON": "…"}`, which Anthropic's documents name for this case. Unsigned thoughts of other
/// providers have an empty signature.
#[must_use]
pub fn write(reply: &Reply, facts: &Facts) -> Vec<u8> {
    let choice = reply.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let mut held = Held::default();
    let mut calls = 0;
    let mut content = Vec::with_capacity(parts.len());
    for part in parts {
        held.refusal |= matches!(part.payload, Payload::Refusal(_));
        held.call |= matches!(part.payload, Payload::Call(_));
        content.extend(write_part(part, facts, &mut calls));
    }
    let own_id = reply.id.as_deref().filter(|id| !id.is_empty());
    let estimated = || usage::estimate(facts.input_estimate);
    to_json(&Body {
        id: own_id.map_or_else(|| format!("msg_{}", facts.id).into(), Cow::Borrowed),
        kind: "message",
        role: "assistant",
        model: reply.model.as_deref().unwrap_or(&facts.requested),
        content,
        stop: choice.map(|choice| finish::write(&choice.finish, held)),
        usage: reply.usage.as_ref().map_or_else(estimated, usage::write),
    })
}

fn write_part<'a>(part: &'a Part, facts: &Facts, calls: &mut usize) -> Option<Block<'a>> {
    match &part.payload {
        Payload::Text(text) | Payload::Refusal(text) => {
            (!text.is_empty()).then_some(Block::Text { text, cache_control: None })
        }
        Payload::Thinking(thinking) => {
            let signature = thinking.signature.as_deref().unwrap_or_default();
            if thinking.text.is_empty() && signature.is_empty() {
                return None;
            }
            Some(if thinking.redacted {
                Block::RedactedThinking { data: signature }
            } else {
                Block::Thinking { thinking: &thinking.text, signature }
            })
        }
        Payload::Call(call) => {
            let id = ids::shown(&call.id, call.signature.as_deref(), &facts.id, *calls);
            *calls += 1;
            let input = Input::of(&call.arguments);
            Some(Block::ToolUse { id, name: &call.name, input, cache_control: None })
        }
        // Blocks of another provider's own tools say nothing in this dialect.
        Payload::Media(_) | Payload::Result(_) | Payload::Foreign { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::form::{Finish, FinishReason};

    fn facts() -> Facts {
        Facts {
            id: "f1".into(),
            requested: "asked".into(),
            now: 1,
            input_estimate: 9,
            stream_usage: false,
        }
    }

    fn written(reply: &Reply) -> Value {
        serde_json::from_slice(&write(reply, &facts())).unwrap()
    }

    /// An error, a cut body and a body without content are told apart.
    #[test]
    fn what_is_no_answer_is_refused() {
        let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}"#;
        let inner = r#"{"type":"overloaded_error","message":"m"}"#;
        assert_eq!(read(error.as_bytes()), Err(Garbled::Error(inner.into())));
        assert_eq!(read(br#"{"id":"a","content":[{"type":"text""#), Err(Garbled::Malformed));
        assert_eq!(read(br#"{"id":"a"}"#), Err(Garbled::Empty));
        let unended = br#"{"id":"a","content":[],"stop_reason":null}"#;
        assert_eq!(read(unended), Err(Garbled::Malformed));
        assert_eq!(
            read(br#"{"content":[{"type":"text"}],"stop_reason":"end_turn"}"#),
            Err(Garbled::Malformed)
        );
        assert!(read(br#"{"content":[],"stop_reason":"end_turn"}"#).is_ok());
    }

    /// Arguments come as the provider wrote them, to the digit.
    #[test]
    fn arguments_are_read_to_the_digit() {
        let body = br#"{"content":[{"type":"tool_use","id":"t","name":"f","input":{"x": 1.50, "n":12345678901234567890123}}],"stop_reason":"tool_use"}"#;
        let reply = read(body).unwrap();
        let Payload::Call(call) = &reply.choices[0].parts[0].payload else { panic!() };
        assert_eq!(call.arguments, r#"{"x": 1.50, "n":12345678901234567890123}"#);
        assert!(String::from_utf8(write(&reply, &facts())).unwrap().contains(&call.arguments));
    }

    /// What other providers leave out is filled in; what would be refused when sent back is not written.
    #[test]
    fn foreign_answers_become_whole() {
        let call = Call { name: "f".into(), arguments: "{\"a".into(), ..Call::default() };
        let thought = Thinking { text: "t".into(), ..Thinking::default() };
        let parts = vec![
            Payload::Thinking(thought).into(),
            Part::text(""),
            Payload::Call(call).into(),
            Payload::Foreign { kind: "audio".into(), value: json!({}) }.into(),
        ];
        let finish = Finish { reason: FinishReason::Length, raw: "length".into() };
        let reply = Reply { choices: vec![Choice { parts, finish }], ..Reply::default() };
        let expected = json!({
            "id": "msg_f1", "type": "message", "role": "assistant", "model": "asked",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": ""},
                {"type": "tool_use", "id": "toolu_f1_0", "name": "f", "input": {"INVALID_JSON": "{\"a"}},
            ],
            "stop_reason": "max_tokens", "stop_sequence": null,
            "usage": {"input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0},
        });
        assert_eq!(written(&reply), expected);
    }
}

//! A plain answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::block::{Block, Input, Reasoning, ToolUse, of_media};
use super::usage::{ServiceTier, Usage};
use super::{meaning, media, stop_reason};
use crate::Facts;
use crate::form::{Call, Choice, Garbled, MediaKind, Part, Payload, Reply, Thinking};
use crate::json::Members;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    stop_reason: Option<String>,
    usage: Option<Usage>,
    service_tier: Option<ServiceTier>,
    additional_model_response_fields: Option<Additional>,
    /// Of an error.
    #[serde(alias = "Message")]
    message: Option<&'a RawValue>,
    #[serde(rename = "__type")]
    kind: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Said<'a>>,
}

#[derive(Debug, Deserialize)]
struct Said<'a> {
    /// A block is a union: one member.
    #[serde(borrow)]
    content: Vec<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

/// What some models tell beside.
#[derive(Debug, Deserialize)]
pub(super) struct Additional {
    #[serde(default)]
    pub(super) stop_sequence: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called<'a> {
    tool_use_id: String,
    name: String,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thought {
    reasoning_text: Option<ThoughtText>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ThoughtText {
    #[serde(default)]
    text: String,
    signature: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Cited {
    #[serde(default)]
    content: Vec<CitedText>,
}

#[derive(Debug, Deserialize)]
struct CitedText {
    #[serde(default)]
    text: String,
}

/// Reads a body.
///
/// # Errors
/// Cut or malformed, an error, or no message in it.
pub fn read(body: &[u8]) -> Result<Reply, Garbled> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    let Some(said) = answer.output.and_then(|output| output.message) else {
        let is_error = answer.message.is_some() || answer.kind.is_some();
        let text = || String::from_utf8_lossy(body).into_owned();
        return Err(if is_error { Garbled::Error(text()) } else { Garbled::Empty });
    };
    let raw = answer.stop_reason.ok_or(Garbled::Malformed)?;
    let mut parts = Vec::with_capacity(said.content.len());
    for block in said.content {
        let told = block.into_iter().find(|(_, inside)| inside.get() != "null");
        if let Some((kind, inside)) = told {
            parts.push(read_block(&kind, inside)?.into());
        }
    }
    let has_calls = parts.iter().any(|part: &Part| matches!(part.payload, Payload::Call(_)));
    let stop_text = answer.additional_model_response_fields.and_then(|fields| fields.stop_sequence);
    let finish = meaning(&raw, has_calls, stop_text);
    Ok(Reply {
        choices: vec![Choice { parts, finish }],
        usage: answer.usage.map(|usage| usage.into_tokens(answer.service_tier)),
        ..Reply::default()
    })
}

fn read_block(kind: &str, inside: &RawValue) -> Result<Payload, Garbled> {
    match kind {
        "text" => text_of(inside).map(Payload::Text),
        "toolUse" => {
            let call: Called<'_> = inner(inside)?;
            if call.kind.is_some() {
                return foreign(kind, inside);
            }
            let arguments = call.input.map(arguments).transpose()?.unwrap_or_default();
            Ok(Payload::Call(Call {
                id: call.tool_use_id,
                name: call.name,
                arguments,
                ..Call::default()
            }))
        }
        "reasoningContent" => {
            let thought: Thought = inner(inside)?;
            Ok(Payload::Thinking(match (thought.reasoning_text, thought.redacted_content) {
                (Some(said), _) => {
                    Thinking { text: said.text, signature: said.signature, ..Thinking::default() }
                }
                (None, data) => Thinking { signature: data, redacted: true, ..Thinking::default() },
            }))
        }
        // Its sources have no place in the form; its text is the answer.
        "citationsContent" => {
            let cited: Cited = inner(inside)?;
            Ok(Payload::Text(cited.content.into_iter().map(|piece| piece.text).collect()))
        }
        _ => {
            let known = media::kind_of(kind);
            let Some(of) = known else { return foreign(kind, inside) };
            let value = inner(inside)?;
            if media::is_foreign(&value) {
                return foreign(kind, inside);
            }
            let members = Members::of(value, kind.to_owned()).map_err(|_| Garbled::Malformed)?;
            media::read(of, members).map(Payload::Media).map_err(|_| Garbled::Malformed)
        }
    }
}

/// The model's JSON text, digit by digit; a string is a text that was no JSON (`Input::of`).
fn arguments(input: &RawValue) -> Result<String, Garbled> {
    match input.get() {
        text if text.starts_with('"') => text_of(input),
        "null" => Ok(String::new()),
        text => Ok(text.to_owned()),
    }
}

fn text_of(inside: &RawValue) -> Result<String, Garbled> {
    inner(inside)
}

fn inner<'a, T: Deserialize<'a>>(inside: &'a RawValue) -> Result<T, Garbled> {
    serde_json::from_str(inside.get()).map_err(|_| Garbled::Malformed)
}

fn foreign(kind: &str, inside: &RawValue) -> Result<Payload, Garbled> {
    let inside: serde_json::Value = inner(inside)?;
    let value = serde_json::json!({ kind: inside });
    Ok(Payload::Foreign { kind: kind.to_owned(), value })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    output: OutputMessage<'a>,
    stop_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_response_fields: Option<BTreeMap<&'static str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<ServiceTier>,
}

#[derive(Debug, Serialize)]
struct OutputMessage<'a> {
    message: Message<'a>,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// There is no place in the form for how long a provider took; the member must be there.
#[derive(Debug, Serialize)]
pub(super) struct Metrics {}

/// Writes the first answer; a caller that speaks Converse cannot have asked for more.
#[must_use]
pub fn write(reply: &Reply, facts: &Facts) -> Vec<u8> {
    let choice = reply.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let (stop_reason, more) =
        choice.map_or(("end_turn", None), |choice| stop_reason(&choice.finish));
    let body = Body {
        output: OutputMessage {
            message: Message {
                role: "assistant",
                content: parts
                    .iter()
                    .enumerate()
                    .filter_map(|part| write_part(part, facts))
                    .collect(),
            },
        },
        stop_reason,
        usage: reply.usage.as_ref().map(Usage::from_tokens),
        metrics: Metrics {},
        additional_model_response_fields: more.map(|pair| BTreeMap::from([pair])),
        service_tier: reply.usage.as_ref().and_then(service_tier),
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Only tiers that Bedrock knows.
pub(super) fn service_tier(tokens: &crate::form::Tokens) -> Option<ServiceTier> {
    let kind = tokens.service_tier.as_deref()?;
    let known = matches!(kind, "priority" | "default" | "flex" | "reserved");
    known.then(|| ServiceTier { kind: kind.to_owned() })
}

fn write_part<'a>((place, part): (usize, &'a Part), facts: &Facts) -> Option<Block<'a>> {
    match &part.payload {
        Payload::Text(text) | Payload::Refusal(text) => {
            (!text.is_empty()).then_some(Block::Text(text))
        }
        Payload::Media(image) => {
            let block = media::write(image, "").ok()?;
            (image.kind == MediaKind::Image).then(|| of_media(image.kind, block))
        }
        Payload::Thinking(thinking) => Some(Block::ReasoningContent(Reasoning::of(thinking))),
        Payload::Call(call) => Some(Block::ToolUse(ToolUse {
            tool_use_id: call_id(&call.id, place, facts),
            name: &call.name,
            input: Input::of(&call.arguments),
        })),
        // Parts of another provider's own have no word here.
        Payload::Result(_) | Payload::Foreign { .. } => None,
    }
}

/// The call's own id, or a made one where its dialect has none.
pub(super) fn call_id(id: &str, part: usize, facts: &Facts) -> String {
    if id.is_empty() { format!("tooluse_{}_{part}", facts.id) } else { id.to_owned() }
}

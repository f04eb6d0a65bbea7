//! One element of `content`.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::media::{self, MediaBlock};
use crate::form::{
    Call, Conversation, Loss, MediaKind, Part, Payload, Thinking, ToolResult, Unreadable,
};
use crate::json::{Members, unreadable};

/// A union: the variant's name is the one member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'a> {
    Text(&'a str),
    Image(MediaBlock<'a>),
    Document(MediaBlock<'a>),
    Video(MediaBlock<'a>),
    Audio(MediaBlock<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResultBlock<'a>),
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint<'a>),
    /// As it came.
    #[serde(untagged)]
    Foreign(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'a> {
    pub(super) tool_use_id: String,
    pub(super) name: &'a str,
    pub(super) input: Input<'a>,
}

/// A call's arguments: any JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Input<'a> {
    /// As the model wrote it, digit by digit.
    Whole(&'a RawValue),
    /// No JSON object: the model's text itself.
    Text(&'a str),
    None(Empty),
}

/// `{}`.
#[derive(Debug, Serialize)]
pub(super) struct Empty {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResultBlock<'a> {
    pub(super) tool_use_id: String,
    pub(super) content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'a> {
    ReasoningText {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<&'a str>,
    },
    RedactedContent(&'a str),
}

#[derive(Debug, Serialize)]
pub(super) struct CachePoint<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> Input<'a> {
    /// `{}` for none; the text itself, as a JSON string, where it is no object: it is never repaired.
    pub(super) fn of(arguments: &'a str) -> Self {
        if arguments.trim().is_empty() {
            return Self::None(Empty {});
        }
        match serde_json::from_str::<&RawValue>(arguments) {
            Ok(whole) if whole.get().starts_with('{') => Self::Whole(whole),
            _ => Self::Text(arguments),
        }
    }
}

impl<'a> CachePoint<'a> {
    /// `ttl`: as in [`Part::cache`]; a time that Bedrock does not know becomes its usual one.
    pub(super) fn of(ttl: &'a str) -> Self {
        let known = matches!(ttl, "5m" | "1h");
        Self { kind: "default", ttl: known.then_some(ttl) }
    }
}

impl<'a> Reasoning<'a> {
    pub(super) fn of(thinking: &'a Thinking) -> Self {
        let signature = thinking.signature.as_deref();
        match signature.filter(|_| thinking.redacted) {
            Some(data) => Self::RedactedContent(data),
            None => Self::ReasoningText { text: &thinking.text, signature },
        }
    }
}

/// A media block in the member that its kind has.
pub(super) fn of_media(kind: MediaKind, block: MediaBlock<'_>) -> Block<'_> {
    match kind {
        MediaKind::Image => Block::Image(block),
        MediaKind::Document => Block::Document(block),
        MediaKind::Video => Block::Video(block),
        MediaKind::Audio => Block::Audio(block),
    }
}

/// Reads blocks into parts; a `cachePoint` marks the part before it.
pub(super) fn read_all(
    blocks: Vec<Value>,
    path: &str,
    conversation: &mut Conversation,
) -> Result<Vec<Part>, Unreadable> {
    let mut parts: Vec<Part> = Vec::with_capacity(blocks.len());
    for (place, block) in blocks.into_iter().enumerate() {
        let path = format!("{path}[{place}]");
        if block.get("cachePoint").is_none_or(Value::is_null) {
            parts.push(read(block, path, conversation)?.into());
            continue;
        }
        let mut point = Members::of(block, path)?.object("cachePoint")?;
        let ttl = point.as_mut().map_or(Ok(None), |point| point.text("ttl"))?;
        match parts.last_mut() {
            Some(part) => part.cache = Some(ttl.unwrap_or_default()),
            None => Loss::note(&mut conversation.lost, "cachePoint"),
        }
    }
    Ok(parts)
}

fn read(
    block: Value,
    path: String,
    conversation: &mut Conversation,
) -> Result<Payload, Unreadable> {
    let told = |value: &Value| !value.is_null();
    let mut names = block.as_object().into_iter().flatten().filter(|(_, value)| told(value));
    let Some((kind, inside)) = names.next().map(|(kind, inside)| (kind.clone(), inside)) else {
        return Err(unreadable(&path, "an object with one kind of content, such as text"));
    };
    if is_foreign(&kind, inside) {
        return Ok(Payload::Foreign { kind, value: block });
    }
    let mut block = Members::of(block, path)?;
    let wrong = block.wrong(&kind, "an object");
    if kind == "text" {
        return block.required_text("text").map(Payload::Text);
    }
    let inside = block.object(&kind)?.ok_or(wrong)?;
    match (media::kind_of(&kind), kind.as_str()) {
        (Some(kind), _) => media::read(kind, inside).map(Payload::Media),
        (None, "toolUse") => read_call(inside).map(Payload::Call),
        (None, "toolResult") => read_result(inside, conversation).map(Payload::Result),
        _ => read_reasoning(inside).map(Payload::Thinking),
    }
}

/// What says more than the form holds, or what the form does not know.
fn is_foreign(kind: &str, inside: &Value) -> bool {
    match kind {
        "text" | "toolResult" | "reasoningContent" => false,
        // The provider ran it itself.
        "toolUse" => inside.get("type").is_some_and(|kind| !kind.is_null()),
        _ => media::kind_of(kind).is_none() || media::is_foreign(inside),
    }
}

fn read_call(mut call: Members) -> Result<Call, Unreadable> {
    let (id, name) = (call.required_text("toolUseId")?, call.required_text("name")?);
    let arguments = call.take("input").map(arguments).unwrap_or_default();
    Ok(Call { id, name, arguments, ..Call::default() })
}

/// `input` as a model's JSON text. A string is a text that was no JSON (see [`Input::of`]).
fn arguments(input: Value) -> String {
    match input {
        Value::String(text) => text,
        Value::Object(map) if map.is_empty() => String::new(),
        other => other.to_string(),
    }
}

fn read_result(
    mut result: Members,
    conversation: &mut Conversation,
) -> Result<ToolResult, Unreadable> {
    let id = result.required_text("toolUseId")?;
    let failed = result.text("status")?.as_deref() == Some("error");
    let mut parts = Vec::new();
    let path = result.at("content");
    for (place, mut block) in result.list("content")?.unwrap_or_default().into_iter().enumerate() {
        match block.get_mut("json").map(Value::take).filter(|value| !value.is_null()) {
            Some(value) => parts.push(Part::text(value.to_string())),
            None => parts.push(read(block, format!("{path}[{place}]"), conversation)?.into()),
        }
    }
    Ok(ToolResult { id, name: None, parts, failed })
}

fn read_reasoning(mut reasoning: Members) -> Result<Thinking, Unreadable> {
    if let Some(data) = reasoning.text("redactedContent")? {
        return Ok(Thinking { signature: Some(data), redacted: true, ..Thinking::default() });
    }
    let wrong = reasoning.wrong("reasoningText", "an object with text");
    let mut said = reasoning.object("reasoningText")?.ok_or(wrong)?;
    let text = said.text("text")?.unwrap_or_default();
    Ok(Thinking { text, signature: said.text("signature")?, ..Thinking::default() })
}

/// A tool's schema where it takes no arguments.
pub(super) fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

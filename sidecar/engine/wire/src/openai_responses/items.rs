//! Items of `output`, which come back as items of `input`.

use serde_json::{Value, json};

use crate::Facts;
use crate::form::{Call, Part, Payload, Thinking, Unreadable};
use crate::json::Members;
use crate::openai_chat::marks::{with_signature, without_signature};

/// The whole of an object whose `type` was taken.
pub(super) fn whole(members: Members, kind: &str) -> Value {
    let mut value = members.into_value();
    if let Some(map) = value.as_object_mut() {
        map.insert("type".into(), kind.into());
    }
    value
}

/// Reads an item of `output` into parts: a message may hold several.
pub(super) fn read(mut item: Members, into: &mut Vec<Part>) -> Result<(), Unreadable> {
    let kind = item.required_text("type")?;
    match kind.as_str() {
        "message" => {
            for part in item.objects("content")?.unwrap_or_default() {
                read_content(part, into)?;
            }
        }
        "function_call" | "custom_tool_call" => {
            into.push(Payload::Call(read_call(&mut item, &kind)?).into());
        }
        "reasoning" => into.push(Payload::Thinking(read_reasoning(&mut item)?).into()),
        _ => {
            let value = whole(item, &kind);
            into.push(Payload::Foreign { kind, value }.into());
        }
    }
    Ok(())
}

/// Text and, where it cites anything, its citations as a part of their own.
fn read_content(mut part: Members, into: &mut Vec<Part>) -> Result<(), Unreadable> {
    let kind = part.required_text("type")?;
    match kind.as_str() {
        "output_text" | "text" => {
            let annotations = part.list("annotations")?.unwrap_or_default();
            into.push(Part::text(part.required_text("text")?));
            if !annotations.is_empty() {
                let (kind, value) = ("annotations".to_owned(), annotations.into());
                into.push(Payload::Foreign { kind, value }.into());
            }
        }
        "refusal" => into.push(Payload::Refusal(part.required_text("refusal")?).into()),
        _ => {
            let value = whole(part, &kind);
            into.push(Payload::Foreign { kind, value }.into());
        }
    }
    Ok(())
}

/// Reads a call whose `type` was taken.
pub(super) fn read_call(item: &mut Members, kind: &str) -> Result<Call, Unreadable> {
    let custom = kind == "custom_tool_call";
    let (id, signature) = without_signature(item.required_text("call_id")?);
    let name = item.required_text("name")?;
    let arguments = item.text(if custom { "input" } else { "arguments" })?.unwrap_or_default();
    Ok(Call { id, name, arguments, custom, signature })
}

/// Reads reasoning: its summary and, from open models, its text, block by block with a blank line between.
pub(super) fn read_reasoning(item: &mut Members) -> Result<Thinking, Unreadable> {
    let mut text = String::new();
    for key in ["summary", "content"] {
        for mut block in item.objects(key)?.unwrap_or_default() {
            let said = block.text("text")?.unwrap_or_default();
            if !text.is_empty() && !said.is_empty() {
                text.push_str(BETWEEN);
            }
            text.push_str(&said);
        }
    }
    let signature = item.text("encrypted_content")?.filter(|signature| !signature.is_empty());
    Ok(Thinking { text, signature, redacted: false, id: item.text("id")? })
}

/// Ends the ids of reasoning that no provider of this dialect made, so that none is sent it: each takes its
/// own alone. As `core`'s marks of accounts, of an account that nobody has.
const NOBODYS: &str = "_pm00000000";

/// Between two blocks of reasoning.
pub(super) const BETWEEN: &str = "\n\n";

/// OpenAI's models write `{}` where there is nothing: SDKs parse what they get.
pub(super) fn arguments(text: &str) -> &str {
    if text.trim().is_empty() { "{}" } else { text }
}

/// An item of `output` that is being written, in a stream or at once: every part is an item of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message of one text.
    Text,
    /// A message of one refusal.
    Refusal,
    /// Reasoning that shows a summary.
    Thinking,
    /// A function's call.
    Call { id: String, name: String },
    /// A call of a tool that takes free text.
    Custom { id: String, name: String },
}

impl Kind {
    /// A call of either kind. One without an id gets it from its place.
    pub(super) fn call(
        (id, signature): (&str, Option<&str>),
        name: &str,
        custom: bool,
        (facts, place): (&Facts, usize),
    ) -> Self {
        let own = if id.is_empty() { format!("call_{}_{place}", facts.id) } else { id.to_owned() };
        let (id, name) = (with_signature(&own, signature), name.to_owned());
        if custom { Self::Custom { id, name } } else { Self::Call { id, name } }
    }

    /// The item's own id.
    pub(super) fn item_id(&self, facts: &Facts, place: usize) -> String {
        let prefix = match self {
            Self::Text | Self::Refusal => "msg",
            Self::Thinking => "rs",
            Self::Call { .. } => "fc",
            Self::Custom { .. } => "ctc",
        };
        let seal = if *self == Self::Thinking { NOBODYS } else { "" };
        format!("{prefix}_{}_{place}{seal}", facts.id)
    }

    /// The item with all that it says: `None` at its beginning.
    pub(super) fn item(&self, item_id: &str, status: &str, said: Option<&str>) -> Value {
        match self {
            Self::Text | Self::Refusal => {
                let content: Vec<Value> = said.map(|text| self.content(text)).into_iter().collect();
                json!({"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content})
            }
            Self::Thinking => {
                let blocks = said.filter(|text| !text.is_empty()).map(summary);
                let summary: Vec<Value> = blocks.into_iter().collect();
                json!({"id": item_id, "type": "reasoning", "summary": summary})
            }
            Self::Call { id, name } => {
                let said = said.unwrap_or_default();
                json!({"id": item_id, "type": "function_call", "status": status, "call_id": id, "name": name, "arguments": said})
            }
            Self::Custom { id, name } => {
                let said = said.unwrap_or_default();
                json!({"id": item_id, "type": "custom_tool_call", "status": status, "call_id": id, "name": name, "input": said})
            }
        }
    }

    /// The content of a message.
    pub(super) fn content(&self, said: &str) -> Value {
        match self {
            Self::Refusal => json!({"type": "refusal", "refusal": said}),
            _ => json!({"type": "output_text", "annotations": [], "logprobs": [], "text": said}),
        }
    }

    /// What a whole item lacks: a call without arguments says `{}`, but for one that was cut.
    pub(super) fn rest(&self, said: &str, status: &str) -> &'static str {
        let none = matches!(self, Self::Call { .. }) && said.trim().is_empty();
        if none && status == "completed" { "{}" } else { "" }
    }
}

/// A block of a summary.
pub(super) fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// What of a part is shown: nothing of redacted reasoning, and of what only its own dialect knows.
pub(super) fn shown<'a>(part: &'a Part, facts: &Facts, place: usize) -> Option<(Kind, &'a str)> {
    match &part.payload {
        Payload::Text(text) => Some((Kind::Text, text)),
        Payload::Refusal(text) => Some((Kind::Refusal, text)),
        Payload::Thinking(thinking) if thinking.redacted => None,
        Payload::Thinking(thinking) => Some((Kind::Thinking, &thinking.text)),
        Payload::Call(call) => {
            let id = (call.id.as_str(), call.signature.as_deref());
            Some((Kind::call(id, &call.name, call.custom, (facts, place)), &call.arguments))
        }
        Payload::Media(_) | Payload::Result(_) | Payload::Foreign { .. } => None,
    }
}

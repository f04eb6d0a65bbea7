//! Content blocks -> parts.

use std::collections::HashMap;

use serde_json::Value;

use super::super::{blocks, ids};
use super::read::{lose, lose_all};
use crate::form::{
    Call, Loss, Media, MediaKind, Part, Payload, Source, Thinking, ToolResult, Unreadable,
};
use crate::json::Members;

/// Reads the contents of one request, first to last.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// What the form has no place for.
    pub(super) lost: Vec<Loss>,
    /// The tool that each call so far named, for its result.
    tools: HashMap<String, String>,
}

impl Contents {
    /// A member that is a string or an array of text blocks (`system`).
    pub(super) fn texts(
        &mut self,
        members: &mut Members,
        key: &str,
    ) -> Result<Vec<Part>, Unreadable> {
        let wrong = members.wrong(key, "a string or an array of text blocks");
        let parts = self.blocks(members, key)?;
        let is_text = |part: &Part| matches!(part.payload, Payload::Text(_));
        if parts.iter().all(is_text) { Ok(parts) } else { Err(wrong) }
    }

    /// A member that is a string or an array of blocks.
    pub(super) fn blocks(
        &mut self,
        members: &mut Members,
        key: &str,
    ) -> Result<Vec<Part>, Unreadable> {
        let path = members.at(key);
        match members.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![Part::text(text)]),
            Some(Value::Array(list)) => {
                let block =
                    |(place, value)| self.block(Members::of(value, format!("{path}[{place}]"))?);
                list.into_iter().enumerate().map(block).collect()
            }
            Some(_) => Err(members.wrong(key, "a string or an array of blocks")),
        }
    }

    fn block(&mut self, mut block: Members) -> Result<Part, Unreadable> {
        let kind = block.required_text("type")?;
        if !is_known(&kind, &block) {
            let mut value = block.into_value();
            if let Some(members) = value.as_object_mut() {
                members.insert("type".into(), kind.clone().into());
            }
            return Ok(Payload::Foreign { kind, value }.into());
        }
        let cache = read_mark(&mut block)?;
        let payload = match kind.as_str() {
            "text" => Payload::Text(block.required_text("text")?),
            "image" => Payload::Media(self.media(MediaKind::Image, &mut block)?),
            "document" => Payload::Media(self.media(MediaKind::Document, &mut block)?),
            "thinking" => Payload::Thinking(Thinking {
                text: block.required_text("thinking")?,
                // Ours where the provider signs nothing: see `answer::write`.
                signature: block.text("signature")?.filter(|signature| !signature.is_empty()),
                ..Thinking::default()
            }),
            "redacted_thinking" => Payload::Thinking(Thinking {
                signature: Some(block.required_text("data")?),
                redacted: true,
                ..Thinking::default()
            }),
            "tool_use" => Payload::Call(self.call(&mut block)?),
            _ => Payload::Result(self.result(&mut block)?),
        };
        self.lose_rest(block);
        Ok(Part { payload, cache })
    }

    fn media(&mut self, kind: MediaKind, block: &mut Members) -> Result<Media, Unreadable> {
        let wrong = block.wrong("source", "an object with type base64, text, url or file");
        let mut source = block.object("source")?.ok_or_else(|| wrong.clone())?;
        let name = block.text("title")?;
        let read = match source.required_text("type")?.as_str() {
            "base64" => Source::Inline {
                media_type: source.required_text("media_type")?,
                data: source.required_text("data")?,
            },
            "text" => {
                let _ = source.text("media_type")?; // always text/plain
                Source::Text(source.required_text("data")?)
            }
            "url" => Source::Url(source.required_text("url")?),
            "file" => Source::File(source.required_text("file_id")?),
            _ => return Err(wrong),
        };
        self.lose_rest(source);
        Ok(Media { kind, source: read, name, detail: None })
    }

    fn call(&mut self, block: &mut Members) -> Result<Call, Unreadable> {
        let (id, signature) = ids::parted(block.required_text("id")?);
        let name = block.required_text("name")?;
        let wrong = block.wrong("input", "an object");
        let input = block.take("input").filter(Value::is_object).ok_or(wrong)?;
        let raw = blocks::unwrapped(&input).map(str::to_owned);
        let arguments = raw.unwrap_or_else(|| input.to_string());
        self.tools.insert(id.clone(), name.clone());
        Ok(Call { id, name, arguments, custom: false, signature })
    }

    fn result(&mut self, block: &mut Members) -> Result<ToolResult, Unreadable> {
        let (id, _) = ids::parted(block.required_text("tool_use_id")?);
        let name = self.tools.get(&id).cloned();
        let failed = block.flag("is_error")?.unwrap_or(false);
        Ok(ToolResult { name, parts: self.blocks(block, "content")?, failed, id })
    }

    fn lose_rest(&mut self, mut block: Members) {
        // What models' own blocks bring along and say nothing with.
        let direct = |caller: &Value| caller.get("type").is_some_and(|kind| kind == "direct");
        if let Some(caller) = block.take("caller")
            && !direct(&caller)
        {
            lose(&mut self.lost, &block.at("caller"));
        }
        if let Some(citations) = block.take("citations")
            && citations.as_array().is_none_or(|list| !list.is_empty())
        {
            lose(&mut self.lost, &block.at("citations"));
        }
        let path = block.at("");
        lose_all(&mut self.lost, &path, &block.rest());
    }
}

/// `document`s of blocks, and all that no other dialect has, are kept whole.
fn is_known(kind: &str, block: &Members) -> bool {
    match kind {
        "document" => !block.is_of_kind("source", "content"),
        _ => matches!(
            kind,
            "text" | "image" | "thinking" | "redacted_thinking" | "tool_use" | "tool_result"
        ),
    }
}

/// `cache_control`, as [`Part::cache`] holds it.
pub(super) fn read_mark(members: &mut Members) -> Result<Option<String>, Unreadable> {
    let Some(mut mark) = members.object("cache_control")? else { return Ok(None) };
    if mark.required_text("type")? != "ephemeral" {
        return Err(mark.wrong("type", "ephemeral"));
    }
    Ok(Some(mark.text("ttl")?.unwrap_or_default()))
}

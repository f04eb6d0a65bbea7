//! One element of `parts`.

use serde_json::Value;

use super::media;
use super::spelling::object;
use crate::form::{Call, Media, Part, Payload, Unreadable};
use crate::json::{Members, unreadable};

/// What only Gemini knows: its own code runs and the calls of its own tools.
const FOREIGN: [&str; 4] = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

/// A part's content and what else it said.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) content: Content,
    /// `thoughtSignature`, which may stand on any part.
    pub(super) signature: Option<String>,
    /// Members that the form has no place for (`videoMetadata`).
    pub(super) rest: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Thought(String),
    Media(Media),
    /// Without a signature.
    Call(Call),
    /// A `functionResponse`, whose meaning depends on the calls before.
    Response(Members),
    /// A piece of a call that Vertex streams in pieces when `streamFunctionCallArguments` asks for it.
    Partial(Members),
    Foreign {
        kind: String,
        value: Value,
    },
}

/// Reads a part.
pub(super) fn read(mut part: Members) -> Result<Read, Unreadable> {
    let thought = part.flag("thought")?.unwrap_or(false);
    let signature = part.text("thoughtSignature")?;
    let content = if let Some(text) = part.text("text")? {
        if thought { Content::Thought(text) } else { Content::Text(text) }
    } else if let Some(call) = object(&mut part, "functionCall")? {
        read_call(call)?
    } else if let Some(response) = object(&mut part, "functionResponse")? {
        Content::Response(response)
    } else if let Some(blob) = object(&mut part, "inlineData")? {
        Content::Media(media::read_inline(blob)?)
    } else if let Some(file) = object(&mut part, "fileData")? {
        Content::Media(media::read_file(file)?)
    } else if thought || signature.is_some() {
        Content::Thought(String::new())
    } else {
        return foreign(part);
    };
    let rest = part.rest().keys().cloned().collect();
    Ok(Read { content, signature, rest })
}

/// Whether a part is of a kind that only Gemini has.
pub(super) fn is_own(kind: &str) -> bool {
    FOREIGN.contains(&kind)
}

/// Appends what the model said; texts and thoughts that follow one another are one, as in a stream.
pub(super) fn join(parts: &mut Vec<Part>, payload: Payload) {
    match (parts.last_mut().map(|part| &mut part.payload), payload) {
        (_, Payload::Text(text)) if text.is_empty() => {}
        (Some(Payload::Text(before)), Payload::Text(text)) => before.push_str(&text),
        (Some(Payload::Thinking(before)), Payload::Thinking(more)) => {
            before.text.push_str(&more.text);
            before.signature = more.signature.or(before.signature.take());
        }
        (_, payload) => parts.push(payload.into()),
    }
}

fn read_call(mut call: Members) -> Result<Content, Unreadable> {
    if call.has("partialArgs") || call.has("willContinue") {
        return Ok(Content::Partial(call));
    }
    let id = call.text("id")?.unwrap_or_default();
    let Some(name) = call.text("name")? else {
        // The last piece of a streamed call is an empty object.
        return Ok(Content::Partial(call));
    };
    let arguments = match call.take("args") {
        None => "{}".to_owned(),
        Some(args @ Value::Object(_)) => args.to_string(),
        Some(_) => return Err(call.wrong("args", "an object")),
    };
    Ok(Content::Call(Call { id, name, arguments, custom: false, signature: None }))
}

fn foreign(part: Members) -> Result<Read, Unreadable> {
    const KINDS: &str = "there, or inlineData, fileData, functionCall, functionResponse";
    let path = part.at("text");
    let map = part.rest();
    let own = map.keys().find(|kind| is_own(kind)).or_else(|| map.keys().next());
    let kind = own.cloned().ok_or_else(|| unreadable(&path, KINDS))?;
    let content = Content::Foreign { kind, value: Value::Object(map) };
    Ok(Read { content, signature: None, rest: Vec::new() })
}

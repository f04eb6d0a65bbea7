//! What a conversation has to obey: who begins, what a message may hold, and that every tool call
//! is answered in the very next message.

use serde_json::Value;

use super::super::failure::Refused;
use super::error::bad_request;
use super::request::signed;

/// Checks all messages.
///
/// # Errors
/// In Anthropic's words.
pub(super) fn check(body: &Value) -> Result<(), Refused> {
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    if messages.first().is_some_and(|message| message["role"] != "user") {
        return Err(bad_request("messages: first message must use the \"user\" role"));
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let last = index + 1 == messages.len();
        filled(message, index, last)?;
        blocks(message, index)?;
        instructed(message, index, body["model"].as_str().unwrap_or_default())?;
        results(message, index, &open)?;
        open = calls(message, index)?;
    }
    if let Some(id) = open.first() {
        return Err(unanswered(messages.len() - 1, id));
    }
    texts("system", &body["system"])?;
    thinking_first(body, messages)
}

/// Characters of identifiers and names.
pub(super) fn of_an_identifier(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn list(message: &Value) -> &[Value] {
    message["content"].as_array().map_or(&[], Vec::as_slice)
}

fn filled(message: &Value, index: usize, last: bool) -> Result<(), Refused> {
    let content = &message["content"];
    let none = content.as_str().is_some_and(str::is_empty)
        || content.as_array().is_some_and(Vec::is_empty);
    let assistant = message["role"] == "assistant";
    if none && !(last && assistant) {
        return Err(bad_request(&format!(
            "messages.{index}: all messages must have non-empty content except for the optional \
             final assistant message"
        )));
    }
    texts("messages", content)?;
    let end = content.as_str().or_else(|| list(message).last()?["text"].as_str());
    if last && assistant && end.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        return Err(bad_request(
            "messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(())
}

fn texts(place: &str, content: &Value) -> Result<(), Refused> {
    let blocks = content.as_array().into_iter().flatten();
    for text in blocks.filter(|block| block["type"] == "text").map(|block| &block["text"]) {
        let text = text.as_str().unwrap_or_default();
        if text.is_empty() {
            return Err(bad_request(&format!("{place}: text content blocks must be non-empty")));
        }
        if text.trim().is_empty() {
            return Err(bad_request(&format!(
                "{place}: text content blocks must contain non-whitespace text"
            )));
        }
    }
    Ok(())
}

/// Each kind of block belongs to one role.
fn blocks(message: &Value, index: usize) -> Result<(), Refused> {
    let role = message["role"].as_str().unwrap_or_default();
    for (at, block) in list(message).iter().enumerate() {
        let kind = block["type"].as_str().unwrap_or_default();
        let owner = match kind {
            "image" | "tool_result" | "search_result" | "document" => "user",
            "tool_use"
            | "thinking"
            | "redacted_thinking"
            | "server_tool_use"
            | "web_search_tool_result"
            | "web_fetch_tool_result" => "assistant",
            _ => role,
        };
        if owner != role {
            return Err(bad_request(&format!(
                "messages.{index}: `{kind}` blocks can only be in `{owner}` messages"
            )));
        }
        if kind == "thinking" && !signed(block) {
            return Err(bad_request(&format!(
                "messages.{index}.content.{at}: Invalid `signature` in `thinking` block"
            )));
        }
        texts(&format!("messages.{index}.content.{at}.tool_result"), &block["content"])?;
    }
    Ok(())
}

/// Only newer models take instructions in mid-conversation, and then only as text.
fn instructed(message: &Value, index: usize, model: &str) -> Result<(), Refused> {
    if message["role"] != "system" {
        return Ok(());
    }
    let older = ["claude-2", "claude-3", "claude-opus-4", "claude-sonnet-4", "claude-haiku-4"];
    if older.iter().any(|name| model.starts_with(name)) {
        return Err(bad_request(
            "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` \
             parameter, not \"system\" as an input message role.",
        ));
    }
    if list(message).iter().all(|block| block["type"] == "text") {
        return Ok(());
    }
    Err(bad_request(&format!("messages.{index}: `system` messages can only hold `text` blocks")))
}

/// The results of a user message against the calls just before it.
fn results(message: &Value, index: usize, open: &[&str]) -> Result<(), Refused> {
    let mut given: Vec<&str> = Vec::new();
    let mut others = false;
    for (at, block) in list(message).iter().enumerate() {
        if block["type"] != "tool_result" {
            others = true;
            continue;
        }
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        if !open.contains(&id) {
            return Err(bad_request(&format!(
                "messages.{index}.content.{at}: unexpected `tool_use_id` found in `tool_result` \
                 blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block \
                 in the previous message."
            )));
        }
        if given.contains(&id) {
            return Err(bad_request(&format!(
                "messages.{index}.content.{at}: each tool_use must have a single result. Found \
                 multiple `tool_result` blocks with id: {id}"
            )));
        }
        if others {
            return Err(bad_request(&format!(
                "messages.{index}: `tool_result` blocks must come before any other content"
            )));
        }
        given.push(id);
    }
    match open.iter().find(|id| !given.contains(id)) {
        Some(id) => Err(unanswered(index - 1, id)),
        None => Ok(()),
    }
}

fn unanswered(index: usize, id: &str) -> Refused {
    bad_request(&format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately \
         after: {id}. Each `tool_use` block must have a corresponding `tool_result` block in the \
         next message."
    ))
}

/// The identifiers of a message's calls.
fn calls(message: &Value, index: usize) -> Result<Vec<&str>, Refused> {
    let mut ids: Vec<&str> = Vec::new();
    for (at, block) in list(message).iter().enumerate() {
        if block["type"] != "tool_use" {
            continue;
        }
        let id = block["id"].as_str().unwrap_or_default();
        if !id.chars().all(of_an_identifier) {
            return Err(bad_request(&format!(
                "messages.{index}.content.{at}.tool_use.id: String should match pattern \
                 '^[a-zA-Z0-9_-]+$'"
            )));
        }
        if ids.contains(&id) {
            return Err(bad_request(&format!(
                "messages.{index}.content.{at}: `tool_use` ids must be unique"
            )));
        }
        ids.push(id);
    }
    Ok(ids)
}

/// With a thinking budget, the turn that waits for its tools has to begin with its thinking.
fn thinking_first(body: &Value, messages: &[Value]) -> Result<(), Refused> {
    if body["thinking"]["type"] != "enabled" {
        return Ok(());
    }
    let turns = || messages.iter().enumerate().rev();
    let Some((index, message)) = turns().find(|(_, message)| message["role"] == "assistant") else {
        return Ok(());
    };
    let waits = list(message).iter().any(|block| block["type"] == "tool_use");
    let first = list(message).first().and_then(|block| block["type"].as_str()).unwrap_or_default();
    if waits && first != "thinking" && first != "redacted_thinking" {
        return Err(bad_request(&format!(
            "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but \
             found `{first}`. When `thinking` is enabled, a final `assistant` message must start \
             with a thinking block."
        )));
    }
    Ok(())
}

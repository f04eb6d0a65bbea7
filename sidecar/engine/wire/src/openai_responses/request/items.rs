//! Items of `input` -> turns. What the model said and called in a row is one turn, and so are the results of
//! tools that follow one another.

use super::{content, lose_rest};
use crate::form::{Conversation, Part, Payload, Role, ToolResult, Turn, Unreadable};
use crate::json::Members;
use crate::openai_chat::marks::without_signature;
use crate::openai_responses::items;

/// Reads an item into the last of the turns or a new one.
pub(super) fn read(mut item: Members, into: &mut Conversation) -> Result<(), Unreadable> {
    let kind = match item.text("type")? {
        Some(kind) => kind,
        None if item.has("role") => "message".to_owned(),
        None => return Err(item.wrong("type", "an item's type, such as message")),
    };
    match kind.as_str() {
        "message" => read_message(item, into),
        "function_call" | "custom_tool_call" => {
            let call = items::read_call(&mut item, &kind)?;
            close(item, into);
            append(into, Role::Assistant, Payload::Call(call).into());
            Ok(())
        }
        "function_call_output" | "custom_tool_call_output" => read_output(item, into),
        "reasoning" => {
            let thinking = items::read_reasoning(&mut item)?;
            close(item, into);
            append(into, Role::Assistant, Payload::Thinking(thinking).into());
            Ok(())
        }
        _ => {
            if kind == "item_reference" {
                into.state.push(item.at("id"));
            }
            let role = if is_callers(&kind) { Role::User } else { Role::Assistant };
            let value = items::whole(item, &kind);
            append(into, role, Payload::Foreign { kind, value }.into());
            Ok(())
        }
    }
}

/// Items that the caller makes: what its tools gave, and what it approves.
fn is_callers(kind: &str) -> bool {
    kind.ends_with("_output") || matches!(kind, "mcp_approval_response" | "additional_tools")
}

fn read_message(mut item: Members, into: &mut Conversation) -> Result<(), Unreadable> {
    let role = match item.required_text("role")?.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return Err(item.wrong("role", "developer, system, user or assistant")),
    };
    let mut parts = Vec::new();
    content::read(&mut item, "content", &mut parts, &mut into.lost)?;
    close(item, into);
    match into.turns.last_mut() {
        Some(turn) if role == Role::Assistant && turn.role == role => turn.parts.extend(parts),
        _ => into.turns.push(Turn { role, parts }),
    }
    Ok(())
}

fn read_output(mut item: Members, into: &mut Conversation) -> Result<(), Unreadable> {
    let (id, _) = without_signature(item.required_text("call_id")?);
    let name = into.tool_of(&id).map(str::to_owned).or(item.text("name")?);
    let mut parts = Vec::new();
    content::read(&mut item, "output", &mut parts, &mut into.lost)?;
    close(item, into);
    let result = ToolResult { id, name, parts, failed: false };
    append(into, Role::User, Payload::Result(result).into());
    Ok(())
}

/// An item's own id and status say nothing to another provider.
fn close(mut item: Members, into: &mut Conversation) {
    let _ = (item.take("id"), item.take("status"));
    lose_rest(item, &mut into.lost);
}

fn append(into: &mut Conversation, role: Role, part: Part) {
    let goes_on = |turn: &Turn| turn.role == role && (role == Role::Assistant || of_tools(turn));
    match into.turns.last_mut().filter(|turn| goes_on(turn)) {
        Some(turn) => turn.parts.push(part),
        None => into.turns.push(Turn { role, parts: vec![part] }),
    }
}

fn of_tools(turn: &Turn) -> bool {
    !turn.parts.is_empty()
        && turn.parts.iter().all(|part| matches!(part.payload, Payload::Result(_)))
}

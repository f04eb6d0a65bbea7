//! `tools` and `tool_choice`: flat, where chat nests.

use serde_json::{Map, Value, json};

use super::lose_rest;
use crate::form::{Cannot, Conversation, Loss, Tool, ToolChoice, Unreadable};
use crate::json::Members;
use crate::openai_responses::items;

pub(super) fn read_tools(members: &mut Members, into: &mut Conversation) -> Result<(), Unreadable> {
    for tool in members.objects("tools")?.unwrap_or_default() {
        let tool = read_tool(tool, &mut into.lost)?;
        into.tools.push(tool);
    }
    into.tool_choice = read_choice(members)?;
    Ok(())
}

fn read_tool(mut tool: Members, lost: &mut Vec<Loss>) -> Result<Tool, Unreadable> {
    let kind = tool.required_text("type")?;
    if kind != "function" {
        let value = items::whole(tool, &kind);
        let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
        return Ok(Tool { name: name.unwrap_or(kind), foreign: Some(value), ..Tool::default() });
    }
    let read = Tool {
        name: tool.required_text("name")?,
        description: tool.text("description")?,
        parameters: tool.take("parameters"),
        strict: tool.flag("strict")?,
        cache: None,
        foreign: None,
    };
    lose_rest(tool, lost);
    Ok(read)
}

fn read_choice(members: &mut Members) -> Result<Option<ToolChoice>, Unreadable> {
    let wrong = |members: &Members| {
        members.wrong("tool_choice", "none, auto, required, or an object that names a tool")
    };
    let mut choice = match members.take("tool_choice") {
        None => return Ok(None),
        Some(Value::String(word)) => {
            return match word.as_str() {
                "none" => Ok(Some(ToolChoice::None)),
                "auto" => Ok(Some(ToolChoice::Auto)),
                "required" => Ok(Some(ToolChoice::Required)),
                _ => Err(wrong(members)),
            };
        }
        Some(value) => Members::of(value, members.at("tool_choice"))?,
    };
    let kind = choice.required_text("type")?;
    match kind.as_str() {
        "function" | "custom" => Ok(Some(ToolChoice::Named(choice.required_text("name")?))),
        "allowed_tools" => {
            let required = choice.text("mode")?.as_deref() == Some("required");
            let tools = choice.objects("tools")?.unwrap_or_default();
            let name = |mut tool: Members| tool.required_text("name");
            let names = tools.into_iter().map(name).collect::<Result<_, _>>()?;
            Ok(Some(ToolChoice::Allowed(names, required)))
        }
        // A tool that OpenAI runs: no other provider has it, and its entry in `tools` is refused there.
        kind => {
            let value = items::whole(choice, kind);
            members.put_back("tool_choice", value);
            Ok(None)
        }
    }
}

pub(super) fn write(
    conversation: &Conversation,
    own: bool,
    body: &mut Map<String, Value>,
    losses: &mut Vec<Loss>,
) -> Result<(), Cannot> {
    if conversation.tools.is_empty() {
        return Ok(());
    }
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for (place, tool) in conversation.tools.iter().enumerate() {
        if tool.cache.is_some() {
            Loss::note(losses, "cache_control");
        }
        let written = match &tool.foreign {
            None => Some(write_function(tool)),
            Some(foreign) if own => Some(foreign.clone()),
            Some(foreign) => write_custom(foreign),
        };
        tools.push(written.ok_or_else(|| Cannot {
            path: format!("tools[{place}]"),
            why: "is a tool that only its own provider runs; leave it out, or name a model of that \
                  provider",
        })?);
    }
    body.insert("tools".into(), tools.into());
    if let Some(choice) = &conversation.tool_choice {
        body.insert("tool_choice".into(), write_choice(choice, &conversation.tools));
    }
    if let Some(parallel) = conversation.parallel_tools {
        body.insert("parallel_tool_calls".into(), parallel.into());
    }
    Ok(())
}

/// Functions are strict here unless one says otherwise, and in no other dialect.
fn write_function(tool: &Tool) -> Value {
    let none = || json!({"type": "object", "properties": {}});
    let parameters = tool.parameters.clone().unwrap_or_else(none);
    let mut function = Map::new();
    function.insert("type".into(), "function".into());
    function.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        function.insert("description".into(), description.as_str().into());
    }
    function.insert("parameters".into(), parameters);
    function.insert("strict".into(), tool.strict.unwrap_or(false).into());
    function.into()
}

/// Chat's tools of free text, which nest what Responses has flat.
fn write_custom(foreign: &Value) -> Option<Value> {
    if foreign.get("type")? != "custom" {
        return None;
    }
    let mut tool = Map::new();
    tool.insert("type".into(), "custom".into());
    for (key, value) in foreign.get("custom")?.as_object()? {
        let value = match value.get("grammar").filter(|_| key == "format") {
            Some(Value::Object(grammar)) => {
                let mut format = grammar.clone();
                format.insert("type".into(), "grammar".into());
                format.into()
            }
            _ => value.clone(),
        };
        tool.insert(key.clone(), value);
    }
    Some(tool.into())
}

fn write_choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    let named = |name: &String| {
        let custom = tools.iter().any(|tool| tool.name == *name && tool.foreign.is_some());
        json!({"type": if custom { "custom" } else { "function" }, "name": name})
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed(names, required) => {
            let mode = if *required { "required" } else { "auto" };
            let tools: Vec<Value> = names.iter().map(named).collect();
            json!({"type": "allowed_tools", "mode": mode, "tools": tools})
        }
    }
}

//! `tools`, `tool_choice` and the calls in messages.

use serde_json::{Map, Value, json};

use super::marks::{with_signature, without_signature};
use crate::form::{Call, Cannot, Conversation, Tool, ToolChoice, Unreadable};
use crate::json::Members;

pub(super) fn read_tools(members: &mut Members) -> Result<Vec<Tool>, Unreadable> {
    let tools = members.objects("tools")?.unwrap_or_default();
    tools.into_iter().map(read_tool).collect()
}

fn read_tool(mut tool: Members) -> Result<Tool, Unreadable> {
    let whole = tool.clone();
    let kind = tool.required_text("type")?;
    let Some(mut function) = tool.object("function")?.filter(|_| kind == "function") else {
        if kind == "function" {
            return Err(tool.wrong("function", "an object"));
        }
        let mut custom = tool.object("custom")?;
        let name = custom.as_mut().map_or(Ok(None), |custom| custom.text("name"))?;
        let name = name.unwrap_or(kind);
        return Ok(Tool { name, foreign: Some(whole.into_value()), ..Tool::default() });
    };
    Ok(Tool {
        name: function.required_text("name")?,
        description: function.text("description")?,
        parameters: function.take("parameters"),
        strict: function.flag("strict")?,
        cache: None,
        foreign: None,
    })
}

pub(super) fn write_tools(
    conversation: &Conversation,
    body: &mut Map<String, Value>,
) -> Result<(), Cannot> {
    if conversation.tools.is_empty() {
        return Ok(());
    }
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for (place, tool) in conversation.tools.iter().enumerate() {
        if tool.foreign.is_some() {
            let why = "is a tool that only its own provider runs; leave it out, or name a model of that provider";
            return Err(Cannot { path: format!("tools[{place}]"), why });
        }
        let mut function = Map::new();
        function.insert("name".into(), json!(tool.name));
        if let Some(description) = &tool.description {
            function.insert("description".into(), json!(description));
        }
        let none = || json!({"type": "object", "properties": {}});
        function.insert("parameters".into(), tool.parameters.clone().unwrap_or_else(none));
        if let Some(strict) = tool.strict {
            function.insert("strict".into(), json!(strict));
        }
        tools.push(json!({"type": "function", "function": function}));
    }
    body.insert("tools".into(), tools.into());
    if let Some(choice) = &conversation.tool_choice {
        body.insert("tool_choice".into(), write_choice(choice));
    }
    if let Some(parallel) = conversation.parallel_tools {
        body.insert("parallel_tool_calls".into(), json!(parallel));
    }
    Ok(())
}

pub(super) fn read_choice(members: &mut Members) -> Result<Option<ToolChoice>, Unreadable> {
    let wrong =
        members.wrong("tool_choice", "none, auto, required, or an object that names a tool");
    let path = members.at("tool_choice");
    let mut choice = match members.take("tool_choice") {
        None => return Ok(None),
        Some(Value::String(word)) => {
            return match word.as_str() {
                "none" => Ok(Some(ToolChoice::None)),
                "auto" => Ok(Some(ToolChoice::Auto)),
                "required" | "any" => Ok(Some(ToolChoice::Required)),
                _ => Err(wrong),
            };
        }
        Some(value) => Members::of(value, path)?,
    };
    match choice.required_text("type")?.as_str() {
        kind @ ("function" | "custom") => {
            let mut named = choice.object(kind)?.ok_or(wrong)?;
            Ok(Some(ToolChoice::Named(named.required_text("name")?)))
        }
        "allowed_tools" => {
            let mut allowed = choice.object("allowed_tools")?.ok_or_else(|| wrong.clone())?;
            let required = allowed.text("mode")?.as_deref() == Some("required");
            let tools = allowed.objects("tools")?.unwrap_or_default();
            let name = |mut tool: Members| {
                let mut function = tool.object("function")?.ok_or_else(|| wrong.clone())?;
                function.required_text("name")
            };
            let names = tools.into_iter().map(name).collect::<Result<_, _>>()?;
            Ok(Some(ToolChoice::Allowed(names, required)))
        }
        _ => Err(wrong),
    }
}

fn write_choice(choice: &ToolChoice) -> Value {
    let named = |name: &String| json!({"type": "function", "function": {"name": name}});
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed(names, required) => {
            let mode = if *required { "required" } else { "auto" };
            let tools: Vec<Value> = names.iter().map(named).collect();
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
    }
}

/// One of `tool_calls`, in a message of a request or an answer.
pub(super) fn read_call(mut call: Members) -> Result<Call, Unreadable> {
    let (id, carried) = without_signature(call.text("id")?.unwrap_or_default());
    let google = call.object("extra_content")?.map(|mut extra| extra.object("google"));
    let told = google.transpose()?.flatten().map(|mut google| google.text("thought_signature"));
    let signature = told.transpose()?.flatten().or(carried);
    if let Some(mut custom) = call.object("custom")? {
        let name = custom.required_text("name")?;
        let arguments = custom.text("input")?.unwrap_or_default();
        return Ok(Call { id, name, arguments, custom: true, signature });
    }
    let mut function =
        call.object("function")?.ok_or_else(|| call.wrong("function", "an object"))?;
    let name = function.required_text("name")?;
    // Ollama and others give an object where OpenAI gives a text.
    let arguments = match function.take("arguments") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    Ok(Call { id, name, arguments, custom: false, signature })
}

/// One of `tool_calls` in an answer, with its signature where clients bring it back.
pub(super) fn write_call(call: &Call) -> Value {
    let mut written = write_unsigned(call);
    if let (Some(signature), Some(members)) = (&call.signature, written.as_object_mut()) {
        members.insert("id".into(), with_signature(&call.id, Some(signature)).into());
        members.insert("extra_content".into(), extra(signature));
    }
    written
}

/// One of `tool_calls` in a request: its results name the call by its own id, and its signature is worth
/// nothing to another provider.
pub(super) fn write_unsigned(call: &Call) -> Value {
    let Call { id, name, .. } = call;
    if call.custom {
        return json!({"id": id, "type": "custom", "custom": {"name": name, "input": call.arguments}});
    }
    let function = json!({"name": name, "arguments": arguments(call)});
    json!({"id": id, "type": "function", "function": function})
}

/// Where Google's own OpenAI endpoint puts the signature.
pub(super) fn extra(signature: &str) -> Value {
    json!({"google": {"thought_signature": signature}})
}

/// OpenAI's models write `{}` where there is nothing: SDKs parse what they get.
fn arguments(call: &Call) -> &str {
    if call.arguments.trim().is_empty() { "{}" } else { &call.arguments }
}

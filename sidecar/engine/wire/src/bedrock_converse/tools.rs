//! `toolConfig`.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::block::{CachePoint, no_arguments};
use crate::form::{Cannot, Conversation, Dialect, Loss, Tool, ToolChoice, Unreadable};
use crate::json::{Members, unreadable};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    tools: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Entry<'a> {
    ToolSpec(Spec<'a>),
    CachePoint(CachePoint<'a>),
    #[serde(untagged)]
    Foreign(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Schema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Schema<'a> {
    json: std::borrow::Cow<'a, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Choice<'a> {
    Auto {},
    Any {},
    Tool { name: &'a str },
}

pub(super) fn read(members: &mut Members, into: &mut Conversation) -> Result<(), Unreadable> {
    let Some(mut config) = members.object("toolConfig")? else { return Ok(()) };
    let path = config.at("tools");
    for (place, entry) in config.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let path = format!("{path}[{place}]");
        if entry.get("cachePoint").is_some_and(|point| !point.is_null()) {
            let mut point = Members::of(entry, path)?.object("cachePoint")?;
            let ttl = point.as_mut().map_or(Ok(None), |point| point.text("ttl"))?;
            match into.tools.last_mut() {
                Some(tool) => tool.cache = Some(ttl.unwrap_or_default()),
                None => Loss::note(&mut into.lost, "toolConfig.tools.cachePoint"),
            }
            continue;
        }
        into.tools.push(read_tool(entry, path)?);
    }
    into.tool_choice = read_choice(&mut config)?;
    Ok(())
}

fn read_tool(entry: Value, path: String) -> Result<Tool, Unreadable> {
    let named = |entry: &Value| {
        let (kind, inside) = entry.as_object()?.iter().find(|(_, inside)| !inside.is_null())?;
        let name = inside.get("name").and_then(Value::as_str).unwrap_or(kind);
        (kind != "toolSpec").then(|| name.to_owned())
    };
    if let Some(name) = named(&entry) {
        return Ok(Tool { name, foreign: Some(entry), ..Tool::default() });
    }
    let wrong = unreadable(&path, "an object with toolSpec");
    let mut spec = Members::of(entry, path)?.object("toolSpec")?.ok_or(wrong)?;
    let mut schema = spec.object("inputSchema")?;
    Ok(Tool {
        name: spec.required_text("name")?,
        description: spec.text("description")?,
        parameters: schema.as_mut().and_then(|schema| schema.take("json")),
        strict: spec.flag("strict")?,
        cache: None,
        foreign: None,
    })
}

fn read_choice(config: &mut Members) -> Result<Option<ToolChoice>, Unreadable> {
    let wrong = config.wrong("toolChoice", "an object with auto, any or tool");
    let Some(mut choice) = config.object("toolChoice")? else { return Ok(None) };
    if let Some(mut tool) = choice.object("tool")? {
        return Ok(Some(ToolChoice::Named(tool.required_text("name")?)));
    }
    match (choice.has("any"), choice.has("auto")) {
        (true, _) => Ok(Some(ToolChoice::Required)),
        (false, true) => Ok(Some(ToolChoice::Auto)),
        (false, false) => Err(wrong),
    }
}

/// `None`: no tool may be called. There is no word for that, so the tools go; but a history with calls
/// needs them declared, and declared they might be called.
pub(super) fn write<'a>(
    conversation: &'a Conversation,
    has_calls: bool,
    caches: bool,
    losses: &mut Vec<Loss>,
) -> Result<Option<ToolConfig<'a>>, Cannot> {
    let named: HashSet<&String> = match &conversation.tool_choice {
        Some(ToolChoice::Allowed(names, _)) => names.iter().collect(),
        _ => HashSet::new(),
    };
    let allowed = |tool: &&Tool| match &conversation.tool_choice {
        Some(ToolChoice::None) => false,
        Some(ToolChoice::Allowed(..)) => named.contains(&tool.name),
        _ => true,
    };
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for (place, tool) in conversation.tools.iter().enumerate().filter(|(_, tool)| allowed(tool)) {
        tools.push(write_tool(tool, conversation.origin, &format!("tools[{place}]"))?);
        let Some(ttl) = &tool.cache else { continue };
        if caches {
            tools.push(Entry::CachePoint(CachePoint::of(ttl)));
        } else {
            Loss::note(losses, "cache_control");
        }
    }
    if tools.is_empty() && has_calls {
        let why = "must hold the tools that the history calls, and the model must be free to call them: this provider's API knows it no other way";
        return Err(Cannot { path: "tools".to_owned(), why });
    }
    if tools.is_empty() {
        return Ok(None);
    }
    if conversation.parallel_tools == Some(false) {
        Loss::note(losses, "parallel_tool_calls");
    }
    let tool_choice = conversation.tool_choice.as_ref().and_then(|choice| match choice {
        ToolChoice::Auto | ToolChoice::Allowed(_, false) => Some(Choice::Auto {}),
        ToolChoice::Required | ToolChoice::Allowed(_, true) => Some(Choice::Any {}),
        ToolChoice::Named(name) => Some(Choice::Tool { name }),
        ToolChoice::None => None,
    });
    Ok(Some(ToolConfig { tools, tool_choice }))
}

fn write_tool<'a>(
    tool: &'a Tool,
    origin: Option<Dialect>,
    path: &str,
) -> Result<Entry<'a>, Cannot> {
    let cannot = |why| Err(Cannot { path: path.to_owned(), why });
    match &tool.foreign {
        Some(entry) if origin == Some(Dialect::BedrockConverse) => {
            return Ok(Entry::Foreign(entry));
        }
        Some(_) => {
            return cannot(
                "is a tool that only its own provider runs; leave it out, or name a model of that provider",
            );
        }
        None => {}
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=64).contains(&tool.name.len()) || !tool.name.bytes().all(allowed) {
        return cannot(
            "has a name that this provider does not take; use 1 to 64 of a-z, A-Z, 0-9, _ and -",
        );
    }
    let json = tool
        .parameters
        .as_ref()
        .map_or_else(|| std::borrow::Cow::Owned(no_arguments()), std::borrow::Cow::Borrowed);
    Ok(Entry::ToolSpec(Spec {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: Schema { json },
        strict: tool.strict,
    }))
}

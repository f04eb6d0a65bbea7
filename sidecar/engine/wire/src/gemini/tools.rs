//! `tools` and `toolConfig`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::schema;
use super::spelling::{object, objects};
use crate::form::{Cannot, Conversation, Dialect, Loss, Tool, ToolChoice, Unreadable};
use crate::json::Members;

/// An element of `tools`: the caller's functions, or a tool of Google's as it came.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Entry<'a> {
    Functions {
        #[serde(rename = "functionDeclarations")]
        declarations: Vec<Declaration<'a>>,
    },
    Foreign(&'a Value),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Declaration<'a> {
    name: &'a str,
    /// Google requires one.
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_calling_config: Option<CallingConfig<'a>>,
    #[serde(flatten)]
    more: BTreeMap<&'a str, &'a Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed_function_names: &'a [String],
}

pub(super) fn read(of: &mut Members, conversation: &mut Conversation) -> Result<(), Unreadable> {
    for mut entry in objects(of, "tools")?.unwrap_or_default() {
        for declaration in objects(&mut entry, "functionDeclarations")?.unwrap_or_default() {
            let tool = read_declaration(declaration, &mut conversation.lost)?;
            conversation.tools.push(tool);
        }
        for (name, value) in entry.rest() {
            // One tool of Google's each: `{"googleSearch": {}}`.
            let foreign = Value::Object(Map::from_iter([(name.clone(), value)]));
            conversation.tools.push(Tool { name, foreign: Some(foreign), ..Tool::default() });
        }
    }
    let Some(mut config) = object(of, "toolConfig")? else { return Ok(()) };
    if let Some(calling) = object(&mut config, "functionCallingConfig")? {
        conversation.tool_choice = read_choice(calling, &mut conversation.lost)?;
    }
    for (name, value) in config.rest() {
        conversation.extra.insert(format!("toolConfig.{name}"), value);
    }
    Ok(())
}

fn read_declaration(mut of: Members, lost: &mut Vec<Loss>) -> Result<Tool, Unreadable> {
    let subset = of.take("parameters").map(schema::from_subset);
    let parameters = of.take("parametersJsonSchema").or(subset);
    let tool = Tool {
        name: of.required_text("name")?,
        description: of.text("description")?.filter(|text| !text.is_empty()),
        parameters,
        ..Tool::default()
    };
    let path = of.at("");
    for name in of.rest().keys() {
        Loss::note(lost, &format!("{path}{name}"));
    }
    Ok(tool)
}

fn read_choice(mut of: Members, lost: &mut Vec<Loss>) -> Result<Option<ToolChoice>, Unreadable> {
    let wrong = of.wrong("mode", "AUTO, ANY, NONE or VALIDATED");
    let names = of.texts("allowedFunctionNames")?;
    let mode = of.text("mode")?.map(|mode| mode.to_ascii_uppercase());
    let path = of.at("");
    for name in of.rest().keys() {
        Loss::note(lost, &format!("{path}{name}"));
    }
    let some = |names: Vec<String>, required| match names.as_slice() {
        [] if required => ToolChoice::Required,
        [] => ToolChoice::Auto,
        [name] if required => ToolChoice::Named(name.clone()),
        _ => ToolChoice::Allowed(names, required),
    };
    match mode.as_deref() {
        None | Some("MODE_UNSPECIFIED") if names.is_empty() => Ok(None),
        None | Some("AUTO" | "MODE_UNSPECIFIED" | "VALIDATED") => Ok(Some(some(names, false))),
        Some("ANY") => Ok(Some(some(names, true))),
        Some("NONE") => Ok(Some(ToolChoice::None)),
        Some(_) => Err(wrong),
    }
}

pub(super) fn write<'a>(
    conversation: &'a Conversation,
    losses: &mut Vec<Loss>,
) -> Result<Vec<Entry<'a>>, Cannot> {
    let own = conversation.origin == Some(Dialect::Gemini);
    let (mut declarations, mut entries) = (Vec::new(), Vec::new());
    for (place, tool) in conversation.tools.iter().enumerate() {
        match &tool.foreign {
            Some(foreign) if own => entries.push(Entry::Foreign(foreign)),
            Some(_) => {
                let why = "is a tool that only its own provider runs; leave it out, or name a model of that provider";
                return Err(Cannot { path: format!("tools[{place}]"), why });
            }
            None => declarations.push(Declaration {
                name: &tool.name,
                description: tool.description.as_deref().unwrap_or_default(),
                parameters_json_schema: tool.parameters.as_ref(),
            }),
        }
        if tool.cache.is_some() {
            Loss::note(losses, "cache_control");
        }
        if tool.strict == Some(true) {
            // Gemini holds a model to the schema only where it must call.
            Loss::note(losses, "strict");
        }
    }
    if !declarations.is_empty() {
        entries.insert(0, Entry::Functions { declarations });
    }
    if conversation.parallel_tools == Some(false) {
        Loss::note(losses, "parallel_tool_calls");
    }
    Ok(entries)
}

/// `toolConfig`; a choice without tools to choose from is refused by Google and says nothing.
pub(super) fn write_config(conversation: &Conversation) -> Option<ToolConfig<'_>> {
    let (mode, names) = match &conversation.tool_choice {
        None => (None, [].as_slice()),
        Some(ToolChoice::Auto) => (Some("AUTO"), [].as_slice()),
        Some(ToolChoice::None) => (Some("NONE"), [].as_slice()),
        Some(ToolChoice::Required) => (Some("ANY"), [].as_slice()),
        Some(ToolChoice::Named(name)) => (Some("ANY"), std::slice::from_ref(name)),
        Some(ToolChoice::Allowed(names, true)) => (Some("ANY"), names.as_slice()),
        // AUTO takes no names.
        Some(ToolChoice::Allowed(names, false)) => (Some("VALIDATED"), names.as_slice()),
    };
    let callable = conversation.tools.iter().any(|tool| tool.foreign.is_none());
    let function_calling_config =
        mode.filter(|_| callable).map(|mode| CallingConfig { mode, allowed_function_names: names });
    let more = extras(conversation, "toolConfig.");
    let any = function_calling_config.is_some() || !more.is_empty();
    any.then_some(ToolConfig { function_calling_config, more })
}

/// What the reader kept of a nested object, under the object's own names.
pub(super) fn extras<'a>(
    conversation: &'a Conversation,
    prefix: &str,
) -> BTreeMap<&'a str, &'a Value> {
    if conversation.origin != Some(Dialect::Gemini) {
        return BTreeMap::new();
    }
    let inner = |(name, value): (&'a String, &'a Value)| Some((name.strip_prefix(prefix)?, value));
    conversation.extra.iter().filter_map(inner).collect()
}

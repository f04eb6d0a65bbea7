//! `tools` and `tool_choice`.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::blocks::Mark;
use super::super::ids;
use super::content::read_mark;
use super::read::lose_all;
use super::schema;
use crate::form::{Cannot, Conversation, Loss, Payload, Tool, ToolChoice, Unreadable};
use crate::json::Members;

/// What is said of a tool that the caller does not offer any more and the history calls.
const WITHDRAWN: &str = "Not available any more.";

pub(super) fn read_tools(
    members: &mut Members,
    lost: &mut Vec<Loss>,
) -> Result<Vec<Tool>, Unreadable> {
    let tools = members.objects("tools")?.unwrap_or_default();
    tools.into_iter().map(|tool| read_tool(tool, lost)).collect()
}

fn read_tool(mut tool: Members, lost: &mut Vec<Loss>) -> Result<Tool, Unreadable> {
    let kind = tool.text("type")?;
    if let Some(kind) = kind.filter(|kind| kind != "custom") {
        let mut whole = tool.into_value();
        let mut name = kind.clone();
        if let Some(members) = whole.as_object_mut() {
            name = members.get("name").and_then(Value::as_str).map_or(name, str::to_owned);
            members.insert("type".into(), kind.into());
        }
        return Ok(Tool { name, foreign: Some(whole), ..Tool::default() });
    }
    let wrong = tool.wrong("input_schema", "a JSON schema of type object");
    let read = Tool {
        name: tool.required_text("name")?,
        description: tool.text("description")?,
        parameters: Some(tool.take("input_schema").filter(Value::is_object).ok_or(wrong)?),
        strict: tool.flag("strict")?,
        cache: read_mark(&mut tool)?,
        foreign: None,
    };
    let path = tool.at("");
    lose_all(lost, &path, &tool.rest());
    Ok(read)
}

/// The choice, and whether several calls at once are allowed.
pub(super) fn read_choice(
    members: &mut Members,
    lost: &mut Vec<Loss>,
) -> Result<(Option<ToolChoice>, Option<bool>), Unreadable> {
    let Some(mut choice) = members.object("tool_choice")? else { return Ok((None, None)) };
    let read = match choice.required_text("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.required_text("name")?),
        _ => return Err(choice.wrong("type", "auto, any, tool or none")),
    };
    let alone = choice.flag("disable_parallel_tool_use")?;
    lose_all(lost, "tool_choice.", &choice.rest());
    Ok((Some(read), alone.map(|alone| !alone)))
}

/// One of `tools`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Offer<'a> {
    Own {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Cow<'a, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark<'a>>,
    },
    Foreign(&'a Value),
}

/// `tool_choice`.
#[derive(Debug, Serialize)]
pub(super) struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

impl Choice<'_> {
    /// Whether a tool must be called.
    pub(super) fn forces(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

/// What the model may call, and whether it must. `own`: read from this dialect, so written back as it was.
pub(super) fn write<'a>(
    conversation: &'a Conversation,
    own: bool,
) -> Result<(Vec<Offer<'a>>, Option<Choice<'a>>), Cannot> {
    let mut offers = Vec::with_capacity(conversation.tools.len());
    for (place, tool) in conversation.tools.iter().enumerate() {
        if is_allowed(tool, conversation.tool_choice.as_ref()) {
            offers.push(write_tool(place, tool, own)?);
        }
    }
    let mut choice = write_choice(conversation);
    if offers.is_empty() && !own {
        if choice.as_ref().is_some_and(Choice::forces) {
            let why = "asks for a call of a tool that is not among the tools; offer it";
            return Err(Cannot { path: "tool_choice".into(), why });
        }
        offers = withdrawn(conversation);
        choice = (!offers.is_empty()).then_some(Choice {
            kind: "none",
            name: None,
            disable_parallel_tool_use: None,
        });
    }
    Ok((offers, choice))
}

/// Anthropic has no list of allowed tools: those that are not are not offered.
fn is_allowed(tool: &Tool, choice: Option<&ToolChoice>) -> bool {
    match choice {
        Some(ToolChoice::Allowed(names, _)) => names.contains(&tool.name),
        _ => true,
    }
}

fn write_tool(place: usize, tool: &Tool, own: bool) -> Result<Offer<'_>, Cannot> {
    let cannot = |why| Cannot { path: format!("tools[{place}]"), why };
    match &tool.foreign {
        Some(whole) if own => return Ok(Offer::Foreign(whole)),
        Some(_) => {
            return Err(cannot(
                "is a tool that only its own provider runs; leave it out, or name a model of that provider",
            ));
        }
        None => {}
    }
    let legal = !tool.name.is_empty() && tool.name.bytes().all(ids::fits) && tool.name.len() <= 128;
    if !own && !legal {
        return Err(cannot(
            "has a name that this provider refuses; use letters, digits, _ and -, at most 128",
        ));
    }
    Ok(Offer::Own {
        name: &tool.name,
        description: tool.description.as_deref(),
        input_schema: write_schema(tool.parameters.as_ref())
            .ok_or_else(|| cannot("has parameters that are no JSON schema of type object"))?,
        strict: tool.strict.filter(|strict| *strict || own),
        cache_control: Mark::of(tool.cache.as_deref()),
    })
}

/// The schema of arguments must say that it is one of objects.
fn write_schema(parameters: Option<&Value>) -> Option<Cow<'_, Value>> {
    let Some(parameters) = parameters else {
        return Some(Cow::Owned(json!({"type": "object", "properties": {}})));
    };
    let members = parameters.as_object()?;
    match members.get("type") {
        Some(kind) if kind == "object" => Some(Cow::Borrowed(parameters)),
        Some(_) => None,
        None => {
            let mut typed = Map::with_capacity(members.len() + 1);
            typed.insert("type".into(), "object".into());
            typed.extend(members.clone());
            Some(Cow::Owned(typed.into()))
        }
    }
}

fn write_choice(conversation: &Conversation) -> Option<Choice<'_>> {
    let alone = (conversation.parallel_tools == Some(false)).then_some(true);
    let (kind, name) = match &conversation.tool_choice {
        None if alone.is_none() => return None,
        None | Some(ToolChoice::Auto | ToolChoice::Allowed(_, false)) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required | ToolChoice::Allowed(_, true)) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name.as_str())),
    };
    let disable_parallel_tool_use = alone.filter(|_| kind != "none");
    Some(Choice { kind, name, disable_parallel_tool_use })
}

/// Anthropic wants every tool that the history calls among the tools; other dialects do not, and callers
/// take the tools away to get a last word. They are named again, and may not be called.
fn withdrawn(conversation: &Conversation) -> Vec<Offer<'_>> {
    let mut offers = Vec::new();
    let mut names = HashSet::new();
    for part in conversation.turns.iter().flat_map(|turn| &turn.parts) {
        let Payload::Call(call) = &part.payload else { continue };
        if !names.insert(call.name.as_str()) {
            continue;
        }
        offers.push(Offer::Own {
            name: &call.name,
            description: Some(WITHDRAWN),
            input_schema: Cow::Owned(json!({"type": "object"})),
            strict: None,
            cache_control: None,
        });
    }
    offers
}

/// Closes the schemas of strict tools, as Anthropic wants them; takes `strict` from those that cannot be
/// closed, and from all for a model that does not know it.
pub(super) fn fit_strict(offers: &mut [Offer<'_>], able: bool, losses: &mut Vec<Loss>) {
    for offer in offers {
        let Offer::Own { strict: strict @ Some(true), input_schema, .. } = offer else { continue };
        match schema::close(input_schema).filter(|_| able) {
            Some(closed) => *input_schema = Cow::Owned(closed),
            None => {
                *strict = None;
                Loss::note(losses, "tools.strict");
            }
        }
    }
}

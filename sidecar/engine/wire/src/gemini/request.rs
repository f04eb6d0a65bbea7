//! The request.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::spelling::{object, objects, parse};
use super::{body, config, contents, history, tools};
use crate::form::{Cannot, Conversation, Dialect, Loss, Unreadable, Written};
use crate::json::{Members, written};

/// Reads a request; the caller sets `model` and `stream`, which stand in the path.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    read_members(parse(body)?)
}

pub(super) fn read_members(mut members: Members) -> Result<Conversation, Unreadable> {
    let mut conversation =
        Conversation { origin: Some(Dialect::Gemini), ..Conversation::default() };
    if let Some(model) = members.text("model")? {
        conversation.model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
    }
    if let Some(system) = object(&mut members, "systemInstruction")? {
        contents::read_system(system, &mut conversation)?;
    }
    let wrong = members.wrong("contents", "an array of contents");
    let list = objects(&mut members, "contents")?.filter(|list| !list.is_empty());
    contents::read(list.ok_or(wrong)?, &mut conversation)?;
    config::read(&mut members, &mut conversation)?;
    tools::read(&mut members, &mut conversation)?;
    let tier = members.text("serviceTier")?.map(|tier| tier.to_ascii_lowercase());
    let tier = tier.map(|tier| tier.strip_prefix("service_tier_").unwrap_or(&tier).to_owned());
    conversation.settings.service_tier = tier.filter(|tier| tier != "unspecified");
    if members.has("cachedContent") {
        conversation.state.push("cachedContent".into());
    }
    conversation.extra.append(&mut members.rest());
    Ok(conversation)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<body::Content<'a>>,
    contents: Vec<body::Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<tools::Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<tools::ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<config::Config<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(flatten)]
    more: BTreeMap<&'a str, &'a Value>,
}

/// Writes a request; `model` stands in the path and only decides which words the model understands.
///
/// # Errors
/// It holds what only another provider can do.
pub fn write(conversation: &Conversation, model: &str) -> Result<Written, Cannot> {
    let own = conversation.origin == Some(Dialect::Gemini);
    let mut losses = if own { conversation.lost.clone() } else { conversation.begin_losses()? };
    let said = history::write(conversation, model, &mut losses)?;
    let tools = tools::write(conversation, &mut losses)?;
    let generation_config = config::write(conversation, model, &mut losses)?;
    let service_tier = tier(conversation.settings.service_tier.as_deref(), &mut losses);
    let top = |(name, _): &(&str, &Value)| own && !name.contains('.');
    let members = conversation.extra.iter().map(|(name, value)| (name.as_str(), value));
    let body = Body {
        system_instruction: said.system,
        contents: said.contents,
        tools,
        tool_config: tools::write_config(conversation),
        generation_config,
        service_tier,
        more: members.filter(top).collect(),
    };
    Ok(Written { body: written(&body), losses })
}

/// OpenAI's and Anthropic's words for Google's tiers.
fn tier(tier: Option<&str>, losses: &mut Vec<Loss>) -> Option<&'static str> {
    match tier? {
        "flex" => Some("flex"),
        "priority" | "fast" => Some("priority"),
        "standard" | "default" | "standard_only" => Some("standard"),
        "auto" => None,
        _ => {
            Loss::note(losses, "service_tier");
            None
        }
    }
}

//! A request -> the form.

use serde_json::{Map, Value};

use super::content::Contents;
use super::{schema, tools};
use crate::form::{
    Conversation, Dialect, Effort, Format, Loss, Reasoning, Role, Settings, Turn, Unreadable,
};
use crate::json::{self, Members};

/// Most losses of one request that are told apart: what tells them is a header.
const MAX_LOSSES: usize = 64;

/// Top-level members that only Anthropic can act on, and without which the answer would be another.
const BINDING: [&str; 2] = ["container", "mcp_servers"];

/// Reads a request for an answer.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    let members = json::parse(body)?;
    if !members.has("max_tokens") {
        let expected = "a whole number: the most tokens that the answer may have";
        return Err(members.wrong("max_tokens", expected));
    }
    read_members(members)
}

/// Reads a request in which `max_tokens` may be missing.
pub(in super::super) fn read_uncapped(body: &[u8]) -> Result<Conversation, Unreadable> {
    read_members(json::parse(body)?)
}

fn read_members(mut members: Members) -> Result<Conversation, Unreadable> {
    let mut conversation = Conversation {
        origin: Some(Dialect::AnthropicMessages),
        model: members.required_text("model")?,
        stream: members.flag("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    let mut contents = Contents::default();
    if members.has("system") {
        let parts = contents.texts(&mut members, "system")?;
        conversation.turns.push(Turn { role: Role::System, parts });
    }
    let wrong = members.wrong("messages", "an array of messages");
    for message in members.objects("messages")?.ok_or(wrong)? {
        conversation.turns.push(read_message(message, &mut contents)?);
    }
    conversation.lost = contents.lost;
    let lost = &mut conversation.lost;
    conversation.tools = tools::read_tools(&mut members, lost)?;
    (conversation.tool_choice, conversation.parallel_tools) =
        tools::read_choice(&mut members, lost)?;
    conversation.settings = read_settings(&mut members, lost)?;
    conversation.extra = members.rest();
    let binding = BINDING.into_iter().filter(|name| conversation.extra.contains_key(*name));
    conversation.state = binding.map(str::to_owned).collect();
    Ok(conversation)
}

fn read_message(mut message: Members, contents: &mut Contents) -> Result<Turn, Unreadable> {
    let role = match message.required_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(message.wrong("role", "user, assistant or system")),
    };
    if !message.has("content") {
        return Err(message.wrong("content", "a string or an array of blocks"));
    }
    let parts = match role {
        Role::System => contents.texts(&mut message, "content")?,
        Role::User | Role::Assistant => contents.blocks(&mut message, "content")?,
    };
    let path = message.at("");
    lose_all(&mut contents.lost, &path, &message.rest());
    Ok(Turn { role, parts })
}

fn read_settings(members: &mut Members, lost: &mut Vec<Loss>) -> Result<Settings, Unreadable> {
    let mut settings = Settings {
        max_output: members.count("max_tokens")?,
        temperature: members.number("temperature")?,
        top_p: members.number("top_p")?,
        top_k: members.count("top_k")?,
        stop: members.texts("stop_sequences")?,
        service_tier: members.text("service_tier")?,
        ..Settings::default()
    };
    if let Some(mut metadata) = members.object("metadata")? {
        settings.user = metadata.text("user_id")?;
        lose_all(lost, "metadata.", &metadata.rest());
    }
    let thinking = read_thinking(members, lost)?;
    let mut effort = None;
    if let Some(mut config) = members.object("output_config")? {
        effort = read_effort(&mut config)?;
        if let Some(format) = config.object("format")? {
            settings.format = read_format(format)?;
        }
        lose_all(lost, "output_config.", &config.rest());
    }
    settings.reasoning = match (thinking, effort) {
        (Some(thinking), Some(_)) if thinking.effort == Some(Effort::None) => {
            lose(lost, "output_config.effort"); // the form has one word for both
            Some(thinking)
        }
        (Some(thinking), effort) => {
            Some(Reasoning { effort: thinking.effort.or(effort), ..thinking })
        }
        (None, None) => None,
        (None, effort) => Some(Reasoning { effort, ..Reasoning::default() }),
    };
    Ok(settings)
}

fn read_thinking(
    members: &mut Members,
    lost: &mut Vec<Loss>,
) -> Result<Option<Reasoning>, Unreadable> {
    let Some(mut thinking) = members.object("thinking")? else { return Ok(None) };
    let mut reasoning = Reasoning::default();
    match thinking.required_text("type")?.as_str() {
        "disabled" => reasoning.effort = Some(Effort::None),
        "enabled" => {
            let wrong = thinking.wrong("budget_tokens", "a whole number");
            reasoning.budget = Some(thinking.count("budget_tokens")?.ok_or(wrong)?);
        }
        "adaptive" => reasoning.adaptive = true,
        "between_tools" => {
            reasoning.adaptive = true;
            lose(lost, "thinking.type"); // the form cannot say where
        }
        _ => return Err(thinking.wrong("type", "enabled, disabled, adaptive or between_tools")),
    }
    reasoning.show = match thinking.text("display")?.as_deref() {
        None => None,
        Some("summarized") => Some(true),
        Some("omitted") => Some(false),
        Some(_) => return Err(thinking.wrong("display", "summarized or omitted")),
    };
    lose_all(lost, "thinking.", &thinking.rest());
    Ok(Some(reasoning))
}

fn read_effort(config: &mut Members) -> Result<Option<Effort>, Unreadable> {
    Ok(match config.text("effort")?.as_deref() {
        None => None,
        Some("low") => Some(Effort::Low),
        Some("medium") => Some(Effort::Medium),
        Some("high") => Some(Effort::High),
        Some("xhigh") => Some(Effort::ExtraHigh),
        Some("max") => Some(Effort::Max),
        Some(_) => return Err(config.wrong("effort", "low, medium, high, xhigh or max")),
    })
}

/// Anthropic always holds an answer to its schema. OpenAI does so only where `strict` is asked, and refuses
/// a schema that is not closed: so that is asked where it can be.
fn read_format(mut format: Members) -> Result<Format, Unreadable> {
    if format.required_text("type")? != "json_schema" {
        return Err(format.wrong("type", "json_schema"));
    }
    let wrong = format.wrong("schema", "a JSON schema");
    let schema = format.take("schema").filter(Value::is_object).ok_or(wrong)?;
    let strict = schema::is_closed(&schema).then_some(true);
    Ok(Format::Schema { name: None, description: None, schema, strict })
}

/// Notes a member that the form has no place for.
pub(super) fn lose(lost: &mut Vec<Loss>, path: &str) {
    if lost.len() < MAX_LOSSES {
        Loss::note(lost, path);
    }
}

/// Notes all members of an object at `path` (ends with its dot).
pub(super) fn lose_all(lost: &mut Vec<Loss>, path: &str, rest: &Map<String, Value>) {
    for name in rest.keys().take(MAX_LOSSES) {
        lose(lost, &format!("{path}{name}"));
    }
}

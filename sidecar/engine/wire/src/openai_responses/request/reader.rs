//! A body -> the form.

use serde_json::{Map, Value, json};

use super::{items, lose_rest, tools};
use crate::form::{
    Conversation, Dialect, Format, Loss, Part, Reasoning, Role, Settings, Turn, Unreadable,
};
use crate::json::{self, Members};
use crate::openai_chat::request::{effort_of, verbosity_of};

/// What only the provider that holds it can look up.
const STATE: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// `include`: log probabilities of the answer's text.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Reads a request.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    let mut members = json::parse(body)?;
    let mut conversation = Conversation {
        origin: Some(Dialect::OpenAiResponses),
        model: members.required_text("model")?,
        parallel_tools: members.flag("parallel_tool_calls")?,
        stream: members.flag("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    tools::read_tools(&mut members, &mut conversation)?;
    if let Some(text) = members.text("instructions")? {
        conversation.turns.push(Turn { role: Role::System, parts: vec![Part::text(text)] });
    }
    let has_input = read_input(&mut members, &mut conversation)?;
    conversation.settings = read_settings(&mut members, &mut conversation.lost)?;
    conversation.extra = read_extra(members, &mut conversation.state);
    if !has_input && conversation.state.is_empty() {
        return Err(json::unreadable("input", "a string or an array of items"));
    }
    Ok(conversation)
}

fn read_input(members: &mut Members, into: &mut Conversation) -> Result<bool, Unreadable> {
    let wrong = |members: &Members| members.wrong("input", "a string or an array of items");
    match members.take("input") {
        None => return Ok(false),
        Some(Value::String(text)) => {
            into.turns.push(Turn { role: Role::User, parts: vec![Part::text(text)] });
        }
        Some(Value::Array(list)) => {
            for (place, item) in list.into_iter().enumerate() {
                items::read(Members::of(item, format!("input[{place}]"))?, into)?;
            }
        }
        Some(_) => return Err(wrong(members)),
    }
    Ok(true)
}

fn read_settings(members: &mut Members, lost: &mut Vec<Loss>) -> Result<Settings, Unreadable> {
    let (identifier, user) = (members.text("safety_identifier")?, members.text("user")?);
    let mut settings = Settings {
        logprobs: read_include(members)?,
        max_output: members.count("max_output_tokens")?,
        temperature: members.number("temperature")?,
        top_p: members.number("top_p")?,
        top_logprobs: members.count("top_logprobs")?,
        user: identifier.or(user),
        metadata: match members.take("metadata") {
            None => Map::new(),
            Some(Value::Object(metadata)) => metadata,
            Some(_) => return Err(members.wrong("metadata", "an object")),
        },
        service_tier: members.text("service_tier")?,
        ..Settings::default()
    };
    if let Some(mut text) = members.object("text")? {
        if let Some(format) = text.object("format")? {
            settings.format = read_format(format, lost)?;
        }
        if let Some(word) = text.text("verbosity")? {
            let verbosity = verbosity_of(&word);
            let wrong = || text.wrong("verbosity", "low, medium or high");
            settings.verbosity = Some(verbosity.ok_or_else(wrong)?);
        }
        lose_rest(text, lost);
    }
    if let Some(reasoning) = members.object("reasoning")? {
        settings.reasoning = read_reasoning(reasoning, lost)?;
    }
    Ok(settings)
}

/// Takes the wish for log probabilities out of `include`.
fn read_include(members: &mut Members) -> Result<Option<bool>, Unreadable> {
    let mut include = members.list("include")?.unwrap_or_default();
    let all = include.len();
    include.retain(|word| word != LOGPROBS);
    let asked = include.len() < all;
    members.put_back("include", include.into());
    Ok(asked.then_some(true))
}

fn read_format(mut format: Members, lost: &mut Vec<Loss>) -> Result<Format, Unreadable> {
    let read = match format.required_text("type")?.as_str() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => Format::Schema {
            name: format.text("name")?,
            description: format.text("description")?,
            strict: format.flag("strict")?,
            schema: format.take("schema").unwrap_or_else(|| json!({"type": "object"})),
        },
        _ => return Err(format.wrong("type", "text, json_object or json_schema")),
    };
    lose_rest(format, lost);
    Ok(read)
}

fn read_reasoning(
    mut members: Members,
    lost: &mut Vec<Loss>,
) -> Result<Option<Reasoning>, Unreadable> {
    let effort = match members.text("effort")? {
        None => None,
        Some(word) => Some(effort_of(&word).ok_or_else(|| {
            members.wrong("effort", "none, minimal, low, medium, high, xhigh or max")
        })?),
    };
    let (new, old) = (members.text("summary")?, members.text("generate_summary")?);
    let show = new.or(old).map(|_| true);
    lose_rest(members, lost);
    let asked = effort.is_some() || show.is_some();
    Ok(asked.then(|| Reasoning { effort, show, ..Reasoning::default() }))
}

/// What no other dialect knows, without what asks for nothing: other dialects neither store nor shorten nor
/// pad, and none runs in the background.
fn read_extra(members: Members, state: &mut Vec<String>) -> Map<String, Value> {
    let mut extra = members.rest();
    extra.retain(|name, value| match name.as_str() {
        "background" | "store" => *value != Value::Bool(false),
        "truncation" => *value != "disabled",
        "include" => value.as_array().is_none_or(|list| !list.is_empty()),
        "stream_options" => false,
        _ => true,
    });
    let held = STATE.into_iter().chain(["background"]).filter(|name| extra.contains_key(*name));
    state.extend(held.map(str::to_owned));
    extra
}

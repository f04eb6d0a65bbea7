//! The request.

use serde_json::{Map, Value, json};

use super::quirks::{self, Quirks, Spelling};
use super::sampling::set;
use super::{message, sampling, tools};
use crate::form::{
    Cannot, Conversation, Effort, Format, Loss, Reasoning, Settings, Unreadable, Verbosity, Written,
};
use crate::json::{self, Members};

/// Reads a request.
///
/// # Errors
/// Names the member and what it must be.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    let mut members = json::parse(body)?;
    for deprecated in ["functions", "function_call"] {
        if members.has(deprecated) {
            return Err(members.wrong(deprecated, "absent: it is deprecated, use tools"));
        }
    }
    let mut conversation = Conversation {
        model: members.required_text("model")?,
        tools: tools::read_tools(&mut members)?,
        tool_choice: tools::read_choice(&mut members)?,
        parallel_tools: members.flag("parallel_tool_calls")?,
        stream: members.flag("stream")?.unwrap_or(false),
        ..Conversation::default()
    };
    if let Some(mut options) = members.object("stream_options")? {
        conversation.stream_usage = options.flag("include_usage")?.unwrap_or(false);
    }
    let wrong = members.wrong("messages", "an array of messages");
    for one in members.objects("messages")?.ok_or(wrong)? {
        message::read(one, &mut conversation)?;
    }
    conversation.settings = read_settings(&mut members)?;
    conversation.extra = members.rest();
    Ok(conversation)
}

fn read_settings(members: &mut Members) -> Result<Settings, Unreadable> {
    let (new, old) = (members.count("max_completion_tokens")?, members.count("max_tokens")?);
    let identifier = members.text("safety_identifier")?;
    let modalities = members.texts("modalities")?;
    let shared = sampling::read(members)?;
    Ok(Settings {
        max_output: new.or(old),
        top_k: members.count("top_k")?,
        logprobs: members.flag("logprobs")?,
        top_logprobs: members.count("top_logprobs")?,
        format: read_format(members)?,
        reasoning: read_effort(members)?,
        verbosity: read_verbosity(members)?,
        user: identifier.or_else(|| shared.user.clone()),
        metadata: members.object("metadata")?.map(Members::rest).unwrap_or_default(),
        service_tier: members.text("service_tier")?,
        modalities: modalities.into_iter().filter(|modality| modality != "text").collect(),
        ..shared
    })
}

fn read_format(members: &mut Members) -> Result<Format, Unreadable> {
    let Some(mut format) = members.object("response_format")? else { return Ok(Format::Text) };
    match format.required_text("type")?.as_str() {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let wrong = format.wrong("json_schema", "an object with name and schema");
            let mut schema = format.object("json_schema")?.ok_or(wrong)?;
            Ok(Format::Schema {
                name: schema.text("name")?,
                description: schema.text("description")?,
                strict: schema.flag("strict")?,
                schema: schema.take("schema").unwrap_or_else(|| json!({"type": "object"})),
            })
        }
        _ => Err(format.wrong("type", "text, json_object or json_schema")),
    }
}

fn read_effort(members: &mut Members) -> Result<Option<Reasoning>, Unreadable> {
    let Some(word) = members.text("reasoning_effort")? else { return Ok(None) };
    let words = "none, minimal, low, medium, high, xhigh or max";
    let effort = effort_of(&word).ok_or_else(|| members.wrong("reasoning_effort", words))?;
    Ok(Some(Reasoning { effort: Some(effort), ..Reasoning::default() }))
}

/// OpenAI's words, in Responses too.
pub(crate) fn effort_of(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::ExtraHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

fn read_verbosity(members: &mut Members) -> Result<Option<Verbosity>, Unreadable> {
    let Some(word) = members.text("verbosity")? else { return Ok(None) };
    let verbosity = verbosity_of(&word);
    verbosity.map(Some).ok_or_else(|| members.wrong("verbosity", "low, medium or high"))
}

pub(crate) fn verbosity_of(word: &str) -> Option<Verbosity> {
    Some(match word {
        "low" => Verbosity::Low,
        "medium" => Verbosity::Medium,
        "high" => Verbosity::High,
        _ => return None,
    })
}

/// Writes a request for an upstream that reads its cap from `max_completion_tokens`.
///
/// # Errors
/// See [`write_for`].
pub fn write(conversation: &Conversation, model: &str) -> Result<Written, Cannot> {
    write_for(conversation, model, "max_completion_tokens")
}

/// Writes a request as the upstream spells it; of a cap alone that is where it reads the cap on answer
/// tokens. A stream always asks for its usage.
///
/// # Errors
/// It holds what only another provider can do.
pub fn write_for<'a>(
    conversation: &Conversation,
    model: &str,
    to: impl Into<Spelling<'a>>,
) -> Result<Written, Cannot> {
    let to = to.into();
    let thoughts_back = to.quirks.any(Quirks::THOUGHTS_BACK);
    let mut losses = conversation.begin_losses()?;
    let mut messages = Vec::with_capacity(conversation.turns.len());
    for (place, turn) in conversation.turns.iter().enumerate() {
        message::write((place, turn), thoughts_back, &mut messages, &mut losses)?;
    }
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), messages.into());
    if conversation.tools.iter().any(|tool| tool.cache.is_some()) {
        Loss::note(&mut losses, "cache_control");
    }
    tools::write_tools(conversation, &mut body)?;
    write_settings(&conversation.settings, to.cap_field, &mut body, &mut losses);
    if conversation.stream {
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    if to.quirks.of_requests() {
        quirks::rework(to, &mut body, &mut losses);
    }
    Ok(Written { body: Value::Object(body).to_string().into_bytes(), losses })
}

fn write_settings(
    settings: &Settings,
    cap_field: &str,
    body: &mut Map<String, Value>,
    losses: &mut Vec<Loss>,
) {
    sampling::write(settings, cap_field, body);
    set(body, "logprobs", settings.logprobs);
    set(body, "top_logprobs", settings.top_logprobs);
    set(body, "response_format", write_format(&settings.format));
    set(body, "reasoning_effort", settings.reasoning.and_then(effort));
    set(body, "verbosity", settings.verbosity.map(verbosity_word));
    set(body, "metadata", (!settings.metadata.is_empty()).then(|| settings.metadata.clone()));
    if !settings.modalities.is_empty() {
        let modalities: Vec<&str> =
            std::iter::once("text").chain(settings.modalities.iter().map(String::as_str)).collect();
        set(body, "modalities", Some(json!(modalities)));
    }
    match settings.service_tier.as_deref() {
        None => {}
        Some(tier @ ("auto" | "default" | "flex" | "scale" | "priority" | "fast")) => {
            set(body, "service_tier", Some(tier));
        }
        Some("standard_only") => set(body, "service_tier", Some("default")), // Anthropic's word
        Some(_) => Loss::note(losses, "service_tier"),
    }
    if settings.top_k.is_some() {
        Loss::note(losses, "top_k");
    }
}

fn write_format(format: &Format) -> Option<Value> {
    match format {
        Format::Text => None,
        Format::Json => Some(json!({"type": "json_object"})),
        Format::Schema { name, description, schema, strict } => {
            let mut inner = Map::new();
            inner.insert("name".into(), name.as_deref().unwrap_or("response").into());
            if let Some(description) = description {
                inner.insert("description".into(), description.as_str().into());
            }
            inner.insert("schema".into(), schema.clone());
            if let Some(strict) = strict {
                inner.insert("strict".into(), (*strict).into());
            }
            Some(json!({"type": "json_schema", "json_schema": inner}))
        }
    }
}

/// OpenAI has words where others count tokens: a rough scale, which only tunes.
pub(crate) fn effort(reasoning: Reasoning) -> Option<&'static str> {
    const LOW: u64 = 2_048;
    const MEDIUM: u64 = 8_192;
    Some(match (reasoning.effort, reasoning.budget) {
        (Some(Effort::None), _) | (None, Some(0)) => "none",
        (Some(Effort::Minimal), _) => "minimal",
        (Some(Effort::Low), _) | (None, Some(1..=LOW)) => "low",
        (Some(Effort::Medium), _) | (None, Some(..=MEDIUM)) => "medium",
        (Some(Effort::High), _) | (None, Some(_)) => "high",
        (Some(Effort::ExtraHigh), _) => "xhigh",
        (Some(Effort::Max), _) => "max",
        (None, None) => return None,
    })
}

pub(crate) const fn verbosity_word(verbosity: Verbosity) -> &'static str {
    match verbosity {
        Verbosity::Low => "low",
        Verbosity::Medium => "medium",
        Verbosity::High => "high",
    }
}

//! The form -> a body.

use serde_json::{Map, Number, Value, json};

use super::content::OWN;
use super::reader::LOGPROBS;
use super::tools;
use super::turns::Items;
use crate::form::{Cannot, Conversation, Format, Loss, Settings, Written};
use crate::openai_chat::request::{effort, verbosity_word};

/// Members of OpenAI's that mean the same in chat and here.
const SHARED: [&str; 5] =
    ["store", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "moderation"];

/// Writes a request. It stores nothing unless the caller asks for it: other dialects do not.
///
/// # Errors
/// It holds what only another provider, or another dialect, can do.
pub fn write(conversation: &Conversation, model: &str) -> Result<Written, Cannot> {
    let own = conversation.origin == OWN;
    let mut losses = if own { conversation.lost.clone() } else { conversation.begin_losses()? };
    refuse(&conversation.settings)?;
    let mut turns = Items::new(conversation.origin, conversation.turns.len());
    for turn in conversation.turns.iter().enumerate() {
        turns.add(turn, &mut losses)?;
    }
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    if let Some(text) = turns.instructions {
        body.insert("instructions".into(), text.into());
    }
    body.insert("input".into(), flattened(turns.items));
    tools::write(conversation, own, &mut body, &mut losses)?;
    write_settings(&conversation.settings, &mut body, &mut losses);
    for (name, value) in &conversation.extra {
        if own || SHARED.contains(&name.as_str()) {
            body.insert(name.clone(), value.clone());
        }
    }
    body.entry("store").or_insert(Value::Bool(false));
    if own {
        write_logprobs(&conversation.settings, &mut body);
    } else {
        lose_logprobs(&conversation.settings, &mut losses);
        losses.retain(|loss| !SHARED.contains(&loss.path.as_str()));
    }
    if conversation.stream {
        body.insert("stream".into(), true.into());
    }
    let body = Value::Object(body).to_string().into_bytes();
    Ok(Written { body, losses })
}

/// One message of the user's is a string.
fn flattened(mut items: Vec<Value>) -> Value {
    match items.as_mut_slice() {
        [one] if one["role"] == "user" && one["content"].is_string() => one["content"].take(),
        _ => items.into(),
    }
}

/// What would change the kind of answer.
fn refuse(settings: &Settings) -> Result<(), Cannot> {
    let cannot = |path: &str, why| Err(Cannot { path: path.into(), why });
    if settings.n.is_some_and(|n| n > 1) {
        return cannot(
            "n",
            "asks for several answers, and this model's format gives one; ask again instead",
        );
    }
    if !settings.stop.is_empty() {
        return cannot(
            "stop",
            "names texts that end the answer, which this model's format does not know; leave it out",
        );
    }
    if settings.modalities.iter().any(|modality| modality != "text") {
        return cannot(
            "modalities",
            "asks for more than text, which this model's format does not give; leave it out",
        );
    }
    Ok(())
}

fn write_settings(settings: &Settings, body: &mut Map<String, Value>, losses: &mut Vec<Loss>) {
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    let number = |number: &Option<Number>| number.clone().map(Value::Number);
    set("max_output_tokens", settings.max_output.map(Value::from));
    set("temperature", number(&settings.temperature));
    set("top_p", number(&settings.top_p));
    set("text", write_text(settings));
    set("reasoning", write_reasoning(settings));
    set("user", settings.user.clone().map(Value::from));
    set("metadata", (!settings.metadata.is_empty()).then(|| json!(settings.metadata)));
    match settings.service_tier.as_deref() {
        None => {}
        Some(tier @ ("auto" | "default" | "flex" | "scale" | "priority" | "fast")) => {
            set("service_tier", Some(tier.into()));
        }
        Some("standard_only") => set("service_tier", Some("default".into())), // Anthropic's word
        Some(_) => Loss::note(losses, "service_tier"),
    }
    let tuning = [
        ("top_k", settings.top_k.is_some()),
        ("seed", settings.seed.is_some()),
        ("presence_penalty", settings.presence_penalty.is_some()),
        ("frequency_penalty", settings.frequency_penalty.is_some()),
        ("logit_bias", settings.logit_bias.is_some()),
    ];
    for (name, _) in tuning.into_iter().filter(|(_, asked)| *asked) {
        Loss::note(losses, name);
    }
}

/// Responses has log probabilities, but no answer of the form brings them back to another dialect.
fn lose_logprobs(settings: &Settings, losses: &mut Vec<Loss>) {
    if settings.logprobs == Some(true) {
        Loss::note(losses, "logprobs");
    }
    if settings.top_logprobs.is_some_and(|most| most > 0) {
        Loss::note(losses, "top_logprobs");
    }
}

fn write_logprobs(settings: &Settings, body: &mut Map<String, Value>) {
    if settings.logprobs == Some(true)
        && let Some(list) = body.entry("include").or_insert_with(|| json!([])).as_array_mut()
    {
        list.push(LOGPROBS.into());
    }
    if let Some(most) = settings.top_logprobs {
        body.insert("top_logprobs".into(), most.into());
    }
}

fn write_text(settings: &Settings) -> Option<Value> {
    let mut text = Map::new();
    match &settings.format {
        Format::Text => {}
        Format::Json => {
            text.insert("format".into(), json!({"type": "json_object"}));
        }
        Format::Schema { name, description, schema, strict } => {
            let mut format = Map::new();
            format.insert("type".into(), "json_schema".into());
            format.insert("name".into(), name.as_deref().unwrap_or("response").into());
            if let Some(description) = description {
                format.insert("description".into(), description.as_str().into());
            }
            format.insert("schema".into(), schema.clone());
            if let Some(strict) = strict {
                format.insert("strict".into(), (*strict).into());
            }
            text.insert("format".into(), format.into());
        }
    }
    if let Some(verbosity) = settings.verbosity {
        text.insert("verbosity".into(), verbosity_word(verbosity).into());
    }
    (!text.is_empty()).then(|| text.into())
}

fn write_reasoning(settings: &Settings) -> Option<Value> {
    let asked = settings.reasoning?;
    let mut reasoning = Map::new();
    if let Some(word) = effort(asked) {
        reasoning.insert("effort".into(), word.into());
    }
    if asked.show == Some(true) {
        reasoning.insert("summary".into(), "auto".into());
    }
    (!reasoning.is_empty()).then(|| reasoning.into())
}

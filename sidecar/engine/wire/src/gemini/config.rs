//! `generationConfig`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Number, Value};

use super::spelling::{count, object, whole};
use super::{generation, schema, tools};
use crate::form::{Cannot, Conversation, Effort, Format, Loss, Reasoning, Settings, Unreadable};
use crate::json::Members;

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_modalities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
    #[serde(flatten)]
    more: BTreeMap<&'a str, &'a Value>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
}

pub(super) fn read(of: &mut Members, conversation: &mut Conversation) -> Result<(), Unreadable> {
    let Some(mut config) = object(of, "generationConfig")? else { return Ok(()) };
    let words = config.texts("responseModalities")?;
    let words = words.into_iter().map(|word| word.to_ascii_lowercase());
    let format = read_format(&mut config, conversation)?;
    conversation.settings = Settings {
        max_output: count(&mut config, "maxOutputTokens")?,
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        top_k: count(&mut config, "topK")?,
        stop: config.texts("stopSequences")?,
        n: count(&mut config, "candidateCount")?,
        seed: whole(&mut config, "seed")?,
        presence_penalty: config.number("presencePenalty")?,
        frequency_penalty: config.number("frequencyPenalty")?,
        logprobs: config.flag("responseLogprobs")?,
        top_logprobs: count(&mut config, "logprobs")?,
        format,
        reasoning: read_reasoning(&mut config, &mut conversation.lost)?,
        modalities: words.filter(|word| word != "text").collect(),
        ..Settings::default()
    };
    for (name, value) in config.rest() {
        conversation.extra.insert(format!("generationConfig.{name}"), value);
    }
    Ok(())
}

/// A form that no other dialect has (`text/x.enum`, `responseFormat`) stays Google's alone.
fn read_format(
    config: &mut Members,
    conversation: &mut Conversation,
) -> Result<Format, Unreadable> {
    let kind = config.text("responseMimeType")?;
    let (schema, subset) = (config.take("responseJsonSchema"), config.take("responseSchema"));
    if config.has("responseFormat") {
        conversation.state.push(config.at("responseFormat"));
    }
    match kind.as_deref() {
        None | Some("text/plain" | "application/json" | "") => {}
        Some(_) => {
            let path = config.at("responseMimeType");
            let mut keep = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    conversation.extra.insert(config.at(name), value);
                }
            };
            keep("responseMimeType", kind.map(Value::from));
            keep("responseJsonSchema", schema);
            keep("responseSchema", subset);
            conversation.state.push(path);
            return Ok(Format::Text);
        }
    }
    Ok(match schema.or_else(|| subset.map(schema::from_subset)) {
        Some(schema) => Format::Schema { name: None, description: None, schema, strict: None },
        None if kind.as_deref() == Some("application/json") => Format::Json,
        None => Format::Text,
    })
}

fn read_reasoning(
    config: &mut Members,
    lost: &mut Vec<Loss>,
) -> Result<Option<Reasoning>, Unreadable> {
    let Some(mut thinking) = object(config, "thinkingConfig")? else { return Ok(None) };
    let words = thinking.wrong("thinkingLevel", "MINIMAL, LOW, MEDIUM, HIGH or XHIGH");
    let level = thinking.text("thinkingLevel")?.map(|level| level.to_ascii_uppercase());
    let effort = match level.as_deref() {
        None | Some("THINKING_LEVEL_UNSPECIFIED") => None,
        Some("MINIMAL") => Some(Effort::Minimal),
        Some("LOW") => Some(Effort::Low),
        Some("MEDIUM") => Some(Effort::Medium),
        Some("HIGH") => Some(Effort::High),
        Some("XHIGH") => Some(Effort::ExtraHigh),
        Some(_) => return Err(words),
    };
    let budget = whole(&mut thinking, "thinkingBudget")?;
    let show = thinking.flag("includeThoughts")?;
    let path = thinking.at("");
    for name in thinking.rest().keys() {
        Loss::note(lost, &format!("{path}{name}"));
    }
    let effort = if budget == Some(0) { Some(Effort::None) } else { effort };
    let adaptive = budget.is_some_and(|budget| budget < 0);
    let budget = budget.and_then(|budget| u64::try_from(budget).ok()).filter(|budget| *budget > 0);
    Ok(Some(Reasoning { effort, budget, adaptive, show }))
}

pub(super) fn write<'a>(
    conversation: &'a Conversation,
    model: &str,
    losses: &mut Vec<Loss>,
) -> Result<Option<Config<'a>>, Cannot> {
    let settings = &conversation.settings;
    note_losses(settings, losses);
    let (response_mime_type, response_json_schema) = match &settings.format {
        Format::Text => (None, None),
        Format::Json => (Some("application/json"), None),
        Format::Schema { description, schema, .. } => {
            if description.is_some() {
                Loss::note(losses, "response_format.json_schema.description");
            }
            (Some("application/json"), Some(schema))
        }
    };
    let seed = settings.seed.filter(|seed| i32::try_from(*seed).is_ok());
    if seed != settings.seed {
        Loss::note(losses, "seed");
    }
    let config = Config {
        temperature: settings.temperature.as_ref(),
        top_p: settings.top_p.as_ref(),
        top_k: settings.top_k,
        candidate_count: settings.n,
        max_output_tokens: settings.max_output,
        stop_sequences: &settings.stop,
        seed,
        presence_penalty: settings.presence_penalty.as_ref(),
        frequency_penalty: settings.frequency_penalty.as_ref(),
        response_mime_type,
        response_json_schema,
        response_modalities: modalities(conversation)?,
        thinking_config: settings.reasoning.and_then(|wish| thinking(wish, model, losses)),
        more: tools::extras(conversation, "generationConfig."),
    };
    Ok((config != Config::default()).then_some(config))
}

/// What tunes an answer and has no place here. Log probabilities would have one, but the form's answers
/// have none for them: asking for what is then thrown away is no service.
fn note_losses(settings: &Settings, losses: &mut Vec<Loss>) {
    let mut note = |lost: bool, path: &str| {
        if lost {
            Loss::note(losses, path);
        }
    };
    note(settings.logit_bias.is_some(), "logit_bias");
    note(settings.logprobs == Some(true), "logprobs");
    note(settings.top_logprobs.is_some(), "top_logprobs");
    note(settings.verbosity.is_some(), "verbosity");
    note(settings.user.is_some(), "user");
    note(!settings.metadata.is_empty(), "metadata");
}

/// Pictures only where they can go down whole; sound comes as bare samples, which no other dialect has.
fn modalities(conversation: &Conversation) -> Result<Vec<String>, Cannot> {
    let wanted = &conversation.settings.modalities;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let pictures = wanted.iter().all(|modality| modality == "image");
    if !pictures || conversation.stream {
        let why = "asks for what this model's format cannot give here; ask for text";
        return Err(Cannot { path: "modalities".into(), why });
    }
    let words = wanted.iter().map(|modality| modality.to_ascii_uppercase());
    Ok(std::iter::once("TEXT".to_owned()).chain(words).collect())
}

/// Gemini 3 has levels, 2.5 budgets (Google's own table for `reasoning_effort`), those before do not think.
fn thinking(wish: Reasoning, model: &str, losses: &mut Vec<Loss>) -> Option<Thinking> {
    const LOW: i64 = 1_024;
    const MEDIUM: i64 = 8_192;
    const HIGH: i64 = 24_576;
    let include_thoughts = wish.show;
    let budget = wish.budget.and_then(|budget| i64::try_from(budget).ok());
    let budget = budget.or(wish.adaptive.then_some(-1));
    let generation = generation(model);
    if generation < 2 || model.contains("gemini-2.0") {
        let wanted = wish.effort.is_some_and(|effort| effort != Effort::None);
        if wanted || budget.is_some() || wish.show == Some(true) {
            Loss::note(losses, "reasoning");
        }
        return None;
    }
    let mut thinking =
        Thinking { thinking_budget: budget, include_thoughts, ..Thinking::default() };
    if budget.is_some() && wish.effort.is_some() {
        // Google takes either; the budget says more.
        Loss::note(losses, "reasoning_effort");
    }
    let Some(effort) = wish.effort.filter(|_| budget.is_none()) else {
        return (thinking != Thinking::default()).then_some(thinking);
    };
    if generation == 2 {
        thinking.thinking_budget = Some(match effort {
            Effort::None => 0,
            Effort::Minimal | Effort::Low => LOW,
            Effort::Medium => MEDIUM,
            Effort::High | Effort::ExtraHigh | Effort::Max => HIGH,
        });
        return Some(thinking);
    }
    let light = if model.contains("pro") { "LOW" } else { "MINIMAL" };
    let (level, exact) = match effort {
        // From Gemini 3 on a model cannot be kept from thinking.
        Effort::None => (light, false),
        Effort::Minimal => (light, true),
        Effort::Low => ("LOW", true),
        Effort::Medium => ("MEDIUM", true),
        Effort::High => ("HIGH", true),
        Effort::ExtraHigh | Effort::Max if generation > 3 => ("XHIGH", true),
        Effort::ExtraHigh | Effort::Max => ("HIGH", false),
    };
    thinking.thinking_level = Some(level);
    if !exact {
        Loss::note(losses, "reasoning_effort");
    }
    Some(thinking)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(effort: Effort, model: &str) -> (Option<Thinking>, usize) {
        let (wish, mut losses) =
            (Reasoning { effort: Some(effort), ..Reasoning::default() }, Vec::new());
        (thinking(wish, model, &mut losses), losses.len())
    }

    fn level(level: &'static str) -> Option<Thinking> {
        Some(Thinking { thinking_level: Some(level), ..Thinking::default() })
    }

    fn budget(budget: i64) -> Option<Thinking> {
        Some(Thinking { thinking_budget: Some(budget), ..Thinking::default() })
    }

    /// How hard a model thinks is said in the words of its generation; what is less than asked is a loss.
    #[test]
    fn effort_by_generation() {
        assert_eq!(of(Effort::High, "gemini-3-flash"), (level("HIGH"), 0));
        assert_eq!(of(Effort::Minimal, "gemini-3.1-pro"), (level("LOW"), 0));
        assert_eq!(of(Effort::None, "gemini-3-flash"), (level("MINIMAL"), 1));
        assert_eq!(of(Effort::Max, "gemini-3-flash"), (level("HIGH"), 1));
        assert_eq!(of(Effort::Max, "models/gemini-4-pro"), (level("XHIGH"), 0));
        assert_eq!(of(Effort::None, "gemini-2.5-flash"), (budget(0), 0));
        assert_eq!(of(Effort::Medium, "gemini-2.5-pro"), (budget(8_192), 0));
        assert_eq!(of(Effort::High, "gemini-2.0-flash"), (None, 1));
    }

    /// Where both are given the budget goes, and the effort is named.
    #[test]
    fn a_budget_says_more_than_an_effort() {
        let (effort, tokens) = (Some(Effort::High), Some(512));
        let wish = Reasoning { effort, budget: tokens, ..Reasoning::default() };
        let mut losses = Vec::new();
        assert_eq!(thinking(wish, "gemini-3-flash", &mut losses), budget(512));
        assert_eq!(losses, [Loss::at("reasoning_effort")]);
    }
}

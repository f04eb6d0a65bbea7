//! The form -> a request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::super::DEFAULT_MAX_TOKENS;
use super::super::blocks::{Block, to_json};
use super::compose::{self, Message};
use super::schema;
use super::thinking::{self, Abilities, Around, Plan, Thinking};
use super::tools::{self, Choice, Offer};
use crate::form::{Cannot, Conversation, Dialect, Format, Loss, Settings, Written};

/// Longest `metadata.user_id`.
const MAX_USER_ID: usize = 256;

#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(flatten)]
    sampling: Sampling<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    extra: Option<&'a Map<String, Value>>,
}

#[derive(Debug, Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Schema<'a>>,
}

#[derive(Debug, Serialize)]
struct Schema<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: Cow<'a, Value>,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Debug, Default, Serialize)]
struct Sampling<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
}

/// Writes a request. Where the caller gave no cap, it is [`DEFAULT_MAX_TOKENS`], besides what the model may
/// think.
///
/// # Errors
/// It holds what only another provider can do, or turns that Anthropic refuses.
pub fn write(conversation: &Conversation, model: &str) -> Result<Written, Cannot> {
    let settings = &conversation.settings;
    let own = conversation.origin == Some(Dialect::AnthropicMessages);
    let mut losses = if own { conversation.lost.clone() } else { conversation.begin_losses()? };
    check(settings)?;
    let abilities = Abilities::of(model);
    let format = write_format(&settings.format, own, abilities.schemas, &mut losses)?;
    let composed = compose::compose(conversation, &mut losses)?;
    let (mut offers, tool_choice) = tools::write(conversation, own)?;
    if !own {
        tools::fit_strict(&mut offers, abilities.schemas, &mut losses);
    }
    let around = Around {
        own,
        abilities,
        max_output: settings.max_output,
        usual_cap: DEFAULT_MAX_TOKENS,
        forced: tool_choice.as_ref().is_some_and(Choice::forces),
        unthought_round: composed.is_unthought_round(),
    };
    let plan = thinking::plan(settings.reasoning, around, &mut losses);
    let configured = plan.effort.is_some() || format.is_some();
    let body = Body {
        model,
        max_tokens: plan.max_tokens,
        system: composed.system,
        messages: composed.messages,
        tools: offers,
        tool_choice,
        thinking: plan.thinking,
        output_config: configured.then_some(OutputConfig { effort: plan.effort, format }),
        sampling: write_sampling(settings, &plan, own, &mut losses),
        metadata: write_user(settings, &mut losses),
        service_tier: write_tier(settings, &mut losses),
        stream: conversation.stream,
        extra: own.then_some(&conversation.extra),
    };
    lose_what_tunes(settings, &mut losses);
    Ok(Written { body: to_json(&body), losses })
}

/// What would be another kind of answer.
fn check(settings: &Settings) -> Result<(), Cannot> {
    if settings.n.is_some_and(|n| n != 1) {
        let why = "asks for several answers, which this provider does not give; ask for one";
        return Err(Cannot { path: "n".into(), why });
    }
    if settings.modalities.iter().any(|modality| !modality.eq_ignore_ascii_case("text")) {
        let why = "asks for more than text, which this provider does not give; ask for text";
        return Err(Cannot { path: "modalities".into(), why });
    }
    Ok(())
}

fn write_format<'a>(
    format: &'a Format,
    own: bool,
    able: bool,
    losses: &mut Vec<Loss>,
) -> Result<Option<Schema<'a>>, Cannot> {
    let cannot = |why| Err(Cannot { path: "response_format".into(), why });
    let (description, schema) = match format {
        Format::Text => return Ok(None),
        // Anthropic closes every object of a schema, so that no schema means any object.
        Format::Json => {
            return cannot(
                "asks for any JSON object, for which this provider wants a schema; give one",
            );
        }
        Format::Schema { description, schema, .. } => (description, schema),
    };
    let schema = if own {
        Cow::Borrowed(schema)
    } else if !able {
        return cannot("asks for a schema, which this model does not know; name a newer one");
    } else if let Some(closed) = schema::close(schema) {
        Cow::Owned(closed)
    } else {
        return cannot("asks for objects of any members, which this provider refuses; name them");
    };
    if description.is_some() {
        Loss::note(losses, "response_format.json_schema.description");
    }
    Ok(Some(Schema { kind: "json_schema", schema }))
}

/// What other dialects allow and Anthropic answers with a 400 is fitted, and said.
fn write_sampling<'a>(
    settings: &'a Settings,
    plan: &Plan,
    own: bool,
    losses: &mut Vec<Loss>,
) -> Sampling<'a> {
    let stops = settings.stop.iter().map(String::as_str);
    let mut sampling = Sampling {
        stop_sequences: stops.filter(|stop| own || !stop.trim().is_empty()).collect(),
        temperature: settings.temperature.clone(),
        top_p: settings.top_p.as_ref(),
        top_k: settings.top_k,
    };
    if own {
        return sampling;
    }
    if sampling.stop_sequences.len() < settings.stop.len() {
        Loss::note(losses, "stop"); // blank ones
    }
    let above_one = |number: &Number| number.as_f64().is_some_and(|number| number > 1.0);
    if sampling.temperature.as_ref().is_some_and(above_one) {
        Loss::note(losses, "temperature");
        sampling.temperature = Some(1.into()); // its hottest; OpenAI's scale goes to 2
    }
    if plan.thinks() {
        let is_one = |number: &Number| number.as_f64() == Some(1.0);
        if sampling.temperature.take_if(|number| !is_one(number)).is_some() {
            Loss::note(losses, "temperature");
        }
        if sampling.top_k.take().is_some() {
            Loss::note(losses, "top_k");
        }
    }
    if (plan.thinks() || sampling.temperature.is_some()) && sampling.top_p.take().is_some() {
        Loss::note(losses, "top_p"); // newer models take one of the two
    }
    sampling
}

fn write_user<'a>(settings: &'a Settings, losses: &mut Vec<Loss>) -> Option<Metadata<'a>> {
    let user_id = settings.user.as_deref()?;
    if user_id.chars().count() > MAX_USER_ID {
        Loss::note(losses, "user");
        return None;
    }
    Some(Metadata { user_id })
}

fn write_tier(settings: &Settings, losses: &mut Vec<Loss>) -> Option<&'static str> {
    match settings.service_tier.as_deref()? {
        "auto" => Some("auto"),
        "standard_only" | "default" => Some("standard_only"), // OpenAI's word
        _ => {
            Loss::note(losses, "service_tier");
            None
        }
    }
}

/// What says the usual anyway is no loss.
fn lose_what_tunes(settings: &Settings, losses: &mut Vec<Loss>) {
    let tunes = |number: &Option<Number>| number.as_ref().is_some_and(|n| n.as_f64() != Some(0.0));
    let lost = [
        ("seed", settings.seed.is_some()),
        ("presence_penalty", tunes(&settings.presence_penalty)),
        ("frequency_penalty", tunes(&settings.frequency_penalty)),
        ("logit_bias", settings.logit_bias.as_ref().is_some_and(says_something)),
        ("logprobs", settings.logprobs == Some(true)),
        ("top_logprobs", settings.top_logprobs.is_some_and(|count| count > 0)),
        ("verbosity", settings.verbosity.is_some()),
        ("metadata", !settings.metadata.is_empty()),
    ];
    for (name, _) in lost.into_iter().filter(|(_, is_lost)| *is_lost) {
        Loss::note(losses, name);
    }
}

fn says_something(biases: &Value) -> bool {
    biases.as_object().is_none_or(|biases| !biases.is_empty())
}

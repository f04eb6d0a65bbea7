//! What tunes an answer: `inferenceConfig`, `outputConfig`, and `additionalModelRequestFields`, whose members
//! are each maker's own.

use serde::Serialize;
use serde_json::{Map, Number, Value, json};

use super::Maker;
use crate::form::{Cannot, Conversation, Dialect, Effort, Format, Loss, Reasoning, ToolChoice};

/// Least tokens of Claude's thinking.
const LEAST_THINKING: u64 = 1024;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InferenceConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
}

impl InferenceConfig<'_> {
    pub(super) fn is_empty(&self) -> bool {
        let Self { max_tokens, temperature, top_p, stop_sequences } = self;
        max_tokens.is_none()
            && temperature.is_none()
            && top_p.is_none()
            && stop_sequences.is_empty()
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

impl OutputConfig<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.text_format.is_none() && self.effort.is_none()
    }
}

#[derive(Debug, Serialize)]
struct TextFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    structure: Structure<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Structure<'a> {
    JsonSchema {
        /// JSON text.
        schema: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
    },
}

/// What `settings` become.
#[derive(Debug, Default)]
pub(super) struct Tuning<'a> {
    pub(super) inference: InferenceConfig<'a>,
    pub(super) output: OutputConfig<'a>,
    /// `additionalModelRequestFields`.
    pub(super) fields: Map<String, Value>,
    pub(super) metadata: Option<&'a Map<String, Value>>,
    pub(super) tier: Option<&'a str>,
}

/// `thought_lost`: as in [`super::message::Messages`]; Claude refuses to think on from there.
pub(super) fn write<'a>(
    conversation: &'a Conversation,
    maker: Maker,
    thought_lost: bool,
    losses: &mut Vec<Loss>,
) -> Result<Tuning<'a>, Cannot> {
    let settings = &conversation.settings;
    let cannot = |path: &str, why| Err(Cannot { path: path.to_owned(), why });
    if settings.n.is_some_and(|n| n > 1) {
        return cannot(
            "n",
            "asks for several answers, and this provider gives one; ask once for each",
        );
    }
    if settings.modalities.iter().any(|modality| !modality.eq_ignore_ascii_case("text")) {
        return cannot(
            "modalities",
            "asks for more than text, which this provider does not give; ask for text",
        );
    }
    let mut tuning = Tuning {
        inference: InferenceConfig {
            max_tokens: settings.max_output,
            temperature: settings.temperature.as_ref().map(|number| within_one(number, losses)),
            top_p: settings.top_p.as_ref(),
            stop_sequences: stops(&settings.stop, maker, losses),
        },
        ..Tuning::default()
    };
    tuning.output.text_format = text_format(&settings.format)?;
    if let Some(top_k) = settings.top_k {
        write_top_k(top_k, maker, &mut tuning.fields, losses);
    }
    if let Some(reasoning) = settings.reasoning {
        let forced = matches!(
            conversation.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed(_, true))
        );
        let own = conversation.origin == Some(Dialect::BedrockConverse);
        let at_odds = !own && maker == Maker::Anthropic && (thought_lost || forced);
        if !at_odds || reasoning.effort == Some(Effort::None) {
            write_reasoning(reasoning, settings.max_output, maker, &mut tuning, losses);
        } else {
            Loss::note(losses, "reasoning");
        }
    }
    match settings.service_tier.as_deref() {
        // The provider's usual one.
        None | Some("auto") => {}
        Some(tier @ ("default" | "flex" | "priority" | "reserved")) => tuning.tier = Some(tier),
        Some("standard_only") => tuning.tier = Some("default"),
        Some(_) => Loss::note(losses, "service_tier"),
    }
    if !settings.metadata.is_empty() {
        if settings.metadata.len() <= 16 && settings.metadata.iter().all(fits) {
            tuning.metadata = Some(&settings.metadata);
        } else {
            Loss::note(losses, "metadata");
        }
    }
    lose_rest(conversation, losses);
    Ok(tuning)
}

/// OpenAI's range goes to 2, Bedrock's to 1.
fn within_one(number: &Number, losses: &mut Vec<Loss>) -> Number {
    if number.as_f64().is_some_and(|value| value > 1.0) {
        Loss::note(losses, "temperature");
        return Number::from(1);
    }
    number.clone()
}

fn stops<'a>(stop: &'a [String], maker: Maker, losses: &mut Vec<Loss>) -> Vec<&'a str> {
    let mut kept = Vec::with_capacity(stop.len());
    for text in stop {
        // Claude refuses stop texts of blanks alone; nobody takes an empty one.
        if text.is_empty() || (maker == Maker::Anthropic && text.trim().is_empty()) {
            Loss::note(losses, "stop");
        } else {
            kept.push(text.as_str());
        }
    }
    kept
}

fn text_format(format: &Format) -> Result<Option<TextFormat<'_>>, Cannot> {
    match format {
        Format::Text => Ok(None),
        Format::Json => Err(Cannot {
            path: "response_format".to_owned(),
            why: "asks for JSON without a schema, which this provider cannot promise; give its JSON schema",
        }),
        Format::Schema { name, description, schema, .. } => Ok(Some(TextFormat {
            kind: "json_schema",
            structure: Structure::JsonSchema {
                schema: schema.to_string(),
                name: name.as_deref(),
                description: description.as_deref(),
            },
        })),
    }
}

fn write_top_k(top_k: u64, maker: Maker, fields: &mut Map<String, Value>, losses: &mut Vec<Loss>) {
    match maker {
        Maker::Anthropic | Maker::Mistral => _ = fields.insert("top_k".into(), top_k.into()),
        Maker::Cohere => _ = fields.insert("k".into(), top_k.into()),
        Maker::Nova => _ = fields.insert("inferenceConfig".into(), json!({"topK": top_k})),
        Maker::OpenAi | Maker::Unknown => Loss::note(losses, "top_k"),
    }
}

fn write_reasoning(
    reasoning: Reasoning,
    max_output: Option<u64>,
    maker: Maker,
    tuning: &mut Tuning<'_>,
    losses: &mut Vec<Loss>,
) {
    if reasoning.show == Some(false) {
        Loss::note(losses, "reasoning.show");
    }
    if reasoning.effort == Some(Effort::None) && reasoning.budget.is_none() {
        return; // thinking is off unless asked for
    }
    let effort = reasoning.effort;
    match maker {
        Maker::Anthropic => write_claude(reasoning, max_output, tuning, losses),
        Maker::Nova if effort.is_some() => {
            let fields = json!({"type": "enabled", "maxReasoningEffort": least_of_three(effort)});
            tuning.fields.insert("reasoningConfig".into(), fields);
        }
        Maker::OpenAi if effort.is_some() => {
            tuning.fields.insert("reasoning_effort".into(), least_of_three(effort).into());
        }
        _ => Loss::note(losses, "reasoning"),
    }
}

fn write_claude(
    reasoning: Reasoning,
    max_output: Option<u64>,
    tuning: &mut Tuning<'_>,
    losses: &mut Vec<Loss>,
) {
    tuning.output.effort = match reasoning.effort {
        None | Some(Effort::None) => None,
        Some(Effort::Minimal | Effort::Low) => Some("low"),
        Some(Effort::Medium) => Some("medium"),
        Some(Effort::High) => Some("high"),
        Some(Effort::ExtraHigh) => Some("xhigh"),
        Some(Effort::Max) => Some("max"),
    };
    // Above `high` effort asks for thinking to be on.
    let adaptive = reasoning.adaptive || reasoning.effort > Some(Effort::High);
    if let Some(budget) = reasoning.budget {
        // It counts to the answer's tokens and must leave room for one.
        let most = max_output.map_or(u64::MAX, |max| max.saturating_sub(1));
        let budget = budget.max(LEAST_THINKING).min(most);
        if budget < LEAST_THINKING {
            return Loss::note(losses, "reasoning");
        }
        let thinking = json!({"type": "enabled", "budget_tokens": budget});
        tuning.fields.insert("thinking".into(), thinking);
    } else if adaptive {
        tuning.fields.insert("thinking".into(), json!({"type": "adaptive"}));
    }
}

const fn least_of_three(effort: Option<Effort>) -> &'static str {
    match effort {
        None | Some(Effort::None | Effort::Minimal | Effort::Low) => "low",
        Some(Effort::Medium) => "medium",
        Some(Effort::High | Effort::ExtraHigh | Effort::Max) => "high",
    }
}

/// `requestMetadata` takes short plain texts.
fn fits((name, value): (&String, &Value)) -> bool {
    let plain = |text: &str| {
        let allowed = |c: char| {
            c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c)
        };
        text.len() <= 256 && text.chars().all(allowed)
    };
    !name.is_empty() && plain(name) && value.as_str().is_some_and(plain)
}

fn lose_rest(conversation: &Conversation, losses: &mut Vec<Loss>) {
    let settings = &conversation.settings;
    let told = [
        ("seed", settings.seed.is_some()),
        ("presence_penalty", settings.presence_penalty.is_some()),
        ("frequency_penalty", settings.frequency_penalty.is_some()),
        ("logit_bias", settings.logit_bias.is_some()),
        ("logprobs", settings.logprobs == Some(true)),
        ("top_logprobs", settings.top_logprobs.is_some()),
        ("verbosity", settings.verbosity.is_some()),
        ("user", settings.user.is_some()),
    ];
    for (name, _) in told.into_iter().filter(|(_, told)| *told) {
        Loss::note(losses, name);
    }
}

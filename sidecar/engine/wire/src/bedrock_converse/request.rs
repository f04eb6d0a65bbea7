//! The body of a request.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};

use super::Maker;
use super::block::{self, Block};
use super::message::{self, Message};
use super::tools::{self, ToolConfig};
use super::tuning::{self, InferenceConfig, OutputConfig};
use crate::form::{
    Cannot, Conversation, Dialect, Effort, Format, Loss, Part, Payload, Reasoning, Role, Turn,
    Unreadable, Written,
};
use crate::json::{Members, parse, unreadable};

/// Members that the form has no place for and a writer puts back.
const OWN: [&str; 4] = [
    "guardrailConfig",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "performanceConfig",
];

/// Those of them without which the answer would be another: a filter, and a prompt kept at Bedrock.
const BINDING: [&str; 2] = ["guardrailConfig", "promptVariables"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    inference_config: InferenceConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_metadata: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Tier<'a>>,
    #[serde(flatten)]
    own: BTreeMap<&'static str, &'a Value>,
}

#[derive(Debug, Serialize)]
struct Tier<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

/// Reads a body; `model` and `stream` stand in the path.
///
/// # Errors
/// No JSON object, or a member of another type.
pub fn read(body: &[u8]) -> Result<Conversation, Unreadable> {
    let mut members = parse(body)?;
    let mut conversation =
        Conversation { origin: Some(Dialect::BedrockConverse), ..Conversation::default() };
    if let Some(blocks) = members.list("system")? {
        let parts = block::read_all(blocks, "system", &mut conversation)?;
        if !parts.is_empty() {
            conversation.turns.push(Turn { role: Role::System, parts });
        }
    }
    for mut message in members.objects("messages")?.unwrap_or_default() {
        let role = match message.required_text("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(message.wrong("role", "user or assistant")),
        };
        let path = message.at("content");
        let blocks = message.list("content")?.ok_or_else(|| unreadable(&path, "an array"))?;
        let mut parts = block::read_all(blocks, &path, &mut conversation)?;
        name_results(&mut parts, conversation.turns.last());
        conversation.turns.push(Turn { role, parts });
    }
    tools::read(&mut members, &mut conversation)?;
    read_settings(&mut members, &mut conversation)?;
    conversation.extra.append(&mut members.rest());
    for name in BINDING {
        if conversation.extra.contains_key(name) {
            conversation.state.push(name.to_owned());
        }
    }
    Ok(conversation)
}

/// Results say no tool's name; the turn before them, which calls the tools, does.
fn name_results(parts: &mut [Part], before: Option<&Turn>) {
    let calls = before.into_iter().flat_map(|turn| &turn.parts).filter_map(|part| {
        let Payload::Call(call) = &part.payload else { return None };
        Some((call.id.as_str(), &call.name))
    });
    let mut names: Option<HashMap<&str, &String>> = None;
    let mut calls = Some(calls);
    for part in parts {
        let Payload::Result(result) = &mut part.payload else { continue };
        let names = names.get_or_insert_with(|| calls.take().into_iter().flatten().collect());
        result.name = names.get(result.id.as_str()).map(|name| (*name).clone());
    }
}

fn read_settings(members: &mut Members, into: &mut Conversation) -> Result<(), Unreadable> {
    let settings = &mut into.settings;
    if let Some(mut config) = members.object("inferenceConfig")? {
        settings.max_output = config.count("maxTokens")?;
        settings.temperature = config.number("temperature")?;
        settings.top_p = config.number("topP")?;
        settings.stop = config.texts("stopSequences")?;
        lose(config, &mut into.lost);
    }
    if let Some(mut config) = members.object("outputConfig")? {
        if let Some(format) = config.object("textFormat")? {
            settings.format = read_format(format)?;
        }
        if let Some(word) = config.text("effort")? {
            let effort = effort(&word)
                .ok_or_else(|| config.wrong("effort", "low, medium, high, xhigh or max"))?;
            settings.reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() });
        }
        lose(config, &mut into.lost);
    }
    if let Some(mut tier) = members.object("serviceTier")? {
        settings.service_tier = tier.text("type")?;
    }
    if let Some(metadata) = members.object("requestMetadata")? {
        settings.metadata = metadata.rest();
    }
    let Some(mut fields) = members.object("additionalModelRequestFields")? else { return Ok(()) };
    settings.top_k = fields.count("top_k")?;
    for name in ["thinking", "reasoning_config"] {
        let Some(mut thinking) = fields.object(name)? else { continue };
        let reasoning = settings.reasoning.get_or_insert_default();
        match thinking.text("type")?.as_deref() {
            Some("adaptive") => reasoning.adaptive = true,
            Some("disabled") => reasoning.effort = Some(Effort::None),
            _ => reasoning.budget = thinking.count("budget_tokens")?,
        }
        lose(thinking, &mut into.lost);
    }
    let rest = fields.rest();
    if !rest.is_empty() {
        into.extra.insert("additionalModelRequestFields".into(), rest.into());
    }
    Ok(())
}

/// Members in deeper places that nobody reads.
fn lose(members: Members, lost: &mut Vec<Loss>) {
    let path = members.at("");
    for name in members.rest().keys() {
        Loss::note(lost, &format!("{path}{name}"));
    }
}

fn effort(word: &str) -> Option<Effort> {
    match word {
        "low" => Some(Effort::Low),
        "medium" => Some(Effort::Medium),
        "high" => Some(Effort::High),
        "xhigh" => Some(Effort::ExtraHigh),
        "max" => Some(Effort::Max),
        _ => None,
    }
}

/// The schema is JSON text inside JSON.
fn read_format(mut format: Members) -> Result<Format, Unreadable> {
    let wrong = format.wrong("structure", "an object with jsonSchema");
    let mut structure = format.object("structure")?.ok_or_else(|| wrong.clone())?;
    let mut inside = structure.object("jsonSchema")?.ok_or(wrong)?;
    let text = inside.required_text("schema")?;
    let schema = serde_json::from_str(&text)
        .map_err(|_| inside.wrong("schema", "the text of a JSON schema"))?;
    let (name, description) = (inside.text("name")?, inside.text("description")?);
    Ok(Format::Schema { name, description, schema, strict: None })
}

/// Writes a body for the upstream's `model`, which stands in the path and tells which maker's own members
/// fit.
///
/// # Errors
/// Converse cannot carry what the answer depends on.
pub fn write(conversation: &Conversation, model: &str) -> Result<Written, Cannot> {
    let own = conversation.origin == Some(Dialect::BedrockConverse);
    let maker = Maker::of(model);
    let caches = own || maker.caches();
    let mut losses = if own { Vec::new() } else { conversation.begin_losses()? };
    let messages = message::write(conversation, maker, &mut losses)?;
    let tool_config = tools::write(conversation, messages.has_calls, caches, &mut losses)?;
    let mut tuning = tuning::write(conversation, maker, messages.thought_lost, &mut losses)?;
    let extra = |name: &str| conversation.extra.get(name).filter(|_| own);
    if let Some(Value::Object(fields)) = extra("additionalModelRequestFields") {
        tuning.fields.extend(fields.clone());
    }
    let body = Body {
        messages: messages.messages,
        system: messages.system,
        inference_config: tuning.inference,
        tool_config,
        output_config: tuning.output,
        additional_model_request_fields: tuning.fields,
        request_metadata: tuning.metadata,
        service_tier: tuning.tier.map(|kind| Tier { kind }),
        own: OWN.into_iter().filter_map(|name| Some((name, extra(name)?))).collect(),
    };
    // Text, numbers and maps with text keys always become JSON.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    Ok(Written { body, losses })
}

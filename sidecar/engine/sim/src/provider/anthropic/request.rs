//! Reads a Messages request as Anthropic does: the form first, then what the conversation has to
//! obey.

use serde_json::Value;

use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::prompt::{Prompt, Tool, Weight, signature};
use super::super::shape::{Habits, Shape, check};
use super::error::{bad_request, malformed};
use super::{REALM, members, turns};

/// Blocks that may carry a cache mark in one request.
const CACHE_MARKS_MAX: usize = 4;

/// Reads a request for an answer.
///
/// # Errors
/// In Anthropic's words.
pub(super) fn read(ask: &Ask<'_>) -> Result<Prompt, Refused> {
    judged(ask.body, &members::REQUEST)?;
    let body = ask.body;
    let cap = body["max_tokens"].as_u64().unwrap_or(u64::MAX);
    let mut prompt = Prompt {
        model: ask.model.to_owned(),
        stream: body["stream"] == true,
        choices: 1,
        cap: Some(usize::try_from(cap).unwrap_or(usize::MAX)),
        forced_tool: forced_tool(body),
        schema: body["output_config"]["format"].get("schema").cloned(),
        stops: strings(&body["stop_sequences"]),
        thinks: thinks(body),
        shows_thinking: true,
        cap_holds_thinking: true,
        call_prefix: "toolu_",
        realm: REALM,
        ..Prompt::default()
    };
    weigh(body, &mut prompt);
    Ok(prompt)
}

/// Counts the tokens of a request.
///
/// # Errors
/// In Anthropic's words.
pub(super) fn count(ask: &Ask<'_>) -> Result<u64, Refused> {
    judged(ask.body, &members::COUNT)?;
    let mut prompt = Prompt::default();
    weigh(ask.body, &mut prompt);
    Ok(prompt.tokens)
}

fn judged(body: &Value, shape: &Shape) -> Result<(), Refused> {
    let habits = Habits { null_is_absent: true, snake: false };
    check(body, shape, habits).map_err(|fault| malformed(&fault))?;
    turns::check(body)?;
    tools(body)?;
    settings(body)?;
    let marks = cache_marks(body);
    if marks > CACHE_MARKS_MAX {
        return Err(bad_request(&format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {marks}."
        )));
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), Refused> {
    let empty = Vec::new();
    let tools = body["tools"].as_array().unwrap_or(&empty);
    let mut names: Vec<&str> = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        if name.len() > 128 || !name.chars().all(turns::of_an_identifier) {
            return Err(bad_request(&format!(
                "tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )));
        }
        if names.contains(&name) {
            return Err(bad_request("tools: Tool names must be unique."));
        }
        names.push(name);
        let schema = &tool["input_schema"];
        if schema.is_object() && schema["type"] != "object" {
            return Err(bad_request(&format!(
                "tools.{index}.custom.input_schema.type: Input should be 'object'"
            )));
        }
        if tool["strict"] == true {
            strict(schema, &format!("tools.{index}.custom"))?;
        }
    }
    let choice = &body["tool_choice"];
    if choice.is_object() && tools.is_empty() {
        return Err(bad_request("tool_choice may only be specified while providing tools."));
    }
    match choice["name"].as_str() {
        Some(name) if choice["type"] == "tool" && !names.contains(&name) => {
            Err(bad_request(&format!("Tool '{name}' not found in provided tools")))
        }
        _ => Ok(()),
    }
}

fn settings(body: &Value) -> Result<(), Refused> {
    let stops = body["stop_sequences"].as_array().into_iter().flatten();
    if stops.filter_map(Value::as_str).any(|stop| stop.trim().is_empty()) {
        return Err(bad_request("stop_sequences: each stop sequence must contain non-whitespace"));
    }
    let format = &body["output_config"]["format"];
    if format.is_object() {
        strict(&format["schema"], "output_config.format.schema")?;
    }
    let thinking = &body["thinking"];
    if !thinks(body) {
        return Ok(());
    }
    if let (Some(budget), Some(cap)) =
        (thinking["budget_tokens"].as_u64(), body["max_tokens"].as_u64())
        && budget >= cap
    {
        return Err(bad_request("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    if body["temperature"].as_f64().is_some_and(|heat| (heat - 1.0).abs() > f64::EPSILON) {
        return Err(bad_request("`temperature` may only be set to 1 when thinking is enabled."));
    }
    if body["top_k"].is_number() {
        return Err(bad_request("`top_k` must be unset when thinking is enabled."));
    }
    if body["tool_choice"]["type"] == "any" || body["tool_choice"]["type"] == "tool" {
        return Err(bad_request("Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(())
}

/// What a schema that binds the answer may not say.
fn strict(schema: &Value, place: &str) -> Result<(), Refused> {
    let Some(object) = schema.as_object() else { return Ok(()) };
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "object" && object.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(bad_request(&format!(
            "{place}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        )));
    }
    for word in ["minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems"] {
        if object.contains_key(word) {
            return Err(bad_request(&format!(
                "{place}: For '{kind}' type, property '{word}' is not supported"
            )));
        }
    }
    for list in ["anyOf", "allOf"] {
        for part in object.get(list).and_then(Value::as_array).into_iter().flatten() {
            strict(part, place)?;
        }
    }
    for map in ["properties", "$defs", "definitions"] {
        for (_, part) in object.get(map).and_then(Value::as_object).into_iter().flatten() {
            strict(part, place)?;
        }
    }
    object.get("items").map_or(Ok(()), |items| strict(items, place))
}

fn thinks(body: &Value) -> bool {
    body["thinking"]["type"].as_str().is_some_and(|kind| kind != "disabled")
}

/// Whether this thinking was thought and signed here.
pub(super) fn signed(block: &Value) -> bool {
    let text = block["thinking"].as_str().unwrap_or_default();
    block["signature"].as_str() == Some(&signature(REALM, text))
}

fn cache_marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(cache_marks).sum(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "input" && *name != "input_schema")
            .map(|(name, part)| match name.as_str() {
                "cache_control" => usize::from(part.is_object()),
                _ => cache_marks(part),
            })
            .sum(),
        _ => 0,
    }
}

fn forced_tool(body: &Value) -> Option<Tool> {
    let tools = body["tools"].as_array()?;
    let tool = match body["tool_choice"]["type"].as_str()? {
        "any" => tools.first()?,
        "tool" => tools.iter().find(|tool| tool["name"] == body["tool_choice"]["name"])?,
        _ => return None,
    };
    let parameters = tool["input_schema"].clone();
    Some(Tool { name: tool["name"].as_str()?.to_owned(), parameters })
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn weigh(body: &Value, prompt: &mut Prompt) {
    let mut weight = Weight::default();
    content(&body["system"], &mut weight);
    for message in body["messages"].as_array().into_iter().flatten() {
        let text = content(&message["content"], &mut weight);
        if message["role"] == "user" {
            prompt.last_user = text;
        }
    }
    prompt.tokens = weight.tokens();
    prompt.images = weight.images();
}

/// Weighs a content and returns its own text, without that of tool results.
fn content(content: &Value, weight: &mut Weight) -> String {
    if let Some(text) = content.as_str() {
        weight.text(text);
        return text.to_owned();
    }
    let mut own = String::new();
    for block in content.as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("text") => {
                let text = block["text"].as_str().unwrap_or_default();
                weight.text(text);
                own.push_str(text);
            }
            Some("image") => weight.image(),
            Some("document") => match block["source"]["type"].as_str() {
                Some("text") => {
                    weight.text(block["source"]["data"].as_str().unwrap_or_default());
                }
                _ => weight.image(),
            },
            Some("tool_result" | "search_result") => {
                self::content(&block["content"], weight);
            }
            _ => {}
        }
    }
    own
}

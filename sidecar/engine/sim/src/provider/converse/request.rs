//! Reads a Converse request as Bedrock does: the form first, then turns and tools.

use serde_json::Value;

use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::prompt::{Prompt, Tool, Weight, signature};
use super::super::shape::{Habits, Shape, check};
use super::error::{invalid, malformed};
use super::{REALM, members};

/// Reads a request for an answer.
///
/// # Errors
/// In Bedrock's words.
pub(super) fn read(ask: &Ask<'_>) -> Result<Prompt, Refused> {
    let body = ask.body;
    formed(body, &members::REQUEST)?;
    turns(body)?;
    tools(body)?;
    let inference = &body["inferenceConfig"];
    let thinking = &body["additionalModelRequestFields"]["thinking"]["type"];
    let stops = inference["stopSequences"].as_array().into_iter().flatten();
    let mut prompt = Prompt {
        model: ask.model.to_owned(),
        stream: ask.streamed,
        choices: 1,
        cap: inference["maxTokens"].as_u64().and_then(|cap| usize::try_from(cap).ok()),
        forced_tool: forced_tool(&body["toolConfig"]),
        schema: schema(body)?,
        stops: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
        thinks: thinking.as_str().is_some_and(|kind| kind != "disabled"),
        shows_thinking: true,
        cap_holds_thinking: true,
        call_prefix: "tooluse_",
        realm: REALM,
        ..Prompt::default()
    };
    weigh(body, &mut prompt);
    Ok(prompt)
}

/// Counts the tokens of a request.
///
/// # Errors
/// In Bedrock's words.
pub(super) fn count(ask: &Ask<'_>) -> Result<u64, Refused> {
    formed(ask.body, &members::COUNT)?;
    let body = &ask.body["input"]["converse"];
    turns(body)?;
    let mut prompt = Prompt::default();
    weigh(body, &mut prompt);
    Ok(prompt.tokens)
}

fn formed(body: &Value, shape: &Shape) -> Result<(), Refused> {
    let habits = Habits { null_is_absent: true, snake: false };
    check(body, shape, habits).map_err(|fault| malformed(&fault))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Turns alternate, say something, and answer the calls before them.
fn turns(body: &Value) -> Result<(), Refused> {
    let mut open: Vec<&str> = Vec::new();
    let mut used = false;
    let messages = list(body, "messages");
    for (index, message) in messages.iter().enumerate() {
        let right = if index % 2 == 0 { "user" } else { "assistant" };
        if message["role"] != right {
            return Err(invalid(if index == 0 {
                "A conversation must start with a user message. Try again with a conversation \
                 that starts with a user message."
            } else {
                "A conversation must alternate between user and assistant roles. Make sure the \
                 conversation alternates between user and assistant roles and try again."
            }));
        }
        blocks(message, index)?;
        results(message, index, &open)?;
        open = ids(message, "toolUse");
        used = used || !open.is_empty();
    }
    if messages.is_empty() {
        return Err(invalid("A conversation must start with a user message."));
    }
    if let Some(id) = open.first() {
        return Err(unanswered(messages.len(), id));
    }
    if used && !body["toolConfig"].is_object() {
        return Err(invalid(
            "The toolConfig field must be defined when using toolUse and toolResult content \
             blocks.",
        ));
    }
    Ok(())
}

fn blocks(message: &Value, index: usize) -> Result<(), Refused> {
    let content = list(message, "content");
    if content.is_empty() {
        return Err(invalid(&format!(
            "The content field in the Message object at messages.{index} is empty. Add a \
             ContentBlock object to the content field and try again."
        )));
    }
    let user = message["role"] == "user";
    for (at, block) in content.iter().enumerate() {
        let place = format!("messages.{index}.content.{at}");
        if block["text"].as_str().is_some_and(|text| text.trim().is_empty()) {
            return Err(invalid(&format!(
                "The text field in the ContentBlock object at {place} is blank. Add text to the \
                 text field, and try again."
            )));
        }
        let others = if user { ["toolUse", "reasoningContent"] } else { ["toolResult", "image"] };
        if let Some(kind) = others.iter().find(|kind| block[**kind].is_object()) {
            let role = if user { "user" } else { "assistant" };
            return Err(invalid(&format!(
                "The {kind} content block at {place} is not allowed in a message of role {role}."
            )));
        }
        if block["toolUse"].is_object() && !block["toolUse"]["input"].is_object() {
            return Err(invalid(&format!(
                "The format of the value at {place}.toolUse.input is invalid. Provide a json \
                 object for the field and try again."
            )));
        }
        let thought = &block["reasoningContent"]["reasoningText"];
        let text = thought["text"].as_str().unwrap_or_default();
        if thought.is_object() && thought["signature"].as_str() != Some(&signature(REALM, text)) {
            return Err(invalid(&format!(
                "The model returned the following errors: {place}: Invalid `signature` in \
                 `thinking` block"
            )));
        }
    }
    Ok(())
}

fn ids<'v>(message: &'v Value, kind: &str) -> Vec<&'v str> {
    let blocks = list(message, "content").iter();
    blocks.filter_map(|block| block[kind]["toolUseId"].as_str()).collect()
}

fn results(message: &Value, index: usize, open: &[&str]) -> Result<(), Refused> {
    let given = ids(message, "toolResult");
    if given.len() > open.len() {
        return Err(invalid(&format!(
            "The number of toolResult blocks at messages.{index}.content exceeds the number of \
             toolUse blocks of previous turn."
        )));
    }
    match open.iter().find(|id| !given.contains(id)) {
        Some(id) => Err(unanswered(index, id)),
        None => Ok(()),
    }
}

fn unanswered(index: usize, id: &str) -> Refused {
    invalid(&format!(
        "Expected toolResult blocks at messages.{index}.content for the following Ids: {id}"
    ))
}

fn specs(config: &Value) -> impl Iterator<Item = &Value> {
    let tools = config["tools"].as_array().into_iter().flatten();
    tools.map(|tool| &tool["toolSpec"]).filter(|spec| spec.is_object())
}

fn tools(body: &Value) -> Result<(), Refused> {
    let config = &body["toolConfig"];
    let right = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let calls = list(body, "messages").iter().flat_map(|message| list(message, "content"));
    let ids = calls.filter_map(|block| block["toolUse"]["toolUseId"].as_str());
    let names = specs(config).filter_map(|spec| spec["name"].as_str());
    for word in ids.chain(names) {
        if word.len() > 64 || !word.chars().all(right) {
            return Err(invalid(&format!(
                "1 validation error detected: Value '{word}' failed to satisfy constraint: Member \
                 must satisfy regular expression pattern: [a-zA-Z0-9_-]{{1,64}}"
            )));
        }
    }
    for (index, spec) in specs(config).enumerate() {
        if spec["inputSchema"]["json"]["type"] != "object" {
            return Err(invalid(&format!(
                "The value at toolConfig.tools.{index}.toolSpec.inputSchema.json.type must be one \
                 of the following: object."
            )));
        }
    }
    let wanted = config["toolChoice"]["tool"]["name"].as_str();
    match wanted.filter(|name| !specs(config).any(|spec| spec["name"] == **name)) {
        Some(name) => Err(invalid(&format!(
            "The tool {name} in toolConfig.toolChoice is not in toolConfig.tools."
        ))),
        None => Ok(()),
    }
}

fn forced_tool(config: &Value) -> Option<Tool> {
    let choice = &config["toolChoice"];
    let spec = if choice["any"].is_object() {
        specs(config).next()?
    } else {
        let name = choice["tool"]["name"].as_str()?;
        specs(config).find(|spec| spec["name"] == name)?
    };
    let parameters = spec["inputSchema"]["json"].clone();
    Some(Tool { name: spec["name"].as_str()?.to_owned(), parameters })
}

/// The schema is a JSON text.
fn schema(body: &Value) -> Result<Option<Value>, Refused> {
    let given = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    let Some(text) = given.as_str() else { return Ok(None) };
    match serde_json::from_str::<Value>(text) {
        Ok(schema) if schema.is_object() => Ok(Some(schema)),
        _ => Err(invalid(
            "The value at outputConfig.textFormat.structure.jsonSchema.schema is not a valid JSON \
             schema.",
        )),
    }
}

fn weigh(body: &Value, prompt: &mut Prompt) {
    let mut weight = Weight::default();
    for block in list(body, "system") {
        weight.text(block["text"].as_str().unwrap_or_default());
    }
    for message in list(body, "messages") {
        let text = content(list(message, "content"), &mut weight);
        if message["role"] == "user" {
            prompt.last_user = text;
        }
    }
    prompt.tokens = weight.tokens();
    prompt.images = weight.images();
}

/// Weighs blocks and returns their own text, without that of tool results.
fn content(blocks: &[Value], weight: &mut Weight) -> String {
    let mut own = String::new();
    for block in blocks {
        let text = block["text"].as_str().unwrap_or_default();
        weight.text(text);
        own.push_str(text);
        if !block["json"].is_null() {
            weight.text(&block["json"].to_string());
        }
        if ["image", "document", "video", "audio"].iter().any(|kind| block[*kind].is_object()) {
            weight.image();
        }
        content(list(&block["toolResult"], "content"), weight);
    }
    own
}

//! Reads Gemini's requests as Google does: the form first, then schemas and turns.

use serde_json::Value;

use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::names::snake;
use super::super::prompt::{Prompt, Tool, Weight};
use super::super::shape::{Habits, Shape, check};
use super::error::{bad_request, malformed};
use super::{REALM, members, turns};

const HABITS: Habits = Habits { null_is_absent: true, snake: true };

/// Checks a body's form.
///
/// # Errors
/// In Google's words.
pub(super) fn formed(body: &Value, shape: &Shape) -> Result<(), Refused> {
    check(body, shape, HABITS).map_err(|fault| malformed(&fault))
}

/// A member under either of its names.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    const NONE: &Value = &Value::Null;
    value.get(name).or_else(|| value.get(snake(name))).unwrap_or(NONE)
}

/// Reads a request for an answer.
///
/// # Errors
/// In Google's words.
pub(super) fn read(ask: &Ask<'_>) -> Result<Prompt, Refused> {
    let body = ask.body;
    formed(body, &members::REQUEST)?;
    turns::check(body, ask.model)?;
    let config = member(body, "generationConfig");
    tools(body)?;
    settings(config)?;
    let thinking = member(config, "thinkingConfig");
    let shows_thinking = member(thinking, "includeThoughts") == true;
    let level = !member(thinking, "thinkingLevel").is_null();
    let budget = member(thinking, "thinkingBudget").as_i64().is_some_and(|budget| budget != 0);
    let mut prompt = Prompt {
        model: ask.model.to_owned(),
        stream: ask.streamed,
        choices: number(config, "candidateCount").unwrap_or(1),
        cap: number(config, "maxOutputTokens"),
        forced_tool: forced_tool(body),
        schema: schema(config),
        stops: strings(member(config, "stopSequences")),
        thinks: shows_thinking || level || budget,
        shows_thinking,
        cap_holds_thinking: true,
        realm: REALM,
        ..Prompt::default()
    };
    weigh(body, &mut prompt);
    Ok(prompt)
}

/// Counts the tokens of a request, given bare or as a whole one.
///
/// # Errors
/// In Google's words.
pub(super) fn count(ask: &Ask<'_>) -> Result<u64, Refused> {
    formed(ask.body, &members::COUNT)?;
    let whole = member(ask.body, "generateContentRequest");
    let body = if whole.is_object() { whole } else { ask.body };
    if !member(body, "contents").is_array() {
        return Err(bad_request("* CountTokensRequest.contents: contents is not specified\n"));
    }
    turns::check(body, ask.model)?;
    let mut prompt = Prompt::default();
    weigh(body, &mut prompt);
    Ok(prompt.tokens)
}

fn declarations(body: &Value) -> impl Iterator<Item = (String, &Value)> {
    let tools = member(body, "tools").as_array().into_iter().flatten().enumerate();
    tools.flat_map(|(at, tool)| {
        let list = member(tool, "functionDeclarations").as_array().into_iter().flatten();
        list.enumerate().map(move |(index, declared)| {
            (format!("tools[{at}].function_declarations[{index}]"), declared)
        })
    })
}

fn tools(body: &Value) -> Result<(), Refused> {
    let mut names: Vec<&str> = Vec::new();
    for (place, declared) in declarations(body) {
        let name = declared["name"].as_str().unwrap_or_default();
        let first = name.chars().next().unwrap_or('0');
        let rest = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
        if !(first.is_ascii_alphabetic() || first == '_')
            || !name.chars().all(rest)
            || name.len() > 128
        {
            return Err(bad_request(&format!(
                "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a \
                 letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), \
                 dots (.), colons (:), or dashes (-), with a maximum length of 128.\n"
            )));
        }
        if names.contains(&name) {
            return Err(bad_request(&format!("Duplicate function declaration found: {name}")));
        }
        names.push(name);
        let parameters = member(declared, "parameters");
        if parameters.is_object() && !member(declared, "parametersJsonSchema").is_null() {
            return Err(bad_request(&format!(
                "* GenerateContentRequest.{place}: only one of parameters and \
                 parameters_json_schema may be set\n"
            )));
        }
        sound(parameters, &format!("{place}.parameters"))?;
    }
    let calling = member(member(body, "toolConfig"), "functionCallingConfig");
    let allowed = strings(member(calling, "allowedFunctionNames"));
    if !allowed.is_empty() && calling["mode"] != "ANY" && calling["mode"] != "VALIDATED" {
        return Err(bad_request(
            "Function calling config is set without mode ANY: allowed_function_names may only be \
             set when the function calling mode is ANY.",
        ));
    }
    match allowed.iter().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(bad_request(&format!(
            "tool_config.function_calling_config.allowed_function_names: {name} is not declared."
        ))),
        None => Ok(()),
    }
}

/// What Google's validator asks of a schema beyond its form.
fn sound(schema: &Value, place: &str) -> Result<(), Refused> {
    if !schema.is_object() {
        return Ok(());
    }
    let fault = |part: &str, words: &str| {
        Err(bad_request(&format!("* GenerateContentRequest.{place}.{part}: {words}\n")))
    };
    let kind = schema["type"].as_str().unwrap_or_default().to_ascii_uppercase();
    let properties = schema["properties"].as_object();
    if kind == "OBJECT" && properties.is_none_or(serde_json::Map::is_empty) {
        return fault("properties", "should be non-empty for OBJECT type");
    }
    if kind == "ARRAY" && !schema["items"].is_object() {
        return fault("items", "missing field.");
    }
    if schema["enum"].is_array() && kind != "STRING" {
        return fault("enum", "only allowed for STRING type");
    }
    for (index, name) in schema["required"].as_array().into_iter().flatten().enumerate() {
        let name = name.as_str().unwrap_or_default();
        if properties.is_none_or(|known| !known.contains_key(name)) {
            return fault(&format!("required[{index}]"), "property is not defined");
        }
    }
    for (name, part) in properties.into_iter().flatten() {
        sound(part, &format!("{place}.properties[{name}]"))?;
    }
    for (index, part) in member(schema, "anyOf").as_array().into_iter().flatten().enumerate() {
        sound(part, &format!("{place}.any_of[{index}]"))?;
    }
    sound(&schema["items"], &format!("{place}.items"))
}

fn settings(config: &Value) -> Result<(), Refused> {
    let bound = member(config, "responseSchema").is_object();
    let json_bound = !member(config, "responseJsonSchema").is_null();
    if bound && json_bound {
        return Err(bad_request(
            "Only one of response_schema and response_json_schema may be set.",
        ));
    }
    let mime = member(config, "responseMimeType").as_str().unwrap_or("text/plain");
    if (bound || json_bound) && mime == "text/plain" {
        return Err(bad_request(
            "Function calling with a response mime type or a response schema requires \
             response_mime_type: only application/json and text/x.enum are allowed with a schema.",
        ));
    }
    sound(member(config, "responseSchema"), "generation_config.response_schema")?;
    let thinking = member(config, "thinkingConfig");
    let both = ["thinkingBudget", "thinkingLevel"].map(|name| !member(thinking, name).is_null());
    if both == [true, true] {
        return Err(bad_request(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    Ok(())
}

fn schema(config: &Value) -> Option<Value> {
    let bound = ["responseSchema", "responseJsonSchema"].map(|name| member(config, name));
    let json = member(config, "responseMimeType") == "application/json";
    let any = || serde_json::json!({"type": "object"});
    bound.into_iter().find(|schema| schema.is_object()).cloned().or_else(|| json.then(any))
}

fn forced_tool(body: &Value) -> Option<Tool> {
    let calling = member(member(body, "toolConfig"), "functionCallingConfig");
    if calling["mode"] != "ANY" {
        return None;
    }
    let allowed = strings(member(calling, "allowedFunctionNames"));
    let of = |declared: &Value| {
        let name = declared["name"].as_str().unwrap_or_default();
        allowed.is_empty() || allowed.iter().any(|allowed| allowed == name)
    };
    let (_, declared) = declarations(body).find(|(_, declared)| of(declared))?;
    let schemas = ["parameters", "parametersJsonSchema"].map(|name| member(declared, name));
    let parameters = schemas.into_iter().find(|schema| schema.is_object()).cloned();
    let name = declared["name"].as_str()?.to_owned();
    Some(Tool { name, parameters: parameters.unwrap_or_default() })
}

fn number(config: &Value, name: &str) -> Option<usize> {
    usize::try_from(member(config, name).as_u64()?).ok()
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn weigh(body: &Value, prompt: &mut Prompt) {
    let mut weight = Weight::default();
    parts(member(body, "systemInstruction"), &mut weight);
    for content in member(body, "contents").as_array().into_iter().flatten() {
        let text = parts(content, &mut weight);
        let answers = turns::holds(content, "functionResponse");
        if content["role"] != "model" && !answers {
            prompt.last_user = text;
        }
    }
    prompt.tokens = weight.tokens();
    prompt.images = weight.images();
}

/// Weighs a content's parts and returns their text.
pub(super) fn parts(content: &Value, weight: &mut Weight) -> String {
    let mut own = String::new();
    for part in content["parts"].as_array().into_iter().flatten() {
        if let Some(text) = part["text"].as_str().filter(|_| part["thought"] != true) {
            weight.text(text);
            own.push_str(text);
        }
        if member(part, "inlineData").is_object() || member(part, "fileData").is_object() {
            weight.image();
        }
        let response = &member(part, "functionResponse")["response"];
        for text in response.as_object().into_iter().flatten().map(|(_, value)| value) {
            weight.text(&text.as_str().map_or_else(|| text.to_string(), str::to_owned));
        }
    }
    own
}

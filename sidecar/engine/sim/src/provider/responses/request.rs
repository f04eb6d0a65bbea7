//! Reads a Responses request as OpenAI does: the form first, then items, tools and state.

use serde_json::{Value, json};

use super::super::dialect::Ask;
use super::super::failure::Refused;
use super::super::openai::error::{bad_parameter, bad_request, malformed};
use super::super::openai::strict;
use super::super::prompt::{Prompt, Tool, Weight, signature};
use super::super::shape::{Habits, check};
use super::{REALM, members};

/// Reads a request for an answer.
///
/// # Errors
/// In OpenAI's words.
pub(super) fn read(ask: &Ask<'_>) -> Result<Prompt, Refused> {
    let body = ask.body;
    if ask.model.is_empty() {
        let message = "Missing required parameter: 'model'.";
        return Err(bad_parameter(message, "model", "missing_required_parameter"));
    }
    let habits = Habits { null_is_absent: true, snake: false };
    check(body, &members::REQUEST, habits).map_err(|fault| malformed(&fault))?;
    state(body)?;
    items(body)?;
    tools(body)?;
    format(body)?;
    let reasoning = &body["reasoning"];
    let effort = reasoning["effort"].as_str().is_some_and(|effort| effort != "none");
    let summary = ["summary", "generate_summary"].iter().any(|name| reasoning[*name].is_string());
    let mut echo = body.clone();
    if let Some(members) = echo.as_object_mut() {
        members.remove("input");
    }
    let mut prompt = Prompt {
        model: ask.model.to_owned(),
        stream: body["stream"] == true,
        choices: 1,
        cap: body["max_output_tokens"].as_u64().and_then(|cap| usize::try_from(cap).ok()),
        forced_tool: forced_tool(body),
        schema: schema(&body["text"]["format"]),
        thinks: effort || summary,
        shows_thinking: summary,
        cap_holds_thinking: true,
        call_prefix: "call_",
        realm: REALM,
        echo,
        ..Prompt::default()
    };
    weigh(body, &mut prompt);
    Ok(prompt)
}

/// State of earlier calls: only what this provider may have made itself, and nothing that it
/// would have to keep running.
fn state(body: &Value) -> Result<(), Refused> {
    if let Some(id) = body["previous_response_id"].as_str() {
        let mark = id.strip_prefix("resp_").unwrap_or_default();
        if mark.len() != 24 || !mark.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = format!("Previous response with id '{id}' not found.");
            let code = "previous_response_not_found";
            return Err(bad_parameter(&message, "previous_response_id", code));
        }
    }
    if body["background"] == true {
        let message = "Background mode is not available for this model.";
        return Err(bad_parameter(message, "background", "unsupported_parameter"));
    }
    let given = ["input", "prompt", "previous_response_id", "conversation"];
    if given.iter().all(|name| body[*name].is_null()) {
        return Err(bad_request(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be \
             provided.",
            None,
        ));
    }
    Ok(())
}

fn list(body: &Value) -> &[Value] {
    body["input"].as_array().map_or(&[], Vec::as_slice)
}

fn kind(item: &Value) -> &str {
    item["type"].as_str().unwrap_or("message")
}

/// Parts belong to their roles, calls to their outputs, reasoning to what follows it.
fn items(body: &Value) -> Result<(), Refused> {
    let items = list(body);
    let remembers = !body["previous_response_id"].is_null() || !body["conversation"].is_null();
    let of = |wanted: &'static str| items.iter().filter(move |item| kind(item).starts_with(wanted));
    let called = |id: &Value| {
        items.iter().any(|item| !kind(item).ends_with("_output") && item["call_id"] == *id)
    };
    let answered = |id: &Value| {
        items.iter().any(|item| kind(item).ends_with("_output") && item["call_id"] == *id)
    };
    for item in of("function_call").chain(of("custom_tool_call")) {
        let id = &item["call_id"];
        let text = id.as_str().unwrap_or_default();
        if kind(item).ends_with("_output") {
            if !remembers && !called(id) {
                return Err(bad_request(
                    &format!("No tool call found for function call output with call_id {text}."),
                    Some("input"),
                ));
            }
        } else if !answered(id) {
            return Err(bad_request(
                &format!("No tool output found for function call {text}."),
                Some("input"),
            ));
        }
    }
    for (index, item) in items.iter().enumerate() {
        match kind(item) {
            "message" => parts(item, index)?,
            "reasoning" => reasoning(item, index, items.get(index + 1))?,
            _ => {}
        }
    }
    Ok(())
}

fn parts(item: &Value, index: usize) -> Result<(), Refused> {
    let ours = item["role"] == "assistant";
    for (at, part) in item["content"].as_array().into_iter().flatten().enumerate() {
        let found = part["type"].as_str().unwrap_or_default();
        let said = found == "output_text" || found == "refusal";
        if said != ours {
            let supported = if ours {
                "'output_text' and 'refusal'"
            } else {
                "'input_text', 'input_image', and 'input_file'"
            };
            return Err(bad_parameter(
                &format!("Invalid value: '{found}'. Supported values are: {supported}."),
                &format!("input[{index}].content[{at}]"),
                "invalid_value",
            ));
        }
        let sources = ["image_url", "file_id", "file_data", "file_url"];
        let holds = sources.iter().any(|name| part[*name].is_string());
        if (found == "input_image" || found == "input_file") && !holds {
            return Err(bad_parameter(
                &format!("Missing required parameter: 'input[{index}].content[{at}]'."),
                &format!("input[{index}].content[{at}]"),
                "missing_required_parameter",
            ));
        }
    }
    Ok(())
}

fn reasoning(item: &Value, index: usize, next: Option<&Value>) -> Result<(), Refused> {
    let id = item["id"].as_str().unwrap_or_default();
    if let Some(sealed) = item["encrypted_content"].as_str()
        && sealed != signature(REALM, id)
    {
        return Err(bad_parameter(
            &format!(
                "The encrypted content for item {id} could not be verified. Reason: Encrypted \
                 content could not be decrypted or parsed."
            ),
            &format!("input[{index}]"),
            "invalid_encrypted_content",
        ));
    }
    let follows = next.is_some_and(|next| {
        ["function_call", "custom_tool_call", "reasoning"].contains(&kind(next))
            || next["role"] == "assistant"
    });
    if follows {
        return Ok(());
    }
    Err(bad_request(
        &format!(
            "Item '{id}' of type 'reasoning' was provided without its required following item."
        ),
        Some("input"),
    ))
}

fn tools(body: &Value) -> Result<(), Refused> {
    let empty = Vec::new();
    let tools = body["tools"].as_array().unwrap_or(&empty);
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        let right = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if !name.chars().all(right) || name.len() > 64 {
            return Err(bad_parameter(
                &format!(
                    "Invalid 'tools[{index}].name': string does not match pattern. Expected a \
                     string that matches the pattern '^[a-zA-Z0-9_-]+$'."
                ),
                &format!("tools[{index}].name"),
                "invalid_value",
            ));
        }
        if tool["strict"] == true {
            strict::check(&tool["parameters"]).map_err(|words| {
                bad_parameter(
                    &format!("Invalid schema for function '{name}': {words}"),
                    &format!("tools[{index}].parameters"),
                    "invalid_function_parameters",
                )
            })?;
        }
    }
    let choice = &body["tool_choice"];
    if choice == "required" && tools.is_empty() {
        let message = "Tool choice 'required' must be specified with 'tools' parameter.";
        return Err(bad_request(message, Some("tool_choice")));
    }
    let wanted = choice["name"].as_str().filter(|_| choice["type"] == "function");
    match wanted.filter(|name| !tools.iter().any(|tool| tool["name"] == **name)) {
        Some(_) => Err(bad_request(
            "Tool choice 'function' not found in 'tools' parameter.",
            Some("tool_choice"),
        )),
        None => Ok(()),
    }
}

fn format(body: &Value) -> Result<(), Refused> {
    let format = &body["text"]["format"];
    if format["type"] == "json_object" {
        let said = body["input"].to_string() + &body["instructions"].to_string();
        if !said.to_ascii_lowercase().contains("json") {
            return Err(bad_request(
                "Response input messages must contain the word 'json' in some form to use \
                 'text.format' of type 'json_object'.",
                Some("input"),
            ));
        }
    }
    if format["strict"] == true {
        let name = format["name"].as_str().unwrap_or_default();
        strict::check(&format["schema"]).map_err(|words| {
            bad_parameter(
                &format!("Invalid schema for response_format '{name}': {words}"),
                "text.format.schema",
                "invalid_json_schema",
            )
        })?;
    }
    Ok(())
}

fn schema(format: &Value) -> Option<Value> {
    match format["type"].as_str()? {
        "json_schema" => Some(format["schema"].clone()),
        "json_object" => Some(json!({"type": "object"})),
        _ => None,
    }
}

fn forced_tool(body: &Value) -> Option<Tool> {
    let choice = &body["tool_choice"];
    let functions = || body["tools"].as_array().into_iter().flatten();
    let tool = if choice == "required" {
        functions().find(|tool| tool["type"] == "function")?
    } else if choice["type"] == "function" {
        functions().find(|tool| tool["name"] == choice["name"])?
    } else if choice["type"] == "allowed_tools" && choice["mode"] == "required" {
        functions().find(|tool| tool["name"] == choice["tools"][0]["name"])?
    } else {
        return None;
    };
    let parameters = tool["parameters"].clone();
    Some(Tool { name: tool["name"].as_str()?.to_owned(), parameters })
}

fn weigh(body: &Value, prompt: &mut Prompt) {
    let mut weight = Weight::default();
    content(&body["instructions"], &mut weight);
    if body["input"].is_string() {
        prompt.last_user = content(&body["input"], &mut weight);
    }
    for item in list(body) {
        let text = content(&item["content"], &mut weight);
        content(&item["output"], &mut weight);
        if item["role"] == "user" {
            prompt.last_user = text;
        }
    }
    prompt.tokens = weight.tokens();
    prompt.images = weight.images();
}

fn content(content: &Value, weight: &mut Weight) -> String {
    let mut own = content.as_str().unwrap_or_default().to_owned();
    for part in content.as_array().into_iter().flatten() {
        match part["type"].as_str() {
            Some("input_image" | "input_file") => weight.image(),
            Some("reasoning_text") => {}
            _ => {
                let text = part["text"].as_str().or_else(|| part["refusal"].as_str());
                own.push_str(text.unwrap_or_default());
            }
        }
    }
    weight.text(&own);
    own
}

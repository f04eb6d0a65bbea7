//! What OpenAI itself refuses in a chat request and most servers of the same format let pass:
//! unknown members, turns out of order, settings that contradict one another.

use serde_json::Value;

use super::super::failure::Refused;
use super::super::shape::{Habits, check};
use super::error::{bad_parameter, bad_request, malformed};
use super::{members, strict};

/// Judges a request strictly.
///
/// # Errors
/// In OpenAI's words.
pub(super) fn judge(body: &Value) -> Result<(), Refused> {
    let habits = Habits { null_is_absent: true, snake: false };
    check(body, &members::REQUEST, habits).map_err(|fault| malformed(&fault))?;
    turns(body)?;
    tools(body)?;
    settings(body)
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Tool messages come right after the calls that they answer, one for each.
fn turns(body: &Value) -> Result<(), Refused> {
    let mut open: Vec<&str> = Vec::new();
    let mut called: Vec<&str> = Vec::new();
    let messages = list(body, "messages");
    for (index, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            if !called.contains(&id) {
                return Err(bad_request(
                    "Invalid parameter: messages with role 'tool' must be a response to a \
                     preceeding message with 'tool_calls'.",
                    Some(&format!("messages.[{index}].role")),
                ));
            }
            open.retain(|waiting| *waiting != id);
            continue;
        }
        answered(&open, index)?;
        let calls = list(message, "tool_calls").iter();
        called = calls.filter_map(|call| call["id"].as_str()).collect();
        open.clone_from(&called);
        let silent = message["content"].is_null() && message["refusal"].is_null();
        let acts = !called.is_empty() || !message["function_call"].is_null();
        if message["role"] == "assistant" && silent && !acts && message["audio"].is_null() {
            return Err(bad_request(
                "Invalid value for 'content': expected a string, got null.",
                Some(&format!("messages.[{index}].content")),
            ));
        }
    }
    answered(&open, messages.len())
}

fn answered(open: &[&str], index: usize) -> Result<(), Refused> {
    if open.is_empty() {
        return Ok(());
    }
    Err(bad_request(
        &format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding \
             to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        ),
        Some(&format!("messages.[{index}].role")),
    ))
}

fn tools(body: &Value) -> Result<(), Refused> {
    let tools = list(body, "tools");
    for (index, tool) in tools.iter().enumerate() {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let right = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if !name.chars().all(right) || name.len() > 64 {
            return Err(bad_parameter(
                &format!(
                    "Invalid 'tools[{index}].function.name': string does not match pattern. \
                     Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
                ),
                &format!("tools[{index}].function.name"),
                "invalid_value",
            ));
        }
        let schema = &function["parameters"];
        if schema.is_object() && schema["type"] != "object" && schema != &serde_json::json!({}) {
            return Err(bad_schema(
                index,
                name,
                "schema must be a JSON Schema of 'type: \"object\"'.",
            ));
        }
        if function["strict"] == true {
            strict::check(schema).map_err(|words| bad_schema(index, name, &words))?;
        }
    }
    for member in ["tool_choice", "parallel_tool_calls"] {
        if tools.is_empty() && !body[member].is_null() {
            return Err(bad_request(
                &format!(
                    "Invalid value for '{member}': '{member}' is only allowed when 'tools' are \
                     specified."
                ),
                Some(member),
            ));
        }
    }
    let wanted = body["tool_choice"]["function"]["name"].as_str();
    match wanted.filter(|name| !tools.iter().any(|tool| tool["function"]["name"] == **name)) {
        Some(name) => Err(bad_request(
            &format!("Tool choice '{name}' not found in 'tools' parameter."),
            Some("tool_choice"),
        )),
        None => Ok(()),
    }
}

fn bad_schema(index: usize, name: &str, words: &str) -> Refused {
    bad_parameter(
        &format!("Invalid schema for function '{name}': {words}"),
        &format!("tools[{index}].function.parameters"),
        "invalid_function_parameters",
    )
}

fn settings(body: &Value) -> Result<(), Refused> {
    if !body["max_tokens"].is_null() && !body["max_completion_tokens"].is_null() {
        return Err(bad_request(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            Some("max_tokens"),
        ));
    }
    if !body["stream_options"].is_null() && body["stream"] != true {
        return Err(bad_request(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            Some("stream_options"),
        ));
    }
    if !body["top_logprobs"].is_null() && body["logprobs"] != true {
        return Err(bad_request(
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            Some("top_logprobs"),
        ));
    }
    let format = &body["response_format"];
    let said = || body["messages"].to_string().to_ascii_lowercase();
    if format["type"] == "json_object" && !said().contains("json") {
        return Err(bad_request(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of \
             type 'json_object'.",
            Some("messages"),
        ));
    }
    let bound = &format["json_schema"];
    if bound["strict"] == true {
        let name = bound["name"].as_str().unwrap_or_default();
        strict::check(&bound["schema"]).map_err(|words| {
            bad_parameter(
                &format!("Invalid schema for response_format '{name}': {words}"),
                "response_format",
                "invalid_json_schema",
            )
        })?;
    }
    Ok(())
}

//! Reads a chat request as a provider does: what is asked, how much it weighs, and whether it is
//! well-formed.

use serde_json::Value;

use super::super::failure::Refused;
use super::super::prompt::{Prompt, Tool, Weight};
use super::error::bad_request;

/// The most choices one request may ask for.
const CHOICES_MAX: u64 = 128;

/// Reads a chat completion request.
///
/// # Errors
/// With the provider's own words where the request is malformed.
pub(crate) fn read(body: &Value, model: &str) -> Result<Prompt, Refused> {
    if model.is_empty() {
        return Err(bad_request("you must provide a model parameter", Some("model")));
    }
    let messages = match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => messages,
        _ => return Err(missing("messages")),
    };
    let mut weight = Weight::default();
    let mut last_user = String::new();
    for (index, message) in messages.iter().enumerate() {
        let Some(role) = message["role"].as_str() else {
            return Err(missing(&format!("messages[{index}].role")));
        };
        let text = text_of(&message["content"]);
        weight.text(&text);
        let parts = message["content"].as_array().into_iter().flatten();
        for _image in parts.filter(|part| part["image_url"]["url"].is_string()) {
            weight.image();
        }
        if role == "user" {
            last_user = text;
        }
    }
    Ok(Prompt {
        model: model.to_owned(),
        stream: flag(body, "stream")?,
        include_usage: body["stream_options"]["include_usage"] == true,
        choices: number(body, "n", CHOICES_MAX)?.unwrap_or(1),
        cap: number(body, "max_completion_tokens", u64::MAX)?.or(number(
            body,
            "max_tokens",
            u64::MAX,
        )?),
        tokens: weight.tokens(),
        images: weight.images(),
        last_user,
        forced_tool: forced_tool(body),
        schema: schema(&body["response_format"]),
        cap_holds_thinking: true,
        call_prefix: "call_",
        realm: "openai",
        ..Prompt::default()
    })
}

/// All text of a message's content: a string, or the text parts of a list.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

pub(crate) fn flag(body: &Value, name: &str) -> Result<bool, Refused> {
    match &body[name] {
        Value::Null => Ok(false),
        Value::Bool(on) => Ok(*on),
        _ => {
            Err(bad_request(&format!("Invalid type for '{name}': expected a boolean."), Some(name)))
        }
    }
}

/// A whole number from 1 to `most`; absent or null is none.
pub(crate) fn number(body: &Value, name: &str, most: u64) -> Result<Option<usize>, Refused> {
    match &body[name] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(number) if (1..=most).contains(&number) => {
                Ok(Some(usize::try_from(number).unwrap_or(usize::MAX)))
            }
            _ => Err(bad_request(
                &format!("Invalid value for '{name}': expected an integer of at least 1."),
                Some(name),
            )),
        },
    }
}

pub(crate) fn missing(param: &str) -> Refused {
    bad_request(&format!("Missing required parameter: '{param}'."), Some(param))
}

/// The tool that `tool_choice` demands: the named one, or the first where any is required.
fn forced_tool(body: &Value) -> Option<Tool> {
    let tools = body["tools"].as_array()?;
    let choice = &body["tool_choice"];
    let wanted = choice["function"]["name"].as_str();
    if choice != "required" && wanted.is_none() {
        return None;
    }
    let functions = || tools.iter().map(|tool| &tool["function"]);
    let function = match wanted {
        Some(name) => functions().find(|function| function["name"] == name)?,
        None => functions().next()?,
    };
    let parameters = function["parameters"].clone();
    Some(Tool { name: function["name"].as_str()?.to_owned(), parameters })
}

fn schema(format: &Value) -> Option<Value> {
    match format["type"].as_str()? {
        "json_schema" => Some(format["json_schema"]["schema"].clone()),
        "json_object" => Some(serde_json::json!({"type": "object"})),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Tokens are a quarter of all message text, whatever form it has.
    #[test]
    fn tokens_count_all_message_text() {
        let body = json!({"model": "m", "messages": [
            {"role": "system", "content": "abcd"},
            {"role": "user", "content": [{"type": "text", "text": "grüße"}, {"type": "image_url"}]},
            {"role": "assistant", "content": null}]});
        let prompt = read(&body, body["model"].as_str().unwrap_or_default()).unwrap();
        assert_eq!(prompt.tokens, 3);
        assert_eq!(prompt.last_user, "grüße");
    }

    /// Malformed requests are 400s that name the parameter.
    #[test]
    fn malformed_requests_name_the_parameter() {
        let user = json!([{"role": "user", "content": "x"}]);
        for (body, param) in [
            (json!({"messages": user}), "model"),
            (json!({"model": "m"}), "messages"),
            (json!({"model": "m", "messages": []}), "messages"),
            (json!({"model": "m", "messages": [{"content": "x"}]}), "messages[0].role"),
            (json!({"model": "m", "messages": user, "n": 0}), "n"),
            (json!({"model": "m", "messages": user, "stream": "yes"}), "stream"),
            (json!({"model": "m", "messages": user, "max_tokens": -1}), "max_tokens"),
        ] {
            let refused = read(&body, body["model"].as_str().unwrap_or_default()).unwrap_err();
            assert_eq!(refused.status, 400);
            assert_eq!(refused.body["error"]["param"], param);
        }
    }

    /// `required` takes the first tool, a named choice that one, `auto` none.
    #[test]
    fn tool_choice_forces_a_tool() {
        let body = |choice: Value| json!({"tools": [{"function": {"name": "a"}}, {"function": {"name": "b"}}], "tool_choice": choice});
        assert_eq!(forced_tool(&body(json!("required"))).unwrap().name, "a");
        let named = json!({"type": "function", "function": {"name": "b"}});
        assert_eq!(forced_tool(&body(named)).unwrap().name, "b");
        assert!(forced_tool(&body(json!("auto"))).is_none());
    }
}

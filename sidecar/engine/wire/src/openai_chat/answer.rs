//! The plain answer.

use serde_json::{Map, Value, json};

use super::{marks, message, tools, usage};
use crate::Facts;
use crate::form::{Choice, Garbled, Part, Payload, Reply, Unreadable};
use crate::json::{self, Members};

/// Reads an answer.
///
/// # Errors
/// It is cut, an error, or holds no choice.
pub fn read(body: &[u8]) -> Result<Reply, Garbled> {
    let mut members = json::parse(body).map_err(|_| Garbled::Malformed)?;
    if let Some(error) = members.take("error").filter(tells) {
        return Err(Garbled::Error(error.to_string()));
    }
    let reply = read_members(&mut members).map_err(|_| Garbled::Malformed)?;
    let broke_off = |choice: &Choice| choice.finish.raw == "error";
    match reply.choices.as_slice() {
        [] => Err(Garbled::Empty),
        choices if choices.iter().any(broke_off) => {
            Err(Garbled::Error(r#"{"message":"the provider broke off"}"#.into()))
        }
        _ => Ok(reply),
    }
}

/// `null`, `false` and an empty text are none, as for SDKs.
pub(crate) fn tells(error: &Value) -> bool {
    !matches!(error, Value::Null | Value::Bool(false)) && error != ""
}

fn read_members(members: &mut Members) -> Result<Reply, Unreadable> {
    let mut reply = Reply {
        id: members.text("id")?,
        model: members.text("model")?,
        created: members.count("created").unwrap_or_default(),
        ..Reply::default()
    };
    for choice in members.objects("choices")?.unwrap_or_default() {
        reply.choices.push(read_choice(choice)?);
    }
    reply.usage = members.take("usage").and_then(usage::read);
    if let Some(usage) = &mut reply.usage {
        usage.service_tier = members.text("service_tier")?;
    }
    Ok(reply)
}

fn read_choice(mut choice: Members) -> Result<Choice, Unreadable> {
    let mut parts = Vec::new();
    if let Some(mut said) = choice.object("message")? {
        parts.extend(message::read_reasoning(&mut said)?);
        message::read_content(&mut said, &mut parts)?;
        if let Some(refusal) = said.text("refusal")?.filter(|refusal| !refusal.is_empty()) {
            parts.push(Payload::Refusal(refusal).into());
        }
        for call in said.objects("tool_calls")?.unwrap_or_default() {
            parts.push(Payload::Call(tools::read_call(call)?).into());
        }
        if let Some(value) = said.take("audio") {
            parts.push(Payload::Foreign { kind: "audio".into(), value }.into());
        }
    }
    let has_calls = parts.iter().any(|part| matches!(part.payload, Payload::Call(_)));
    let raw = choice.text("finish_reason")?.unwrap_or_default();
    Ok(Choice { finish: marks::meaning(&raw, has_calls), parts })
}

/// Writes an answer.
#[must_use]
pub fn write(reply: &Reply, facts: &Facts) -> Vec<u8> {
    let id = reply.id.clone().unwrap_or_else(|| format!("chatcmpl-{}", facts.id));
    let model = reply.model.as_deref().unwrap_or(&facts.requested);
    let choices: Vec<Value> = reply.choices.iter().enumerate().map(write_choice).collect();
    let mut body = Map::new();
    body.insert("id".into(), id.into());
    body.insert("object".into(), "chat.completion".into());
    body.insert("created".into(), reply.created.unwrap_or(facts.now).into());
    body.insert("model".into(), model.into());
    body.insert("choices".into(), choices.into());
    if let Some(tokens) = &reply.usage {
        body.insert("usage".into(), usage::write(tokens));
        if let Some(tier) = &tokens.service_tier {
            body.insert("service_tier".into(), tier.as_str().into());
        }
    }
    Value::Object(body).to_string().into_bytes()
}

fn write_choice((index, choice): (usize, &Choice)) -> Value {
    let (reason, native) = marks::finish(&choice.finish);
    let mut written = Map::new();
    written.insert("index".into(), index.into());
    written.insert("message".into(), write_message(&choice.parts));
    written.insert("logprobs".into(), Value::Null);
    written.insert("finish_reason".into(), reason.into());
    if let Some(native) = native {
        written.insert("native_finish_reason".into(), native.into());
    }
    written.into()
}

fn write_message(parts: &[Part]) -> Value {
    let (mut content, mut refusal, mut reasoning) = (None, None, None);
    let mut calls = Vec::new();
    let mut audio = Value::Null;
    let join = |all: &mut Option<String>, text: &str| all.get_or_insert_default().push_str(text);
    for part in parts {
        match &part.payload {
            Payload::Text(text) => join(&mut content, text),
            Payload::Refusal(text) => join(&mut refusal, text),
            Payload::Thinking(thinking) if !thinking.text.is_empty() => {
                join(&mut reasoning, &thinking.text);
            }
            Payload::Call(call) => calls.push(tools::write_call(call)),
            Payload::Foreign { kind, value } if kind == "audio" => audio = value.clone(),
            // Blocks of another provider's own tools say nothing in this dialect.
            _ => {}
        }
    }
    let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
    let Some(members) = message.as_object_mut() else { return message };
    if let Some(reasoning) = reasoning {
        members.insert("reasoning_content".into(), reasoning.into());
    }
    if !calls.is_empty() {
        members.insert("tool_calls".into(), calls.into());
    }
    if !audio.is_null() {
        members.insert("audio".into(), audio);
    }
    message
}

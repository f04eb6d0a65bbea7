//! The plain answer.

use serde_json::{Value, json};

use super::finish_word;
use crate::Facts;
use crate::form::{Choice, Garbled, Part, Payload, Reply, Unreadable};
use crate::json::{self, Members};
use crate::openai_chat::{answer::tells, marks, usage};

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
    if reply.choices.is_empty() { Err(Garbled::Empty) } else { Ok(reply) }
}

fn read_members(members: &mut Members) -> Result<Reply, Unreadable> {
    let mut reply = Reply {
        id: members.text("id")?,
        model: members.text("model")?,
        created: members.count("created").unwrap_or_default(),
        usage: members.take("usage").and_then(usage::read),
        ..Reply::default()
    };
    for mut choice in members.objects("choices")?.unwrap_or_default() {
        let text = choice.text("text")?.filter(|text| !text.is_empty());
        let raw = choice.text("finish_reason")?.unwrap_or_default();
        let parts = text.map(Part::text).into_iter().collect();
        reply.choices.push(Choice { parts, finish: marks::meaning(&raw, false) });
    }
    Ok(reply)
}

/// Writes an answer: what the model says, without what it thinks.
#[must_use]
pub fn write(reply: &Reply, facts: &Facts) -> Vec<u8> {
    let choice = |(index, choice): (usize, &Choice)| {
        let text: String = choice.parts.iter().filter_map(said).collect();
        let reason = finish_word(&choice.finish);
        json!({"index": index, "text": text, "logprobs": null, "finish_reason": reason})
    };
    let choices: Vec<Value> = reply.choices.iter().enumerate().map(choice).collect();
    let mut body = json!({
        "id": reply.id.clone().unwrap_or_else(|| format!("cmpl-{}", facts.id)),
        "object": "text_completion",
        "created": reply.created.unwrap_or(facts.now),
        "model": reply.model.as_deref().unwrap_or(&facts.requested),
        "choices": choices,
    });
    if let Some(tokens) = &reply.usage {
        body["usage"] = usage::write(tokens);
    }
    body.to_string().into_bytes()
}

fn said(part: &Part) -> Option<&str> {
    match &part.payload {
        Payload::Text(text) | Payload::Refusal(text) => Some(text),
        _ => None,
    }
}

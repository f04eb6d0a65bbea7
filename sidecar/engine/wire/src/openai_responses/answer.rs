//! The plain answer.

use serde_json::Value;

use super::marks::{self, Status};
use super::response::{self, Head, State};
use super::{items, usage};
use crate::Facts;
use crate::form::{Choice, Garbled, Payload, Reply, Unreadable};
use crate::json::{self, Members};
use crate::openai_chat::answer::tells;

/// Reads an answer.
///
/// # Errors
/// It is cut, an error, or not finished (a background response).
pub fn read(body: &[u8]) -> Result<Reply, Garbled> {
    let mut members = json::parse(body).map_err(|_| Garbled::Malformed)?;
    let error = members.take("error").filter(tells);
    let status = members.text("status").map_err(|_| Garbled::Malformed)?;
    if let Some(error) = error {
        return Err(Garbled::Error(error.to_string()));
    }
    let mut reply = read_members(&mut members).map_err(|_| Garbled::Malformed)?;
    let parts = reply.choices.first().map_or(&[][..], |choice| &choice.parts);
    let has_calls = parts.iter().any(|part| matches!(part.payload, Payload::Call(_)));
    let details = members.take("incomplete_details");
    match marks::meaning(status.as_deref(), details.as_ref(), has_calls) {
        Status::Ended(finish) => {
            if let Some(choice) = reply.choices.first_mut() {
                choice.finish = finish;
            }
            Ok(reply)
        }
        Status::Failed => Err(Garbled::Error(UNSAID.into())),
        Status::Pending => Err(Garbled::Empty),
    }
}

/// The id of a response that is queued or being made (`background`); `None`: it is none of these.
#[must_use]
pub fn pending(body: &[u8]) -> Option<String> {
    let mut members = json::parse(body).ok()?;
    let status = members.text("status").ok()??;
    let pending = matches!(marks::meaning(Some(&status), None, false), Status::Pending);
    if pending { members.text("id").ok()? } else { None }
}

/// A failure without a word on it.
pub(super) const UNSAID: &str =
    r#"{"code":"server_error","message":"the provider's response failed or was cancelled"}"#;

fn read_members(members: &mut Members) -> Result<Reply, Unreadable> {
    let mut parts = Vec::new();
    let output = members.objects("output")?.ok_or_else(|| members.wrong("output", "an array"))?;
    for item in output {
        items::read(item, &mut parts)?;
    }
    let Status::Ended(finish) = marks::meaning(None, None, false) else {
        return Err(members.wrong("status", "completed"));
    };
    Ok(Reply {
        id: members.text("id")?,
        model: members.text("model")?,
        created: created(members),
        choices: vec![Choice { parts, finish }],
        usage: usage::read(members),
    })
}

/// `created_at`, which some servers give with a fraction.
pub(super) fn created(members: &mut Members) -> Option<u64> {
    let at = members.number("created_at").ok()??;
    at.as_u64().or_else(|| Some(at.as_f64()? as u64))
}

/// Writes an answer; a response has one choice.
#[must_use]
pub fn write(reply: &Reply, facts: &Facts) -> Vec<u8> {
    let (id, model) = (reply.id.clone(), reply.model.clone());
    let head = Head { id, model, created: reply.created };
    let choice = reply.choices.first();
    let (status, reason) =
        choice.map_or(("completed", None), |choice| marks::ending(&choice.finish));
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let shows = |part: &&_| items::shown(part, facts, 0).is_some();
    let last = parts.iter().filter(shows).count();
    let mut output: Vec<Value> = Vec::with_capacity(last);
    for part in parts {
        let place = output.len();
        let Some((kind, said)) = items::shown(part, facts, place) else { continue };
        // What was being said when the answer broke off is not whole.
        let status = if place + 1 == last { status } else { "completed" };
        let said = [said, kind.rest(said, status)].concat();
        output.push(kind.item(&kind.item_id(facts, place), status, Some(&said)));
    }
    let state = State { status, reason, error: None, usage: reply.usage.as_ref() };
    response::object(&head, facts, state, output).to_string().into_bytes()
}

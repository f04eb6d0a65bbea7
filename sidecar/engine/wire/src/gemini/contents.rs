//! Reading `systemInstruction` and `contents`.

use serde_json::Value;

use super::part::{self, Content};
use super::spelling::objects;
use crate::form::{
    Call, Conversation, Loss, Part, Payload, Role, Thinking, ToolResult, Turn, Unreadable,
};
use crate::json::{Members, unreadable};

/// Calls of the last turns that no result has answered: results may come without an id.
#[derive(Debug, Default)]
struct Unanswered(Vec<(String, String)>);

impl Unanswered {
    fn ask(&mut self, call: &Call) {
        self.0.push((call.name.clone(), call.id.clone()));
    }

    /// The call's id: the one that the result names, else the first of this function.
    fn answer(&mut self, id: Option<String>, name: &str) -> Option<String> {
        let place = match &id {
            Some(id) => self.0.iter().position(|(_, open)| open == id),
            None => self.0.iter().position(|(open, _)| open == name),
        };
        let found = place.map(|place| self.0.remove(place).1);
        id.or(found)
    }
}

/// Reads the system's instruction as a first turn.
pub(super) fn read_system(
    mut content: Members,
    conversation: &mut Conversation,
) -> Result<(), Unreadable> {
    let mut parts = Vec::new();
    for member in objects(&mut content, "parts")?.unwrap_or_default() {
        let wrong = member.wrong("text", "there: instructions are text");
        let Content::Text(text) = part::read(member)?.content else { return Err(wrong) };
        if !text.is_empty() {
            parts.push(Part::text(text));
        }
    }
    if !parts.is_empty() {
        conversation.turns.push(Turn { role: Role::System, parts });
    }
    Ok(())
}

/// Reads `contents`.
pub(super) fn read(
    contents: Vec<Members>,
    conversation: &mut Conversation,
) -> Result<(), Unreadable> {
    let (mut unanswered, mut before) = (Unanswered::default(), Role::User);
    for (turn, mut content) in contents.into_iter().enumerate() {
        let role = match content.text("role")?.as_deref() {
            None | Some("user" | "function" | "") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => return Err(content.wrong("role", "user or model")),
        };
        if role == Role::Assistant && before == Role::User {
            // Results answer the latest turn's calls; older ones that were never answered stay so.
            unanswered.0.clear();
        }
        before = role;
        let members = objects(&mut content, "parts")?.unwrap_or_default();
        let mut parts = Vec::with_capacity(members.len());
        for (place, member) in members.into_iter().enumerate() {
            parts.push(read_part(member, (turn, place), &mut unanswered, conversation)?);
        }
        drop_silence(role, &mut parts);
        if !parts.is_empty() {
            join(&mut conversation.turns, Turn { role, parts });
        }
    }
    Ok(())
}

/// Google's SDKs keep a streamed answer as one content a chunk: together they are one turn, or other
/// providers would miss the results right after the calls. So are results that come one by one.
fn join(turns: &mut Vec<Turn>, turn: Turn) {
    let is_result = |part: &Part| matches!(part.payload, Payload::Result(_));
    let goes_on = turns.last().is_some_and(|last| {
        let results = || last.parts.iter().chain(&turn.parts).all(is_result);
        last.role == turn.role && (turn.role == Role::Assistant || results())
    });
    match turns.last_mut().filter(|_| goes_on) {
        Some(last) => {
            turn.parts.into_iter().for_each(|part| part::join(&mut last.parts, part.payload))
        }
        None if turn.role == Role::Assistant => {
            let mut parts = Vec::with_capacity(turn.parts.len());
            turn.parts.into_iter().for_each(|part| part::join(&mut parts, part.payload));
            turns.push(Turn { role: turn.role, parts });
        }
        None => turns.push(turn),
    }
}

/// Streams end with an empty text, which clients send back: no other provider takes it. A user who says
/// nothing at all is kept, so that a turn is one.
fn drop_silence(role: Role, parts: &mut Vec<Part>) {
    let silent = |part: &Part| matches!(&part.payload, Payload::Text(text) if text.is_empty());
    let mute = role == Role::User && !parts.is_empty() && parts.iter().all(silent);
    parts.retain(|part| !silent(part));
    if mute {
        parts.push(Part::text(""));
    }
}

fn read_part(
    member: Members,
    (turn, place): (usize, usize),
    unanswered: &mut Unanswered,
    conversation: &mut Conversation,
) -> Result<Part, Unreadable> {
    let path = |name: &str| format!("contents[{turn}].parts[{place}].{name}");
    let part::Read { content, signature, rest } = part::read(member)?;
    for name in &rest {
        Loss::note(&mut conversation.lost, &path(name));
    }
    Ok(Part::from(match content {
        Content::Response(response) => {
            Payload::Result(read_result(response, (turn, place), unanswered, conversation)?)
        }
        Content::Partial(_) => {
            return Err(unreadable(&path("functionCall"), "whole: an object with name and args"));
        }
        Content::Call(mut call) => {
            if call.id.is_empty() {
                // From its place, so that the same history has the same ids in every request.
                call.id = format!("call_{turn}_{place}");
            }
            unanswered.ask(&call);
            Payload::Call(Call { signature, ..call })
        }
        Content::Thought(text) => {
            Payload::Thinking(Thinking { text, signature, ..Thinking::default() })
        }
        Content::Text(text) => {
            if signature.is_some() {
                Loss::note(&mut conversation.lost, &path("thoughtSignature"));
            }
            Payload::Text(text)
        }
        Content::Media(media) => Payload::Media(media),
        Content::Foreign { kind, value } => Payload::Foreign { kind, value },
    }))
}

fn read_result(
    mut response: Members,
    (turn, place): (usize, usize),
    unanswered: &mut Unanswered,
    conversation: &mut Conversation,
) -> Result<ToolResult, Unreadable> {
    let id = response.text("id")?.filter(|id| !id.is_empty());
    let name = response.required_text("name")?;
    // A result that answers no call keeps an id that nothing else has.
    let orphan = || format!("call_{turn}_{place}");
    let id = unanswered.answer(id, &name).unwrap_or_else(orphan);
    let (text, failed) = match response.take("response") {
        None => (String::new(), false),
        Some(Value::Object(map)) => outcome(map),
        Some(_) => return Err(response.wrong("response", "an object")),
    };
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(Part::text(text));
    }
    for member in objects(&mut response, "parts")?.unwrap_or_default() {
        let wrong = member.wrong("inlineData", "there, or fileData");
        let Content::Media(media) = part::read(member)?.content else { return Err(wrong) };
        parts.push(Payload::Media(media).into());
    }
    for name in response.rest().keys() {
        let path = format!("contents[{turn}].parts[{place}].functionResponse.{name}");
        Loss::note(&mut conversation.lost, &path);
    }
    Ok(ToolResult { id, name: Some(name), parts, failed })
}

/// Google's convention: `output` or `result` alone is what the function gave, `error` says that it failed;
/// anything else is its result as a whole.
fn outcome(map: serde_json::Map<String, Value>) -> (String, bool) {
    let failed = map.get("error").is_some_and(|error| !error.is_null());
    let mut members = map.iter();
    let text = match (members.next(), members.next()) {
        (Some((key, value)), None) if ["output", "result", "error"].contains(&key.as_str()) => {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        }
        _ => Value::Object(map).to_string(),
    };
    (text, failed)
}

//! Turns -> `instructions` and items of `input`.

use serde_json::{Value, json};

use super::content::{self, OWN, cannot, foreign};
use crate::form::{Call, Cannot, Dialect, Loss, Part, Payload, Role, Thinking, ToolResult, Turn};
use crate::openai_responses::items::{arguments, summary};

/// Items that are written one after the other.
pub(super) struct Items {
    /// Whose words the turns are.
    origin: Option<Dialect>,
    /// What stands in front of the input: the first turn, if it is one text of the system's.
    pub(super) instructions: Option<String>,
    /// `input`.
    pub(super) items: Vec<Value>,
    /// Ids of calls whose results are `custom_tool_call_output`s.
    custom: Vec<String>,
    /// Calls and results without an id so far: they belong together in their order.
    nameless: (usize, usize),
}

impl Items {
    pub(super) fn new(origin: Option<Dialect>, turns: usize) -> Self {
        let (instructions, custom) = (None, Vec::new());
        let items = Vec::with_capacity(turns);
        Self { origin, instructions, items, custom, nameless: (0, 0) }
    }

    pub(super) fn add(
        &mut self,
        (place, turn): (usize, &Turn),
        losses: &mut Vec<Loss>,
    ) -> Result<(), Cannot> {
        let path = format!("messages[{place}]");
        match turn.role {
            Role::System => self.add_system(place, turn, &path, losses),
            Role::User => self.add_user(turn, &path, losses),
            Role::Assistant => self.add_assistant(turn, &path, losses),
        }
    }

    fn add_system(
        &mut self,
        place: usize,
        turn: &Turn,
        path: &str,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Cannot> {
        if let (0, [Part { payload: Payload::Text(text), cache: None }]) =
            (place, turn.parts.as_slice())
        {
            self.instructions = Some(text.clone());
            return Ok(());
        }
        if turn.parts.is_empty() {
            return Ok(());
        }
        let parts: Vec<&Part> = turn.parts.iter().collect();
        self.message("system", content::write(&parts, path, self.origin, losses)?);
        Ok(())
    }

    fn message(&mut self, role: &str, content: Value) {
        self.items.push(json!({"type": "message", "role": role, "content": content}));
    }

    /// Results are items of their own, between what the user says before and after them.
    fn add_user(&mut self, turn: &Turn, path: &str, losses: &mut Vec<Loss>) -> Result<(), Cannot> {
        let mut said: Vec<&Part> = Vec::new();
        for part in &turn.parts {
            let item = self.own_item(part);
            if item.is_none() && !matches!(part.payload, Payload::Result(_)) {
                said.push(part);
                continue;
            }
            if !said.is_empty() {
                self.message("user", content::write(&said, path, self.origin, losses)?);
                said.clear();
            }
            self.items.extend(item);
            let Payload::Result(result) = &part.payload else { continue };
            if part.cache.is_some() {
                Loss::note(losses, "cache_control");
            }
            self.result(result, path, losses)?;
        }
        if !said.is_empty() || turn.parts.is_empty() {
            self.message("user", content::write(&said, path, self.origin, losses)?);
        }
        Ok(())
    }

    fn result(
        &mut self,
        result: &ToolResult,
        path: &str,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Cannot> {
        if result.failed {
            Loss::note(losses, "is_error");
        }
        let id = named(&result.id, &mut self.nameless.1);
        let custom = self.custom.contains(&id);
        let kind = if custom { "custom_tool_call_output" } else { "function_call_output" };
        let parts: Vec<&Part> = result.parts.iter().collect();
        let output = content::write(&parts, path, self.origin, losses)?;
        self.items.push(json!({"type": kind, "call_id": id, "output": output}));
        Ok(())
    }

    fn add_assistant(
        &mut self,
        turn: &Turn,
        path: &str,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Cannot> {
        for part in &turn.parts {
            if part.cache.is_some() {
                Loss::note(losses, "cache_control");
            }
            match &part.payload {
                Payload::Text(text) => self.message("assistant", text.as_str().into()),
                Payload::Refusal(text) => {
                    self.message("assistant", json!([{"type": "refusal", "refusal": text}]));
                }
                Payload::Thinking(thinking) if self.origin == OWN => {
                    self.items.push(reasoning(thinking));
                }
                // Another provider's reasoning is worth nothing here, and signed with another key.
                Payload::Thinking(_) => Loss::note(losses, "thinking"),
                Payload::Call(call) => {
                    if call.signature.is_some() {
                        Loss::note(losses, "thinking");
                    }
                    self.call(call);
                }
                Payload::Media(_) => {
                    let why = "is no text, and this format takes nothing else as the model's; leave it out";
                    return Err(cannot(path, why));
                }
                Payload::Result(_) => {
                    let why = "holds a tool's result; put it into the turn that follows";
                    return Err(cannot(path, why));
                }
                Payload::Foreign { value, .. } if self.origin == OWN => match self.own_item(part) {
                    Some(item) => self.items.push(item),
                    None => self.message("assistant", json!([value])),
                },
                Payload::Foreign { .. } => return Err(foreign(path)),
            }
        }
        Ok(())
    }

    /// An item that only this dialect knows; parts of messages have kinds that begin with a direction.
    fn own_item(&self, part: &Part) -> Option<Value> {
        match &part.payload {
            Payload::Foreign { kind, value } if self.origin == OWN => {
                let is_part = kind.starts_with("input_") || kind.starts_with("output_");
                (!is_part).then(|| value.clone())
            }
            _ => None,
        }
    }

    fn call(&mut self, call: &Call) {
        let id = named(&call.id, &mut self.nameless.0);
        let item = if call.custom {
            json!({"type": "custom_tool_call", "call_id": id, "name": call.name, "input": call.arguments})
        } else {
            let arguments = arguments(&call.arguments);
            json!({"type": "function_call", "call_id": id, "name": call.name, "arguments": arguments})
        };
        self.items.push(item);
        if call.custom {
            self.custom.push(id);
        }
    }
}

/// Reasoning of the same provider, byte for byte.
fn reasoning(thinking: &Thinking) -> Value {
    let text = Some(thinking.text.as_str()).filter(|text| !text.is_empty());
    let summary: Vec<Value> = text.map(summary).into_iter().collect();
    let mut item = json!({"type": "reasoning", "summary": summary});
    if let Some(id) = &thinking.id {
        item["id"] = id.as_str().into();
    }
    if let Some(signature) = &thinking.signature {
        item["encrypted_content"] = signature.as_str().into();
    }
    item
}

/// The id, or one from its place among those that have none.
fn named(id: &str, nameless: &mut usize) -> String {
    if !id.is_empty() {
        return id.to_owned();
    }
    *nameless += 1;
    format!("call_{nameless}")
}

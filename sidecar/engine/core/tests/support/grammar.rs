//! What any chat stream that leaves Pointsman must look like, checked without a line of the engine:
//! whole events, chunks of one answer, deltas before their choice's finish, tool calls in order, at
//! most one ending and nothing after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How a well-formed stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was sent.
    Empty,
    /// Every choice finished, then `[DONE]`.
    Done,
    /// Every choice finished, no `[DONE]`: complete only for callers of a server that ends so.
    Finished,
    /// An error event is the last thing: SDKs raise.
    Failed,
    /// It just stops: an SDK would take it for complete.
    Open,
}

#[derive(Default)]
struct Stream {
    id: Option<String>,
    begun: BTreeSet<u64>,
    finished: BTreeSet<u64>,
    tools: BTreeMap<u64, u64>,
    ending: Option<Verdict>,
}

/// Checks a whole body.
///
/// # Errors
/// Says which rule is broken.
pub(crate) fn check(body: &[u8]) -> Result<Verdict, String> {
    let text = std::str::from_utf8(body).map_err(|e| format!("not UTF-8: {e}"))?;
    let text = text.replace("\r\n", "\n");
    if text.is_empty() {
        return Ok(Verdict::Empty);
    }
    if !text.ends_with("\n\n") {
        return Err("the last event is not whole".to_owned());
    }
    let mut stream = Stream::default();
    for event in text.split("\n\n") {
        let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        if !data.is_empty() {
            stream.event(data.join("\n").trim())?;
        }
    }
    let complete = !stream.begun.is_empty() && stream.begun == stream.finished;
    Ok(match stream.ending {
        Some(ending) => ending,
        None if complete => Verdict::Finished,
        None => Verdict::Open,
    })
}

impl Stream {
    fn event(&mut self, data: &str) -> Result<(), String> {
        if self.ending.is_some() {
            return Err(format!("an event after the ending: {data}"));
        }
        if data == "[DONE]" {
            if self.begun.is_empty() || self.begun != self.finished {
                return Err("[DONE] before every choice finished".to_owned());
            }
            self.ending = Some(Verdict::Done);
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(data).map_err(|e| format!("{e}: {data}"))?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            error["message"].as_str().ok_or("an error without message")?;
            self.ending = Some(Verdict::Failed);
            return Ok(());
        }
        self.same_answer(&chunk)?;
        for choice in chunk["choices"].as_array().ok_or("a chunk without choices")? {
            self.choice(choice)?;
        }
        Ok(())
    }

    fn same_answer(&mut self, chunk: &Value) -> Result<(), String> {
        if chunk["object"] != "chat.completion.chunk" {
            return Err(format!("not a chunk: {chunk}"));
        }
        let id = chunk["id"].as_str().ok_or("a chunk without id")?;
        if self.id.get_or_insert_with(|| id.to_owned()) == id {
            Ok(())
        } else {
            Err(format!("chunks of two answers: {id}"))
        }
    }

    fn choice(&mut self, choice: &Value) -> Result<(), String> {
        let index = choice["index"].as_u64().ok_or("a choice without index")?;
        self.begun.insert(index);
        let delta = &choice["delta"];
        let has_text = |name: &str| delta[name].as_str().is_some_and(|text| !text.is_empty());
        let calls = delta["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        let says = has_text("content") || has_text("refusal") || !calls.is_empty();
        if says && self.finished.contains(&index) {
            return Err(format!("choice {index} goes on after its finish"));
        }
        for call in calls {
            self.tool_call(index, call)?;
        }
        if choice["finish_reason"].is_string() && !self.finished.insert(index) {
            return Err(format!("choice {index} finishes twice"));
        }
        Ok(())
    }

    /// Calls come in the order of their index; the first fragment has id and name.
    fn tool_call(&mut self, choice: u64, call: &Value) -> Result<(), String> {
        let index = call["index"].as_u64().ok_or("a tool call without index")?;
        let known = self.tools.entry(choice).or_insert(0);
        if index == *known {
            *known += 1;
            let named = call["id"].is_string() && call["function"]["name"].is_string();
            return named.then_some(()).ok_or_else(|| format!("tool call {index} has no name"));
        }
        if index < *known { Ok(()) } else { Err(format!("tool call {index} out of order")) }
    }
}

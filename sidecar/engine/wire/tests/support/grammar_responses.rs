//! The grammar of Responses' streams: a state machine over raw bytes.

use serde_json::{Value, json};

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the whole response.
    Whole,
    /// With the error and the failed response.
    Failed,
    /// In the middle: whoever reads it cannot take it for whole.
    Cut,
}

#[derive(Default)]
struct Checker {
    sequence: Option<u64>,
    events: usize,
    items: Vec<Value>,
    /// The item that is open, and the events that may come next in it.
    item: Option<Value>,
    content: Option<Value>,
    said: String,
    text_done: bool,
    error: bool,
    end: Option<End>,
}

/// Checks a stream, whole or cut anywhere.
///
/// # Errors
/// What breaks the grammar.
pub(crate) fn check(stream: &[u8]) -> Result<End, String> {
    let mut checker = Checker::default();
    let text = std::str::from_utf8(stream).unwrap_or_else(|error| {
        std::str::from_utf8(&stream[..error.valid_up_to()]).unwrap_or_default()
    });
    let mut rest = text;
    while let Some((frame, more)) = rest.split_once("\n\n") {
        checker.frame(frame)?;
        rest = more;
    }
    if checker.end.is_some() && !rest.is_empty() {
        return Err(format!("after the end: {rest}"));
    }
    Ok(checker.end.unwrap_or(End::Cut))
}

fn ensure(holds: bool, what: &str, event: &Value) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: {event}")) }
}

impl Checker {
    fn frame(&mut self, frame: &str) -> Result<(), String> {
        let lines: Vec<&str> = frame.split('\n').collect();
        let [name, data] = lines.as_slice() else { return Err(format!("not two lines: {frame}")) };
        let name = name.strip_prefix("event: ").ok_or("no event line")?;
        let data = data.strip_prefix("data: ").ok_or("no data line")?;
        let event: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        ensure(event["type"] == name, "type is the event's name", &event)?;
        ensure(self.end.is_none(), "nothing after the end", &event)?;
        let number = event["sequence_number"].as_u64();
        ensure(number.is_some() && number > self.sequence, "numbers increase", &event)?;
        self.sequence = number;
        self.events += 1;
        match (self.events, name) {
            (_, "error") => {
                self.error = true;
                ensure(event["error"]["message"].is_string(), "SDKs raise at error", &event)
            }
            (_, "response.failed") => {
                self.end = Some(End::Failed);
                ensure(self.error && event["response"]["status"] == "failed", "failed", &event)
            }
            _ if self.error => Err(format!("after an error: {event}")),
            (1, "response.created") | (2, "response.in_progress") => self.begins(&event),
            (1 | 2, _) => Err(format!("before the beginning: {event}")),
            (_, "response.completed" | "response.incomplete") => self.ends(name, &event),
            _ => self.in_item(name, &event),
        }
    }

    fn begins(&self, event: &Value) -> Result<(), String> {
        let response = &event["response"];
        let open = response["status"] == "in_progress" && response["output"] == json!([]);
        ensure(open && response["id"].is_string(), "an empty response begins", event)
    }

    fn ends(&mut self, name: &str, event: &Value) -> Result<(), String> {
        let response = &event["response"];
        self.end = Some(End::Whole);
        ensure(self.item.is_none(), "no item is open at the end", event)?;
        ensure(response["output"] == json!(self.items), "the output is what was told", event)?;
        let status = name.strip_prefix("response.").unwrap_or_default();
        ensure(response["status"] == status, "status and event agree", event)?;
        let reasoned = response["incomplete_details"]["reason"].is_string();
        ensure(reasoned == (status == "incomplete"), "incomplete says why", event)
    }

    fn in_item(&mut self, name: &str, event: &Value) -> Result<(), String> {
        ensure(event["output_index"] == json!(self.items.len()), "items follow", event)?;
        if name == "response.output_item.added" {
            ensure(self.item.is_none(), "one item at a time", event)?;
            self.item = Some(event["item"].clone());
            (self.said, self.text_done, self.content) = (String::new(), false, None);
            return ensure(event["item"]["id"].is_string(), "items have ids", event);
        }
        let Some(item) = self.item.clone() else { return Err(format!("in no item: {event}")) };
        if name == "response.output_item.done" {
            return self.item_done(&item, event);
        }
        ensure(event["item_id"] == item["id"], "it names its item", event)?;
        let kind = item["type"].as_str().unwrap_or_default();
        match (kind, name) {
            ("message", "response.content_part.added")
            | ("reasoning", "response.reasoning_summary_part.added") => {
                ensure(self.content.is_none(), "one content at a time", event)?;
                self.content = Some(event["part"].clone());
                Ok(())
            }
            ("message", "response.output_text.delta" | "response.refusal.delta")
            | ("reasoning", "response.reasoning_summary_text.delta") => {
                ensure(self.content.is_some(), "the content has begun", event)?;
                self.delta(event)
            }
            ("function_call", "response.function_call_arguments.delta")
            | ("custom_tool_call", "response.custom_tool_call_input.delta") => self.delta(event),
            ("message", "response.output_text.done")
            | ("reasoning", "response.reasoning_summary_text.done") => self.said("text", event),
            ("message", "response.refusal.done") => self.said("refusal", event),
            ("function_call", "response.function_call_arguments.done") => {
                self.said("arguments", event)
            }
            ("custom_tool_call", "response.custom_tool_call_input.done") => {
                self.said("input", event)
            }
            ("message", "response.content_part.done")
            | ("reasoning", "response.reasoning_summary_part.done") => {
                ensure(self.text_done, "its text is done", event)?;
                self.content = Some(event["part"].clone());
                let key = if event["part"]["type"] == "refusal" { "refusal" } else { "text" };
                ensure(event["part"][key] == json!(self.said), "it has its text", event)
            }
            _ => Err(format!("not in a {kind}: {event}")),
        }
    }

    fn delta(&mut self, event: &Value) -> Result<(), String> {
        ensure(!self.text_done, "no delta after done", event)?;
        let delta = event["delta"].as_str().unwrap_or_default();
        self.said.push_str(delta);
        ensure(!delta.is_empty(), "deltas say something", event)
    }

    fn said(&mut self, key: &str, event: &Value) -> Result<(), String> {
        ensure(!self.text_done, "done once", event)?;
        self.text_done = true;
        ensure(event[key] == json!(self.said), "done says what the deltas said", event)
    }

    fn item_done(&mut self, added: &Value, event: &Value) -> Result<(), String> {
        let item = &event["item"];
        let same = |key: &str| item[key] == added[key];
        ensure(same("id") && same("type") && same("call_id") && same("name"), "same item", event)?;
        let whole = match item["type"].as_str() {
            Some("message") => {
                item["content"] == json!([self.content])
                    && ["completed", "incomplete"].contains(&item["status"].as_str().unwrap_or(""))
            }
            Some("reasoning") => {
                let blocks: Vec<&Value> = self.content.iter().collect();
                self.text_done = true;
                item["summary"] == json!(blocks)
            }
            Some("function_call") => item["arguments"] == json!(self.said),
            Some("custom_tool_call") => item["input"] == json!(self.said),
            _ => false,
        };
        ensure(whole && self.text_done, "the item says what was told", event)?;
        self.items.push(item.clone());
        self.item = None;
        Ok(())
    }
}

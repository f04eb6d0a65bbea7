//! What a stream of Anthropic's may look like, byte by byte, and what a client makes of it.

use serde_json::{Map, Value, json};

/// How far a lawful stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its end has not come.
    Incomplete,
    /// It ended properly.
    Complete,
    /// It ended with an error.
    Failed,
}

const REASONS: [&str; 7] = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
];

#[derive(Debug, Default)]
struct Checker {
    message: Option<Value>,
    open: Option<Open>,
    stopping: bool,
    over: Option<Verdict>,
}

#[derive(Debug)]
struct Open {
    kind: String,
    arguments: String,
    signed: bool,
    deltas: usize,
}

/// Checks a stream; what breaks the grammar is told.
pub(crate) fn check(bytes: &[u8]) -> Result<Verdict, String> {
    walk(bytes).map(|checker| checker.over.unwrap_or(Verdict::Incomplete))
}

/// The message that Anthropic's SDKs make of a complete stream.
pub(crate) fn message(bytes: &[u8]) -> Value {
    let checker = walk(bytes).unwrap();
    assert_eq!(checker.over, Some(Verdict::Complete));
    checker.message.unwrap()
}

fn walk(bytes: &[u8]) -> Result<Checker, String> {
    let mut checker = Checker::default();
    let mut rest = bytes;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
        let (frame, after) = rest.split_at(end);
        rest = &after[2..];
        checker.frame(frame).map_err(|why| format!("{why}: {}", String::from_utf8_lossy(frame)))?;
    }
    if checker.over.is_some() && !rest.is_empty() {
        return Err("bytes after the end".into());
    }
    Ok(checker)
}

fn need(condition: bool, why: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(why.to_owned()) }
}

impl Checker {
    fn frame(&mut self, frame: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(frame).map_err(|_| "not UTF-8")?;
        let (name, data) = text.split_once('\n').ok_or("one line")?;
        let name = name.strip_prefix("event: ").ok_or("no event name")?;
        let data = data.strip_prefix("data: ").ok_or("no data")?;
        need(!data.contains(['\n', '\r']), "more than one line of data")?;
        let told: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        need(told["type"] == name, "name and type differ")?;
        need(self.over.is_none(), "an event after the end")?;
        if name == "error" {
            need(told["error"]["type"].is_string(), "an error without a type")?;
            need(told["error"]["message"].is_string(), "an error without words")?;
            self.over = Some(Verdict::Failed);
            return Ok(());
        }
        need((name == "message_start") == self.message.is_none(), "not one message_start first")?;
        match name {
            "message_start" => self.start(&told["message"]),
            "content_block_start" => self.open(&told),
            "content_block_delta" => self.delta(&told),
            "content_block_stop" => self.close(&told),
            "message_delta" => self.stopping(&told),
            "message_stop" => {
                need(self.stopping, "message_stop without message_delta")?;
                self.over = Some(Verdict::Complete);
                Ok(())
            }
            "ping" => Ok(()),
            _ => Err("an unknown event".into()),
        }
    }

    fn start(&mut self, message: &Value) -> Result<(), String> {
        need(message["type"] == "message" && message["role"] == "assistant", "no message")?;
        need(message["id"].as_str().is_some_and(|id| !id.is_empty()), "no id")?;
        need(message["model"].is_string(), "no model")?;
        need(message["content"] == json!([]), "content at the start")?;
        need(message["stop_reason"].is_null(), "a stop reason at the start")?;
        need(message["usage"]["input_tokens"].is_u64(), "no input tokens at the start")?;
        need(message["usage"]["output_tokens"].is_u64(), "no output tokens at the start")?;
        self.message = Some(message.clone());
        Ok(())
    }

    fn content(&mut self) -> &mut Vec<Value> {
        self.message.as_mut().unwrap()["content"].as_array_mut().unwrap()
    }

    fn open(&mut self, told: &Value) -> Result<(), String> {
        need(self.open.is_none() && !self.stopping, "two blocks at once")?;
        need(told["index"] == json!(self.content().len()), "an index out of turn")?;
        let block = &told["content_block"];
        let kind = block["type"].as_str().ok_or("a block without a type")?.to_owned();
        match kind.as_str() {
            "text" => need(block["text"] == "", "text that is not empty")?,
            "thinking" => {
                need(block["thinking"] == "" && block["signature"] == "", "thoughts not empty")?;
            }
            "redacted_thinking" => {
                need(block["data"].as_str().is_some_and(|data| !data.is_empty()), "no data")?;
            }
            "tool_use" => {
                need(block["input"] == json!({}) && block["name"].is_string(), "no call")?;
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let id = block["id"].as_str().unwrap_or_default();
                need(!id.is_empty() && id.chars().all(fits), "an unlawful id")?;
            }
            _ => return Err("an unknown block".into()),
        }
        self.content().push(block.clone());
        self.open = Some(Open { kind, arguments: String::new(), signed: false, deltas: 0 });
        Ok(())
    }

    fn delta(&mut self, told: &Value) -> Result<(), String> {
        let Some(mut open) = self.open.take() else { return Err("no open block".into()) };
        need(told["index"] == json!(self.content().len() - 1), "another block's index")?;
        let delta = &told["delta"];
        let word = |key: &str| delta[key].as_str().ok_or("a delta without words".to_owned());
        open.deltas += 1;
        let block = self.content().last_mut().unwrap();
        let grow = |block: &mut Value, key: &str, more: &str| {
            block[key] = (block[key].as_str().unwrap().to_owned() + more).into();
        };
        match (open.kind.as_str(), delta["type"].as_str().unwrap_or_default()) {
            ("text", "text_delta") => {
                need(!word("text")?.is_empty(), "an empty delta")?;
                grow(block, "text", word("text")?);
            }
            ("thinking", "thinking_delta") => {
                need(!open.signed, "a thought after its signature")?;
                grow(block, "thinking", word("thinking")?);
            }
            ("thinking", "signature_delta") => {
                need(!open.signed, "two signatures")?;
                open.signed = true;
                block["signature"] = word("signature")?.into(); // SDKs replace
            }
            ("tool_use", "input_json_delta") => open.arguments.push_str(word("partial_json")?),
            _ => return Err("a delta of another kind".into()),
        }
        self.open = Some(open);
        Ok(())
    }

    fn close(&mut self, told: &Value) -> Result<(), String> {
        let Some(open) = self.open.take() else { return Err("no open block".into()) };
        need(told["index"] == json!(self.content().len() - 1), "another block's index")?;
        let whole = matches!(open.kind.as_str(), "tool_use" | "redacted_thinking");
        need(open.deltas > 0 || whole, "an empty block")?;
        if !open.arguments.trim().is_empty() {
            let read = serde_json::from_str::<Map<String, Value>>(&open.arguments);
            let input = read.map_or_else(|_| json!({"INVALID_JSON": open.arguments}), Value::from);
            self.content().last_mut().unwrap()["input"] = input;
        }
        Ok(())
    }

    fn stopping(&mut self, told: &Value) -> Result<(), String> {
        need(self.open.is_none() && !self.stopping, "not all blocks are closed, or stopped twice")?;
        let reason = told["delta"]["stop_reason"].as_str().unwrap_or_default();
        need(REASONS.contains(&reason), "an unknown stop reason")?;
        need(told["usage"]["output_tokens"].is_u64(), "no output tokens")?;
        let message = self.message.as_mut().unwrap();
        for part in [&told["delta"], &json!({"usage": told["usage"]})] {
            for (key, value) in part.as_object().unwrap() {
                message[key] = value.clone();
            }
        }
        self.stopping = true;
        Ok(())
    }
}

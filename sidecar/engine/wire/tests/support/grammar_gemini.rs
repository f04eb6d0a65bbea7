//! What any stream on Gemini's surface must look like, checked on raw bytes without a line of the crate:
//! whole chunks of one answer, parts of one kind each, nothing of a candidate after its `finishReason`,
//! at most one ending and nothing after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Deserializer, Map, Value};

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every candidate finished; an array is closed too.
    Complete,
    /// An error is the last thing: SDKs raise.
    Failed,
    /// It just stops.
    Incomplete,
}

#[derive(Default)]
struct Stream {
    /// `responseId` and `modelVersion`, the same in every chunk.
    of: Option<(Value, Value)>,
    begun: BTreeSet<u64>,
    finished: BTreeMap<u64, String>,
    failed: bool,
}

/// Checks a body of `alt=sse`.
///
/// # Errors
/// Says which rule is broken.
pub(crate) fn events(body: &[u8]) -> Result<Verdict, String> {
    let mut stream = Stream::default();
    let mut rest = body;
    while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
        let (event, after) = rest.split_at(end);
        let data = event.strip_prefix(b"data: ").ok_or("an event is not one data line")?;
        if data.contains(&b'\n') || data.contains(&b'\r') {
            return Err("an event's data is not one line".to_owned());
        }
        stream.chunk(serde_json::from_slice(data).map_err(|e| format!("not JSON: {e}"))?)?;
        rest = &after[4..];
    }
    Ok(if rest.is_empty() { stream.verdict() } else { Verdict::Incomplete })
}

/// Checks a body without `alt=sse`.
///
/// # Errors
/// Says which rule is broken.
pub(crate) fn array(body: &[u8]) -> Result<Verdict, String> {
    let mut stream = Stream::default();
    let Some(mut rest) = body.strip_prefix(b"[") else {
        return if body.is_empty() { Ok(Verdict::Incomplete) } else { Err("no array".to_owned()) };
    };
    loop {
        let mut values = Deserializer::from_slice(rest).into_iter::<Value>();
        let chunk = match values.next() {
            None => return Ok(Verdict::Incomplete),
            Some(Err(error)) if error.is_eof() => return Ok(Verdict::Incomplete),
            Some(Err(error)) => return Err(format!("not JSON: {error}")),
            Some(Ok(chunk)) => chunk,
        };
        stream.chunk(chunk)?;
        rest = rest[values.byte_offset()..].trim_ascii_start();
        match rest.split_first() {
            None if stream.failed => return Ok(Verdict::Failed),
            None => return Ok(Verdict::Incomplete),
            Some((b',', after)) => rest = after,
            Some((b']', [])) if stream.failed => return Err("closed after an error".to_owned()),
            Some((b']', [])) => {
                return match stream.verdict() {
                    Verdict::Complete => Ok(Verdict::Complete),
                    _ => Err("closed before every candidate finished".to_owned()),
                };
            }
            Some(_) => return Err("something after the end".to_owned()),
        }
    }
}

impl Stream {
    fn chunk(&mut self, chunk: Value) -> Result<(), String> {
        if self.failed {
            return Err("something after an error".to_owned());
        }
        let Value::Object(chunk) = chunk else { return Err("a chunk is no object".to_owned()) };
        if let Some(error) = chunk.get("error") {
            self.failed = true;
            let code = error["code"].as_u64().is_some_and(|code| (400..600).contains(&code));
            return if code && error["status"].is_string() {
                Ok(())
            } else {
                Err("no error".into())
            };
        }
        let member = |key: &str| chunk.get(key).cloned().ok_or(format!("no {key}"));
        let of = (member("responseId")?, member("modelVersion")?);
        if *self.of.get_or_insert_with(|| of.clone()) != of {
            return Err("chunks of several answers".to_owned());
        }
        let candidates = chunk.get("candidates").and_then(Value::as_array);
        for candidate in candidates.filter(|list| !list.is_empty()).ok_or("no candidates")? {
            self.candidate(candidate)?;
        }
        if let Some(usage) = chunk.get("usageMetadata") {
            let sum = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"];
            let sum: Option<u64> = sum.iter().map(|key| usage[*key].as_u64()).sum();
            if sum.is_none() || sum != usage["totalTokenCount"].as_u64() {
                return Err(format!("usage does not add up: {usage}"));
            }
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: &Value) -> Result<(), String> {
        let index = candidate["index"].as_u64().ok_or("a candidate without index")?;
        if self.finished.contains_key(&index) {
            return Err("a candidate goes on after its finishReason".to_owned());
        }
        self.begun.insert(index);
        if candidate["content"]["role"] != "model" {
            return Err("a candidate that is not the model".to_owned());
        }
        let parts = candidate["content"]["parts"].as_array().ok_or("no parts")?;
        if parts.is_empty() {
            return Err("SDKs forget a turn whose content has no parts".to_owned());
        }
        parts.iter().try_for_each(|part| check(part.as_object().ok_or("a part is no object")?))?;
        if let Some(reason) = candidate.get("finishReason") {
            let reason = reason.as_str().filter(|word| !word.is_empty()).ok_or("no reason")?;
            self.finished.insert(index, reason.to_owned());
        }
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        let whole = !self.begun.is_empty() && self.begun.iter().eq(self.finished.keys());
        match (self.failed, whole) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::Complete,
            (false, false) => Verdict::Incomplete,
        }
    }
}

fn check(part: &Map<String, Value>) -> Result<(), String> {
    let data = ["text", "functionCall", "inlineData", "fileData", "executableCode"];
    if data.iter().filter(|key| part.contains_key(**key)).count() != 1 {
        return Err(format!("a part must be of one kind: {part:?}"));
    }
    if let Some(call) = part.get("functionCall")
        && !(call["name"].is_string() && call["args"].is_object())
    {
        return Err(format!("a call is not whole: {call}"));
    }
    Ok(())
}

//! OpenAI chat completions and embeddings: what a stream's chunk and a plain answer say, by the members that matter.
//! `sse` reads chunks here as they pass; `answer` reads plain bodies. Nothing is built, texts are only measured.

use pointsman_wire::form::{EmbeddingReply, Payload, Reply};

use super::cursor::Cursor;
use crate::limits;
use crate::usage::Usage;

/// What one `chat.completion.chunk` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// `id`, raw.
    pub id: Option<&'a [u8]>,
    /// `usage` (or Groq's `x_groq.usage`), raw; `null` is none.
    pub usage: Option<&'a [u8]>,
    /// Top-level `error` (or Groq's), raw; `null`, `false` and an empty text are none, as for SDKs.
    pub error: Option<&'a [u8]>,
    /// `service_tier`, raw: the tier that is billed.
    pub service_tier: Option<&'a [u8]>,
    /// Bit per choice that has an entry here.
    pub choices: u128,
    /// Bit per choice whose `finish_reason` is a text.
    pub finished: u128,
    /// A choice finished with `error`: the provider broke off.
    pub finished_by_error: bool,
    /// Bytes of the texts in the deltas, as escaped on the wire (so never fewer than the texts have);
    /// `role` and `type` are not output and do not count, ids of tool calls do.
    pub delta_bytes: u64,
    /// A delta carries content, refusal, tool call, reasoning or audio.
    pub output: bool,
    /// The last text in a delta, and how many there are.
    text: &'a [u8],
    texts: u32,
}

impl<'a> Chunk<'a> {
    /// Reads the data of one event; `None`: it is no JSON object of a chunk's form.
    #[must_use]
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let mut chunk = Self::default();
        let mut cursor = Cursor::new(data);
        cursor.object(|cursor, key| {
            match key {
                b"choices" if cursor.peek()? == b'[' => {
                    cursor.array(|cursor| chunk.choice(cursor))?;
                }
                b"id" => chunk.id = text(cursor)?.or(chunk.id),
                b"usage" => chunk.usage = not_null(cursor)?.or(chunk.usage),
                b"error" => chunk.error = error(cursor)?.or(chunk.error),
                b"service_tier" => chunk.service_tier = text(cursor)?.or(chunk.service_tier),
                b"x_groq" if cursor.peek()? == b'{' => chunk.groq(cursor)?,
                _ => drop(cursor.value()?),
            }
            Some(())
        })?;
        cursor.at_end().then_some(chunk)
    }

    /// The event that carries usage and nothing else.
    #[must_use]
    pub const fn is_usage_only(&self) -> bool {
        self.usage.is_some() && self.choices == 0
    }

    /// Where in `data`, from which this was read, the one text of a chunk stands that says nothing else.
    #[must_use]
    pub fn only_text(&self, data: &[u8]) -> Option<(usize, usize)> {
        let silent = self.usage.is_none() && self.error.is_none() && self.finished == 0;
        if !silent || self.texts != 1 || self.delta_bytes != self.text.len() as u64 {
            return None;
        }
        let start = (self.text.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
        let end = start + self.text.len();
        (end <= data.len()).then_some((start, end))
    }

    fn choice(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        let (mut index, mut finished) = (0_u32, false);
        cursor.object(|cursor, key| {
            match key {
                b"index" => index = number(cursor.value()?)?,
                b"delta" if cursor.peek()? == b'{' => self.delta(cursor, 0)?,
                b"finish_reason" => {
                    let reason = text(cursor)?.unwrap_or_default();
                    finished = !reason.is_empty();
                    self.finished_by_error |= reason == b"error";
                }
                _ => drop(cursor.value()?),
            }
            Some(())
        })?;
        let bit = 1_u128.checked_shl(index)?;
        self.choices |= bit;
        self.finished |= if finished { bit } else { 0 };
        Some(())
    }

    /// Measures the texts of a delta, at whatever depth they stand.
    fn delta(&mut self, cursor: &mut Cursor<'a>, depth: usize) -> Option<()> {
        if depth > limits::DELTA_DEPTH {
            return None;
        }
        match cursor.peek()? {
            b'{' => cursor.object(|cursor, key| match key {
                b"role" | b"type" => cursor.value().map(drop),
                b"id" => {
                    self.delta_bytes += cursor.value()?.len() as u64;
                    Some(())
                }
                _ => self.delta(cursor, depth + 1),
            }),
            b'[' => cursor.array(|cursor| self.delta(cursor, depth + 1)),
            b'"' => {
                let text = cursor.string()?;
                self.delta_bytes += text.len() as u64;
                self.output |= !text.is_empty();
                (self.text, self.texts) = (text, self.texts + 1);
                Some(())
            }
            _ => cursor.value().map(drop),
        }
    }

    fn groq(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        cursor.object(|cursor, key| {
            match key {
                b"usage" => self.usage = self.usage.or(not_null(cursor)?),
                b"error" => self.error = self.error.or(error(cursor)?),
                _ => drop(cursor.value()?),
            }
            Some(())
        })
    }
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    if cursor.peek()? == b'"' { cursor.string().map(Some) } else { cursor.value().map(|_| None) }
}

fn not_null<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    cursor.value().map(|value| (value != b"null").then_some(value))
}

fn error<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    let value = cursor.value()?;
    Some((!matches!(value, b"null" | b"false" | b"\"\"")).then_some(value))
}

fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The `model` that an answer names, or the first event of a stream; what follows it is not read.
#[must_use]
pub fn model_named(answer: &[u8]) -> Option<String> {
    let data = answer.strip_prefix(b"data:").unwrap_or(answer);
    let mut found = None;
    let until_found = Cursor::new(data).object(|cursor, key| {
        if key != b"model" {
            return cursor.value().map(drop);
        }
        found = Some(cursor.value()?);
        None
    });
    // An object that was read to its end has none.
    if until_found.is_some() { None } else { serde_json::from_slice(found?).ok() }
}

/// What a plain (not streamed) answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// As billed; `None`: the provider did not say.
    pub usage: Option<Usage>,
    /// Bytes of the choices' messages as they stand: never fewer than the answer's tokens.
    pub output_bytes: u64,
    /// It is still being made: what it costs is not known yet.
    pub pending: bool,
}

/// Why a 200 is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The body is cut or no JSON object.
    #[error("the body is cut or is not JSON")]
    NotJson,
    /// It holds an `error` instead.
    #[error("the body holds an error")]
    ErrorBody,
    /// It holds neither choices nor data.
    #[error("the body holds no answer")]
    Empty,
}

/// The members of a plain answer that matter, raw.
#[derive(Default)]
struct Body<'a> {
    id: Option<&'a [u8]>,
    usage: Option<&'a [u8]>,
    choices: usize,
    message_bytes: u64,
    embeddings: usize,
    error: bool,
}

impl Answer {
    /// Reads a chat completion: a body that is cut, holds an error or has no choices is no answer.
    ///
    /// # Errors
    /// `NoAnswer` says which; the attempt failed and is never booked as zero.
    pub fn chat(body: &[u8]) -> Result<Self, NoAnswer> {
        let read = Body::read(body)?;
        let usage = read.usage.and_then(Usage::of_chat);
        if read.choices == 0 { Err(NoAnswer::Empty) } else { Ok(read.answer(usage)) }
    }

    /// Reads an embeddings answer.
    ///
    /// # Errors
    /// As `chat`.
    pub fn embeddings(body: &[u8]) -> Result<Self, NoAnswer> {
        let read = Body::read(body)?;
        let usage = read.usage.and_then(Usage::of_embeddings);
        if read.embeddings == 0 { Err(NoAnswer::Empty) } else { Ok(read.answer(usage)) }
    }

    /// Reads a count of tokens, whoever counted, for which nobody is billed.
    #[must_use]
    pub fn count(body: &[u8]) -> Option<Self> {
        let document: serde_json::Value = serde_json::from_slice(body).ok()?;
        let said = ["input_tokens", "totalTokens"].iter().any(|it| document[it].is_u64());
        said.then(|| Self { usage: Some(Usage::default()), ..Self::default() })
    }

    /// An answer that its provider still works on, in the background.
    #[must_use]
    pub fn pending(id: &str) -> Self {
        Self { id: owned(id.as_bytes()), pending: true, ..Self::default() }
    }

    /// What vectors of any dialect say.
    #[must_use]
    pub fn of_vectors(reply: &EmbeddingReply) -> Self {
        let usage = reply.usage.as_ref().and_then(Usage::of_tokens);
        Self { usage, ..Self::default() }
    }

    /// What an answer of any dialect says.
    #[must_use]
    pub fn of(reply: &Reply) -> Self {
        let parts = reply.choices.iter().flat_map(|choice| &choice.parts);
        Self {
            id: reply.id.as_ref().and_then(|id| owned(id.as_bytes())),
            usage: reply.usage.as_ref().and_then(Usage::of_tokens),
            output_bytes: parts.map(|part| said(&part.payload) as u64).sum(),
            pending: false,
        }
    }
}

impl<'a> Body<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, NoAnswer> {
        // Checked at once: text by text takes several times as long.
        std::str::from_utf8(bytes).map_err(|_| NoAnswer::NotJson)?;
        let mut body = Self::default();
        let mut cursor = Cursor::new(bytes);
        let whole = cursor.object(|cursor, key| body.member(cursor, key)).is_some();
        if !whole || !cursor.at_end() {
            return Err(NoAnswer::NotJson);
        }
        if body.error { Err(NoAnswer::ErrorBody) } else { Ok(body) }
    }

    fn member(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Option<()> {
        let first = cursor.peek()?;
        match key {
            b"choices" if first == b'[' => cursor.array(|cursor| self.choice(cursor))?,
            b"data" if first == b'[' => cursor.array(|cursor| {
                self.embeddings += 1;
                cursor.value().map(drop)
            })?,
            b"id" => self.id = text(cursor)?,
            b"usage" => self.usage = not_null(cursor)?,
            b"error" => self.error = not_null(cursor)?.is_some(),
            _ => drop(cursor.value()?),
        }
        Some(())
    }

    fn choice(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        self.choices += 1;
        cursor.object(|cursor, key| {
            let value = cursor.value()?;
            match key {
                b"message" => self.message_bytes += value.len() as u64,
                // The provider broke off (OpenRouter, Mistral).
                b"finish_reason" => self.error |= value == b"\"error\"",
                _ => {}
            }
            Some(())
        })
    }

    fn answer(&self, usage: Option<Usage>) -> Answer {
        Answer {
            id: self.id.and_then(owned),
            usage,
            output_bytes: self.message_bytes,
            pending: false,
        }
    }
}

/// Bytes of what a model said: never fewer than its tokens.
fn said(payload: &Payload) -> usize {
    match payload {
        Payload::Text(text) | Payload::Refusal(text) => text.len(),
        Payload::Thinking(thought) => {
            thought.text.len() + thought.signature.as_ref().map_or(0, String::len)
        }
        Payload::Call(call) => call.id.len() + call.name.len() + call.arguments.len(),
        Payload::Foreign { value, .. } => value.to_string().len(),
        // Only callers bring results; an image's bytes say nothing about its tokens.
        Payload::Media(_) | Payload::Result(_) => 0,
    }
}

/// An id that needs no unescaping, as all do, bounded.
fn owned(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?;
    Some(text.chars().take(limits::UPSTREAM_ID_CHARS).collect())
}

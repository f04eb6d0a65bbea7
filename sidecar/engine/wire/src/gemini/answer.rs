//! The plain answer.

use serde_json::Value;

use super::body::{Args, Candidate, Content, FunctionCall, Piece, Response};
use super::spelling::{self, object, objects};
use super::{finish, part, usage};
use crate::Facts;
use crate::form::{Choice, Finish, Garbled, Part, Payload, Reply, Thinking, Tokens, Unreadable};
use crate::json::{Members, unreadable, written};

/// Reads an answer. A prompt that was refused (200 without candidates) is a choice without parts.
///
/// # Errors
/// It is cut, an error, or holds neither candidates nor the reason why there are none.
pub fn read(body: &[u8]) -> Result<Reply, Garbled> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Garbled::Malformed)?;
    let mut members = open(value)?;
    read_members(&mut members)
        .map_err(|_| Garbled::Malformed)
        .and_then(|reply| if reply.choices.is_empty() { Err(Garbled::Empty) } else { Ok(reply) })
}

/// The members of an answer or chunk. Errors sometimes come in a list of one.
pub(super) fn open(value: Value) -> Result<Members, Garbled> {
    let value = match value {
        Value::Array(mut list) if list.len() == 1 => list.swap_remove(0),
        value => value,
    };
    let mut members = spelling::members(value, String::new()).map_err(|_| Garbled::Malformed)?;
    match members.take("error") {
        Some(error) => Err(Garbled::Error(error.to_string())),
        None => Ok(members),
    }
}

fn read_members(members: &mut Members) -> Result<Reply, Unreadable> {
    let mut reply = Reply {
        id: members.text("responseId")?,
        model: members.text("modelVersion")?,
        ..Reply::default()
    };
    let mut searches = 0_u64;
    for (place, mut candidate) in
        objects(members, "candidates")?.unwrap_or_default().into_iter().enumerate()
    {
        searches = searches.saturating_add(usage::searches(&mut candidate)?);
        reply.choices.push(read_candidate(candidate, reply.id.as_deref(), place)?);
    }
    if reply.choices.is_empty()
        && let Some(finish) = blocked(members)?
    {
        reply.choices.push(Choice { parts: Vec::new(), finish });
    }
    reply.usage = usage::read(members).map(|tokens| Tokens { web_searches: searches, ..tokens });
    Ok(reply)
}

/// Why a prompt has no answer.
pub(super) fn blocked(members: &mut Members) -> Result<Option<Finish>, Unreadable> {
    let Some(mut feedback) = object(members, "promptFeedback")? else { return Ok(None) };
    Ok(feedback.text("blockReason")?.map(finish::blocked))
}

fn read_candidate(
    mut candidate: Members,
    id: Option<&str>,
    place: usize,
) -> Result<Choice, Unreadable> {
    let mut parts: Vec<Part> = Vec::new();
    let mut signs = Signatures::default();
    if let Some(mut content) = object(&mut candidate, "content")? {
        for member in objects(&mut content, "parts")?.unwrap_or_default() {
            let part::Read { content, signature, .. } = part::read(member)?;
            let content = match content {
                part::Content::Call(call) => Payload::Call(signs.sign(call, signature, id, place)),
                content => {
                    signs.see(signature.as_deref());
                    said(content, signature)?
                }
            };
            part::join(&mut parts, content);
        }
    }
    let raw = candidate.text("finishReason")?;
    let raw = raw.ok_or_else(|| candidate.wrong("finishReason", "there"))?;
    Ok(Choice { parts, finish: finish::meaning(raw, signs.calls > 0) })
}

fn said(content: part::Content, signature: Option<String>) -> Result<Payload, Unreadable> {
    Ok(match content {
        part::Content::Text(text) => Payload::Text(text),
        part::Content::Thought(text) => {
            Payload::Thinking(Thinking { text, signature, ..Thinking::default() })
        }
        part::Content::Media(media) => Payload::Media(media),
        part::Content::Foreign { kind, value } => Payload::Foreign { kind, value },
        part::Content::Call(_) | part::Content::Partial(_) | part::Content::Response(_) => {
            return Err(unreadable("candidates", "whole calls and what the model says"));
        }
    })
}

/// Names and signs the calls of one candidate.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    pub(super) calls: usize,
    signed: bool,
    seen: Option<String>,
}

impl Signatures {
    /// A signature on something that is no call: some models put the call's on the thought or text before
    /// it, and it must come back with the call.
    pub(super) fn see(&mut self, signature: Option<&str>) {
        if let Some(signature) = signature {
            self.seen = Some(signature.to_owned());
        }
    }

    /// The call with an id of its own (older models give none) and its signature.
    pub(super) fn sign(
        &mut self,
        mut call: crate::form::Call,
        signature: Option<String>,
        response: Option<&str>,
        candidate: usize,
    ) -> crate::form::Call {
        if call.id.is_empty() {
            let answer = response.map_or_else(|| digest(&call), fit);
            call.id = format!("call_{answer}_{candidate}_{}", self.calls);
        }
        self.calls += 1;
        call.signature = signature.or_else(|| self.seen.take().filter(|_| !self.signed));
        self.signed |= call.signature.is_some();
        call
    }
}

/// An answer's id as part of a call's: ids must differ between answers, or a history is ambiguous.
fn fit(id: &str) -> String {
    const LONGEST: usize = 24; // OpenAI takes 40 characters in all
    let letters = id.chars().filter(char::is_ascii_alphanumeric);
    letters.take(LONGEST).collect()
}

/// FNV-1a of the call, for answers without an id: the same call twice has the same tool at least.
fn digest(call: &crate::form::Call) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = call.name.bytes().chain(call.arguments.bytes());
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

/// Writes an answer. A call whose arguments are no whole object is left out, as Gemini itself leaves it
/// out, and the candidate's `finishReason` says so.
#[must_use]
pub fn write(reply: &Reply, facts: &Facts) -> Vec<u8> {
    let candidates = reply.choices.iter().zip(0..).map(write_candidate).collect();
    written(&Response {
        candidates,
        usage_metadata: reply.usage.as_ref().map(usage::write),
        model_version: reply.model.as_deref().unwrap_or(&facts.requested),
        response_id: reply.id.as_deref().unwrap_or(&facts.id),
    })
}

fn write_candidate((choice, index): (&Choice, u32)) -> Candidate<'_> {
    let (mut parts, mut dropped) = (Vec::with_capacity(choice.parts.len()), false);
    for part in &choice.parts {
        match &part.payload {
            Payload::Text(text) | Payload::Refusal(text) => parts.push(Piece::text(text)),
            // Signed for another provider, if at all: Gemini would refuse the signature later.
            Payload::Thinking(thinking) if !thinking.text.is_empty() => {
                parts.push(Piece::thought(&thinking.text, None));
            }
            Payload::Call(call) => match call_piece(call) {
                Some(piece) => parts.push(piece),
                None => dropped = true,
            },
            Payload::Media(media) => parts.extend(super::media::write(media, "")),
            Payload::Foreign { kind, value } if part::is_own(kind) => {
                parts.push(Piece::Foreign(value));
            }
            // Blocks of another provider's own tools say nothing in this dialect.
            Payload::Thinking(_) | Payload::Foreign { .. } | Payload::Result(_) => {}
        }
    }
    if parts.is_empty() {
        // SDKs take a content without parts for a broken one and forget the turn.
        parts.push(Piece::text(""));
    }
    let (reason, message) = finish::word(&choice.finish, dropped);
    Candidate {
        content: Content { parts, role: Some("model") },
        finish_reason: Some(reason),
        finish_message: message,
        index,
    }
}

fn call_piece(call: &crate::form::Call) -> Option<Piece<'_>> {
    let args = Args::of(&call.arguments).filter(|_| !call.custom)?;
    let function_call = FunctionCall { id: &call.id, name: &call.name, args };
    Some(Piece::Call { function_call, thought_signature: call.signature.as_deref() })
}

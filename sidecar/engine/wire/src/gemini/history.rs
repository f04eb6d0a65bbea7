//! Writing `systemInstruction` and `contents`.

use std::borrow::Cow;

use super::body::{Args, Content, FunctionCall, FunctionResponse, Outcome, Piece};
use super::{generation, media};
use crate::form::{
    Call, Cannot, Conversation, Dialect, Loss, Part, Payload, Role, Thinking, ToolResult, Turn,
};

/// What Google documents for calls that its own model did not make, or whose signature is gone: from
/// Gemini 3 on, a call in the history without a signature is refused.
const UNSIGNED: &str = "skip_thought_signature_validator";
const SIGNED_FROM: u32 = 3;

const MISPLACED: &str =
    "is a tool call or result in a turn that cannot hold one; put it where it belongs";
const STRANGER: &str =
    "is a part that only its own provider knows; leave it out, or name a model of that provider";
const CUT: &str = "has arguments that are no whole JSON object; leave the call out of the history";
const CUSTOM: &str =
    "is a call with free text, which this provider's format cannot hold; use functions";
const ORPHAN: &str = "answers no tool call of the conversation; send the call before it";

/// The parts of a request that say what was said.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) system: Option<Content<'a>>,
    pub(super) contents: Vec<Content<'a>>,
}

/// Writes all turns.
pub(super) fn write<'a>(
    conversation: &'a Conversation,
    model: &str,
    losses: &mut Vec<Loss>,
) -> Result<Said<'a>, Cannot> {
    let own = conversation.origin == Some(Dialect::Gemini);
    let signed = !own && generation(model) >= SIGNED_FROM;
    let mut history = History { own, signed, calls: Vec::new(), place: 0, losses };
    let leading = |turn: &&Turn| turn.role == Role::System;
    let first = conversation.turns.iter().take_while(leading).count();
    let (mut system, mut contents) = (Vec::new(), Vec::with_capacity(conversation.turns.len()));
    for (place, turn) in conversation.turns.iter().enumerate() {
        history.place = place;
        if place < first {
            history.said(&turn.parts, &mut system)?;
        } else {
            history.turn(turn, &mut contents)?;
        }
    }
    if contents.is_empty() {
        // Gemini wants something to answer: instructions alone are said by the user.
        contents.push(Content { parts: std::mem::take(&mut system), role: Some("user") });
    }
    for content in &mut contents {
        if content.parts.is_empty() {
            content.parts.push(Piece::text(""));
        }
    }
    let system = (!system.is_empty()).then_some(Content { parts: system, role: None });
    Ok(Said { system, contents })
}

struct History<'a, 'l> {
    /// The words were Gemini's before.
    own: bool,
    /// Calls need a signature.
    signed: bool,
    /// Calls so far, for the names and the order of their results.
    calls: Vec<&'a Call>,
    /// The turn that is written.
    place: usize,
    losses: &'l mut Vec<Loss>,
}

impl<'a> History<'a, '_> {
    fn turn(&mut self, turn: &'a Turn, into: &mut Vec<Content<'a>>) -> Result<(), Cannot> {
        let (mut results, mut said) = (Vec::new(), Vec::new());
        match turn.role {
            // Gemini's only instruction stands before the conversation: a later one is said by the user
            // at its place, so that the order stays.
            Role::System => self.said(&turn.parts, &mut said)?,
            Role::User => {
                let is_result = |part: &&Part| matches!(part.payload, Payload::Result(_));
                self.results(turn.parts.iter().filter(is_result), &mut results)?;
                self.said(turn.parts.iter().filter(|part| !is_result(part)), &mut said)?;
            }
            Role::Assistant => {
                self.model(&turn.parts, &mut said)?;
                if !said.is_empty() {
                    push("model", said, into);
                }
                return Ok(());
            }
        }
        // The results of one turn's calls stand together, as many as there were calls.
        let silent = results.is_empty();
        if !silent {
            push("user", results, into);
        }
        if silent || !said.is_empty() {
            push("user", said, into);
        }
        Ok(())
    }

    fn model(&mut self, parts: &'a [Part], into: &mut Vec<Piece<'a>>) -> Result<(), Cannot> {
        let has_signature =
            |part: &Part| matches!(&part.payload, Payload::Call(call) if call.signature.is_some());
        // Of parallel calls only the first is signed.
        let mut unsigned = self.signed && !parts.iter().any(has_signature);
        for part in parts {
            let Payload::Call(call) = &part.payload else {
                self.said(std::iter::once(part), into)?;
                continue;
            };
            self.note_cache(part);
            if call.custom {
                return Err(self.cannot(CUSTOM));
            }
            let args = Args::of(&call.arguments).ok_or_else(|| self.cannot(CUT))?;
            let stand_in = std::mem::take(&mut unsigned).then_some(UNSIGNED);
            let signature = call.signature.as_deref().or(stand_in);
            let function_call = FunctionCall { id: &call.id, name: &call.name, args };
            into.push(Piece::Call { function_call, thought_signature: signature });
            self.calls.push(call);
        }
        Ok(())
    }

    /// In the order of the calls, by which Gemini before 3 tells results apart; what the results show
    /// beside their text follows them.
    fn results(
        &mut self,
        parts: impl Iterator<Item = &'a Part>,
        into: &mut Vec<Piece<'a>>,
    ) -> Result<(), Cannot> {
        let (mut ordered, mut shown) = (Vec::new(), Vec::new());
        for part in parts {
            let Payload::Result(result) = &part.payload else { continue };
            let call = self.calls.iter().rposition(|call| call.id == result.id);
            let called = call.and_then(|call| self.calls.get(call)).map(|call| call.name.as_str());
            let name = called.or(result.name.as_deref()).ok_or_else(|| self.cannot(ORPHAN))?;
            let is_text = |part: &&Part| matches!(part.payload, Payload::Text(_));
            self.said(result.parts.iter().filter(|part| !is_text(part)), &mut shown)?;
            self.note_cache(part);
            let function_response =
                FunctionResponse { id: &result.id, name, response: outcome(result) };
            let place = call.unwrap_or(usize::MAX);
            ordered.push((place, Piece::Response { function_response }));
        }
        ordered.sort_by_key(|(call, _)| *call);
        into.extend(ordered.into_iter().map(|(_, piece)| piece));
        into.append(&mut shown);
        Ok(())
    }

    /// What any speaker may say.
    fn said(
        &mut self,
        parts: impl IntoIterator<Item = &'a Part>,
        into: &mut Vec<Piece<'a>>,
    ) -> Result<(), Cannot> {
        for part in parts {
            self.note_cache(part);
            match &part.payload {
                Payload::Text(text) | Payload::Refusal(text) if text.is_empty() => {}
                Payload::Text(text) | Payload::Refusal(text) => into.push(Piece::text(text)),
                Payload::Media(media) => {
                    if media.detail.is_some() {
                        Loss::note(self.losses, "detail");
                    }
                    into.push(media::write(media, &self.path())?);
                }
                Payload::Thinking(thinking) if self.own => into.push(thought(thinking)),
                // Signed by another provider, or by none: Gemini takes back no thoughts but its own.
                Payload::Thinking(_) => Loss::note(self.losses, "thinking"),
                Payload::Foreign { value, .. } if self.own => into.push(Piece::Foreign(value)),
                Payload::Foreign { .. } => return Err(self.cannot(STRANGER)),
                Payload::Call(_) | Payload::Result(_) => return Err(self.cannot(MISPLACED)),
            }
        }
        Ok(())
    }

    fn note_cache(&mut self, part: &Part) {
        if part.cache.is_some() {
            // Gemini caches by itself; its explicit caches are made by calls of their own.
            Loss::note(self.losses, "cache_control");
        }
    }

    fn cannot(&self, why: &'static str) -> Cannot {
        Cannot { path: self.path(), why }
    }

    fn path(&self) -> String {
        format!("messages[{}]", self.place)
    }
}

/// Consecutive turns of one speaker are one content, but for results, which stand alone.
fn push<'a>(role: &'static str, parts: Vec<Piece<'a>>, into: &mut Vec<Content<'a>>) {
    match into.last_mut() {
        Some(last) if last.role == Some(role) && answers(&last.parts) == answers(&parts) => {
            last.parts.extend(parts);
        }
        _ => into.push(Content { parts, role: Some(role) }),
    }
}

fn answers(parts: &[Piece<'_>]) -> bool {
    parts.iter().any(|part| matches!(part, Piece::Response { .. }))
}

fn thought(thinking: &Thinking) -> Piece<'_> {
    let signature = thinking.signature.as_deref().filter(|_| !thinking.redacted);
    Piece::thought(&thinking.text, signature)
}

fn outcome(result: &ToolResult) -> Outcome<'_> {
    let mut texts = result.parts.iter().filter_map(|part| match &part.payload {
        Payload::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let mut text = Cow::Borrowed(texts.next().unwrap_or_default());
    for more in texts {
        text.to_mut().push_str(more);
    }
    if result.failed { Outcome::Error(text) } else { Outcome::Output(text) }
}

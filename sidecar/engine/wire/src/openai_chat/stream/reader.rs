//! Chunks -> events.

use serde_json::Value;

use super::super::{answer, marks, usage};
use crate::form::{self, Event, Frame, Garbled, Opening, Piece, Tokens};
use crate::json::{self, Members};

/// Choices that a stream may have.
const CHOICES: usize = 128;

/// Reads a stream of `chat.completion.chunk`s.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    ended: bool,
    /// The provider ends with the body, without `[DONE]`.
    ends_with_body: bool,
    choices: Vec<Choice>,
    service_tier: Option<String>,
}

#[derive(Debug, Default)]
struct Choice {
    parts: u32,
    text: Option<u32>,
    refusal: Option<u32>,
    thinking: Option<u32>,
    calls: Vec<Call>,
    finished: bool,
}

#[derive(Debug)]
struct Call {
    index: u64,
    id: String,
    part: u32,
}

impl Reader {
    /// For a provider whose streams end with the body.
    #[must_use]
    pub fn ending_with_body() -> Self {
        Self { ends_with_body: true, ..Self::default() }
    }

    fn whole(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finished)
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if !self.whole() {
            return Err(Garbled::Malformed);
        }
        self.ended = true;
        out.push(Event::End);
        Ok(())
    }

    fn chunk(&mut self, mut chunk: Members, out: &mut Vec<Event>) -> Option<()> {
        let mut groq = chunk.object("x_groq").ok()?;
        let told = groq.as_mut().and_then(|groq| groq.take("error"));
        if let Some(error) = chunk.take("error").or(told).filter(answer::tells) {
            out.push(Event::Error(error.to_string()));
            return Some(());
        }
        let (id, model) = (chunk.text("id").ok()?, chunk.text("model").ok()?);
        if !self.begun {
            self.begun = true;
            let created = chunk.count("created").ok().flatten();
            out.push(Event::Begin { id, model, created });
        }
        self.service_tier = chunk.text("service_tier").ok()?.or(self.service_tier.take());
        for choice in chunk.objects("choices").ok()?.unwrap_or_default() {
            self.choice(choice, out)?;
        }
        let used = groq.as_mut().and_then(|groq| groq.take("usage"));
        if let Some(tokens) = chunk.take("usage").or(used).and_then(usage::read) {
            let service_tier = self.service_tier.clone();
            out.push(Event::Usage(Tokens { service_tier, ..tokens }));
        }
        Some(())
    }

    fn choice(&mut self, mut members: Members, out: &mut Vec<Event>) -> Option<()> {
        let index = members.count("index").ok()?.unwrap_or(0);
        let place = usize::try_from(index).ok().filter(|place| *place < CHOICES)?;
        if self.choices.len() <= place {
            self.choices.resize_with(place + 1, Choice::default);
        }
        let choice = self.choices.get_mut(place)?;
        let number = u32::try_from(place).ok()?;
        if let Some(delta) = members.object("delta").ok()? {
            choice.delta(number, delta, out)?;
        }
        let raw = members.text("finish_reason").ok()?.filter(|raw| !raw.is_empty());
        if let Some(raw) = raw.filter(|_| !choice.finished) {
            if raw == "error" {
                out.push(Event::Error(r#"{"message":"the provider broke off"}"#.into()));
                return Some(());
            }
            choice.finished = true;
            let close = |part| Event::Close { choice: number, part };
            out.extend((0..choice.parts).map(close));
            let finish = marks::meaning(&raw, !choice.calls.is_empty());
            out.push(Event::Finish { choice: number, finish });
        }
        Some(())
    }
}

impl Choice {
    fn delta(&mut self, number: u32, mut delta: Members, out: &mut Vec<Event>) -> Option<()> {
        if self.finished {
            return Some(()); // nothing belongs after the finish; usage may come beside an empty delta
        }
        let other = delta.text("reasoning").ok()?;
        if let Some(text) = delta.text("reasoning_content").ok()?.or(other) {
            self.think(number, text, out);
        }
        match delta.take("content") {
            None => {}
            Some(Value::String(text)) => self.say(number, text, out),
            // Mistral's lists of chunks.
            Some(Value::Array(chunks)) => {
                for chunk in chunks {
                    self.said(number, Members::of(chunk, String::new()).ok()?, out)?;
                }
            }
            Some(_) => return None,
        }
        if let Some(text) = delta.text("refusal").ok()?.filter(|text| !text.is_empty()) {
            let part = match self.refusal {
                Some(part) => part,
                None => *self.refusal.insert(open(&mut self.parts, number, Opening::Refusal, out)),
            };
            out.push(Event::Delta { choice: number, part, piece: Piece::Text(text) });
        }
        for call in delta.objects("tool_calls").ok()?.unwrap_or_default() {
            self.call(number, call, out)?;
        }
        Some(())
    }

    fn said(&mut self, number: u32, mut chunk: Members, out: &mut Vec<Event>) -> Option<()> {
        if let Some(text) = chunk.text("text").ok()? {
            self.say(number, text, out);
        }
        for mut thought in chunk.objects("thinking").ok()?.unwrap_or_default() {
            if let Some(text) = thought.text("text").ok()? {
                self.think(number, text, out);
            }
        }
        Some(())
    }

    fn say(&mut self, number: u32, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let part = match self.text {
            Some(part) => part,
            None => *self.text.insert(open(&mut self.parts, number, Opening::Text, out)),
        };
        out.push(Event::Delta { choice: number, part, piece: Piece::Text(text) });
    }

    fn think(&mut self, number: u32, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let opening = Opening::Thinking { redacted: false };
        let part = match self.thinking {
            Some(part) => part,
            None => *self.thinking.insert(open(&mut self.parts, number, opening, out)),
        };
        out.push(Event::Delta { choice: number, part, piece: Piece::Text(text) });
    }

    fn call(&mut self, number: u32, mut members: Members, out: &mut Vec<Event>) -> Option<()> {
        let index = members.count("index").ok()?.unwrap_or(0);
        let (id, carried) = marks::without_signature(members.text("id").ok()?.unwrap_or_default());
        let google = members
            .object("extra_content")
            .ok()?
            .and_then(|mut extra| extra.object("google").ok()?);
        let signature = google.and_then(|mut google| google.text("thought_signature").ok()?);
        let signature = signature.or(carried);
        let custom = members.object("custom").ok()?;
        let is_custom = custom.is_some();
        let mut function = custom.or(members.object("function").ok()?);
        let name = function.as_mut().and_then(|function| function.text("name").ok()?);
        let arguments = function.as_mut().and_then(|function| {
            let key = if is_custom { "input" } else { "arguments" };
            match function.take(key)? {
                Value::String(text) => Some(text),
                whole => Some(whole.to_string()), // Ollama gives objects
            }
        });
        // Ollama says index 0 for every one of several calls: another id is another call.
        let same = |call: &&Call| call.index == index && (id.is_empty() || call.id == id);
        let known = self.calls.iter().rev().find(same).map(|call| call.part);
        let part = if let Some(part) = known {
            part
        } else {
            let name = name.unwrap_or_default();
            let opening = Opening::Call { id: id.clone(), name, custom: is_custom, signature };
            let part = open(&mut self.parts, number, opening, out);
            self.calls.push(Call { index, id, part });
            part
        };
        if let Some(text) = arguments.filter(|text| !text.is_empty()) {
            out.push(Event::Delta { choice: number, part, piece: Piece::Arguments(text) });
        }
        Some(())
    }
}

fn open(parts: &mut u32, choice: u32, opening: Opening, out: &mut Vec<Event>) -> u32 {
    let part = *parts;
    *parts += 1;
    out.push(Event::Open { choice, part, opening });
    part
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.ended {
            return Ok(());
        }
        if frame.data.trim_ascii() == b"[DONE]" {
            return self.end(out);
        }
        let chunk = json::parse(frame.data).map_err(|_| Garbled::Malformed)?;
        self.chunk(chunk, out).ok_or(Garbled::Malformed)
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Garbled> {
        match self.ended {
            true => Ok(()),
            false if self.ends_with_body => self.end(out),
            false => Err(Garbled::Malformed),
        }
    }
}

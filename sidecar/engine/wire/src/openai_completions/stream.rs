//! The stream of `text_completion` chunks, `[DONE]` at its end.

use serde_json::{Value, json};

use super::finish_word;
use crate::form::{self, Event, Frame, Garbled, Opening, Piece, Tokens};
use crate::json::{self, Members};
use crate::openai_chat::{answer::tells, error, marks, usage};
use crate::{Facts, Fault};

/// Choices that a stream may have.
const CHOICES: usize = 128;

/// Reads a stream of chunks.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    over: bool,
    choices: Vec<Said>,
}

#[derive(Debug, Default)]
struct Said {
    open: bool,
    finished: bool,
}

impl Reader {
    fn chunk(&mut self, mut chunk: Members, out: &mut Vec<Event>) -> Option<()> {
        if let Some(error) = chunk.take("error").filter(tells) {
            self.over = true;
            out.push(Event::Error(error.to_string()));
            return Some(());
        }
        if !self.begun {
            self.begun = true;
            let (id, model) = (chunk.text("id").ok()?, chunk.text("model").ok()?);
            let created = chunk.count("created").ok().flatten();
            out.push(Event::Begin { id, model, created });
        }
        for choice in chunk.objects("choices").ok()?.unwrap_or_default() {
            self.choice(choice, out)?;
        }
        out.extend(chunk.take("usage").and_then(usage::read).map(Event::Usage));
        Some(())
    }

    fn choice(&mut self, mut choice: Members, out: &mut Vec<Event>) -> Option<()> {
        let index = choice.count("index").ok()?.unwrap_or(0);
        let place = usize::try_from(index).ok().filter(|place| *place < CHOICES)?;
        if self.choices.len() <= place {
            self.choices.resize_with(place + 1, Said::default);
        }
        let known = self.choices.get_mut(place)?;
        let (number, part) = (u32::try_from(place).ok()?, 0);
        let text = choice.text("text").ok()?.filter(|text| !text.is_empty());
        if let Some(text) = text.filter(|_| !known.finished) {
            if !known.open {
                known.open = true;
                out.push(Event::Open { choice: number, part, opening: Opening::Text });
            }
            out.push(Event::Delta { choice: number, part, piece: Piece::Text(text) });
        }
        let raw = choice.text("finish_reason").ok()?.filter(|raw| !raw.is_empty());
        if let Some(raw) = raw.filter(|_| !known.finished) {
            known.finished = true;
            if known.open {
                out.push(Event::Close { choice: number, part });
            }
            let finish = marks::meaning(&raw, false);
            out.push(Event::Finish { choice: number, finish });
        }
        Some(())
    }
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.over {
            return Ok(());
        }
        if frame.data.trim_ascii() != b"[DONE]" {
            let chunk = json::parse(frame.data).map_err(|_| Garbled::Malformed)?;
            return self.chunk(chunk, out).ok_or(Garbled::Malformed);
        }
        let whole = self.choices.iter().all(|choice| choice.finished);
        if self.choices.is_empty() || !whole {
            return Err(Garbled::Malformed);
        }
        self.over = true;
        out.push(Event::End);
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.over { Ok(()) } else { Err(Garbled::Malformed) }
    }
}

/// Writes a stream of chunks: what the model says, without what it thinks.
#[derive(Debug)]
pub struct Writer {
    facts: Facts,
    id: Option<String>,
    model: Option<String>,
    created: Option<u64>,
    /// Parts that are text.
    said: Vec<(u32, u32)>,
    /// Choices that finished.
    finished: u32,
    usage: Option<Tokens>,
}

impl Writer {
    /// A stream of which nothing is out.
    #[must_use]
    pub const fn new(facts: Facts) -> Self {
        let (id, model, created, usage) = (None, None, None, None);
        Self { facts, id, model, created, said: Vec::new(), finished: 0, usage }
    }

    fn choice(&self, index: u32, text: &str, reason: Option<&str>, out: &mut Vec<u8>) {
        let choice =
            json!({"index": index, "text": text, "logprobs": null, "finish_reason": reason});
        self.chunk(&[choice], None, out);
    }

    fn chunk(&self, choices: &[Value], usage: Option<Value>, out: &mut Vec<u8>) {
        let mut chunk = json!({
            "id": self.id.clone().unwrap_or_else(|| format!("cmpl-{}", self.facts.id)),
            "object": "text_completion",
            "created": self.created.unwrap_or(self.facts.now),
            "model": self.model.as_deref().unwrap_or(&self.facts.requested),
            "choices": choices,
        });
        if self.facts.stream_usage {
            chunk["usage"] = usage.unwrap_or_default();
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(chunk.to_string().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.finished == 0 {
            return;
        }
        if self.facts.stream_usage
            && let Some(tokens) = &self.usage
        {
            self.chunk(&[], Some(usage::write(tokens)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl form::Writer for Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Begin { id, model, created } => {
                (self.id, self.model) = (id.clone(), model.clone());
                self.created = *created;
            }
            Event::Open { choice, part, opening: Opening::Text | Opening::Refusal } => {
                self.said.push((*choice, *part));
            }
            Event::Delta { choice, part, piece: Piece::Text(text) }
                if self.said.contains(&(*choice, *part)) =>
            {
                self.choice(*choice, text, None, out);
            }
            Event::Finish { choice, finish } => {
                self.finished += 1;
                self.choice(*choice, "", Some(finish_word(finish)), out);
            }
            Event::Usage(tokens) => self.usage = Some(tokens.clone()),
            Event::End => self.end(out),
            _ => {}
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        out.extend_from_slice(&error::event(fault));
    }
}

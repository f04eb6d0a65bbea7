//! Events -> events of the form.

use serde_json::Value;

use super::said::{Content, Item, Kind, Said};
use crate::form::{self, Event, Frame, Garbled, Opening, Part, Payload, Piece};
use crate::json::{self, Members};
use crate::openai_chat::answer::tells;
use crate::openai_responses::marks::{self, Status};
use crate::openai_responses::{answer, items, usage};

/// Reads a stream of events. Those that it does not know (about forty tell how OpenAI's own tools get on)
/// pass: their items are whole when they are done.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    /// The end, or an error, has come.
    over: bool,
    parts: u32,
    items: Vec<Item>,
    calls: bool,
}

impl Reader {
    fn event(&mut self, kind: &str, mut event: Members, out: &mut Vec<Event>) -> Option<()> {
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                let mut response = event.object("response").ok()??;
                self.begin(&mut response, out)
            }
            "response.output_item.added" => {
                let index = index(&mut event, "output_index")?;
                self.add(index, event.object("item").ok()??, out)
            }
            "response.output_item.done" => {
                let index = index(&mut event, "output_index")?;
                self.done(index, event.object("item").ok()??, out)
            }
            "response.content_part.added" => self.add_content(event, out),
            "response.content_part.done" => {
                if let Some(said) = self.content(&mut event, None, out)? {
                    said.close(out);
                }
                Some(())
            }
            "response.output_text.delta" => self.say(event, Opening::Text, "delta", out),
            "response.output_text.done" => self.say(event, Opening::Text, "text", out),
            "response.refusal.delta" => self.say(event, Opening::Refusal, "delta", out),
            "response.refusal.done" => self.say(event, Opening::Refusal, "refusal", out),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.argue(event, "delta", out)
            }
            "response.function_call_arguments.done" => self.argue(event, "arguments", out),
            "response.custom_tool_call_input.done" => self.argue(event, "input", out),
            "response.reasoning_summary_text.delta" => self.think(event, true, "delta", out),
            "response.reasoning_summary_text.done" => self.think(event, true, "text", out),
            "response.reasoning_text.delta" => self.think(event, false, "delta", out),
            "response.reasoning_text.done" => self.think(event, false, "text", out),
            "response.completed" => self.end(event, "completed", out),
            "response.incomplete" => self.end(event, "incomplete", out),
            _ => {
                self.other(kind, event, out);
                Some(())
            }
        }
    }

    /// Errors, and events that say nothing about what the answer holds.
    fn other(&mut self, kind: &str, mut event: Members, out: &mut Vec<Event>) {
        match kind {
            "response.failed" | "response.cancelled" => {
                let response = event.object("response").ok().flatten();
                self.fail(response.and_then(|mut response| response.take("error")), out);
            }
            "error" => {
                let error = event.take("error").filter(tells);
                self.fail(error.or_else(|| Some(event.into_value())), out);
            }
            _ if kind.starts_with("response.") => {}
            _ => {
                if let Some(error) = event.take("error").filter(tells) {
                    self.fail(Some(error), out);
                }
            }
        }
    }

    fn begin(&mut self, response: &mut Members, out: &mut Vec<Event>) -> Option<()> {
        if !self.begun {
            self.begun = true;
            let (id, model) = (response.text("id").ok()?, response.text("model").ok()?);
            out.push(Event::Begin { id, model, created: answer::created(response) });
        }
        Some(())
    }

    fn fail(&mut self, error: Option<Value>, out: &mut Vec<Event>) {
        self.over = true;
        let told = error.filter(tells).map(|error| error.to_string());
        out.push(Event::Error(told.unwrap_or_else(|| answer::UNSAID.to_owned())));
    }

    fn add(&mut self, index: u64, mut item: Members, out: &mut Vec<Event>) -> Option<()> {
        // A number that is used again is another item: the former one is over.
        if let Some(former) = self.find(index) {
            former.close(out);
        }
        let name = item.required_text("type").ok()?;
        let kind = match name.as_str() {
            "message" => Kind::Message(Vec::new()),
            "reasoning" => {
                let opening = Opening::Thinking { redacted: false };
                Kind::Reasoning(Said::open(&mut self.parts, opening, out), None)
            }
            "function_call" | "custom_tool_call" => {
                self.calls = true;
                let call = items::read_call(&mut item, &name).ok()?;
                let (id, name, custom) = (call.id, call.name, call.custom);
                let opening = Opening::Call { id, name, custom, signature: call.signature };
                let mut said = Said::open(&mut self.parts, opening, out);
                said.say(Piece::Arguments(call.arguments), out)?;
                Kind::Part(said)
            }
            _ => Kind::Part(Said::open(&mut self.parts, Opening::Foreign(name.clone()), out)),
        };
        self.items.push(Item { index, name, kind, done: false });
        Some(())
    }

    /// What came in no delta comes now: some providers send calls and messages whole. One that was not
    /// announced, or as something else, begins here.
    fn done(&mut self, index: u64, mut item: Members, out: &mut Vec<Event>) -> Option<()> {
        let name = item.required_text("type").ok()?;
        let known = self.find(index).is_some_and(|known| !known.done && known.name == name);
        item.put_back("type", name.into());
        if !known {
            self.add(index, item.clone(), out)?;
        }
        let mut parts = Vec::new();
        items::read(item, &mut parts).ok()?;
        let place = self.items.iter().rposition(|known| known.index == index)?;
        let known = self.items.get_mut(place)?;
        match &mut known.kind {
            Kind::Message(contents) if contents.is_empty() => {
                for part in parts {
                    let (opening, text) = match part.payload {
                        Payload::Text(text) => (Opening::Text, text),
                        Payload::Refusal(text) => (Opening::Refusal, text),
                        _ => continue,
                    };
                    let mut said = Said::open(&mut self.parts, opening, out);
                    said.say(Piece::Text(text), out)?;
                    contents.push(Content { index: 0, said });
                }
            }
            Kind::Message(_) => {}
            Kind::Part(said) => {
                if let Some(Part { payload: Payload::Call(call), .. }) = parts.pop() {
                    said.say_whole(Piece::Arguments(call.arguments), out)?;
                }
            }
            Kind::Reasoning(said, _) => {
                if let Some(Part { payload: Payload::Thinking(thinking), .. }) = parts.pop() {
                    said.say_whole(Piece::Text(thinking.text), out)?;
                    said.say(Piece::Signature(thinking.signature.unwrap_or_default()), out)?;
                }
            }
        }
        known.close(out);
        Some(())
    }

    fn find(&mut self, index: u64) -> Option<&mut Item> {
        self.items.iter_mut().rev().find(|item| item.index == index)
    }

    fn add_content(&mut self, mut event: Members, out: &mut Vec<Event>) -> Option<()> {
        let mut part = event.object("part").ok()??;
        let (opening, key) = match part.required_text("type").ok()?.as_str() {
            "output_text" | "text" => (Opening::Text, "text"),
            "refusal" => (Opening::Refusal, "refusal"),
            // A block of reasoning, or what only its own dialect knows.
            _ => return Some(()),
        };
        let text = part.text(key).ok()?.unwrap_or_default();
        self.content(&mut event, Some(opening), out)??.say(Piece::Text(text), out)
    }

    /// The content that an event names; one that is not there is opened as `opening`, with its item: not
    /// all servers announce them. `None`: the event does not fit what came before.
    fn content(
        &mut self,
        event: &mut Members,
        opening: Option<Opening>,
        out: &mut Vec<Event>,
    ) -> Option<Option<&mut Said>> {
        let (item, content) = (index(event, "output_index")?, index(event, "content_index")?);
        let place = match self.items.iter().rposition(|known| known.index == item) {
            Some(place) => place,
            None if opening.is_none() => return Some(None),
            None => {
                let (name, kind) = ("message".to_owned(), Kind::Message(Vec::new()));
                self.items.push(Item { index: item, name, kind, done: false });
                self.items.len() - 1
            }
        };
        let Kind::Message(contents) = &mut self.items.get_mut(place)?.kind else {
            // Contents of reasoning are no parts of their own.
            return opening.is_none().then_some(None);
        };
        if let Some(known) = contents.iter().position(|known| known.index == content) {
            return Some(contents.get_mut(known).map(|known| &mut known.said));
        }
        let Some(opening) = opening else { return Some(None) };
        let said = Said::open(&mut self.parts, opening, out);
        contents.push(Content { index: content, said });
        Some(contents.last_mut().map(|content| &mut content.said))
    }

    fn say(
        &mut self,
        mut event: Members,
        opening: Opening,
        key: &str,
        out: &mut Vec<Event>,
    ) -> Option<()> {
        let text = event.text(key).ok()?.unwrap_or_default();
        if text.is_empty() {
            return Some(());
        }
        let said = self.content(&mut event, Some(opening), out)??;
        if key == "delta" {
            said.say(Piece::Text(text), out)
        } else {
            said.say_whole(Piece::Text(text), out)
        }
    }

    fn argue(&mut self, mut event: Members, key: &str, out: &mut Vec<Event>) -> Option<()> {
        let text = event.text(key).ok()?.unwrap_or_default();
        let Kind::Part(said) = &mut self.find(index(&mut event, "output_index")?)?.kind else {
            return None;
        };
        if key == "delta" {
            said.say(Piece::Arguments(text), out)
        } else {
            said.say_whole(Piece::Arguments(text), out)
        }
    }

    fn think(
        &mut self,
        mut event: Members,
        summary: bool,
        key: &str,
        out: &mut Vec<Event>,
    ) -> Option<()> {
        let text = event.text(key).ok()?.unwrap_or_default();
        let place = if summary { "summary_index" } else { "content_index" };
        let block = (summary, index(&mut event, place)?);
        let item = index(&mut event, "output_index")?;
        self.find(item)?.think(block, text, key != "delta", out)
    }

    fn end(&mut self, mut event: Members, kind: &str, out: &mut Vec<Event>) -> Option<()> {
        let mut response = event.object("response").ok()??;
        self.begin(&mut response, out)?;
        let status = response.text("status").ok()?;
        if let Some(error) = response.take("error").filter(tells) {
            self.fail(Some(error), out);
            return Some(());
        }
        let whole = response.objects("output").ok()?.unwrap_or_default();
        if self.items.is_empty() {
            for (place, item) in whole.into_iter().enumerate() {
                self.done(u64::try_from(place).ok()?, item, out)?;
            }
        }
        self.items.iter_mut().for_each(|item| item.close(out));
        let details = response.take("incomplete_details");
        let status = status.as_deref().unwrap_or(kind);
        match marks::meaning(Some(status), details.as_ref(), self.calls) {
            Status::Ended(finish) => out.push(Event::Finish { choice: 0, finish }),
            Status::Failed => {
                self.fail(None, out);
                return Some(());
            }
            Status::Pending => return None,
        }
        out.extend(usage::read(&mut response).map(Event::Usage));
        out.push(Event::End);
        self.over = true;
        Some(())
    }
}

/// A number that servers leave out where there is one thing only.
fn index(event: &mut Members, key: &str) -> Option<u64> {
    event.count(key).ok().map(Option::unwrap_or_default)
}

impl form::Reader for Reader {
    fn read(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.over || frame.data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let mut event = json::parse(frame.data).map_err(|_| Garbled::Malformed)?;
        let kind = event.text("type").map_err(|_| Garbled::Malformed)?;
        let kind = kind.as_deref().unwrap_or(frame.name);
        self.event(kind, event, out).ok_or(Garbled::Malformed)
    }

    fn finish(&mut self, _: &mut Vec<Event>) -> Result<(), Garbled> {
        if self.over { Ok(()) } else { Err(Garbled::Malformed) }
    }
}

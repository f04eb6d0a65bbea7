//! Events of the form -> events.

use serde::Serialize;
use serde_json::{Value, json};

use crate::form::{self, Event, Finish, Opening, Piece, Sequencer, Tokens};
use crate::openai_responses::items::{Kind, summary};
use crate::openai_responses::response::{self, Head, State};
use crate::openai_responses::{error, marks};
use crate::{Facts, Fault};

/// Writes a stream of events, one item after the other, each part an item of its own as in the plain
/// answer; other choices than the first have no place. An item ends when the next begins or the answer
/// finishes: only then is it known whether it is whole.
#[derive(Debug)]
pub struct Writer {
    facts: Facts,
    head: Head,
    sequence: u64,
    sequencer: Sequencer,
    /// What the sequencer lets pass, between two events.
    due: Vec<Event>,
    begun: bool,
    /// The end is out, or a failure.
    over: bool,
    open: Option<Open>,
    output: Vec<Value>,
    finish: Option<Finish>,
    usage: Option<Tokens>,
}

/// The item that has begun.
#[derive(Debug)]
struct Open {
    part: u32,
    kind: Kind,
    id: String,
    said: String,
    closed: bool,
}

/// An event of an item. The order of members is OpenAI's own.
#[derive(Serialize)]
struct Told<'a> {
    r#type: &'a str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u8>,
    #[serde(flatten)]
    more: More<'a>,
}

/// What an event of an item tells.
#[derive(Serialize)]
#[serde(untagged)]
enum More<'a> {
    Item { item: &'a Value },
    Part { part: &'a Value },
    Delta { delta: &'a str },
    TextDelta { delta: &'a str, logprobs: [(); 0] },
    TextDone { text: &'a str, logprobs: [(); 0] },
    Text { text: &'a str },
    Refusal { refusal: &'a str },
    Arguments { arguments: &'a str },
    Input { input: &'a str },
}

/// What an event of an item names besides its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Nothing: it has the item itself.
    Nothing,
    /// The item.
    Item,
    /// The item and the message's only content.
    Content,
    /// The item and the only block of its summary.
    Summary,
}

impl Writer {
    /// A stream of which nothing is out.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            head: Head::default(),
            sequence: 0,
            sequencer: Sequencer::default(),
            due: Vec::new(),
            begun: false,
            over: false,
            open: None,
            output: Vec::new(),
            finish: None,
            usage: None,
        }
    }

    fn one(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Open { part, opening, .. } => self.open(*part, opening, out),
            Event::Delta { part, piece, .. } => self.piece(*part, piece, out),
            Event::Close { part, .. } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.part == *part) {
                    open.closed = true;
                }
            }
            Event::Finish { finish, .. } => {
                let (status, _) = marks::ending(finish);
                self.close(status, out);
                self.finish = Some(finish.clone());
            }
            Event::Begin { .. } | Event::Usage(_) | Event::End | Event::Error(_) => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        let response = response::object(&self.head, &self.facts, State::IN_PROGRESS, Vec::new());
        for name in ["response.created", "response.in_progress"] {
            self.whole(name, &response, out);
        }
    }

    fn whole(&mut self, name: &str, response: &Value, out: &mut Vec<u8>) {
        let event = json!({"type": name, "sequence_number": self.next(), "response": response});
        response::frame(name, &event, out);
    }

    const fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }

    fn open(&mut self, part: u32, opening: &Opening, out: &mut Vec<u8>) {
        let place = self.output.len() + if self.open.is_some() { 1 } else { 0 };
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Refusal => Kind::Refusal,
            Opening::Thinking { redacted: false } => Kind::Thinking,
            Opening::Call { id, name, custom, signature } => {
                let id = (id.as_str(), signature.as_deref());
                Kind::call(id, name, *custom, (&self.facts, place))
            }
            // Redacted reasoning shows nothing, and what only its own dialect knows has no place.
            Opening::Thinking { redacted: true } | Opening::Foreign(_) => return,
        };
        self.begin(out);
        self.close("completed", out);
        let id = kind.item_id(&self.facts, place);
        let item = kind.item(&id, "in_progress", None);
        let content = matches!(kind, Kind::Text | Kind::Refusal).then(|| kind.content(""));
        self.open = Some(Open { part, kind, id, said: String::new(), closed: false });
        self.tell("response.output_item.added", Names::Nothing, More::Item { item: &item }, out);
        if let Some(part) = &content {
            self.tell("response.content_part.added", Names::Content, More::Part { part }, out);
        }
    }

    fn piece(&mut self, part: u32, piece: &Piece, out: &mut Vec<u8>) {
        let (Piece::Text(text) | Piece::Arguments(text)) = piece else { return };
        let Some(open) = self.open.as_mut().filter(|open| open.part == part && !open.closed) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let first = open.said.is_empty();
        open.said.push_str(text);
        if first && open.kind == Kind::Thinking {
            let more = More::Part { part: &summary("") };
            self.tell("response.reasoning_summary_part.added", Names::Summary, more, out);
        }
        self.delta(text, out);
    }

    fn delta(&mut self, delta: &str, out: &mut Vec<u8>) {
        let Some(open) = &self.open else { return };
        let (name, names) = match open.kind {
            Kind::Text => ("response.output_text.delta", Names::Content),
            Kind::Refusal => ("response.refusal.delta", Names::Content),
            Kind::Thinking => ("response.reasoning_summary_text.delta", Names::Summary),
            Kind::Call { .. } => ("response.function_call_arguments.delta", Names::Item),
            Kind::Custom { .. } => ("response.custom_tool_call_input.delta", Names::Item),
        };
        let more = match open.kind {
            Kind::Text => More::TextDelta { delta, logprobs: [] },
            _ => More::Delta { delta },
        };
        self.tell(name, names, more, out);
    }

    /// Ends the item that has begun, if any.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        let Some(open) = &self.open else { return };
        let rest = open.kind.rest(&open.said, status);
        if !rest.is_empty() {
            self.delta(rest, out);
        }
        let Some(open) = &mut self.open else { return };
        open.said.push_str(rest);
        let kind = open.kind.clone();
        let item = kind.item(&open.id, status, Some(&open.said));
        self.said(&kind, &item, out);
        self.tell("response.output_item.done", Names::Nothing, More::Item { item: &item }, out);
        self.output.push(item);
        self.open = None;
    }

    /// Repeats what the item said.
    fn said(&mut self, kind: &Kind, item: &Value, out: &mut Vec<u8>) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match kind {
            Kind::Text => {
                let part = &item["content"][0];
                let more = More::TextDone { text: &text(&part["text"]), logprobs: [] };
                self.tell("response.output_text.done", Names::Content, more, out);
                self.tell("response.content_part.done", Names::Content, More::Part { part }, out);
            }
            Kind::Refusal => {
                let part = &item["content"][0];
                let more = More::Refusal { refusal: &text(&part["refusal"]) };
                self.tell("response.refusal.done", Names::Content, more, out);
                self.tell("response.content_part.done", Names::Content, More::Part { part }, out);
            }
            Kind::Thinking => {
                let part = &item["summary"][0];
                if part.is_null() {
                    return;
                }
                let more = More::Text { text: &text(&part["text"]) };
                self.tell("response.reasoning_summary_text.done", Names::Summary, more, out);
                let more = More::Part { part };
                self.tell("response.reasoning_summary_part.done", Names::Summary, more, out);
            }
            Kind::Call { .. } => {
                let more = More::Arguments { arguments: &text(&item["arguments"]) };
                self.tell("response.function_call_arguments.done", Names::Item, more, out);
            }
            Kind::Custom { .. } => {
                let more = More::Input { input: &text(&item["input"]) };
                self.tell("response.custom_tool_call_input.done", Names::Item, more, out);
            }
        }
    }

    fn tell(&mut self, name: &str, names: Names, more: More<'_>, out: &mut Vec<u8>) {
        let sequence_number = self.next();
        let item_id = self.open.as_ref().map(|open| open.id.as_str());
        let told = Told {
            r#type: name,
            sequence_number,
            item_id: item_id.filter(|_| names != Names::Nothing),
            output_index: self.output.len(),
            content_index: (names == Names::Content).then_some(0),
            summary_index: (names == Names::Summary).then_some(0),
            more,
        };
        response::frame(name, &told, out);
    }

    /// The end, which is told only of an answer that finished.
    fn end(&mut self, out: &mut Vec<u8>) {
        let Some(finish) = self.finish.take() else { return };
        self.begin(out);
        self.over = true;
        let (status, reason) = marks::ending(&finish);
        let state = State { status, reason, error: None, usage: self.usage.as_ref() };
        let output = std::mem::take(&mut self.output);
        let response = response::object(&self.head, &self.facts, state, output);
        let completed = status == "completed";
        let name = if completed { "response.completed" } else { "response.incomplete" };
        self.whole(name, &response, out);
    }
}

impl form::Writer for Writer {
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin { id, model, created } => {
                let (id, model) = (id.clone(), model.clone());
                self.head = Head { id, model, created: *created };
                self.begin(out);
            }
            Event::Usage(tokens) => self.usage = Some(tokens.clone()),
            Event::End => self.end(out),
            Event::Open { choice: 0, .. }
            | Event::Delta { choice: 0, .. }
            | Event::Close { choice: 0, .. }
            | Event::Finish { choice: 0, .. } => {
                let mut due = std::mem::take(&mut self.due);
                self.sequencer.push(event.clone(), &mut due);
                due.drain(..).for_each(|event| self.one(&event, out));
                self.due = due;
            }
            // Other choices, and errors: those are told by `error::event` or `fail`.
            _ => {}
        }
    }

    /// As [`error::event`], with the numbers and the response that the stream has.
    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        if !self.over {
            self.over = true;
            error::write(fault, (&self.head, &self.facts), self.sequence, out);
        }
    }
}

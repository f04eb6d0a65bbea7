//! The events of one answer as they are cut: what each weighs, what the call has cost once it is
//! sent, and the damage that the script does to them.

use bytes::Bytes;

use super::answer::Answer;
use super::behaviour::Action;
use super::bill::Tokens;
use super::prompt::tokens_of;

/// One event, or a whole plain body.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) bytes: Bytes,
    /// Cumulative tokens of the call once this is sent.
    pub(crate) tokens: Tokens,
    /// Output tokens in this event: it is paced by them. Zero: sent at once.
    pub(crate) weight: u64,
}

/// What of a choice an event carries: text and tool calls are counted together, thinking apart.
#[derive(Clone, Copy)]
pub(crate) enum Track {
    /// Text, tool names and arguments of the choice of this number.
    Said(usize),
    /// Thinking of the choice of this number.
    Thought(usize),
}

/// A stream in the making.
pub(crate) struct Reel<'a> {
    action: &'a Action,
    total: Tokens,
    /// Thinking that no event shows; the first event pays for it.
    hidden: u64,
    said: Vec<usize>,
    thought: Vec<usize>,
    /// Characters in one delta.
    size: usize,
    events: Vec<Event>,
}

impl<'a> Reel<'a> {
    /// An empty reel for `answer`, in deltas of `delta_tokens`.
    pub(crate) fn new(answer: &Answer, action: &'a Action, delta_tokens: usize) -> Self {
        let choices = answer.choices.len();
        Self {
            action,
            total: answer.tokens,
            hidden: answer.hidden,
            said: vec![0; choices],
            thought: vec![0; choices],
            size: delta_tokens.max(1) * 4,
            events: Vec::new(),
        }
    }

    /// What the script says.
    pub(crate) fn action(&self) -> &'a Action {
        self.action
    }

    /// `text` in the pieces that one delta holds.
    pub(crate) fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        pieces(text, self.size).collect()
    }

    /// A tool call's arguments: in pieces, or whole where the script says so.
    pub(crate) fn arguments<'t>(&self, text: &'t str) -> Vec<&'t str> {
        if self.action.whole_arguments { vec![text] } else { self.pieces(text) }
    }

    /// Counts what the next event carries; the result is its weight.
    pub(crate) fn count(&mut self, track: Track, text: &str) -> u64 {
        let counter = match track {
            Track::Said(choice) => self.said.get_mut(choice),
            Track::Thought(choice) => self.thought.get_mut(choice),
        };
        let Some(counter) = counter else { return 0 };
        let before = tokens_of(*counter);
        *counter += text.chars().count();
        tokens_of(*counter) - before
    }

    /// Adds a server-sent event of one line.
    pub(crate) fn sse(&mut self, name: Option<&str>, data: &str, weight: u64) {
        let end = line_end(self.action);
        let comment =
            if self.action.comments { format!(": keep-alive{end}{end}") } else { String::new() };
        self.raw(Bytes::from(format!("{comment}{}", sse(self.action, name, data))), weight);
    }

    /// Adds an event of these bytes.
    pub(crate) fn raw(&mut self, bytes: Bytes, weight: u64) {
        let tokens = self.so_far();
        self.events.push(Event { bytes, tokens, weight });
    }

    /// What the call has cost with all that was counted.
    pub(crate) fn so_far(&self) -> Tokens {
        let thinking = self.hidden + count(&self.thought);
        Tokens { output: thinking + count(&self.said), thinking, ..self.total }
    }

    /// Whether nothing was added yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Applies the scripted damage and makes the last event pay for the whole. `garbage` replaces
    /// an event; `error` makes the one that ends the stream, and is told how many come before it.
    pub(crate) fn finish(self, garbage: Bytes, error: impl Fn(usize) -> Bytes) -> Vec<Event> {
        let mut events = self.events;
        if let Some(event) = self.action.garbage_at_event.and_then(|at| events.get_mut(at)) {
            event.bytes = garbage;
        }
        if let Some(at) = self.action.error_at_event {
            events.truncate(at);
            let unpaid = Tokens { output: 0, thinking: 0, ..self.total };
            let tokens = events.last().map_or(unpaid, |event| event.tokens);
            let bytes = error(events.len());
            events.push(Event { bytes, tokens, weight: 0 });
        } else if let Some(last) = events.last_mut() {
            last.tokens = self.total;
        }
        events
    }
}

/// The bytes of a server-sent event under the script's line ends.
pub(crate) fn sse(action: &Action, name: Option<&str>, data: &str) -> String {
    let end = line_end(action);
    let name = name.map_or_else(String::new, |name| format!("event: {name}{end}"));
    format!("{name}data: {data}{end}{end}")
}

fn line_end(action: &Action) -> &'static str {
    if action.crlf { "\r\n" } else { "\n" }
}

fn count(chars: &[usize]) -> u64 {
    chars.iter().map(|chars| tokens_of(*chars)).sum()
}

/// Cuts `text` into pieces of `size` characters.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(size).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

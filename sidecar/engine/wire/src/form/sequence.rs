//! Parts one after the other, for surfaces whose blocks never overlap (Anthropic, Responses, Bedrock).
//! OpenAI's chat streams key tool calls by index and may interleave them.

use std::collections::VecDeque;

use super::{Event, Opening, Piece};

/// Reorders one choice's events so that at most one part is open: what belongs to a later part waits until
/// the open one is whole. Text is whole once another part begins (should it go on later, it opens again
/// under the same number); a call once its arguments are a complete JSON object, so that a second call
/// rarely waits for the answer's end. Nothing is invented; only blanks after a whole object are dropped.
#[derive(Debug, Default)]
pub struct Sequencer {
    /// The first is open, those after it wait in the order in which they began.
    parts: VecDeque<Held>,
    /// What parts were that have been closed early.
    former: Vec<(u32, Opening)>,
}

#[derive(Debug)]
struct Held {
    choice: u32,
    part: u32,
    opening: Opening,
    /// Its `Open` is out.
    begun: bool,
    /// What came while another part was open.
    pieces: Vec<Piece>,
    /// Its `Close` has come.
    closed: bool,
    nesting: Nesting,
}

impl Sequencer {
    /// Takes an event of one choice and appends what may go down now. Events of no part pass at once.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Open { choice, part, opening } => self.hold(choice, part, opening),
            Event::Delta { choice, part, piece } => self.take(choice, part, piece, out),
            Event::Close { part, .. } => {
                if let Some(held) = self.parts.iter_mut().find(|held| held.part == part) {
                    held.closed = true;
                }
            }
            other => return out.push(other),
        }
        self.advance(out);
    }

    fn hold(&mut self, choice: u32, part: u32, opening: Opening) {
        let nesting = Nesting::default();
        let (begun, closed, pieces) = (false, false, Vec::new());
        self.parts.push_back(Held { choice, part, opening, begun, pieces, closed, nesting });
    }

    fn take(&mut self, choice: u32, part: u32, piece: Piece, out: &mut Vec<Event>) {
        if !self.parts.iter().any(|held| held.part == part) {
            let Some((_, opening)) = self.former.iter().find(|(former, _)| *former == part) else {
                return;
            };
            if matches!(opening, Opening::Call { .. }) {
                return; // its arguments are whole: blanks
            }
            self.hold(choice, part, opening.clone());
        }
        for (place, held) in self.parts.iter_mut().enumerate() {
            if held.part != part {
                continue;
            }
            if let Piece::Arguments(text) = &piece {
                held.nesting.push(text);
            }
            if place == 0 && held.begun {
                out.push(Event::Delta { choice, part, piece });
            } else {
                held.pieces.push(piece);
            }
            return;
        }
    }

    fn advance(&mut self, out: &mut Vec<Event>) {
        loop {
            let others = self.parts.len() > 1;
            let Some(front) = self.parts.front_mut() else { return };
            let (choice, part) = (front.choice, front.part);
            if !front.begun {
                front.begun = true;
                out.push(Event::Open { choice, part, opening: front.opening.clone() });
                let pieces = front.pieces.drain(..);
                out.extend(pieces.map(|piece| Event::Delta { choice, part, piece }));
            }
            let over = front.closed || (others && front.may_end());
            if !over {
                return;
            }
            out.push(Event::Close { choice, part });
            if let Some(held) = self.parts.pop_front()
                && !held.closed
            {
                self.former.push((part, held.opening));
            }
        }
    }
}

impl Held {
    fn may_end(&self) -> bool {
        match self.opening {
            Opening::Call { custom, .. } => !custom && self.nesting.whole(),
            _ => true,
        }
    }
}

/// How deep in brackets a JSON text stands, fed piece by piece.
#[derive(Debug, Default)]
struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Nesting {
    fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.depth += 1;
                    self.begun = true;
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    const fn whole(&self) -> bool {
        self.begun && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(part: u32, opening: Opening) -> Event {
        Event::Open { choice: 0, part, opening }
    }

    fn call(part: u32) -> Event {
        let (id, name) = (format!("c{part}"), "f".into());
        open(part, Opening::Call { id, name, custom: false, signature: None })
    }

    fn args(part: u32, text: &str) -> Event {
        Event::Delta { choice: 0, part, piece: Piece::Arguments(text.into()) }
    }

    fn text(part: u32, text: &str) -> Event {
        Event::Delta { choice: 0, part, piece: Piece::Text(text.into()) }
    }

    fn close(part: u32) -> Event {
        Event::Close { choice: 0, part }
    }

    fn run(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
        let (mut sequencer, mut out) = (Sequencer::default(), Vec::new());
        events.into_iter().for_each(|event| sequencer.push(event, &mut out));
        out
    }

    /// A11: parallel tool deltas keyed by index become sequential blocks, each with its own arguments.
    #[test]
    fn interleaved_calls_follow_one_another() {
        let events = [
            call(0),
            call(1),
            args(0, r#"{"a": "}"#),
            args(1, r#"{"b""#),
            args(0, r#""}"#),
            args(1, ":1}"),
            close(0),
            close(1),
        ];
        let expected = [
            call(0),
            args(0, r#"{"a": "}"#),
            args(0, r#""}"#),
            close(0),
            call(1),
            args(1, r#"{"b""#),
            args(1, ":1}"),
            close(1),
        ];
        assert_eq!(run(events), expected);
    }

    /// A call that seems whole is closed when the next begins; blanks that come late are dropped.
    #[test]
    fn a_whole_call_does_not_hold_up_the_next() {
        let events = [call(0), args(0, "{}"), call(1), args(1, "{"), args(0, " \n")];
        assert_eq!(run(events), [call(0), args(0, "{}"), close(0), call(1), args(1, "{")]);
    }

    /// Text that goes on after a call opens again once the call is whole.
    #[test]
    fn text_that_goes_on_opens_again() {
        let events = [
            open(0, Opening::Text),
            text(0, "a"),
            call(1),
            text(0, "b"),
            args(1, "{}"),
            close(0),
            close(1),
        ];
        let expected = [
            open(0, Opening::Text),
            text(0, "a"),
            close(0),
            call(1),
            args(1, "{}"),
            close(1),
            open(0, Opening::Text),
            text(0, "b"),
            close(0),
        ];
        assert_eq!(run(events), expected);
    }

    /// A call without arguments ends with its `Close` and nothing else.
    #[test]
    fn an_empty_call_waits_for_its_end() {
        let events = [call(0), call(1), args(1, "{}"), close(0), close(1)];
        let expected = [call(0), close(0), call(1), args(1, "{}"), close(1)];
        assert_eq!(run(events), expected);
    }
}

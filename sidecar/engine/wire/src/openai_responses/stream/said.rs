//! What a stream's items have said so far, as its reader follows them.

use crate::form::{Event, Opening, Piece};
use crate::openai_responses::items::BETWEEN;

/// An item of `output`.
#[derive(Debug)]
pub(super) struct Item {
    /// `output_index`.
    pub(super) index: u64,
    /// Its `type`.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: Kind,
    /// Nothing more comes.
    pub(super) done: bool,
}

/// What an item is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A message: its contents are parts.
    Message(Vec<Content>),
    /// A part itself: a call, or what only this dialect knows.
    Part(Said),
    /// Reasoning, and the block that was said last: of the summary or not, and its index.
    Reasoning(Said, Option<(bool, u64)>),
}

/// A content of a message.
#[derive(Debug)]
pub(super) struct Content {
    /// `content_index`.
    pub(super) index: u64,
    /// What it said.
    pub(super) said: Said,
}

/// A part that has been opened.
#[derive(Debug)]
pub(super) struct Said {
    /// Its number.
    part: u32,
    /// Something came.
    any: bool,
    /// It is closed.
    closed: bool,
}

impl Said {
    /// Opens the next part.
    pub(super) fn open(parts: &mut u32, opening: Opening, out: &mut Vec<Event>) -> Self {
        let part = *parts;
        *parts = parts.saturating_add(1);
        out.push(Event::Open { choice: 0, part, opening });
        Self { part, any: false, closed: false }
    }

    /// `None`: it is closed, so nothing may come any more.
    pub(super) fn say(&mut self, piece: Piece, out: &mut Vec<Event>) -> Option<()> {
        let (Piece::Text(text) | Piece::Arguments(text) | Piece::Signature(text)) = &piece;
        if text.is_empty() {
            return Some(());
        }
        if self.closed {
            return None;
        }
        self.any |= !matches!(piece, Piece::Signature(_));
        out.push(Event::Delta { choice: 0, part: self.part, piece });
        Some(())
    }

    /// The whole of what was said: providers that send no deltas say it here only.
    pub(super) fn say_whole(&mut self, piece: Piece, out: &mut Vec<Event>) -> Option<()> {
        if self.any { Some(()) } else { self.say(piece, out) }
    }

    pub(super) fn close(&mut self, out: &mut Vec<Event>) {
        if !self.closed {
            self.closed = true;
            out.push(Event::Close { choice: 0, part: self.part });
        }
    }
}

impl Item {
    /// A blank line stands between two blocks of reasoning, as in a plain answer.
    pub(super) fn think(
        &mut self,
        block: (bool, u64),
        text: String,
        whole: bool,
        out: &mut Vec<Event>,
    ) -> Option<()> {
        let Kind::Reasoning(said, last) = &mut self.kind else { return None };
        if text.is_empty() || (whole && *last == Some(block)) {
            return Some(());
        }
        if last.is_some_and(|last| last != block) {
            said.say(Piece::Text(BETWEEN.to_owned()), out)?;
        }
        *last = Some(block);
        said.say(Piece::Text(text), out)
    }

    /// Closes all its parts.
    pub(super) fn close(&mut self, out: &mut Vec<Event>) {
        self.done = true;
        match &mut self.kind {
            Kind::Message(contents) => {
                contents.iter_mut().for_each(|content| content.said.close(out));
            }
            Kind::Part(said) | Kind::Reasoning(said, _) => said.close(out),
        }
    }
}

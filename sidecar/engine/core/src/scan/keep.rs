//! What is kept of a text: its first and last characters, whatever its length.

use super::LastText;
use super::text::{count_chars, starts_char};
use crate::limits::FEATURE_SIDE_CHARS;

const SIDE_CHARS: usize = FEATURE_SIDE_CHARS as usize;
const SIDE_BYTES: usize = SIDE_CHARS * 4;
/// The tail is cut back when it would outgrow this, so that each byte is moved about once.
const TAIL_BYTES: usize = SIDE_BYTES * 2;
/// A side without wide characters; glibc keeps blocks of up to 1,032 bytes by thread.
const FIRST_BYTES: usize = SIDE_CHARS * 2;

/// Collects head and tail of one text; both buffers are allocated once and reused.
#[derive(Debug, Default)]
pub(super) struct Keep {
    head: Vec<u8>,
    tail: Vec<u8>,
    chars: usize,
}

impl Keep {
    /// Forgets the text, keeps the buffers.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.tail.clear();
        self.chars = 0;
    }

    /// Whether there is no text.
    pub(super) const fn is_empty(&self) -> bool {
        self.chars == 0
    }

    /// Another part of the same message begins: parts are joined by a line break.
    pub(super) fn next_part(&mut self) {
        if self.chars > 0 {
            self.push(b"\n");
        }
    }

    /// Appends unescaped text; a character may be cut between two calls.
    pub(super) fn push(&mut self, text: &[u8]) {
        let rest = if self.chars <= SIDE_CHARS { self.fill_head(text) } else { text };
        if !rest.is_empty() {
            self.chars += count_chars(rest);
            self.push_tail(rest);
        }
    }

    /// Head and tail as text.
    pub(super) fn take(self) -> LastText {
        let tail_from = last_chars(&self.tail);
        let mut tail = self.tail;
        tail.drain(..tail_from);
        LastText {
            head: into_text(self.head),
            tail: into_text(tail),
            chars: u32::try_from(self.chars).unwrap_or(u32::MAX),
        }
    }

    /// Takes what belongs to the head (which ends where the first character after it begins).
    fn fill_head<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let room = SIDE_CHARS - self.chars;
        if text.len() <= room {
            self.chars += count_chars(text);
            append(&mut self.head, text, SIDE_BYTES);
            return &[];
        }
        // Without room, a character of the head may still be cut: its rest is no ASCII.
        let (head, rest) = if room > 0 && text[..room].is_ascii() {
            text.split_at(room)
        } else {
            let mut starts = text.iter().enumerate().filter(|(_, byte)| starts_char(**byte));
            text.split_at(starts.nth(room).map_or(text.len(), |(index, _)| index))
        };
        self.chars += count_chars(head);
        append(&mut self.head, head, SIDE_BYTES);
        rest
    }

    fn push_tail(&mut self, text: &[u8]) {
        if text.len() >= SIDE_BYTES {
            self.tail.clear();
            append(&mut self.tail, &text[text.len() - SIDE_BYTES..], TAIL_BYTES);
            return;
        }
        if self.tail.len() + text.len() > TAIL_BYTES {
            let surplus = self.tail.len() - SIDE_BYTES;
            self.tail.drain(..surplus);
        }
        append(&mut self.tail, text, TAIL_BYTES);
    }
}

/// Adds to a side of at most `most` bytes. It gets little room at first, which most texts never
/// outgrow and the allocator has at hand, then all that it can ever need.
fn append(side: &mut Vec<u8>, text: &[u8], most: usize) {
    let length = side.len() + text.len();
    if length > side.capacity() {
        let room = if length <= FIRST_BYTES { FIRST_BYTES } else { most };
        side.reserve_exact(room - side.len());
    }
    side.extend_from_slice(text);
}

/// Where the last `SIDE_CHARS` characters begin; a cut character at the front is left out.
fn last_chars(tail: &[u8]) -> usize {
    let front = tail.len().saturating_sub(SIDE_CHARS);
    if front > 0 && tail[front..].is_ascii() {
        return front;
    }
    let mut starts = tail.iter().enumerate().rev().filter(|(_, byte)| starts_char(**byte));
    match starts.nth(SIDE_CHARS - 1) {
        Some((index, _)) => index,
        None => tail.iter().position(|&byte| starts_char(byte)).unwrap_or(tail.len()),
    }
}

/// The bytes came out of checked UTF-8 and are cut between characters.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

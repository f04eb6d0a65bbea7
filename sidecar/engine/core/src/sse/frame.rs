//! Where events end in a byte stream (LF or CRLF), wherever it is split, and what lines an event has.

use std::borrow::Cow;

use memchr::memchr;

/// Finds the blank lines that end events; keeps its place between pieces.
#[derive(Debug, Default)]
pub(super) struct Framer {
    line: Line,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing of the line has been seen.
    #[default]
    Start,
    /// Only a CR has been seen.
    Return,
    /// The line is not blank.
    Text,
}

impl Framer {
    /// How many bytes of `piece` belong to the current event, its blank line included;
    /// `None`: all of them, and it goes on.
    pub(super) fn event_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.line == Line::Text {
                at += memchr(b'\n', piece.get(at..)?)? + 1;
                self.line = Line::Start;
            }
            match (*piece.get(at)?, self.line) {
                (b'\n', _) => {
                    self.line = Line::Start;
                    return Some(at + 1);
                }
                (b'\r', Line::Start) => {
                    self.line = Line::Return;
                    at += 1;
                }
                _ => self.line = Line::Text,
            }
        }
    }
}

/// What an event's lines are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// Comments and blank lines: nothing that a client would see.
    Comment,
    /// Fields, but no data; SDKs fail at it.
    Empty,
    /// One `data` line.
    Data(&'a [u8]),
    /// Several `data` lines, joined by LF.
    Joined(Vec<u8>),
    /// `event: error`, whatever its data.
    Error(Vec<u8>),
}

impl<'a> Event<'a> {
    /// Reads one whole event.
    pub(super) fn read(event: &'a [u8]) -> Self {
        if let Some(data) = single_data_line(event) {
            return if data.is_empty() { Self::Empty } else { Self::Data(data) };
        }
        if event.split(|byte| *byte == b'\n').all(is_comment) {
            return Self::Comment;
        }
        let (mut data, mut is_error) = (None::<Vec<u8>>, false);
        for line in event.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(value) = field(line, b"data") {
                match &mut data {
                    None => data = Some(value.to_vec()),
                    Some(joined) => {
                        joined.push(b'\n');
                        joined.extend_from_slice(value);
                    }
                }
            } else if let Some(name) = field(line, b"event") {
                is_error = name == b"error";
            }
        }
        match data.filter(|data| !data.trim_ascii().is_empty()) {
            Some(data) if is_error => Self::Error(data),
            Some(data) => Self::Joined(data),
            None => Self::Empty,
        }
    }
}

/// Name and data of one whole event; `None`: a comment or nothing of either. Several `data` lines are
/// joined by LF.
pub(super) fn named(event: &[u8]) -> Option<(&str, Cow<'_, [u8]>)> {
    let (mut name, mut data) = ("", None::<Cow<'_, [u8]>>);
    for line in event.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(value) = field(line, b"data") {
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(joined) => {
                    let joined = joined.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            }
        } else if let Some(value) = field(line, b"event") {
            name = std::str::from_utf8(value).unwrap_or_default();
        }
    }
    data.map(|data| (name, data))
}

fn single_data_line(event: &[u8]) -> Option<&[u8]> {
    let rest = event.strip_prefix(b"data:")?;
    let end = memchr(b'\n', rest)?;
    matches!(&rest[end + 1..], b"\n" | b"\r\n").then(|| rest[..end].trim_ascii())
}

fn is_comment(line: &[u8]) -> bool {
    matches!(line, [] | [b'\r'] | [b':', ..])
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[&str]) -> Vec<String> {
        let (mut framer, mut tail, mut events) = (Framer::default(), String::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = framer.event_end(rest.as_bytes()) {
                tail.push_str(&rest[..end]);
                events.push(std::mem::take(&mut tail));
                rest = &rest[end..];
            }
            tail.push_str(rest);
        }
        events.push(tail);
        events
    }

    /// LF and CRLF, stray blank lines and every split give the same events.
    #[test]
    fn frames_at_any_split() {
        let text = "data: a\n\n: c\r\n\r\n\ndata: b\ndata: c\r\n\r\ndata: d\r\n\n rest";
        let whole = frames(&[text]);
        let expected = [
            "data: a\n\n",
            ": c\r\n\r\n",
            "\n",
            "data: b\ndata: c\r\n\r\n",
            "data: d\r\n\n",
            " rest",
        ];
        assert_eq!(whole, expected);
        for at in 0..=text.len() {
            assert_eq!(frames(&[&text[..at], &text[at..]]), whole, "split at {at}");
        }
        let bytes: Vec<&str> = (0..text.len()).map(|at| &text[at..=at]).collect();
        assert_eq!(frames(&bytes), whole);
    }

    /// Fields are read as the SSE standard says: optional space, several data lines joined.
    #[test]
    fn reads_lines() {
        assert_eq!(Event::read(b"data: x\n\n"), Event::Data(b"x"));
        assert_eq!(Event::read(b"data:x\r\n\r\n"), Event::Data(b"x"));
        assert_eq!(Event::read(b"data: {\ndata: }\n\n"), Event::Joined(b"{\n}".to_vec()));
        assert_eq!(Event::read(b"event: error\ndata: x\n\n"), Event::Error(b"x".to_vec()));
        assert_eq!(Event::read(b": hi\ndata: x\n\n"), Event::Joined(b"x".to_vec()));
        for comment in ["\n", "\r\n", ": keep-alive\n\n", ":\r\n: b\r\n\r\n"] {
            assert_eq!(Event::read(comment.as_bytes()), Event::Comment, "{comment:?}");
        }
        for empty in ["data:\n\n", "data\n\n", "id: 1\n\n", "event: x\ndata:\n\n", "datax: 1\n\n"] {
            assert_eq!(Event::read(empty.as_bytes()), Event::Empty, "{empty:?}");
        }
    }
}

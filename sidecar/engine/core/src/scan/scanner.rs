//! JSON's grammar as a state machine over pieces. What values mean is `meaning`'s business.

use super::error::ScanError;
use super::meaning::Meaning;
use super::number::{Number, Step};
use super::place::{Kind, Place, Profile};
use super::text::{Escapes, Utf8, plain_len};
use super::{Scan, ScanOptions};
use crate::limits::JSON_DEPTH;

/// What the grammar wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    FirstKey,
    Key,
    Colon,
    FirstElement,
    Value,
    AfterValue,
    InKey,
    InString,
    InNumber,
    InLiteral,
    Done,
}

/// A `true`, `false` or `null` under way.
#[derive(Debug, Clone, Copy)]
struct Literal {
    rest: &'static [u8],
    value: Option<bool>,
}

/// An open array or object.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    place: Place,
    object: bool,
}

/// Reads one body; feed it with [`Scanner::push`], then ask [`Scanner::finish`].
#[derive(Debug)]
pub struct Scanner {
    failed: Option<ScanError>,
    /// Bytes of the pieces before the one at hand.
    offset: usize,
    utf8: Utf8,
    state: State,
    frames: [Frame; JSON_DEPTH],
    depth: usize,
    /// Of the value at hand.
    place: Place,
    start: usize,
    escapes: Escapes,
    number: Number,
    literal: Literal,
    meaning: Meaning,
}

impl Scanner {
    /// A scanner for one body of OpenAI's chat or embeddings.
    #[must_use]
    pub fn new(options: ScanOptions) -> Self {
        Self::of(Profile::Chat, options)
    }

    /// A scanner for one body of such a surface.
    #[must_use]
    pub fn of(profile: Profile, options: ScanOptions) -> Self {
        Self {
            failed: None,
            offset: 0,
            utf8: Utf8::default(),
            state: State::Start,
            frames: [Frame::default(); JSON_DEPTH],
            depth: 0,
            place: profile.root(),
            start: 0,
            escapes: Escapes::default(),
            number: Number::start(b'0'),
            literal: Literal { rest: b"", value: None },
            meaning: Meaning::new(profile, options),
        }
    }

    /// Takes the next piece of the body, of any length.
    ///
    /// # Errors
    /// As soon as no continuation can make the body acceptable; the same error ever after.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ScanError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let read = self.read(piece);
        self.offset += piece.len();
        if let Err(error) = &read {
            self.failed = Some(error.clone());
        }
        read
    }

    /// The body has ended.
    ///
    /// # Errors
    /// Where it was not one whole JSON object.
    pub fn finish(self) -> Result<Scan, ScanError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.state == State::Done => Ok(self.meaning.finish(self.offset)),
            None => Err(ScanError::Incomplete { length: self.offset }),
        }
    }

    fn read(&mut self, piece: &[u8]) -> Result<(), ScanError> {
        self.utf8.push(piece).map_err(|at| ScanError::InvalidUtf8 { offset: self.offset + at })?;
        let mut at = 0;
        while at < piece.len() {
            at = match self.state {
                State::InKey | State::InString => self.string(piece, at)?,
                State::InNumber => self.number(piece, at)?,
                State::InLiteral => self.literal(piece, at)?,
                _ => self.structure(piece, at)?,
            };
        }
        Ok(())
    }

    /// Whitespace and punctuation, up to the inside of a string, number or literal.
    fn structure(&mut self, piece: &[u8], mut at: usize) -> Result<usize, ScanError> {
        while let Some(&byte) = piece.get(at) {
            let offset = self.offset + at;
            at += 1;
            match (self.state, byte) {
                (_, b' ' | b'\n' | b'\r' | b'\t') => {}
                (State::FirstKey | State::Key, b'"') => {
                    self.meaning.begin_key(self.top().place);
                    self.state = State::InKey;
                    return Ok(at);
                }
                (State::Colon, b':') => self.state = State::Value,
                (State::FirstKey, b'}') | (State::FirstElement, b']') => self.close(offset),
                (State::AfterValue, b',') => self.next_member(),
                (State::AfterValue, b'}') if self.top().object => self.close(offset),
                (State::AfterValue, b']') if !self.top().object => self.close(offset),
                (State::FirstElement | State::Value, _) => {
                    let skipped = self.skip_numbers(&piece[at - 1..]);
                    if skipped > 0 {
                        at += skipped - 1;
                        continue;
                    }
                    self.value(byte, offset)?;
                    if matches!(self.state, State::InString | State::InNumber | State::InLiteral) {
                        return Ok(at);
                    }
                }
                (State::Start, b'{') => self.open(true, offset)?,
                (State::Start, _) => return Err(ScanError::NotAnObject),
                _ => return Err(ScanError::Syntax { offset, expected: self.wanted() }),
            }
        }
        Ok(at)
    }

    fn wanted(&self) -> &'static str {
        match self.state {
            State::FirstKey => "a member's name in quotes, or }",
            State::Key => "a member's name in quotes",
            State::Colon => "a colon",
            State::AfterValue if self.top().object => "a comma or }",
            State::AfterValue => "a comma or ]",
            _ => "nothing after the object",
        }
    }

    fn top(&self) -> Frame {
        self.depth.checked_sub(1).and_then(|top| self.frames.get(top)).copied().unwrap_or_default()
    }

    fn next_member(&mut self) {
        let top = self.top();
        if top.object {
            self.state = State::Key;
        } else {
            self.place = top.place.element();
            self.state = State::Value;
        }
    }

    fn open(&mut self, object: bool, offset: usize) -> Result<(), ScanError> {
        let frame = self
            .frames
            .get_mut(self.depth)
            .ok_or(ScanError::TooDeep { offset, limit: JSON_DEPTH })?;
        *frame = Frame { place: self.place, object };
        self.depth += 1;
        if object {
            self.meaning.open_object(self.place, offset);
            self.state = State::FirstKey;
        } else {
            self.place = self.place.element();
            self.state = State::FirstElement;
        }
        Ok(())
    }

    fn close(&mut self, offset: usize) {
        self.place = self.top().place;
        self.depth -= 1;
        self.end_value(offset + 1);
    }

    fn end_value(&mut self, end: usize) {
        self.meaning.end_value(self.place, end);
        self.state = if self.depth == 0 { State::Done } else { State::AfterValue };
    }

    fn value(&mut self, byte: u8, offset: usize) -> Result<(), ScanError> {
        let (kind, state) = match byte {
            b'"' => (Kind::String, State::InString),
            b'{' => (Kind::Object, State::FirstKey),
            b'[' => (Kind::Array, State::FirstElement),
            b'-' | b'0'..=b'9' => (Kind::Number, State::InNumber),
            b't' | b'f' => (Kind::Bool, State::InLiteral),
            b'n' => (Kind::Null, State::InLiteral),
            _ => return Err(ScanError::Syntax { offset, expected: "a value" }),
        };
        self.meaning.begin_value(self.place, kind, offset)?;
        match kind {
            Kind::Object | Kind::Array => return self.open(kind == Kind::Object, offset),
            Kind::Number => self.number = Number::start(byte),
            Kind::Bool | Kind::Null => self.literal = Literal::start(byte),
            Kind::String => {}
        }
        self.start = offset;
        self.state = state;
        Ok(())
    }

    /// Prompts may come as long arrays of token numbers: takes those at the start that a comma
    /// follows, where they mean no more than their count. Returns their length.
    fn skip_numbers(&mut self, piece: &[u8]) -> usize {
        if self.top().object || !matches!(self.place, Place::InputItem | Place::Ignored) {
            return 0;
        }
        let (mut at, mut count) = (0, 0);
        while let Some(length) = simple_number(&piece[at..])
            && piece.get(at + length) == Some(&b',')
        {
            count += 1;
            at += length + 1;
            while piece.get(at) == Some(&b' ') {
                at += 1;
            }
        }
        if count > 0 {
            self.meaning.skip_numbers(self.place, count);
            self.state = State::Value;
        }
        at
    }

    /// The inside of a key or string value.
    fn string(&mut self, piece: &[u8], mut at: usize) -> Result<usize, ScanError> {
        while at < piece.len() {
            if self.escapes.open() {
                let offset = self.offset + at;
                let step = self.escapes.step(piece[at]);
                let decoded = step.map_err(|expected| ScanError::Syntax { offset, expected })?;
                if let Some(decoded) = decoded {
                    self.meaning.text(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                }
                at += 1;
                continue;
            }
            let plain = &piece[at..at + plain_len(&piece[at..])];
            if !plain.is_empty() {
                self.meaning.text(plain);
                at += plain.len();
            }
            match piece.get(at) {
                None => {}
                Some(b'\\') => {
                    self.escapes.start();
                    at += 1;
                }
                Some(b'"') => {
                    self.end_string(self.offset + at + 1)?;
                    return Ok(at + 1);
                }
                Some(_) => {
                    let expected = "control characters in strings to be escaped";
                    return Err(ScanError::Syntax { offset: self.offset + at, expected });
                }
            }
        }
        Ok(at)
    }

    fn end_string(&mut self, end: usize) -> Result<(), ScanError> {
        if self.state == State::InKey {
            self.place = self.meaning.end_key(self.top().place)?;
            self.state = State::Colon;
        } else {
            self.meaning.end_string(self.place, self.start..end)?;
            self.end_value(end);
        }
        Ok(())
    }

    fn number(&mut self, piece: &[u8], mut at: usize) -> Result<usize, ScanError> {
        at += self.number.take_digits(&piece[at..]);
        while let Some(&byte) = piece.get(at) {
            let offset = self.offset + at;
            match self.number.step(byte) {
                Step::Taken => at += 1,
                Step::Wrong(expected) => return Err(ScanError::Syntax { offset, expected }),
                Step::Ended => {
                    let whole = self.number.whole();
                    self.meaning.end_number(self.place, whole, self.start..offset)?;
                    self.end_value(offset);
                    break;
                }
            }
        }
        Ok(at)
    }

    fn literal(&mut self, piece: &[u8], mut at: usize) -> Result<usize, ScanError> {
        while let Some(&byte) = piece.get(at)
            && let Some((&wanted, rest)) = self.literal.rest.split_first()
        {
            let offset = self.offset + at;
            if byte != wanted {
                return Err(ScanError::Syntax { offset, expected: "true, false or null" });
            }
            at += 1;
            self.literal.rest = rest;
            if rest.is_empty() {
                self.meaning.end_literal(self.place, self.literal.value, self.start..offset + 1);
                self.end_value(offset + 1);
            }
        }
        Ok(at)
    }
}

/// The length of a whole number at the start that cannot overflow: up to 18 digits, no leading zero.
fn simple_number(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    let leading_zero = length > 1 && bytes.first() == Some(&b'0');
    (length > 0 && length < 19 && !leading_zero).then_some(length)
}

impl Literal {
    fn start(byte: u8) -> Self {
        match byte {
            b't' => Self { rest: b"rue", value: Some(true) },
            b'f' => Self { rest: b"alse", value: Some(false) },
            _ => Self { rest: b"ull", value: None },
        }
    }
}

//! One pass over a text, counting everything that features and task rules need; no allocation.
//! Classes of characters are ASCII; every other character is part of a word, so that no Unicode
//! table has to agree with Python's.

use super::lexicon::{CLASSES, HASH_START, classes_of, hash_byte};

const SEEN_BITS: usize = 2048;
/// Three of them open a block of code.
const FENCE: u8 = 3;

/// Counts of one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    pub(crate) seen: u32,
    pub(crate) words: u32,
    pub(crate) word_chars: u32,
    pub(crate) distinct: u32,
    pub(crate) newlines: u32,
    pub(crate) digits: u32,
    pub(crate) upper: u32,
    pub(crate) non_ascii: u32,
    pub(crate) operators: u32,
    pub(crate) brackets: u32,
    pub(crate) numbers: u32,
    pub(crate) longest_number: u32,
    pub(crate) dollars: u32,
    pub(crate) backslashes: u32,
    pub(crate) code_marks: u32,
    pub(crate) fences: u32,
    pub(crate) indents: u32,
    pub(crate) list_marks: u32,
    pub(crate) quotes: u32,
    pub(crate) question_marks: u32,
    pub(crate) words_of: [u32; CLASSES],
}

/// Counts `head` and `tail`; a `gap` between them ends words and lines.
pub(crate) fn survey(head: &str, tail: &str, gap: bool) -> Survey {
    let mut pass = Pass::new();
    pass.feed(head.as_bytes());
    if gap {
        pass.end_word();
        pass.end_number();
        (pass.previous, pass.line, pass.ticks) = (0, Line::Inside, 0);
    }
    pass.feed(tail.as_bytes());
    pass.end_word();
    pass.end_number();
    pass.out.distinct = pass.slots.iter().map(|slots| slots.count_ones()).sum();
    pass.out
}

/// Where in a line the pass stands, for list marks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    Number,
    Inside,
}

struct Pass {
    out: Survey,
    slots: [u64; SEEN_BITS / 64],
    hash: u32,
    length: u32,
    number: u32,
    previous: u8,
    ticks: u8,
    line: Line,
}

impl Pass {
    fn new() -> Self {
        Self {
            out: Survey::default(),
            slots: [0; SEEN_BITS / 64],
            hash: HASH_START,
            length: 0,
            number: 0,
            previous: 0,
            ticks: 0,
            line: Line::Start,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match KIND[usize::from(byte)] {
                LETTER => {
                    rest = self.letters(rest);
                    continue;
                }
                SPACE => self.space(),
                DIGIT => self.digit(byte),
                LEAD => {
                    self.out.non_ascii += 1;
                    self.letter(byte);
                }
                CONTINUATION => self.hash = hash_byte(self.hash, byte),
                kind => self.mark(byte, kind),
            }
            self.previous = byte;
            rest = after;
        }
    }

    /// The run of ASCII letters at the start, in one go; returns what follows it.
    fn letters<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (mut hash, mut upper, mut taken) = (self.hash, 0, 0);
        for &byte in bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()) {
            upper += u32::from(byte.is_ascii_uppercase());
            hash = hash_byte(hash, byte | 0x20);
            self.previous = byte;
            taken += 1;
        }
        self.hash = hash;
        let length = u32::try_from(taken).unwrap_or(u32::MAX);
        self.out.upper += upper;
        self.out.seen += length;
        self.length += length;
        self.end_number();
        (self.line, self.ticks) = (Line::Inside, 0);
        &bytes[taken..]
    }

    /// What `mark` does with the most frequent one.
    fn space(&mut self) {
        self.out.seen += 1;
        self.end_word();
        self.end_number();
        self.out.indents += u32::from(self.previous == b'\n');
        (self.line, self.ticks) = (Line::Inside, 0);
    }

    /// A character beyond ASCII.
    fn letter(&mut self, lower: u8) {
        self.out.seen += 1;
        self.length += 1;
        self.hash = hash_byte(self.hash, lower);
        self.end_number();
        (self.line, self.ticks) = (Line::Inside, 0);
    }

    fn digit(&mut self, byte: u8) {
        self.out.seen += 1;
        self.length += 1;
        self.hash = hash_byte(self.hash, byte);
        self.out.digits += 1;
        self.number += 1;
        self.ticks = 0;
        if self.line == Line::Start {
            self.line = Line::Number;
        }
    }

    fn mark(&mut self, byte: u8, kind: u8) {
        self.out.seen += 1;
        let word_before = self.length > 0;
        self.end_word();
        self.end_number();
        self.out.operators += u32::from(kind == OPERATOR);
        self.out.brackets += u32::from(kind == BRACKET);
        let bullet = self.line == Line::Start && matches!(byte, b'-' | b'*');
        let numbered = self.line == Line::Number && matches!(byte, b'.' | b')');
        self.out.list_marks += u32::from(bullet || numbered);
        self.line = Line::Inside;
        self.ticks = if byte == b'`' { self.ticks + 1 } else { 0 };
        match byte {
            b'\n' => {
                self.out.newlines += 1;
                self.line = Line::Start;
            }
            b'?' => self.out.question_marks += 1,
            b'$' => self.out.dollars += 1,
            b'\\' => self.out.backslashes += 1,
            b'"' => self.out.quotes += 1,
            b'\'' => self.out.quotes += u32::from(!word_before),
            b';' | b'#' => self.out.code_marks += 1,
            b'=' => self.out.code_marks += u32::from(self.previous == b'='),
            b')' => self.out.code_marks += u32::from(self.previous == b'('),
            b'`' => {
                self.out.code_marks += 1;
                if self.ticks == FENCE {
                    self.out.fences += 1;
                    self.ticks = 0;
                }
            }
            _ => {}
        }
    }

    fn end_word(&mut self) {
        if self.length == 0 {
            return;
        }
        self.out.words += 1;
        self.out.word_chars += self.length;
        let slot = (self.hash ^ (self.hash >> 15)) as usize % SEEN_BITS;
        self.slots[slot / 64] |= 1 << (slot % 64);
        let mut classes = classes_of(self.hash);
        while classes != 0 {
            self.out.words_of[classes.trailing_zeros() as usize] += 1;
            classes &= classes - 1;
        }
        (self.hash, self.length) = (HASH_START, 0);
    }

    fn end_number(&mut self) {
        if self.number > 0 {
            self.out.numbers += 1;
            self.out.longest_number = self.out.longest_number.max(self.number);
            self.number = 0;
        }
    }
}

const MARK: u8 = 0;
const LETTER: u8 = 1;
const SPACE: u8 = 2;
const DIGIT: u8 = 3;
const LEAD: u8 = 4;
const CONTINUATION: u8 = 5;
const OPERATOR: u8 = 6;
const BRACKET: u8 = 7;

static KIND: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [MARK; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b' ' | b'\t' => SPACE,
            b'0'..=b'9' => DIGIT,
            0xC0..=0xFF => LEAD,
            0x80..=0xBF => CONTINUATION,
            b'-' | b'+' | b'*' | b'/' | b'=' | b'<' | b'>' | b'^' | b'%' => OPERATOR,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' => BRACKET,
            _ => MARK,
        };
        byte += 1;
    }
    kinds
}

//! The inside of a JSON string: how far it is plain, what an escape stands for, whether it is UTF-8.

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);

/// How many bytes at the start are neither quote, backslash nor control character.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let ends = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    let skipped = skip_blocks(bytes, ends);
    let (words, rest) = bytes[skipped..].as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = special(u64::from_le_bytes(*word));
        if marks != 0 {
            return skipped + index * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let end = rest.iter().position(|&byte| ends(byte));
    skipped + words.len() * 8 + end.unwrap_or(rest.len())
}

/// The length of the blocks of 32 bytes at the start in which no byte stops: without a branch a
/// byte, the compiler looks at a block in vector registers.
pub(crate) fn skip_blocks(bytes: &[u8], stops: impl Fn(u8) -> bool) -> usize {
    let (blocks, _) = bytes.as_chunks::<32>();
    let quiet = |block: &&[u8; 32]| !block.iter().fold(false, |any, &byte| any | stops(byte));
    blocks.iter().take_while(quiet).count() * 32
}

/// The high bit of the first special byte, and perhaps of later ones (a borrow runs upwards only,
/// so the lowest mark is always true).
const fn special(word: u64) -> u64 {
    let control = word.wrapping_sub(SPACES) & !word;
    let quote = word ^ QUOTES;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = word ^ BACKSLASHES;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGHS
}

/// How many characters begin in the bytes (a character counts where its first byte is).
pub(super) fn count_chars(bytes: &[u8]) -> usize {
    // Sums of at most 192 ones fit a byte, which lets the compiler count in vector registers.
    bytes
        .chunks(192)
        .map(|chunk| usize::from(chunk.iter().map(|&byte| u8::from(starts_char(byte))).sum::<u8>()))
        .sum()
}

/// Whether a character of UTF-8 begins with this byte.
pub(super) const fn starts_char(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// An escape sequence under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Backslash,
    Hex {
        left: u8,
        unit: u16,
    },
    /// A high surrogate wants `\uXXXX` to follow.
    PairBackslash,
    PairMark,
}

/// Decodes escapes a byte at a time.
#[derive(Debug, Default)]
pub(super) struct Escapes {
    now: Escape,
    high: u16,
}

impl Escapes {
    /// Whether an escape is under way.
    pub(super) fn open(&self) -> bool {
        self.now != Escape::None
    }

    /// A backslash was read.
    pub(super) fn start(&mut self) {
        self.now = Escape::Backslash;
    }

    /// Takes the next byte of the escape: the character when it is whole, or what was expected.
    pub(super) fn step(&mut self, byte: u8) -> Result<Option<char>, &'static str> {
        match self.now {
            Escape::PairBackslash if byte == b'\\' => self.now = Escape::PairMark,
            Escape::PairMark | Escape::Backslash if byte == b'u' => {
                self.now = Escape::Hex { left: 4, unit: 0 };
            }
            Escape::PairBackslash | Escape::PairMark => {
                return Err("a low surrogate (\\uDC00 to \\uDFFF)");
            }
            Escape::Hex { left, unit } => {
                let digit =
                    (byte as char).to_digit(16).ok_or("four hexadecimal digits after \\u")?;
                let unit = unit << 4 | (digit as u16);
                if left == 1 {
                    return self.unit(unit);
                }
                self.now = Escape::Hex { left: left - 1, unit };
            }
            Escape::Backslash | Escape::None => {
                self.now = Escape::None;
                return short(byte).map(Some).ok_or("one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
            }
        }
        Ok(None)
    }

    fn unit(&mut self, unit: u16) -> Result<Option<char>, &'static str> {
        let high = std::mem::take(&mut self.high);
        self.now = Escape::None;
        match (high, unit) {
            (0, 0xD800..=0xDBFF) => {
                self.high = unit;
                self.now = Escape::PairBackslash;
                Ok(None)
            }
            (0, _) => {
                char::from_u32(u32::from(unit)).map(Some).ok_or("a high surrogate before a low one")
            }
            (high, 0xDC00..=0xDFFF) => {
                let point = 0x1_0000 + (u32::from(high - 0xD800) << 10) + u32::from(unit - 0xDC00);
                char::from_u32(point).map(Some).ok_or("a surrogate pair")
            }
            _ => Err("a low surrogate (\\uDC00 to \\uDFFF)"),
        }
    }
}

const fn short(byte: u8) -> Option<char> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte as char,
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// Checks UTF-8 across pieces; a character may be cut between two of them.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    cut: [u8; 4],
    cut_len: usize,
}

impl Utf8 {
    /// Takes the next piece; the error is the offset in it where UTF-8 ends.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while self.cut_len > 0 {
            let (Some(&byte), Some(slot)) = (piece.get(at), self.cut.get_mut(self.cut_len)) else {
                return Ok(());
            };
            *slot = byte;
            self.cut_len += 1;
            at += 1;
            match std::str::from_utf8(&self.cut[..self.cut_len]) {
                Ok(_) => self.cut_len = 0,
                Err(error) if error.error_len().is_some() => return Err(at - 1),
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(&piece[at..]) else { return Ok(()) };
        let valid_to = at + error.valid_up_to();
        if error.error_len().is_some() {
            return Err(valid_to);
        }
        let rest = &piece[valid_to..];
        self.cut[..rest.len()].copy_from_slice(rest);
        self.cut_len = rest.len();
        Ok(())
    }
}

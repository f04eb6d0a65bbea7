//! A cursor over JSON bytes that finds members without building anything. It checks that brackets
//! balance and strings close; texts are handed out raw, as they stand between their quotes.

use memchr::memchr2;

/// Bytes of a string that are looked at one by one.
const SHORT: usize = 24;

/// A place in a JSON text. Every method returns `None` where the text is not JSON.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Nothing but white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The raw text of a string. Most are short: a loop beats a search until one proves long.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        let short = start + SHORT;
        loop {
            match *self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ if self.at >= short => {
                    self.at += memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at - 1)
    }

    /// Calls `member` at each value of an object; it must move past the value.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            if self.peek()? == b'}' {
                self.at += 1;
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// Calls `element` at each value of an array; it must move past the value.
    pub(super) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            element(self)?;
            if self.peek()? == b']' {
                self.at += 1;
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// Moves past any value and returns its bytes.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' | b'[' => self.balanced()?,
            _ => self.literal()?,
        }
        self.text.get(start..self.at)
    }

    /// Number, `true`, `false` or `null`: up to the next delimiter.
    fn literal(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let within = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.iter().take_while(|byte| within(byte)).count();
        let word = rest.get(..length)?;
        let number = matches!(word.first()?, b'-' | b'0'..=b'9');
        self.at += length;
        (number || matches!(word, b"null" | b"true" | b"false")).then_some(())
    }

    /// Counts brackets instead of recursing: depth costs nothing.
    fn balanced(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
                _ => self.at += 1,
            }
        }
    }
}

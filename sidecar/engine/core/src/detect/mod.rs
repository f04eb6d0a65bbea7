//! Finds personal data in message text: e-mail addresses, IBANs and payment card numbers.
//! `scan` feeds it every text of a request, unescaped, in pieces; a `PII` signal reads the result.
//!
//! It looks at a byte only where one of three small machines is under way; between, it skips to the
//! next digit or `@`. State is bounded, nothing is allocated, and cuts between pieces change nothing.

mod card;
mod email;
mod iban;

use card::Card;
use email::Email;
use iban::Iban;

use crate::scan::skip_blocks;

/// Kinds of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PiiKind {
    /// An e-mail address.
    Email,
    /// A bank account number with a right checksum.
    Iban,
    /// A payment card's number with a right checksum.
    Card,
}

impl PiiKind {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Card => "card",
        }
    }
}

/// What a machine makes of a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    GoesOn,
    Failed,
    Found,
}

/// Possible IBANs under way at once; one may begin within what another takes for its groups.
const IBANS: usize = 4;

/// Looks through texts, each given in pieces and ended by [`Detector::end_text`].
#[derive(Debug, Default)]
pub struct Detector {
    found: Option<PiiKind>,
    /// The eight bytes before the one at hand, the latest lowest; zero before the text's start.
    recent: u64,
    /// The byte before was the first half of a no-break space, perhaps.
    half_space: bool,
    email: Option<Email>,
    ibans: [Option<Iban>; IBANS],
    card: Card,
}

impl Detector {
    /// Takes the text's next piece.
    pub fn push(&mut self, text: &[u8]) {
        let mut rest = text;
        while self.found.is_none() {
            if self.idle() {
                let (quiet, loud) = rest.split_at(quiet_len(rest));
                self.remember(quiet);
                rest = loud;
                if let Some(len) = self.harmless_number(rest) {
                    let (number, after) = rest.split_at(len);
                    self.remember(number);
                    rest = after;
                    continue;
                }
            }
            let Some((&byte, after)) = rest.split_first() else { return };
            self.take(byte);
            rest = after;
        }
    }

    /// The text is over: what stands at its end counts, and nothing runs on into the next.
    pub fn end_text(&mut self) {
        if !self.idle() && self.found.is_none() {
            self.half_space = false;
            self.take(0);
        }
        *self = Self { found: self.found, ..Self::default() };
    }

    /// What was found first, in any text so far.
    #[must_use]
    pub const fn found(&self) -> Option<PiiKind> {
        self.found
    }

    fn idle(&self) -> bool {
        self.email.is_none() && self.card.idle() && self.ibans.iter().all(Option::is_none)
    }

    /// The length of a whole number that starts nothing, as nearly all in prose and code do: it is
    /// no first group of a printed card number (all have four digits), no run as long as a card's,
    /// and no check digits after a country.
    fn harmless_number(&self, text: &[u8]) -> Option<usize> {
        let len = text.iter().take(card::LEAST).take_while(|byte| byte.is_ascii_digit()).count();
        let next = *text.get(len)?;
        let starts = len == 0
            || len == card::LEAST
            || (len == card::FIRST_GROUP && matches!(next, b' ' | b'-' | 0xC2))
            || Iban::start(text[0], self.recent).is_some();
        (!starts).then_some(len)
    }

    fn remember(&mut self, skipped: &[u8]) {
        if let Some(last) = skipped.last_chunk::<8>() {
            self.recent = u64::from_be_bytes(*last);
            return;
        }
        for &byte in skipped {
            self.recent = self.recent << 8 | u64::from(byte);
        }
    }

    /// People type and paste no-break spaces (C2 A0) where they mean spaces.
    fn take(&mut self, byte: u8) {
        let half = std::mem::take(&mut self.half_space);
        match byte {
            0xC2 => self.half_space = true,
            0xA0 if half => self.step(b' '),
            _ => self.step(byte),
        }
    }

    fn step(&mut self, byte: u8) {
        self.step_email(byte);
        self.step_ibans(byte);
        if self.card.step(byte, self.recent) == Verdict::Found {
            self.found = self.found.or(Some(PiiKind::Card));
        }
        self.recent = self.recent << 8 | u64::from(byte);
    }

    fn step_email(&mut self, byte: u8) {
        match self.email.as_mut().map(|email| email.step(byte)) {
            Some(Verdict::Found) => self.found = self.found.or(Some(PiiKind::Email)),
            Some(Verdict::Failed) => self.email = None,
            Some(Verdict::GoesOn) | None => {}
        }
        if byte == b'@' {
            self.email = Email::start(self.recent);
        }
    }

    fn step_ibans(&mut self, byte: u8) {
        for slot in &mut self.ibans {
            match slot.as_mut().map(|iban| iban.step(byte)) {
                Some(Verdict::Found) => self.found = self.found.or(Some(PiiKind::Iban)),
                Some(Verdict::Failed) => *slot = None,
                Some(Verdict::GoesOn) | None => {}
            }
        }
        if let Some(iban) = Iban::start(byte, self.recent)
            && let Some(free) = self.ibans.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(iban);
        }
    }
}

/// The byte `back` places before the one at hand.
const fn before(recent: u64, back: u32) -> u8 {
    (recent >> (8 * (back - 1))) as u8
}

/// How many bytes at the start are neither digits nor `@`.
fn quiet_len(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let skipped = skip_blocks(text, |byte| (byte.wrapping_sub(b'0') < 10) | (byte == b'@'));
    let (words, rest) = text[skipped..].as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A digit is below 10 once its 0x30 is gone, an `@` is zero. A borrow runs upwards only, so
        // the lowest mark is always true.
        let digit = word ^ (ONES * 0x30);
        let digit = digit.wrapping_sub(ONES * 10) & !digit;
        let at = word ^ (ONES * 0x40);
        let at = at.wrapping_sub(ONES) & !at;
        let marks = (digit | at) & HIGHS;
        if marks != 0 {
            return skipped + index * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let loud = rest.iter().position(|&byte| byte == b'@' || byte.is_ascii_digit());
    skipped + words.len() * 8 + loud.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;

//! IBANs: a country's letters, check digits, the country's own length, remainder 1 by 97 (ISO 13616).

use super::{Verdict, before};

/// Letters, and the length that the registry gives their country.
const LENGTHS: [(&[u8; 2], u8); 88] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"YE", 30),
];

/// A possible IBAN under way.
#[derive(Debug)]
pub(super) struct Iban {
    head: [u8; 4],
    /// Letters and digits so far, and in all.
    len: u8,
    wanted: u8,
    /// Remainder of what follows the head.
    remainder: u32,
    after_gap: bool,
}

impl Iban {
    /// Starts at the first check digit, after two letters that begin a word and name a country.
    pub(super) fn start(byte: u8, recent: u64) -> Option<Self> {
        let letters =
            [before(recent, 2), before(recent, 1)].map(|letter| letter.to_ascii_uppercase());
        let starts = byte.is_ascii_digit()
            && letters.iter().all(u8::is_ascii_uppercase)
            && !before(recent, 3).is_ascii_alphanumeric();
        if !starts {
            return None;
        }
        let (_, wanted) = LENGTHS.into_iter().find(|(country, _)| **country == letters)?;
        let head = [letters[0], letters[1], byte, 0];
        Some(Self { head, len: 3, wanted, remainder: 0, after_gap: false })
    }

    pub(super) fn step(&mut self, byte: u8) -> Verdict {
        if self.len == self.wanted {
            let ends = !byte.is_ascii_alphanumeric() && self.checks();
            return if ends { Verdict::Found } else { Verdict::Failed };
        }
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => self.push(byte),
            // Written in groups of four.
            b' ' | b'-' if self.len.is_multiple_of(4) && !self.after_gap => {
                self.after_gap = true;
                Verdict::GoesOn
            }
            _ => Verdict::Failed,
        }
    }

    fn push(&mut self, byte: u8) -> Verdict {
        self.after_gap = false;
        if self.len < 4 {
            if !byte.is_ascii_digit() {
                return Verdict::Failed;
            }
            self.head[3] = byte;
        } else {
            self.remainder = append(self.remainder, byte);
        }
        self.len += 1;
        Verdict::GoesOn
    }

    fn checks(&self) -> bool {
        self.head.iter().fold(self.remainder, |remainder, &byte| append(remainder, byte)) == 1
    }
}

/// The remainder by 97 with one more digit, or a letter's two.
fn append(remainder: u32, byte: u8) -> u32 {
    let value = char::from(byte).to_digit(36).unwrap_or(0);
    (remainder * if value < 10 { 10 } else { 100 } + value) % 97
}

//! Payment card numbers: 13 to 19 digits in one run or in the groups that cards print, a range that
//! networks issue, and Luhn's checksum.

use super::{Verdict, before};

/// Digits of the shortest number.
pub(super) const LEAST: usize = 13;
/// Digits of the first group in every layout.
pub(super) const FIRST_GROUP: usize = 4;
/// Digits of the longest number.
const MOST: usize = 19;
/// Groups of the longest number.
const GROUPS: usize = 5;
/// Digits of the longest printed group.
const GROUP_MOST: usize = 6;

/// How cards print their numbers.
const LAYOUTS: [&[u8]; 4] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4]];

/// A run of digits, and the groups that ended right before it.
#[derive(Debug, Default)]
pub(super) struct Card {
    digits: [u8; MOST],
    /// Digits of the run; over `MOST` where it is too long.
    len: usize,
    /// The run began within a word or a decimal.
    blocked: bool,
    groups: [Group; GROUPS],
    count: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Group {
    digits: [u8; GROUP_MOST],
    len: u8,
}

impl Card {
    pub(super) const fn idle(&self) -> bool {
        self.len == 0 && self.count == 0
    }

    pub(super) fn step(&mut self, byte: u8, recent: u64) -> Verdict {
        if byte.is_ascii_digit() {
            self.digit(byte - b'0', recent);
            return Verdict::GoesOn;
        }
        if self.len == 0 {
            // A second separator, or a word: the groups before are no part of what follows.
            self.count = 0;
            return Verdict::GoesOn;
        }
        let found = !self.blocked && self.end_run(byte);
        if self.blocked || !matches!(byte, b' ' | b'-') {
            self.count = 0;
        }
        (self.len, self.blocked) = (0, false);
        if found { Verdict::Found } else { Verdict::GoesOn }
    }

    fn digit(&mut self, digit: u8, recent: u64) {
        if self.len == 0 && self.count == 0 {
            self.blocked = !may_start(recent);
        }
        if let Some(slot) = self.digits.get_mut(self.len) {
            *slot = digit;
        }
        self.len = (self.len + 1).min(MOST + 1);
    }

    /// A run has ended before `byte`: whether it, or it with the groups before, is a card's number.
    fn end_run(&mut self, byte: u8) -> bool {
        let ends = !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/'));
        let Some(run) = self.digits.get(..self.len) else {
            self.count = 0;
            return false;
        };
        if run.len() > GROUP_MOST {
            self.count = 0;
            return ends && is_card(run);
        }
        let mut group = Group { digits: [0; GROUP_MOST], len: self.len as u8 };
        group.digits[..run.len()].copy_from_slice(run);
        if self.count == GROUPS {
            self.groups.rotate_left(1);
            self.count -= 1;
        }
        self.groups[self.count] = group;
        self.count += 1;
        ends && LAYOUTS.iter().any(|layout| self.ends_with(layout))
    }

    /// Whether the last groups are laid out so and hold a card's number.
    fn ends_with(&self, layout: &[u8]) -> bool {
        let groups = &self.groups[..self.count];
        let Some(first) = groups.len().checked_sub(layout.len()) else { return false };
        let groups = &groups[first..];
        if groups.iter().zip(layout).any(|(group, len)| group.len != *len) {
            return false;
        }
        let mut number = [0; MOST];
        let digits = groups.iter().flat_map(|group| &group.digits[..usize::from(group.len)]);
        let len = number.iter_mut().zip(digits).map(|(slot, digit)| *slot = *digit).count();
        is_card(&number[..len])
    }
}

/// Whether a number may begin after these bytes: not within a word, a path, a decimal or a phone number.
fn may_start(recent: u64) -> bool {
    match before(recent, 1) {
        b'.' => !before(recent, 2).is_ascii_digit(),
        last => !(last.is_ascii_alphanumeric() || b"-_/+$".contains(&last)),
    }
}

fn is_card(digits: &[u8]) -> bool {
    is_issued(digits) && passes_luhn(digits)
}

/// Ranges and lengths of the networks. Time stamps and ISBNs begin otherwise.
fn is_issued(digits: &[u8]) -> bool {
    let [a, b, c, d, ..] = *digits else { return false };
    let prefix = [a, b, c, d].into_iter().fold(0, |number, digit| number * 10 + u32::from(digit));
    match (prefix, digits.len()) {
        // Visa
        (4000..=4999, 13 | 16 | 19) => true,
        // Mastercard; RuPay; Troy
        (5100..=5599 | 2221..=2720 | 8100..=8299 | 9792, 16) => true,
        // American Express
        (3400..=3499 | 3700..=3799, 15) => true,
        // Diners Club
        (3000..=3059 | 3095 | 3600..=3699 | 3800..=3999, 14..=19) => true,
        // JCB; Mir; Discover, UnionPay, RuPay and Maestro; Maestro
        (3528..=3589 | 2200..=2204 | 6000..=6999 | 5000..=5099 | 5600..=5899, 16..=19) => true,
        // Maestro's short ones
        (5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763, 13..=15) => true,
        _ => false,
    }
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit < 5 => digit * 2,
            (_, digit) => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

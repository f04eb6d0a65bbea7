//! The journal's bytes: fixed slots of checked records. `journal` writes them, `replay` reads them.
//! A record is little-endian words and strings, closed by a checksum over them and their place, so
//! that a torn write, a foreign byte and a record in the wrong slot all read as damaged.

use crate::limits::{
    ACCOUNTS_PER_REQUEST, LEASES, OPEN_CHARGES, USAGE_DIMENSION_BYTES, USAGE_TUPLES,
};

/// Numbers record, also each part of a charge slot.
pub(super) const RECORD_BYTES: usize = 64;
/// Names of a lease: id, account, window.
pub(super) const LEASE_NAMES_BYTES: usize = 512;
/// Names of a usage tuple: six dimensions.
pub(super) const USAGE_NAMES_BYTES: usize = 896;
/// Start of the file: magic, sidecar, boot.
pub(super) const HEADER_BYTES: usize = 512;
/// Names and two records of numbers that take turns.
const LEASE_BYTES: usize = LEASE_NAMES_BYTES + 2 * RECORD_BYTES;
/// Opened, two amounts that take turns, settled.
const CHARGE_BYTES: usize = 4 * RECORD_BYTES;
const USAGE_BYTES: usize = USAGE_NAMES_BYTES + 2 * RECORD_BYTES;

/// Whether the hub was ever asked.
pub(super) const CONTACT_AT: usize = HEADER_BYTES;
const LEASES_AT: usize = CONTACT_AT + RECORD_BYTES;
const CHARGES_AT: usize = LEASES_AT + LEASES * LEASE_BYTES;
const USAGE_AT: usize = CHARGES_AT + OPEN_CHARGES * CHARGE_BYTES;
/// One slot more than tuples: the last is `other`.
pub(super) const USAGE_SLOTS: usize = USAGE_TUPLES + 1;
/// The whole file.
pub(super) const FILE_BYTES: usize = USAGE_AT + USAGE_SLOTS * USAGE_BYTES;

/// First word of a journal: name and version of this layout.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"PMONEY01");

const _: () = assert!(6 * (USAGE_DIMENSION_BYTES + 2) + 8 <= USAGE_NAMES_BYTES);
const _: () = assert!(24 + 2 * ACCOUNTS_PER_REQUEST + 8 <= RECORD_BYTES);

/// Where a lease's names are.
pub(super) const fn lease_names_at(slot: u16) -> usize {
    LEASES_AT + slot as usize * LEASE_BYTES
}

/// Where a lease's numbers are; `turn` 0 or 1.
pub(super) const fn lease_numbers_at(slot: u16, turn: u64) -> usize {
    lease_names_at(slot) + LEASE_NAMES_BYTES + (turn as usize % 2) * RECORD_BYTES
}

/// Where a charge's parts are: 0 opened, 1 and 2 amounts, 3 settled.
pub(super) const fn charge_at(slot: u16, part: usize) -> usize {
    CHARGES_AT + slot as usize * CHARGE_BYTES + part * RECORD_BYTES
}

/// Where a usage tuple's names are.
pub(super) const fn usage_names_at(slot: u16) -> usize {
    USAGE_AT + slot as usize * USAGE_BYTES
}

/// Where a usage tuple's numbers are; `turn` 0 or 1.
pub(super) const fn usage_numbers_at(slot: u16, turn: u64) -> usize {
    usage_names_at(slot) + USAGE_NAMES_BYTES + (turn as usize % 2) * RECORD_BYTES
}

/// Fills one record of `N` bytes for the place `at`.
pub(super) struct Writer<const N: usize> {
    bytes: [u8; N],
    used: usize,
    fits: bool,
}

impl<const N: usize> Writer<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], used: 0, fits: true }
    }

    fn put(&mut self, piece: &[u8]) {
        match self.bytes.get_mut(self.used..self.used + piece.len()) {
            Some(place) if self.used + piece.len() <= N - 8 => place.copy_from_slice(piece),
            _ => self.fits = false,
        }
        self.used = (self.used + piece.len()).min(N);
    }

    pub(super) fn word(&mut self, word: u64) -> &mut Self {
        self.put(&word.to_le_bytes());
        self
    }

    pub(super) fn half(&mut self, half: u16) -> &mut Self {
        self.put(&half.to_le_bytes());
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        match u16::try_from(text.len()) {
            Ok(length) => self.half(length).put(text.as_bytes()),
            Err(_) => self.fits = false,
        }
        self
    }

    /// The finished record; none where the content is too long for it.
    pub(super) fn seal(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes = self.bytes;
        let (body, place) = bytes.split_at_mut(N - 8);
        place.copy_from_slice(&checksum(body, at).to_le_bytes());
        self.fits.then_some(bytes)
    }
}

/// What a place in the file holds.
pub(super) enum Found<'a> {
    /// Nothing was ever written, or it was wiped.
    Empty,
    /// Not what we wrote.
    Damaged,
    /// A record.
    Record(Reader<'a>),
}

/// Checks the record of `length` bytes at a place of the file.
pub(super) fn find(file: &[u8], at: usize, length: usize) -> Found<'_> {
    let Some(record) = file.get(at..at + length) else { return Found::Damaged };
    if record.iter().all(|byte| *byte == 0) {
        return Found::Empty;
    }
    let (body, sum) = record.split_at(length - 8);
    if sum == checksum(body, at).to_le_bytes() {
        Found::Record(Reader { rest: body })
    } else {
        Found::Damaged
    }
}

/// Takes a checked record apart, in the order of writing.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    pub(super) fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*word))
    }

    pub(super) fn half(&mut self) -> Option<u16> {
        let (half, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        Some(u16::from_le_bytes(*half))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = usize::from(self.half()?);
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// Mixes words with multiply and rotate: no cryptography, but every bit and every place counts.
fn checksum(body: &[u8], at: usize) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ at as u64;
    for chunk in body.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        state = state.rotate_left(29) ^ (state >> 32);
    }
    state | 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Found, RECORD_BYTES, Writer, find};

    fn record(words: &[u64]) -> [u8; RECORD_BYTES] {
        let mut writer = Writer::<RECORD_BYTES>::new();
        for word in words {
            writer.word(*word);
        }
        writer.seal(0).unwrap()
    }

    #[test]
    fn content_that_does_not_fit_is_no_record() {
        let mut writer = Writer::<RECORD_BYTES>::new();
        assert!(writer.text(&"x".repeat(54)).seal(0).is_some());
        let mut writer = Writer::<RECORD_BYTES>::new();
        assert!(writer.text(&"x".repeat(55)).seal(0).is_none());
    }

    #[test]
    fn a_record_is_valid_in_its_place_only() {
        let mut file = vec![0; 2 * RECORD_BYTES];
        file[RECORD_BYTES..].copy_from_slice(&record(&[1, 2]));
        assert!(matches!(find(&file, 0, RECORD_BYTES), Found::Empty));
        assert!(matches!(find(&file, RECORD_BYTES, RECORD_BYTES), Found::Damaged));
    }

    proptest! {
        /// A write torn at any byte over any older record reads as the old, the new, or damaged.
        #[test]
        fn a_torn_record_is_never_taken_for_another(
            old in proptest::collection::vec(any::<u64>(), 5),
            new in proptest::collection::vec(any::<u64>(), 5),
            cut in 0..=RECORD_BYTES,
        ) {
            let (old, new) = (record(&old), record(&new));
            let mut torn = new;
            torn[cut..].copy_from_slice(&old[cut..]);
            let whole = torn == old || torn == new;
            prop_assert_eq!(matches!(find(&torn, 0, RECORD_BYTES), Found::Record(_)), whole);
        }
    }
}

//! Names and words that are compared with known ones, kept without an allocation.

/// Longest interpreted name or word: `generate_content_request` has 24 bytes.
const WORD_BYTES: usize = 24;

/// A short string, or the start of a long one.
#[derive(Debug, Default)]
pub(super) struct Word {
    bytes: [u8; WORD_BYTES],
    len: usize,
}

impl Word {
    pub(super) fn push(&mut self, text: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..) {
            let take = text.len().min(room.len());
            room[..take].copy_from_slice(&text[..take]);
        }
        self.len += text.len();
    }

    /// The word; nothing where it is longer than any that we know.
    pub(super) fn whole(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn is_data_url(&self) -> bool {
        self.bytes[..5].eq_ignore_ascii_case(b"data:")
    }

    /// Its first bytes.
    pub(super) const fn start(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

//! Finds personal data in text that arrives in pieces.

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

/// Looks through texts, each given in pieces.
#[derive(Debug, Default)]
pub struct Detector {
    found: Option<PiiKind>,
}

impl Detector {
    /// The text's next piece.
    pub fn push(&mut self, _text: &[u8]) {}

    /// The text is over.
    pub fn end_text(&mut self) {}

    /// What was found first.
    #[must_use]
    pub fn found(&self) -> Option<PiiKind> {
        self.found
    }
}

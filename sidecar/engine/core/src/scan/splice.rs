//! Replaces ranges of a body that lies in pieces; every byte elsewhere is the caller's own.

use std::ops::Range;

use bytes::Bytes;

/// One replacement. An empty range inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Absolute byte offsets in the body.
    pub at: Range<usize>,
    /// What stands there instead.
    pub with: Bytes,
}

/// The body as pieces with the edits applied: slices of the same memory around the new bytes.
///
/// Edits may come in any order and must not overlap; of two at one place the first stays first.
#[must_use]
pub fn splice(pieces: &[Bytes], edits: &[Edit]) -> Vec<Bytes> {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.at.start, edit.at.end));
    debug_assert!(
        order.is_sorted_by(|one, next| one.at.end <= next.at.start),
        "edits overlap: {edits:?}"
    );
    let mut source = Source { pieces, piece: 0, within: 0, at: 0 };
    let mut spliced = Vec::with_capacity(pieces.len() + 2 * edits.len());
    for edit in order {
        source.copy_to(edit.at.start, Some(&mut spliced));
        if !edit.with.is_empty() {
            spliced.push(edit.with.clone());
        }
        source.copy_to(edit.at.end, None);
    }
    source.copy_to(usize::MAX, Some(&mut spliced));
    spliced
}

/// A cursor over the pieces.
struct Source<'a> {
    pieces: &'a [Bytes],
    piece: usize,
    within: usize,
    at: usize,
}

impl Source<'_> {
    /// Moves to the absolute offset `end`, handing over slices on the way, or dropping them.
    fn copy_to(&mut self, end: usize, mut into: Option<&mut Vec<Bytes>>) {
        while self.at < end {
            let Some(piece) = self.pieces.get(self.piece) else { return };
            let take = (piece.len() - self.within).min(end - self.at);
            if let Some(into) = into.as_deref_mut()
                && take > 0
            {
                into.push(piece.slice(self.within..self.within + take));
            }
            self.within += take;
            self.at += take;
            if self.within == piece.len() {
                self.piece += 1;
                self.within = 0;
            }
        }
    }
}

//! Whose label sets are kept: those of the table in use, and for a while, and so many at most, those of
//! tables before it, so that a scrape still sees their last counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

use crate::limits::{RETIRED_LABELS, RETIRED_LABELS_MS};

/// Label sets that exist, and since when some are no longer in use.
#[derive(Debug)]
pub(super) struct Roster<L> {
    /// Absent: of the table in use, or of one that is being built.
    known: HashMap<L, Option<Retired>>,
    /// By age.
    retired: BTreeMap<Retired, L>,
    sequence: u64,
}

/// When it left, boot clock, and in which order.
type Retired = (u64, u64);

impl<L> Default for Roster<L> {
    fn default() -> Self {
        Self { known: HashMap::new(), retired: BTreeMap::new(), sequence: 0 }
    }
}

impl<L: Clone + Eq + Hash> Roster<L> {
    /// A table that is being built names these labels.
    pub(super) fn enter(&mut self, labels: &L) {
        if let Some(Some(left)) = self.known.insert(labels.clone(), None) {
            self.retired.remove(&left);
        }
    }

    /// Whether the sets of these labels exist.
    pub(super) fn knows(&self, labels: &L) -> bool {
        self.known.contains_key(labels)
    }

    /// The table in use names these labels and no others.
    pub(super) fn turn_over<'a>(&mut self, used: impl Iterator<Item = &'a L>, now_ms: u64)
    where
        L: 'a,
    {
        let used: HashSet<&L> = used.collect();
        for (labels, left) in &mut self.known {
            if left.is_none() && !used.contains(labels) {
                self.sequence += 1;
                let now = (now_ms, self.sequence);
                *left = Some(now);
                self.retired.insert(now, labels.clone());
            }
        }
    }

    /// Takes out the labels that left long enough ago, and the oldest of too many.
    pub(super) fn expired(&mut self, now_ms: u64) -> Vec<L> {
        let mut gone = Vec::new();
        while let Some((left_ms, _)) = self.retired.keys().next() {
            let late = now_ms.saturating_sub(*left_ms) >= RETIRED_LABELS_MS;
            if !late && self.retired.len() <= RETIRED_LABELS {
                break;
            }
            let Some((_, labels)) = self.retired.pop_first() else { break };
            self.known.remove(&labels);
            gone.push(labels);
        }
        gone
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len().max(self.retired.len())
    }
}

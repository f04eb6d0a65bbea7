//! Who used what: cumulative counters by model, provider, workload, team, key and endpoint, for
//! `spend`. Handling adds to them, `ledger` reports them, the journal keeps them over a crash. They
//! are totals since boot, so a lost record or report loses nothing.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::journal::Journal;
use crate::limits::{USAGE_DIMENSION_BYTES, USAGE_TUPLES};

/// Rows that are looked at one by one.
const FEW_ROWS: usize = 16;

/// What a call is counted under. Longer values than the bound are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageKey<'a> {
    /// `pool/model`.
    pub model: &'a str,
    /// The provider's label.
    pub provider: &'a str,
    /// The calling workload.
    pub workload: &'a str,
    /// From the attribution header.
    pub team: &'a str,
    /// From the attribution header.
    pub key: &'a str,
    /// `chat`, `embeddings`.
    pub endpoint: &'a str,
}

impl<'a> UsageKey<'a> {
    /// Where everything beyond the bound of tuples is counted.
    const OTHER: UsageKey<'static> = UsageKey {
        model: "other",
        provider: "other",
        workload: "other",
        team: "other",
        key: "other",
        endpoint: "other",
    };

    fn names(&self) -> [&'a str; 6] {
        [self.model, self.provider, self.workload, self.team, self.key, self.endpoint].map(cut)
    }
}

/// What a call adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls; 0 for a further attempt of one.
    pub requests: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Answer tokens.
    pub output_tokens: u64,
    /// Picodollars that were booked as spent.
    pub cost: u64,
    /// Picodollars of given-up attempts that the provider may bill.
    pub unconfirmed: u64,
}

impl Usage {
    /// As the journal keeps it.
    const fn words(self) -> [u64; 5] {
        [self.requests, self.input_tokens, self.output_tokens, self.cost, self.unconfirmed]
    }
}

/// Totals of one tuple since boot.
#[derive(Debug, Clone)]
pub struct UsageTotals {
    /// Model, provider, workload, team, key, endpoint.
    pub names: Arc<[Box<str>; 6]>,
    /// Sums.
    pub totals: Usage,
}

/// The counters of this boot.
#[derive(Debug)]
pub struct UsageCounters {
    journal: Arc<Journal>,
    hasher: RandomState,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rows: Vec<Row>,
    by_hash: HashMap<u64, Vec<u16>>,
    /// Rises with every change.
    version: u64,
}

#[derive(Debug)]
struct Row {
    names: Arc<[Box<str>; 6]>,
    totals: Usage,
    /// Changes so far; the journal's turn.
    turn: u64,
    /// `Inner::version` at the last change.
    changed: u64,
    journaled: bool,
}

impl UsageCounters {
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, hasher: RandomState::new(), inner: Mutex::default() }
    }

    /// Adds a call.
    pub fn add(&self, key: &UsageKey<'_>, usage: Usage) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let slot = self.slot(inner, key);
        inner.version += 1;
        let version = inner.version;
        let Some(row) = inner.rows.get_mut(usize::from(slot)) else { return };
        row.totals = Usage {
            requests: row.totals.requests.saturating_add(usage.requests),
            input_tokens: row.totals.input_tokens.saturating_add(usage.input_tokens),
            output_tokens: row.totals.output_tokens.saturating_add(usage.output_tokens),
            cost: row.totals.cost.saturating_add(usage.cost),
            unconfirmed: row.totals.unconfirmed.saturating_add(usage.unconfirmed),
        };
        row.turn += 1;
        row.changed = version;
        let totals = row.totals.words();
        // Best effort: attribution goes on in memory where the journal is broken; the journal
        // itself remembers and reports that it is.
        row.journaled = row.journaled && self.journal.put_usage(slot, row.turn, totals).is_ok();
    }

    /// Enters all rows in a journal that is new. A failure breaks it, and says so.
    pub(super) fn enter_again(&self) {
        for (slot, row) in (0..).zip(&mut self.inner.lock().rows) {
            let names = row.names.each_ref().map(|name| &**name);
            row.journaled = self.journal.put_usage_names(slot, names).is_ok()
                && self.journal.put_usage(slot, row.turn, row.totals.words()).is_ok();
        }
    }

    /// Rows that changed after `version`, and the version that this covers.
    pub(crate) fn changed_since(&self, version: u64) -> (Vec<UsageTotals>, u64) {
        let inner = self.inner.lock();
        let rows = inner.rows.iter().filter(|row| row.changed > version);
        let totals = |row: &Row| UsageTotals { names: row.names.clone(), totals: row.totals };
        (rows.map(totals).collect(), inner.version)
    }

    fn slot(&self, inner: &mut Inner, key: &UsageKey<'_>) -> u16 {
        let names = key.names();
        let same = |row: &Row| row.names.iter().zip(names).all(|(a, b)| **a == *b);
        // Most workloads have a few rows: comparing them costs less than hashing six names.
        if let Some(slot) = inner.rows.iter().take(FEW_ROWS).position(same) {
            return u16::try_from(slot).unwrap_or(u16::MAX);
        }
        let hash = self.hasher.hash_one(names);
        let known = inner.by_hash.get(&hash).into_iter().flatten().copied();
        let at = |slot: &u16| inner.rows.get(usize::from(*slot)).is_some_and(same);
        if let Some(slot) = known.into_iter().find(at) {
            return slot;
        }
        if inner.rows.len() >= USAGE_TUPLES && *key != UsageKey::OTHER {
            return self.slot(inner, &UsageKey::OTHER);
        }
        // At most USAGE_TUPLES rows and the one for the rest.
        let slot = u16::try_from(inner.rows.len()).unwrap_or(u16::MAX);
        let journaled = self.journal.put_usage_names(slot, names).is_ok();
        let names = Arc::new(names.map(Box::from));
        let totals = Usage::default();
        inner.rows.push(Row { names, totals, turn: 0, changed: 0, journaled });
        inner.by_hash.entry(hash).or_default().push(slot);
        slot
    }
}

/// The longest start of a text within the bound, at a character's border.
fn cut(text: &str) -> &str {
    let longest = text.len().min(USAGE_DIMENSION_BYTES);
    (0..=longest).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

//! One boot's conversation with the ledger: numbers the requests, accepts only the answer to the
//! latest, and notices a restored ledger. No I/O; `ledger` sends and receives.

use std::sync::Arc;

use super::document::{SyncAnswer, SyncRequest, UsageReport};
use crate::budget::{Book, Urgency, UsageTotals};

/// What has been said and answered so far.
#[derive(Debug)]
pub struct SyncState {
    book: Arc<Book>,
    seq: u64,
    incarnation: u64,
    /// The usage counters' version that the ledger has.
    usage_answered: u64,
    sent: Option<Sent>,
}

#[derive(Debug)]
struct Sent {
    seq: u64,
    boot_ms: u64,
    usage: u64,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unexpected {
    /// It answers an earlier request, or one that was answered already.
    Stale,
}

impl SyncState {
    /// A conversation that has not begun.
    #[must_use]
    pub const fn new(book: Arc<Book>) -> Self {
        Self { book, seq: 0, incarnation: 0, usage_answered: 0, sent: None }
    }

    /// The next request, as of now. `last`: this boot ends.
    #[must_use]
    pub fn request(&mut self, last: bool) -> SyncRequest {
        self.seq += 1;
        let (leases, wants) = self.book.report(last);
        let (usage, version) = self.book.usage().changed_since(self.usage_answered);
        // Leases run from here: the ledger cannot have granted before it was asked.
        let boot_ms = self.book.clock().boot_ms();
        self.sent = Some(Sent { seq: self.seq, boot_ms, usage: version });
        let holder = self.book.holder();
        let mut usage: Vec<_> = usage.iter().map(usage_report).collect();
        let unconfirmed = if last { self.book.reserved() } else { 0 };
        if unconfirmed > 0 {
            // Of calls that the end of this boot cuts off; nobody counts them any more.
            usage.push(UsageReport { unconfirmed, ..UsageReport::default() });
        }
        SyncRequest {
            sidecar: holder.sidecar.clone(),
            boot: holder.boot.clone(),
            seq: self.seq,
            incarnation: self.incarnation,
            last,
            leases,
            usage,
            wants,
        }
    }

    /// Takes the answer to the latest request over.
    ///
    /// # Errors
    /// It is not that; nothing happens.
    pub fn answered(&mut self, answer: &SyncAnswer) -> Result<(), Unexpected> {
        let sent = self.sent.take_if(|it| it.seq == answer.seq).ok_or(Unexpected::Stale)?;
        let voided = self.incarnation != 0 && self.incarnation != answer.incarnation;
        self.incarnation = answer.incarnation;
        // A restored ledger has forgotten: it hears everything again, soon.
        self.usage_answered = if voided { 0 } else { sent.usage };
        self.book.apply(answer, sent.boot_ms, voided);
        if voided {
            self.book.ask(Urgency::Refill);
        }
        Ok(())
    }

    /// The latest request was not answered; why.
    pub fn failed(&mut self, reason: &str) {
        self.sent = None;
        self.book.sync_failed(reason);
    }
}

fn usage_report(row: &UsageTotals) -> UsageReport {
    let [model, provider, workload, team, key, endpoint] = row.names.as_ref();
    UsageReport {
        model: model.to_string(),
        provider: provider.to_string(),
        workload: workload.to_string(),
        team: team.to_string(),
        key: key.to_string(),
        endpoint: endpoint.to_string(),
        requests: row.totals.requests,
        input_tokens: row.totals.input_tokens,
        output_tokens: row.totals.output_tokens,
        cost: row.totals.cost,
        unconfirmed: row.totals.unconfirmed,
    }
}

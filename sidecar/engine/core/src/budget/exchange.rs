//! The book's side of the conversation with the hub, which `ledger` holds: what it has to say, what
//! it is told, and how soon it wants to speak again.

use std::sync::atomic::Ordering;

use super::former::Former;
use super::{Book, Holder, Urgency};
use crate::clock::SharedClock;
use crate::journal::Recovered;
use crate::ledger::document::{LeaseReport, SyncAnswer, Want};
use crate::limits::STEADY_MS;

impl Book {
    /// Who holds the leases.
    #[must_use]
    pub const fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The book's clock.
    #[must_use]
    pub const fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// What former boots' journals say, before the first request: what their leases still hold is
    /// used while the ledger cannot be asked.
    pub fn take_former(&self, recovered: &[Recovered]) {
        self.state.lock().former = Former::of(recovered);
    }

    /// Whether calls that run were admitted on what former boots left.
    #[must_use]
    pub fn spends_former(&self) -> bool {
        self.state.lock().spends_former()
    }

    /// What is reported and wanted now. `last`: this boot ends, every lease closes as it is.
    #[must_use]
    pub fn report(&self, last: bool) -> (Vec<LeaseReport>, Vec<Want>) {
        self.journal.note_contact();
        let mut state = self.state.lock();
        state.ledger.contact.asked();
        let now = state.now(self.clock.boot_ms());
        let leases = state.report(now, last);
        // Money that could not be journaled must not be fetched.
        let none = last || self.journal.broken().is_some();
        let wants = if none { Vec::new() } else { state.wants(now, &self.holder.sidecar) };
        (leases, wants)
    }

    /// Takes the answer to a report that was sent at `sent_boot_ms`. `voided`: the ledger was
    /// restored since, and earlier leases that it does not list are void.
    pub fn apply(&self, answer: &SyncAnswer, sent_boot_ms: u64, voided: bool) {
        let boot_ms = self.clock.boot_ms();
        if self.state.lock().apply(answer, sent_boot_ms, boot_ms, voided) {
            // Somebody waits for what was given back.
            self.ask(Urgency::Waiting);
        }
        self.changed.notify_waiters();
    }

    /// A report was not answered, or there is no hub to report to; why.
    pub fn sync_failed(&self, reason: &str) {
        let mut state = self.state.lock();
        state.ledger.failed(reason);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Milliseconds between two renewals: as the hub wants them, sooner where a lease shall last
    /// through an outage and it is not known yet how much that takes.
    #[must_use]
    pub fn renew_ms(&self) -> u64 {
        let state = self.state.lock();
        let soon = state.accounts.iter().any(|it| it.outage_ms() > 0 && it.demand.is_growing());
        state.ledger.renew_ms.min(if soon { STEADY_MS } else { u64::MAX })
    }

    /// Least time between two syncs while callers wait, as far as the hub asks for more, milliseconds.
    #[must_use]
    pub fn pause_ms(&self) -> u64 {
        self.state.lock().ledger.contact.pause_ms()
    }

    /// Makes the journal that too many unreported ones kept from being made, once only `waiting` of
    /// them are left; from then on money can be leased.
    pub fn reopen_journal(&self, waiting: usize) {
        let mut state = self.state.lock();
        if !self.journal.reopen(waiting) {
            return;
        }
        state.enter_again();
        drop(state);
        self.usage.enter_again();
        self.ask(Urgency::Refill);
        self.changed.notify_waiters();
    }

    /// Everything has been reported and answered: the journal of this boot is not needed any more.
    pub fn retire_journal(&self) {
        self.journal.retire();
    }

    /// The ledger is asked now: it wants to hear of this holder, or seems to be gone.
    pub fn call(&self) {
        self.ask(Urgency::Waiting);
    }

    /// How soon the ledger should be asked; resets it.
    pub fn take_urgency(&self) -> Urgency {
        urgency(self.urgency.swap(Urgency::Renewal as u8, Ordering::AcqRel))
    }

    /// How soon the ledger should be asked.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        urgency(self.urgency.load(Ordering::Acquire))
    }

    /// Resolves when the ledger should be asked sooner than it was.
    pub fn asked(&self) -> impl Future<Output = ()> + '_ {
        self.asked.notified()
    }

    pub(crate) fn ask(&self, urgency: Urgency) {
        if self.urgency.fetch_max(urgency as u8, Ordering::AcqRel) < urgency as u8 {
            self.asked.notify_one();
        }
    }
}

const fn urgency(level: u8) -> Urgency {
    match level {
        0 => Urgency::Renewal,
        1 => Urgency::Refill,
        _ => Urgency::Waiting,
    }
}

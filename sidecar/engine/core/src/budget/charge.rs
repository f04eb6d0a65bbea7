//! A request's money while it runs. Admission makes a charge, handling meters it, and it ends once:
//! settled with what the call cost. `Call` settles it wherever its future is dropped (I11).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::state::Held;
use super::{Book, BudgetRefusal};
use crate::limits::LEASES_PER_CHARGE;

/// A reservation on every account that binds a request.
#[derive(Debug)]
#[must_use = "dropping a charge gives it back as if nothing had been dispatched"]
pub struct Charge {
    book: Arc<Book>,
    held: Held,
    /// On `held`.
    reserved: u64,
    /// Reservations on leases that ended under way; `held` goes on where they stopped.
    earlier: Vec<Part>,
    /// Of abandoned attempts that may be billed.
    abandoned: u64,
    growths: u64,
    open: bool,
}

/// A reservation whose leases can grow no more.
#[derive(Debug)]
struct Part {
    held: Held,
    reserved: u64,
}

impl Charge {
    pub(super) fn new(book: Arc<Book>, held: Held, reserved: u64) -> Self {
        if !held.leases().is_empty() {
            book.reserved.fetch_add(reserved, Relaxed);
        }
        Self { book, held, reserved, earlier: Vec::new(), abandoned: 0, growths: 0, open: true }
    }

    /// Picodollars that the running attempt may cost.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        let earlier: u64 = self.earlier.iter().map(|part| part.reserved).sum();
        earlier.saturating_add(self.reserved).saturating_sub(self.abandoned)
    }

    /// Reserves `amount` picodollars more on all accounts; false, and nothing happens, where one of
    /// them lacks it. The ledger is asked for it meanwhile, so asking early spares a cut. Where a
    /// lease was lost or voided under way, the rest is reserved on the one that took its place.
    #[must_use]
    pub fn top_up(&mut self, amount: u64) -> bool {
        if self.held.leases().is_empty() {
            self.reserved = self.reserved.saturating_add(amount);
            return true;
        }
        let total = self.reserved.saturating_add(amount);
        let grown = self.book.grow(&self.held, amount, total, self.growths + 1);
        if grown {
            self.growths += 1;
            self.book.reserved.fetch_add(amount, Relaxed);
            self.held.grew(amount);
            self.reserved = total;
        }
        grown || self.go_on(amount)
    }

    /// Reserves `amount` on the leases that took the place of those that are lost.
    fn go_on(&mut self, amount: u64) -> bool {
        if self.earlier.len() >= LEASES_PER_CHARGE {
            return false;
        }
        let Some(next) = self.book.go_on(&self.held, amount) else { return false };
        let mut held = std::mem::replace(&mut self.held, next);
        held.grew(u64::MAX); // its successor has the promise
        self.book.reserved.fetch_add(amount, Relaxed);
        let reserved = std::mem::replace(&mut self.reserved, amount);
        self.earlier.push(Part { held, reserved });
        self.growths = 0;
        true
    }

    /// Why `top_up` cannot reserve `amount` now, in the name of the limit that decides.
    #[must_use]
    pub fn shortage(&self, amount: u64) -> BudgetRefusal {
        self.book.shortage(&self.held, amount)
    }

    /// An attempt was given up that the provider may bill: `amount` is booked as unconfirmed when
    /// the charge ends, and no longer covers the next attempt.
    pub const fn unconfirmed(&mut self, amount: u64) {
        self.abandoned = self.abandoned.saturating_add(amount);
    }

    /// Ends the charge with what the call cost; more than was reserved is overrun.
    pub fn settle(mut self, actual: u64) {
        self.finish(actual);
    }

    /// Each lease bears what was reserved on it, in order; the last one the rest.
    fn finish(&mut self, spent: u64) {
        if !std::mem::take(&mut self.open) || self.held.leases().is_empty() {
            return;
        }
        let (mut spent, mut abandoned) = (spent, self.abandoned);
        for Part { held, reserved } in self.earlier.drain(..) {
            self.book.reserved.fetch_sub(reserved, Relaxed);
            let lost = abandoned.min(reserved);
            let paid = spent.min(reserved - lost);
            (spent, abandoned) = (spent - paid, abandoned - lost);
            self.book.settle(&held, reserved, paid, lost);
        }
        self.book.reserved.fetch_sub(self.reserved, Relaxed);
        self.book.settle(&self.held, self.reserved, spent, abandoned);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.finish(0);
    }
}

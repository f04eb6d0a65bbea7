//! A request that waits for the ledger to grant what it needs, as long as `patience` lasts.

use std::sync::Arc;

use super::state::Ask;
use super::subjects::AccountSet;
use super::{Book, BudgetRefusal, Charge, Decision};

/// A place in the queue; leaving it, by whichever way, withdraws what was asked for.
#[derive(Debug)]
#[must_use = "a waiter does nothing until it waits"]
pub struct Waiter {
    book: Arc<Book>,
    accounts: AccountSet,
    ask: Ask,
}

impl Waiter {
    pub(super) const fn new(book: Arc<Book>, accounts: AccountSet, ask: Ask) -> Self {
        Self { book, accounts, ask }
    }

    /// Waits until the reservation fits, is denied, or the time is over; then the Budgets'
    /// `onLedgerUnavailable` decides.
    ///
    /// # Errors
    /// The refusal to answer the caller with.
    pub async fn wait(self) -> Result<Charge, BudgetRefusal> {
        let decided = self.book.patiently(|| match self.decide(false) {
            Decision::Granted(charge) => Some(Ok(charge)),
            Decision::Refused(refusal) => Some(Err(refusal)),
            Decision::Short(_) => None,
        });
        if let Some(decision) = decided.await {
            return decision;
        }
        match self.decide(true) {
            Decision::Granted(charge) => Ok(charge),
            Decision::Refused(refusal) | Decision::Short(refusal) => Err(refusal),
        }
    }

    fn decide(&self, last: bool) -> Decision {
        self.book.decide(&self.accounts, self.ask, last)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.book.leave_queue(&self.accounts, self.ask);
    }
}

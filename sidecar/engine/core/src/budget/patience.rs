//! How long a caller waits for money. A quarter of a second decides whether the ledger is away; while
//! it is known to work on an answer, that would only refuse what is about to be granted.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Book, Urgency};
use crate::limits::{BUDGET_ANSWER_MS, BUDGET_ANSWERS, BUDGET_WAIT_MS, NEXT_SYNC_MS};

/// When a wait began, and what had been answered then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    begun: Instant,
    answers: u64,
}

/// What is known of the exchange with the ledger.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// When the request was sent that is not answered yet.
    asked: Option<Instant>,
    heard: Option<Instant>,
    answers: u64,
}

impl Contact {
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    pub(super) fn answered(&mut self) {
        *self = Self { asked: None, heard: Some(Instant::now()), answers: self.answers + 1 };
    }

    pub(super) const fn failed(&mut self) {
        self.asked = None;
        self.heard = None;
    }

    /// Until when an answer may be waited for.
    fn answer_due(&self) -> Option<Instant> {
        let asked = self.asked.map(|it| it + Duration::from_millis(BUDGET_ANSWER_MS));
        asked.or_else(|| self.heard.map(|it| it + Duration::from_millis(NEXT_SYNC_MS)))
    }
}

impl Book {
    /// A caller begins to wait.
    #[must_use]
    pub fn patience(&self) -> Patience {
        let answers = self.state.lock().ledger.contact.answers;
        Patience { begun: Instant::now(), answers }
    }

    /// When the wait is over, as far as is known now; later, where an answer is on its way.
    #[must_use]
    pub fn patience_end(&self, patience: &Patience) -> Instant {
        let usual = patience.begun + Duration::from_millis(BUDGET_WAIT_MS);
        let state = self.state.lock();
        let contact = &state.ledger.contact;
        if state.ledger.failures > 0 || contact.answers >= patience.answers + BUDGET_ANSWERS {
            return usual;
        }
        contact.answer_due().map_or(usual, |it| it.max(usual))
    }

    /// Tries now and whenever money may have become available; nothing where patience ended first.
    pub(super) async fn patiently<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let patience = self.patience();
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(outcome) = attempt() {
                return Some(outcome);
            }
            let end = self.patience_end(&patience);
            if Instant::now() >= end {
                return None;
            }
            self.ask(Urgency::Waiting);
            let _changed_or_late = timeout_at(end, changed).await;
        }
    }
}

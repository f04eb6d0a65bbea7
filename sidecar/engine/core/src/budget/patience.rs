//! How long a caller waits for money. A quarter of a second decides whether the ledger is away; while
//! it is known to work on an answer, or to call back what others hold and do not use, that would only
//! refuse what is about to be granted.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Book, Urgency};
use crate::limits::{
    BUDGET_ANSWER_MS, BUDGET_ANSWERS, BUDGET_CALLED_MS, BUDGET_WAIT_MS, CALLED_RANGE_MS,
    NEXT_SYNC_MS,
};

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
    /// Others are called to give back what they do not use: when to ask again, milliseconds.
    pause_ms: u64,
}

impl Contact {
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    pub(super) fn answered(&mut self) {
        let answers = self.answers + 1;
        *self = Self { asked: None, heard: Some(Instant::now()), answers, pause_ms: 0 };
    }

    pub(super) const fn failed(&mut self) {
        self.asked = None;
        self.heard = None;
        self.pause_ms = 0;
    }

    /// The answer that was just taken says to wait for what others give back; its number.
    pub(super) fn called(&mut self, wait_ms: u64) -> u64 {
        let wait_ms = wait_ms.clamp(*CALLED_RANGE_MS.start(), *CALLED_RANGE_MS.end());
        self.pause_ms = self.pause_ms.max(wait_ms);
        self.answers
    }

    /// When to ask again; 0: at once.
    pub(super) const fn pause_ms(&self) -> u64 {
        self.pause_ms
    }

    /// Whether the last answer said so, of any account.
    pub(super) const fn is_called(&self) -> bool {
        self.pause_ms > 0
    }

    /// Whether the last answer is the one that said so of this account, and nothing failed since.
    pub(super) fn calls(&self, answer: Option<u64>) -> bool {
        self.is_called() && answer == Some(self.answers)
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
        if contact.is_called() {
            return patience.begun + Duration::from_millis(BUDGET_CALLED_MS);
        }
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

//! Whose turn it is on a caller's connection: the caller's, to send the head of a request, or ours, to
//! answer it, and until when.

use std::cell::Cell;
use std::rc::Rc;

use tokio::time::Instant;

/// Shared by a connection's socket, its service and the answer on its way.
#[derive(Debug, Default)]
pub(super) struct Turn {
    until: Cell<Option<Instant>>,
    ours: Cell<bool>,
    requests: Cell<u64>,
}

impl Turn {
    /// A request's head has come.
    pub(super) fn on_request(&self) {
        self.ours.set(true);
        self.requests.set(self.requests.get() + 1);
    }

    /// An answer is on its way and must have been taken by then; the turn is the caller's when it is dropped.
    pub(super) fn on_answer(self: &Rc<Self>, until: Instant) -> Ended {
        self.until.set(Some(until));
        Ended(Some(self.clone()))
    }

    /// When the answer on its way must have been taken; `None` before the first one.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until.get()
    }

    /// Whether the next thing to come is a request's head.
    pub(super) fn is_the_callers(&self) -> bool {
        !self.ours.get()
    }

    /// How many heads have come.
    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
    }
}

/// Lies in an answer's body and goes with it.
#[derive(Debug, Default)]
pub struct Ended(Option<Rc<Turn>>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(turn) = &self.0 {
            turn.ours.set(false);
        }
    }
}

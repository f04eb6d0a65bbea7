//! Which target to try next: a sans-I/O state machine over the closed error classes (wire.md A10).
//! `handle` drives it; the order of candidates comes from `select`.

mod budget;

use std::time::Duration;

pub use budget::{RetryBudget, Waiting};

use crate::error::Class;
use crate::limits;
use crate::table::Retries;

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Try the target at this place in the order, after a pause.
    Try {
        /// Place in the order of candidates.
        place: usize,
        /// Pause before it.
        pause: Duration,
    },
    /// The same where nobody was reached, for as long as there is room for another call that waits.
    Wait {
        /// Place in the order of candidates.
        place: usize,
        /// Pause before it.
        pause: Duration,
    },
    /// Nothing is left to try, or the class forbids it: the caller gets the error.
    GiveUp,
}

/// What another try at the same candidate would reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same target.
    Same,
    /// Another endpoint of the same model, which is as good as another candidate: no budget, no pause.
    Other,
    /// Nothing.
    Nobody,
}

/// A failed attempt, as far as the next one depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    /// Of the taxonomy.
    pub class: Class,
    /// What the target asked for.
    pub retry_after: Option<Duration>,
    /// What the same candidate still offers.
    pub again: Again,
    /// The place of the next candidate that may do better, if this failure allows one.
    pub next: Option<usize>,
    /// Nothing of the request went out, so that another try costs no provider anything.
    pub unsent: bool,
    /// Nor would anything go out at another try, until somebody changes something.
    pub hopeless: bool,
    /// The candidate is the way to a gateway: several pods under one name, one of which may be gone.
    pub to_gateway: bool,
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Attempts {
    retries: Retries,
    place: usize,
    made: u8,
    same: u8,
    moved: bool,
    /// The current candidate's token has been renewed once.
    renewed: bool,
    /// Nobody has had a byte of the request yet.
    nobody_reached: bool,
    /// Some that was not reached may be reached yet.
    may_mend: bool,
    /// When the first attempt failed that reached nobody.
    unreached_since_ms: Option<u64>,
    waits: usize,
}

impl Attempts {
    /// A request whose first attempt is at place 0 of its order.
    #[must_use]
    pub const fn new(retries: Retries) -> Self {
        Self {
            retries,
            place: 0,
            made: 1,
            same: 0,
            moved: false,
            renewed: false,
            nobody_reached: true,
            may_mend: false,
            unreached_since_ms: None,
            waits: 0,
        }
    }

    /// The place of the current attempt.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// Attempts made so far, the current one included, but for those that `Step::Wait` added.
    #[must_use]
    pub const fn made(&self) -> u8 {
        self.made
    }

    /// The reaction to a failure of the current attempt; `budget` is its target's.
    pub fn after(&mut self, failed: &Failed, budget: &RetryBudget, now_ms: u64) -> Step {
        self.nobody_reached &= failed.unsent;
        if failed.unsent {
            self.may_mend |= !failed.hopeless;
            self.unreached_since_ms.get_or_insert(now_ms);
        }
        match self.within_attempts(failed, budget, now_ms) {
            Step::GiveUp if failed.unsent => self.wait(failed, now_ms),
            step => step,
        }
    }

    fn within_attempts(&mut self, failed: &Failed, budget: &RetryBudget, now_ms: u64) -> Step {
        let Failed { class, again, next, .. } = *failed;
        if self.made >= self.retries.max_attempts {
            return Step::GiveUp;
        }
        if again == Again::Other && class.try_other_endpoint() && !(self.moved && next.is_some()) {
            // Once; the next candidate must have its turn within the attempts.
            self.made += 1;
            self.moved = true;
            return Step::Try { place: self.place, pause: Duration::ZERO };
        }
        if again == Again::Nobody {
            // Neither now nor after a pause.
        } else if class == Class::RateLimit {
            let patience = Duration::from_millis(limits::RATE_LIMIT_PATIENCE_MS);
            let wait = failed.retry_after.unwrap_or(patience);
            if next.is_none()
                && self.same == 0
                && wait <= patience
                && budget.spend(&self.retries, now_ms)
            {
                return self.again(wait);
            }
        } else if self.same < class.retry_same() && budget.spend(&self.retries, now_ms) {
            // An overloaded or silent target is never retried; see `Class::retry_same`.
            return self.again(Duration::from_millis(fastrand::u64(limits::RETRY_PAUSE_MS)));
        }
        let Some(next) = next else { return Step::GiveUp };
        self.made += 1;
        self.pass_to(next);
        Step::Try { place: self.place, pause: Duration::ZERO }
    }

    /// Goes on to a later candidate without an attempt at the current one.
    pub const fn pass_to(&mut self, place: usize) {
        self.place = place;
        self.same = 0;
        self.moved = false;
        self.renewed = false;
    }

    /// Whether another token may be shown to the current candidate: once. That the first one was refused
    /// cost its provider nothing and counts as no attempt.
    pub const fn renew(&mut self) -> bool {
        !std::mem::replace(&mut self.renewed, true)
    }

    fn again(&mut self, pause: Duration) -> Step {
        self.made += 1;
        self.same += 1;
        Step::Try { place: self.place, pause }
    }

    /// A pod that has just ended still stands in its Service for a second or two, and a provider that
    /// restarts refuses connections as long: where nobody was reached the caller gets a few tries more.
    fn wait(&mut self, failed: &Failed, now_ms: u64) -> Step {
        let Some(pause_ms) = limits::UNREACHED_PAUSES_MS.get(self.waits) else {
            return Step::GiveUp;
        };
        let pause_ms = pause_ms + fastrand::u64(0..=pause_ms / 4);
        let since_ms = self.unreached_since_ms.unwrap_or(now_ms);
        let over = now_ms.saturating_sub(since_ms) + pause_ms > limits::UNREACHED_PATIENCE_MS;
        // One that is hopeless is no reason to wait, but others may be.
        let vain = if failed.hopeless { !self.may_mend } else { failed.again == Again::Nobody };
        if over || vain || !(failed.to_gateway || self.nobody_reached) {
            return Step::GiveUp;
        }
        self.waits += 1;
        // All in turn where all were unreachable; else the gateway that was asked last.
        let first = if self.nobody_reached { 0 } else { self.place };
        self.place = failed.next.unwrap_or(first);
        Step::Wait { place: self.place, pause: Duration::from_millis(pause_ms) }
    }
}

#[cfg(test)]
mod tests;

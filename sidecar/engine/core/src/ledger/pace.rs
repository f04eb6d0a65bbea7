//! When to sync: at once while callers wait, soon where money runs low or goes back, else with the
//! renewals; after failures in growing, jittered pauses, so that a hub that returns is not overrun.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::budget::{Book, Urgency};
use crate::limits::{
    STEADY_MS, SYNC_BACKOFF_MS, SYNC_FIRST_PAUSE_MS, SYNC_REFILL_GAP_MS, SYNC_URGENT_GAP_MS,
};

/// The rhythm of one conversation.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the last sync ended.
    last: Instant,
    failures: u32,
    /// Drawn anew after every sync, percent.
    jitter: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { last: Instant::now(), failures: 0, jitter: jitter() }
    }

    pub(super) fn ended(&mut self, well: bool) {
        self.last = Instant::now();
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
        self.jitter = jitter();
    }

    /// Resolves when the next sync is due.
    pub(super) async fn due(&self, book: &Book) {
        loop {
            let gap_ms = match book.urgency() {
                Urgency::Waiting => {
                    self.gap_ms(Urgency::Waiting, book.renew_ms()).max(book.pause_ms())
                }
                urgency => self.gap_ms(urgency, book.renew_ms()),
            };
            let due = self.last + Duration::from_millis(gap_ms);
            if due <= Instant::now() {
                return;
            }
            // Calls that begin may bring the next renewal forward, without anybody asking for it.
            let look = Instant::now() + Duration::from_millis(STEADY_MS);
            tokio::select! {
                () = sleep_until(due.min(look)) => {}
                () = book.asked() => {}
            }
        }
    }

    fn gap_ms(&self, urgency: Urgency, renew_ms: u64) -> u64 {
        if self.failures > 0 {
            let doubled = SYNC_FIRST_PAUSE_MS << (self.failures - 1).min(20);
            return doubled.min(SYNC_BACKOFF_MS) * self.jitter / 100;
        }
        match urgency {
            Urgency::Waiting => SYNC_URGENT_GAP_MS,
            Urgency::Refill => SYNC_REFILL_GAP_MS,
            Urgency::Renewal => renew_ms * self.jitter / 100,
        }
    }
}

/// Always early: a renewal that is late by the jitter would be late by design.
fn jitter() -> u64 {
    fastrand::u64(60..=100)
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use crate::budget::Urgency;
    use crate::limits::SYNC_BACKOFF_MS;

    #[tokio::test(start_paused = true)]
    async fn urgency_shortens_the_gap_and_failures_lengthen_it() {
        let mut pace = Pace::new();
        let renewal = pace.gap_ms(Urgency::Renewal, 30_000);
        assert!((18_000..=30_000).contains(&renewal), "{renewal}");
        assert!(pace.gap_ms(Urgency::Waiting, 30_000) < pace.gap_ms(Urgency::Refill, 30_000));
        pace.ended(false);
        assert!((30..=50).contains(&pace.gap_ms(Urgency::Waiting, 30_000)), "an outage shows soon");
        for _ in 0..40 {
            pace.ended(false);
        }
        let longest = pace.gap_ms(Urgency::Waiting, 30_000);
        assert!((SYNC_BACKOFF_MS * 6 / 10..=SYNC_BACKOFF_MS).contains(&longest), "{longest}");
        pace.ended(true);
        assert_eq!(pace.gap_ms(Urgency::Waiting, 30_000), 20);
    }
}

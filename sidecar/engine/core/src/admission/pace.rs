//! One key's limits, counted without a lock: a bucket of a minute's requests that refills evenly, and
//! the calls in flight. Each process counts for itself.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What is counted of one key; kept while its entry changes.
#[derive(Debug, Default)]
pub struct Pace {
    /// Boot clock, microseconds, at which the bucket is full again.
    full_at_us: AtomicU64,
    in_flight: AtomicU32,
}

const MINUTE_US: u64 = 60_000_000;

impl Pace {
    /// Takes one of `per_minute` requests.
    ///
    /// # Errors
    /// Microseconds until there is one.
    pub fn take(&self, per_minute: u32, now_us: u64) -> Result<(), u64> {
        let each_us = MINUTE_US / u64::from(per_minute.max(1));
        let mut wait_us = 0;
        let taken = self.full_at_us.fetch_update(Relaxed, Relaxed, |full_at_us| {
            let owed_us = full_at_us.saturating_sub(now_us);
            wait_us = (owed_us + each_us).saturating_sub(MINUTE_US);
            (wait_us == 0).then_some(now_us + owed_us + each_us)
        });
        taken.map(drop).map_err(|_| wait_us)
    }

    /// Takes one of `most` places in flight; false: there is none. `leave` gives it back.
    pub fn enter(&self, most: u32) -> bool {
        let more = |in_flight| (in_flight < most).then_some(in_flight + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// Gives a place back.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_minutes_requests_may_come_at_once_and_then_evenly() {
        let pace = Pace::default();
        let start = 5 * MINUTE_US;
        for _ in 0..3 {
            assert_eq!(pace.take(3, start), Ok(()));
        }
        assert_eq!(pace.take(3, start), Err(20_000_000));
        assert_eq!(pace.take(3, start + 19_000_000), Err(1_000_000));
        assert_eq!(pace.take(3, start + 20_000_000), Ok(()));
        assert_eq!(pace.take(3, start + 20_000_000), Err(20_000_000));
    }

    #[test]
    fn places_are_given_back() {
        let pace = Pace::default();
        assert!(pace.enter(2) && pace.enter(2));
        assert!(!pace.enter(2));
        pace.leave();
        assert!(pace.enter(2));
    }

    proptest! {
        /// However requests come, no minute sees more than twice the limit, and waiting as told helps.
        #[test]
        fn the_limit_holds(gaps in prop::collection::vec(0_u64..30_000_000, 1..200), limit in 1_u32..10) {
            let pace = Pace::default();
            let (mut now, mut passed) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                match pace.take(limit, now) {
                    Ok(()) => passed.push(now),
                    Err(wait) => {
                        now += wait;
                        prop_assert_eq!(pace.take(limit, now), Ok(()));
                        passed.push(now);
                    }
                }
            }
            for (at, from) in passed.iter().enumerate() {
                let within = passed[at..].iter().filter(|it| **it < from + MINUTE_US).count();
                prop_assert!(within <= 2 * limit as usize);
            }
        }
    }
}

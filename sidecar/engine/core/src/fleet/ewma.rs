//! A running mean that any thread may add to, without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One in so many of each new value counts: the last ten or so decide.
const WEIGHT: u64 = 8;

/// An exponentially weighted mean of durations, microseconds; 0: none yet.
#[derive(Debug, Default)]
pub struct Ewma(AtomicU64);

impl Ewma {
    /// Adds a value, microseconds. The first one is the mean.
    pub fn add(&self, value_us: u64) {
        let next = |mean: u64| {
            let mixed = match mean {
                0 => value_us,
                mean => (mean * (WEIGHT - 1) + value_us) / WEIGHT,
            };
            Some(mixed.max(1))
        };
        // It always changes.
        let _ = self.0.fetch_update(Relaxed, Relaxed, next);
    }

    /// The mean in whole milliseconds, rounded up so that only "none yet" is 0.
    #[must_use]
    pub fn millis(&self) -> u64 {
        self.0.load(Relaxed).div_ceil(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_and_nothing_is_zero() {
        let mean = Ewma::default();
        assert_eq!(mean.millis(), 0);
        mean.add(80_000);
        assert_eq!(mean.millis(), 80);
        for _ in 0..40 {
            mean.add(10_000_000);
        }
        assert!((9_900..=10_000).contains(&mean.millis()), "{}", mean.millis());
        for _ in 0..200 {
            mean.add(0);
        }
        assert_eq!(mean.millis(), 1);
    }
}

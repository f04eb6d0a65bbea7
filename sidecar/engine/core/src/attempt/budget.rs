//! What all calls of one target share, so that many of them do not finish off a provider that is down:
//! how often they may try it again, and how many of them may wait for it to be reachable.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::limits;
use crate::table::Retries;

/// Bounds retries on one target over all requests of all rules, whichever thread serves them: a share of
/// requests plus a floor. What a rule says is how much of it its own calls put in and may take.
/// Lock-free; kept across tables.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// Hundredths of a retry earned by requests.
    earned: AtomicU64,
    /// The second in which the floor was last used, and how often, in the high and the low half.
    floor: AtomicU64,
    /// Calls that wait for the target to be reachable.
    waiting: AtomicU64,
}

impl RetryBudget {
    /// A request goes to the target: it earns a share of a retry.
    pub fn earn(&self, retries: &Retries) {
        let share = u64::from(retries.budget_percent);
        let more = |earned: u64| {
            (share > 0 && earned < limits::RETRIES_EARNED_CENTI)
                .then(|| (earned + share).min(limits::RETRIES_EARNED_CENTI))
        };
        // Nothing to do where the most is saved up already.
        let _full = self.earned.fetch_update(Relaxed, Relaxed, more);
    }

    /// Takes a retry, where one is left for a call of this rule.
    pub fn spend(&self, retries: &Retries, now_ms: u64) -> bool {
        let second = (now_ms / 1_000) << 32;
        let of_floor = |floor: u64| {
            // A thread that is late by a second takes from the newer second's.
            let used = if floor >> 32 < second >> 32 { second } else { floor };
            (used & u64::from(u32::MAX) < u64::from(retries.min_per_second)).then_some(used + 1)
        };
        // A rule that puts nothing in takes nothing of what others have saved.
        let of_saved =
            |earned: u64| (retries.budget_percent > 0).then(|| earned.checked_sub(100))?;
        self.floor.fetch_update(Relaxed, Relaxed, of_floor).is_ok()
            || self.earned.fetch_update(Relaxed, Relaxed, of_saved).is_ok()
    }

    /// A place among those who wait for the target to be reachable, until it is dropped; `None`: there
    /// are so many that this one must not hold its memory longer.
    #[must_use]
    pub fn wait(&self) -> Option<Waiting<'_>> {
        let more = |waiting: u64| (waiting < limits::UNREACHED_WAITERS).then_some(waiting + 1);
        self.waiting.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Waiting(&self.waiting))
    }
}

/// A call that waits.
#[derive(Debug)]
pub struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries { max_attempts: 3, budget_percent: 20, min_per_second: 3 };

    #[test]
    fn retries_are_a_share_of_requests_plus_a_floor() {
        let budget = RetryBudget::default();
        for _ in 0..100 {
            budget.earn(&RETRIES);
        }
        let spent = (0..1_000).filter(|_| budget.spend(&RETRIES, 500)).count();
        assert_eq!(spent, 3 + 20, "three a second, and 20 % of a hundred requests");
        assert!(budget.spend(&RETRIES, 1_000), "the next second has its floor again");
    }

    #[test]
    fn rules_share_the_floor_and_one_without_a_share_takes_no_others() {
        let budget = RetryBudget::default();
        let poor = Retries { budget_percent: 0, min_per_second: 2, ..RETRIES };
        for _ in 0..100 {
            budget.earn(&RETRIES);
            budget.earn(&poor);
        }
        assert_eq!((0..1_000).filter(|_| budget.spend(&poor, 500)).count(), 2, "its floor alone");
        let rest = (0..1_000).filter(|_| budget.spend(&RETRIES, 500)).count();
        assert_eq!(rest, 1 + 20, "one of the floor's three is left, and what its own calls earned");
    }

    #[test]
    fn threads_share_one_budget() {
        let budget = RetryBudget::default();
        let spent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        budget.earn(&RETRIES);
                    }
                });
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mine = (0..1_000).filter(|_| budget.spend(&RETRIES, 500)).count();
                    spent.fetch_add(mine as u64, Relaxed);
                });
            }
        });
        assert_eq!(spent.into_inner(), 3 + 80, "three a second, and 20 % of four hundred requests");
    }

    #[test]
    fn so_many_wait_and_a_place_that_is_left_is_free() {
        let budget = RetryBudget::default();
        let mut places: Vec<_> =
            (0..limits::UNREACHED_WAITERS).filter_map(|_| budget.wait()).collect();
        assert_eq!(places.len() as u64, limits::UNREACHED_WAITERS);
        assert!(budget.wait().is_none());
        places.pop();
        assert!(budget.wait().is_some());
    }
}

//! Which target to try next: a sans-I/O state machine over the closed error classes (wire.md A10).
//! `handle` drives it; the order of candidates comes from `select`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

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

/// The attempts of one request.
#[derive(Debug)]
pub struct Attempts {
    retries: Retries,
    place: usize,
    made: u8,
    same: u8,
    moved: bool,
}

impl Attempts {
    /// A request whose first attempt is at place 0 of its order.
    #[must_use]
    pub const fn new(retries: Retries) -> Self {
        Self { retries, place: 0, made: 1, same: 0, moved: false }
    }

    /// The place of the current attempt.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// Attempts made so far, the current one included.
    #[must_use]
    pub const fn made(&self) -> u8 {
        self.made
    }

    /// The reaction to a failure of the current attempt. `retry_after` is what the target asked for,
    /// `next` the place of the next candidate that may do better, if this failure allows one, `again`
    /// what the same candidate still offers.
    pub fn after(
        &mut self,
        class: Class,
        retry_after: Option<Duration>,
        (again, next): (Again, Option<usize>),
        budget: &RetryBudget,
        now_ms: u64,
    ) -> Step {
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
            let wait = retry_after.unwrap_or(patience);
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
        self.place = next;
        self.same = 0;
        self.moved = false;
        Step::Try { place: self.place, pause: Duration::ZERO }
    }

    fn again(&mut self, pause: Duration) -> Step {
        self.made += 1;
        self.same += 1;
        Step::Try { place: self.place, pause }
    }
}

/// Bounds retries on the same target over all requests of a rule, whichever thread serves them: a
/// share of requests plus a floor, so that a fleet of routers does not finish off a provider that is
/// down. Lock-free; kept across tables.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// Hundredths of a retry earned by requests.
    earned: AtomicU64,
    /// The second in which the floor was last used, and how often, in the high and the low half.
    floor: AtomicU64,
}

impl RetryBudget {
    /// Every request earns a share of a retry.
    pub fn earn(&self, retries: &Retries) {
        let share = u64::from(retries.budget_percent);
        let more = |earned: u64| {
            (earned < limits::RETRIES_EARNED_CENTI)
                .then(|| (earned + share).min(limits::RETRIES_EARNED_CENTI))
        };
        // Nothing to do where the most is saved up already.
        let _full = self.earned.fetch_update(Relaxed, Relaxed, more);
    }

    fn spend(&self, retries: &Retries, now_ms: u64) -> bool {
        let second = (now_ms / 1_000) << 32;
        let of_floor = |floor: u64| {
            // A thread that is late by a second takes from the newer second's.
            let used = if floor >> 32 < second >> 32 { second } else { floor };
            (used & u64::from(u32::MAX) < u64::from(retries.min_per_second)).then_some(used + 1)
        };
        self.floor.fetch_update(Relaxed, Relaxed, of_floor).is_ok()
            || self.earned.fetch_update(Relaxed, Relaxed, |earned| earned.checked_sub(100)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(max_attempts: u8) -> Retries {
        Retries { max_attempts, budget_percent: 20, min_per_second: 3 }
    }

    fn place(step: Step) -> Option<usize> {
        match step {
            Step::Try { place, .. } => Some(place),
            Step::GiveUp => None,
        }
    }

    fn following(attempts: &Attempts, targets: usize) -> Option<usize> {
        Some(attempts.place() + 1).filter(|next| *next < targets)
    }

    #[test]
    fn connect_failure_is_retried_once_on_the_same_target_then_falls_back() {
        let (mut attempts, budget) = (Attempts::new(retries(5)), RetryBudget::default());
        assert_eq!(
            place(attempts.after(
                Class::Connect,
                None,
                (Again::Same, following(&attempts, 2)),
                &budget,
                0
            )),
            Some(0)
        );
        assert_eq!(
            place(attempts.after(
                Class::Connect,
                None,
                (Again::Same, following(&attempts, 2)),
                &budget,
                0
            )),
            Some(1)
        );
        assert_eq!(
            place(attempts.after(
                Class::Connect,
                None,
                (Again::Same, following(&attempts, 2)),
                &budget,
                0
            )),
            Some(1)
        );
        assert_eq!(
            place(attempts.after(
                Class::Connect,
                None,
                (Again::Same, following(&attempts, 2)),
                &budget,
                0
            )),
            None
        );
    }

    #[test]
    fn a_silent_target_is_never_retried() {
        let (mut attempts, budget) = (Attempts::new(retries(5)), RetryBudget::default());
        assert_eq!(
            place(attempts.after(
                Class::SlowFirstToken,
                None,
                (Again::Same, following(&attempts, 2)),
                &budget,
                0
            )),
            Some(1)
        );
        assert_eq!(
            place(attempts.after(
                Class::SlowFirstToken,
                None,
                (Again::Same, following(&attempts, 2)),
                &budget,
                0
            )),
            None
        );
    }

    #[test]
    fn a_callers_bad_request_is_final() {
        let (mut attempts, budget) = (Attempts::new(retries(5)), RetryBudget::default());
        assert_eq!(
            attempts.after(Class::BadRequest, None, (Again::Same, None), &budget, 0),
            Step::GiveUp
        );
    }

    #[test]
    fn a_rate_limit_falls_back_and_waits_only_as_the_last_resort() {
        let budget = RetryBudget::default();
        let wait = Duration::from_millis(1_500);
        let mut two = Attempts::new(retries(5));
        assert_eq!(
            place(two.after(Class::RateLimit, Some(wait), (Again::Same, Some(1)), &budget, 0)),
            Some(1)
        );
        let mut last = Attempts::new(retries(5));
        assert_eq!(
            last.after(Class::RateLimit, Some(wait), (Again::Same, None), &budget, 0),
            Step::Try { place: 0, pause: wait }
        );
        assert_eq!(
            last.after(Class::RateLimit, Some(wait), (Again::Same, None), &budget, 0),
            Step::GiveUp,
            "once"
        );
        let mut long = Attempts::new(retries(5));
        assert_eq!(
            long.after(Class::RateLimit, Some(wait * 10), (Again::Same, None), &budget, 0),
            Step::GiveUp
        );
    }

    #[test]
    fn attempts_never_exceed_their_maximum() {
        let (mut attempts, budget) = (Attempts::new(retries(3)), RetryBudget::default());
        let mut tried = 1;
        while place(attempts.after(
            Class::Server,
            None,
            (Again::Same, following(&attempts, 9)),
            &budget,
            0,
        ))
        .is_some()
        {
            tried += 1;
        }
        assert_eq!((tried, attempts.made()), (3, 3));
    }

    #[test]
    fn another_endpoint_comes_first_once_and_costs_no_budget() {
        let (mut attempts, budget) = (Attempts::new(retries(4)), RetryBudget::default());
        let none = Retries { budget_percent: 0, min_per_second: 0, ..retries(4) };
        attempts.retries = none;
        let after = |attempts: &mut Attempts, again, next| {
            attempts.after(Class::Connect, None, (again, next), &budget, 0)
        };
        let at_once = |place| Step::Try { place, pause: Duration::ZERO };
        assert_eq!(after(&mut attempts, Again::Other, Some(1)), at_once(0));
        assert_eq!(after(&mut attempts, Again::Other, Some(1)), at_once(1));
        assert_eq!(after(&mut attempts, Again::Other, None), at_once(1));
        assert_eq!(after(&mut attempts, Again::Other, None), Step::GiveUp, "four in all");
        let mut alone = Attempts::new(none);
        assert_eq!(after(&mut alone, Again::Nobody, None), Step::GiveUp);
        let mut prompt = Attempts::new(none);
        let too_long = prompt.after(Class::ContextTooLong, None, (Again::Other, None), &budget, 0);
        assert_eq!(too_long, Step::GiveUp, "every endpoint says so");
    }

    #[test]
    fn retries_are_a_share_of_requests_plus_a_floor() {
        let (budget, retries) = (RetryBudget::default(), retries(3));
        for _ in 0..100 {
            budget.earn(&retries);
        }
        let spent = (0..1_000).filter(|_| budget.spend(&retries, 500)).count();
        assert_eq!(spent, 3 + 20, "three a second, and 20 % of a hundred requests");
        assert!(budget.spend(&retries, 1_000), "the next second has its floor again");
    }

    #[test]
    fn threads_share_one_budget() {
        let (budget, retries) = (RetryBudget::default(), retries(3));
        let spent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        budget.earn(&retries);
                    }
                });
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mine = (0..1_000).filter(|_| budget.spend(&retries, 500)).count();
                    spent.fetch_add(mine as u64, Relaxed);
                });
            }
        });
        assert_eq!(spent.into_inner(), 3 + 80, "three a second, and 20 % of four hundred requests");
    }
}

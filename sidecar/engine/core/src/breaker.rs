//! One breaker a model: cooldowns asked for by providers, pauses after refused connections or runs of
//! server errors, and half-open probes. Lock-free; shared by all threads and kept across tables.

mod hearsay;

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::error::Class;
use crate::limits;

pub use hearsay::{Hearsay, Told};

/// State of one target. Times are milliseconds of the boot clock.
#[derive(Debug, Default)]
pub struct Breaker {
    open_until_ms: AtomicU64,
    opened_ms: AtomicU64,
    probe_until_ms: AtomicU64,
    failures: AtomicU32,
    openings: AtomicU32,
    /// Row of the latest failure's class; 0: none since it closed.
    class: AtomicU8,
    /// The first failure of those that follow each other.
    since_ms: AtomicU64,
    failed_ms: AtomicU64,
    /// When the attempt began that was answered last, give or take [`limits::ANSWERED_STEP_MS`].
    answered_ms: AtomicU64,
    hearsay: Hearsay,
}

/// What a breaker shows in metrics and in the pool's status, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Calls go through.
    Closed,
    /// The pause is over; one call probes.
    HalfOpen,
    /// Calls prefer other targets.
    Open,
}

/// Why a breaker is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Of the latest failure.
    pub class: Class,
    /// The first of its failures, boot clock.
    pub since_ms: u64,
    /// The latest.
    pub failed_ms: u64,
}

impl Breaker {
    /// The state at `now_ms`, by what our own attempts have seen.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> State {
        match self.open_until_ms.load(Relaxed) {
            0 => State::Closed,
            until if now_ms < until => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// Whether selection should put this target last: open, or half-open with a probe under way, or
    /// down by the word of others and nobody's turn to look.
    #[must_use]
    pub fn is_cooling(&self, now_ms: u64) -> bool {
        let probed = || now_ms < self.probe_until_ms.load(Relaxed);
        match self.state(now_ms) {
            State::Open => true,
            State::HalfOpen if probed() => true,
            State::Closed | State::HalfOpen => {
                self.is_told(now_ms) && (self.hearsay.is_quiet(now_ms) || probed())
            }
        }
    }

    /// Whether others find it down and nothing that we saw since says otherwise.
    #[must_use]
    pub fn is_told(&self, now_ms: u64) -> bool {
        self.hearsay.holds(now_ms, || self.answered_ms.load(Relaxed))
    }

    /// Called as an attempt starts: in the half-open state it becomes the probe.
    pub fn on_dispatch(&self, now_ms: u64) {
        let probes = match self.state(now_ms) {
            State::HalfOpen => true,
            State::Closed => self.is_told(now_ms) && !self.hearsay.is_quiet(now_ms),
            State::Open => false,
        };
        if probes {
            self.probe_until_ms.store(now_ms + limits::PROBE_MS, Relaxed);
        }
    }

    /// A good answer closes the breaker, unless its attempt began before the breaker opened: that
    /// tells nothing about now.
    pub fn on_success(&self, began_ms: u64) {
        self.note_answer(began_ms);
        let open = self.open_until_ms.load(Relaxed) != 0;
        if open && began_ms < self.opened_ms.load(Relaxed) {
            return;
        }
        if open || self.failures.load(Relaxed) != 0 {
            self.close();
        }
    }

    /// The probe's answer has begun: others need not wait for its end, but the next failure opens again.
    pub fn on_first_token(&self, began_ms: u64) {
        self.note_answer(began_ms);
        if self.open_until_ms.load(Relaxed) != 0 && began_ms >= self.opened_ms.load(Relaxed) {
            self.open_until_ms.store(0, Relaxed);
            self.probe_until_ms.store(0, Relaxed);
            self.failures.store(limits::BREAKER_FAILURES - 1, Relaxed);
        }
    }

    /// The attempt ended without telling anything about the target (caller gone, bad request).
    pub fn on_neutral(&self) {
        self.probe_until_ms.store(0, Relaxed);
    }

    /// The provider asked for a pause.
    pub fn cool_for(&self, class: Class, now_ms: u64, pause_ms: u64) {
        self.note_failure(class, now_ms);
        self.open_until(now_ms, pause_ms.min(limits::COOLDOWN_MS));
    }

    /// Whether nothing was asked of it since the last good answer.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.open_until_ms.load(Relaxed) == 0
    }

    /// What it was opened for is known to be over.
    pub fn close(&self) {
        self.open_until_ms.store(0, Relaxed);
        self.probe_until_ms.store(0, Relaxed);
        self.failures.store(0, Relaxed);
        self.openings.store(0, Relaxed);
        self.since_ms.store(0, Relaxed);
        self.class.store(0, Relaxed);
    }

    /// No connection: opens at once, so that an outage costs one request, with doubling pauses.
    pub fn on_unreachable(&self, class: Class, now_ms: u64) {
        self.note_failure(class, now_ms);
        self.open(now_ms);
    }

    /// A server error or a silent target: opens after a run of them, or at once when it was the probe,
    /// or where others have found it down before.
    pub fn on_failure(&self, class: Class, now_ms: u64) {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        let expected = self.state(now_ms) == State::HalfOpen || self.is_told(now_ms);
        self.note_failure(class, now_ms);
        if failures >= limits::BREAKER_FAILURES || expected {
            self.open(now_ms);
        }
    }

    /// Other sidecars find the target down, or do so still.
    pub fn hear(&self, told: Told, now_ms: u64) {
        self.hearsay.hear(told, now_ms);
    }

    /// Others find it down no longer: where our own failures keep it open, we look soon, and not all
    /// at once.
    pub fn hear_no_more(&self, now_ms: u64) {
        let told = self.hearsay.forget();
        if told && self.outage().is_some_and(|outage| outage.class.counts_toward_breaker()) {
            let soon_ms = now_ms + fastrand::u64(1..=limits::RETURN_SPREAD_MS);
            let sooner = |until: u64| (until > soon_ms).then_some(soon_ms);
            // Where its pause ends before, there is nothing to do.
            let _ends_before = self.open_until_ms.fetch_update(Relaxed, Relaxed, sooner);
        }
    }

    /// Why it is not closed; `None`: it is.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        let row = self.class.load(Relaxed);
        let class = *Class::ALL.get(usize::from(row).checked_sub(1)?)?;
        let (since_ms, failed_ms) = (self.since_ms.load(Relaxed), self.failed_ms.load(Relaxed));
        (!self.is_closed()).then_some(Outage { class, since_ms, failed_ms })
    }

    /// When the attempt began that was answered last, boot clock; 0: none was.
    #[must_use]
    pub fn answered_ms(&self) -> u64 {
        self.answered_ms.load(Relaxed)
    }

    /// Written once in a while, not with every call: threads share it.
    fn note_answer(&self, began_ms: u64) {
        if began_ms > self.answered_ms.load(Relaxed) + limits::ANSWERED_STEP_MS {
            self.answered_ms.store(began_ms, Relaxed);
        }
    }

    fn note_failure(&self, class: Class, now_ms: u64) {
        let gap_ms = now_ms.saturating_sub(self.failed_ms.swap(now_ms, Relaxed));
        if self.since_ms.load(Relaxed) == 0 || gap_ms > limits::OUTAGE_GAP_MS {
            self.since_ms.store(now_ms.max(1), Relaxed);
        }
        self.class.store(class.row(), Relaxed);
        self.hearsay.rest(now_ms);
    }

    fn open(&self, now_ms: u64) {
        if self.state(now_ms) == State::Open {
            return;
        }
        let openings = self.openings.fetch_add(1, Relaxed).min(8);
        let pause_ms =
            (limits::BREAKER_FIRST_PAUSE_MS << openings).min(limits::BREAKER_LONGEST_PAUSE_MS);
        // A fleet that saw one outage must not look for its end in one moment.
        self.open_until(now_ms, pause_ms - fastrand::u64(0..=pause_ms / limits::PAUSE_JITTER));
    }

    fn open_until(&self, now_ms: u64, pause_ms: u64) {
        self.opened_ms.store(now_ms, Relaxed);
        self.open_until_ms.store((now_ms + pause_ms).max(1), Relaxed);
        self.probe_until_ms.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refused_connection_opens_and_the_pause_doubles_to_its_bound() {
        let breaker = Breaker::default();
        let mut now = 10;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.on_unreachable(Class::Connect, now);
            let start = now;
            while breaker.state(now) == State::Open {
                now += 1;
            }
            pauses.push(now - start);
        }
        for (pause, most) in pauses.into_iter().zip([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]) {
            assert!(
                (most - most / limits::PAUSE_JITTER..=most).contains(&pause),
                "{pause} of {most}"
            );
        }
    }

    #[test]
    fn only_one_probe_goes_while_half_open() {
        let breaker = Breaker::default();
        breaker.on_unreachable(Class::Connect, 0);
        assert!(breaker.is_cooling(749));
        assert!(!breaker.is_cooling(1_000), "the probe");
        breaker.on_dispatch(1_000);
        assert!(breaker.is_cooling(1_001), "others wait for it");
        assert!(
            !breaker.is_cooling(1_000 + limits::PROBE_MS),
            "a lost probe does not shut it for ever"
        );
        breaker.on_success(1_000);
        assert_eq!(breaker.state(1_002), State::Closed);
    }

    #[test]
    fn an_older_calls_success_does_not_end_a_pause() {
        let breaker = Breaker::default();
        breaker.cool_for(Class::RateLimit, 500, 10_000);
        breaker.on_success(499);
        assert!(breaker.is_cooling(501));
        breaker.on_success(500);
        assert!(!breaker.is_cooling(501));
    }

    #[test]
    fn a_streaming_probe_lets_others_in_at_its_first_token_but_its_cut_opens_again() {
        let breaker = Breaker::default();
        breaker.on_unreachable(Class::Connect, 0);
        breaker.on_dispatch(1_000);
        breaker.on_first_token(1_000);
        assert!(!breaker.is_cooling(1_001));
        breaker.on_failure(Class::Server, 1_002);
        assert!(breaker.is_cooling(1_003), "one more failure is enough");
        assert!(breaker.is_cooling(1_002 + 1_499), "and the pause has doubled");
    }

    #[test]
    fn server_errors_open_after_a_run_and_a_success_resets_the_count() {
        let breaker = Breaker::default();
        for _ in 0..limits::BREAKER_FAILURES - 1 {
            breaker.on_failure(Class::Server, 5);
        }
        assert_eq!(breaker.state(5), State::Closed);
        breaker.on_success(5);
        breaker.on_failure(Class::Server, 5);
        assert_eq!(breaker.state(5), State::Closed);
        for _ in 0..limits::BREAKER_FAILURES {
            breaker.on_failure(Class::Server, 5);
        }
        assert_eq!(breaker.state(5), State::Open);
    }

    #[test]
    fn a_providers_pause_is_capped() {
        let breaker = Breaker::default();
        breaker.cool_for(Class::RateLimit, 1, u64::MAX / 2);
        assert_eq!(breaker.state(limits::COOLDOWN_MS), State::Open);
        assert_eq!(breaker.state(limits::COOLDOWN_MS + 1), State::HalfOpen);
    }

    #[test]
    fn an_outage_is_told_with_its_class_and_both_its_ends() {
        let breaker = Breaker::default();
        assert_eq!(breaker.outage(), None);
        breaker.on_failure(Class::Server, 10);
        assert_eq!(breaker.outage(), None, "one failure is none");
        breaker.on_unreachable(Class::Connect, 20);
        breaker.on_unreachable(Class::Connect, 3_000);
        let outage = |since_ms, failed_ms| Outage { class: Class::Connect, since_ms, failed_ms };
        assert_eq!(breaker.outage(), Some(outage(10, 3_000)));
        let later = 3_001 + limits::OUTAGE_GAP_MS;
        breaker.on_unreachable(Class::Connect, later);
        assert_eq!(breaker.outage(), Some(outage(later, later)), "nobody had called meanwhile");
        breaker.on_success(later);
        assert_eq!((breaker.outage(), breaker.answered_ms()), (None, later));
    }
}

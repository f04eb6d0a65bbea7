//! One breaker a model: cooldowns asked for by providers, pauses after refused connections or runs of
//! server errors, and half-open probes. Lock-free; shared by all threads and kept across tables.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::limits;

/// State of one target. Times are milliseconds of the boot clock.
#[derive(Debug, Default)]
pub struct Breaker {
    open_until_ms: AtomicU64,
    opened_ms: AtomicU64,
    probe_until_ms: AtomicU64,
    failures: AtomicU32,
    openings: AtomicU32,
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

impl Breaker {
    /// The state at `now_ms`.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> State {
        match self.open_until_ms.load(Relaxed) {
            0 => State::Closed,
            until if now_ms < until => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// Whether selection should put this target last: open, or half-open with a probe under way.
    #[must_use]
    pub fn is_cooling(&self, now_ms: u64) -> bool {
        match self.state(now_ms) {
            State::Closed => false,
            State::Open => true,
            State::HalfOpen => now_ms < self.probe_until_ms.load(Relaxed),
        }
    }

    /// Called as an attempt starts: in the half-open state it becomes the probe.
    pub fn on_dispatch(&self, now_ms: u64) {
        if self.state(now_ms) == State::HalfOpen {
            self.probe_until_ms.store(now_ms + limits::PROBE_MS, Relaxed);
        }
    }

    /// A good answer closes the breaker, unless its attempt began before the breaker opened: that
    /// tells nothing about now.
    pub fn on_success(&self, began_ms: u64) {
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
    pub fn cool_for(&self, now_ms: u64, pause_ms: u64) {
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
    }

    /// No connection: opens at once, so that an outage costs one request, with doubling pauses.
    pub fn on_unreachable(&self, now_ms: u64) {
        if self.state(now_ms) == State::Open {
            return;
        }
        let openings = self.openings.fetch_add(1, Relaxed).min(8);
        let pause_ms =
            (limits::BREAKER_FIRST_PAUSE_MS << openings).min(limits::BREAKER_LONGEST_PAUSE_MS);
        self.open_until(now_ms, pause_ms);
    }

    /// A server error or a silent target: opens after a run of them, or at once when it was the probe.
    pub fn on_failure(&self, now_ms: u64) {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if failures >= limits::BREAKER_FAILURES || self.state(now_ms) == State::HalfOpen {
            self.on_unreachable(now_ms);
        }
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
            breaker.on_unreachable(now);
            let start = now;
            while breaker.state(now) == State::Open {
                now += 1;
            }
            pauses.push(now - start);
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    }

    #[test]
    fn only_one_probe_goes_while_half_open() {
        let breaker = Breaker::default();
        breaker.on_unreachable(0);
        assert!(breaker.is_cooling(999));
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
        breaker.cool_for(500, 10_000);
        breaker.on_success(499);
        assert!(breaker.is_cooling(501));
        breaker.on_success(500);
        assert!(!breaker.is_cooling(501));
    }

    #[test]
    fn a_streaming_probe_lets_others_in_at_its_first_token_but_its_cut_opens_again() {
        let breaker = Breaker::default();
        breaker.on_unreachable(0);
        breaker.on_dispatch(1_000);
        breaker.on_first_token(1_000);
        assert!(!breaker.is_cooling(1_001));
        breaker.on_failure(1_002);
        assert!(breaker.is_cooling(1_003), "one more failure is enough");
        assert!(breaker.is_cooling(1_002 + 1_999), "and the pause has doubled");
    }

    #[test]
    fn server_errors_open_after_a_run_and_a_success_resets_the_count() {
        let breaker = Breaker::default();
        for _ in 0..limits::BREAKER_FAILURES - 1 {
            breaker.on_failure(5);
        }
        assert_eq!(breaker.state(5), State::Closed);
        breaker.on_success(5);
        breaker.on_failure(5);
        assert_eq!(breaker.state(5), State::Closed);
        for _ in 0..limits::BREAKER_FAILURES {
            breaker.on_failure(5);
        }
        assert_eq!(breaker.state(5), State::Open);
    }

    #[test]
    fn a_providers_pause_is_capped() {
        let breaker = Breaker::default();
        breaker.cool_for(1, u64::MAX / 2);
        assert_eq!(breaker.state(limits::COOLDOWN_MS), State::Open);
        assert_eq!(breaker.state(limits::COOLDOWN_MS + 1), State::HalfOpen);
    }
}

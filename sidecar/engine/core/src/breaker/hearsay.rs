//! What other sidecars say of a target: a hint that puts it last for a while, never more. What our own
//! calls have seen since the outage began counts more than what others say.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::limits;

/// An outage that the hub tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The hub's number for it: another one is another outage.
    pub id: u64,
    /// How long ago it began.
    pub for_ms: u64,
}

/// What was told of one target. Times are milliseconds of the boot clock.
#[derive(Debug, Default)]
pub struct Hearsay {
    /// When the outage began; 0: none is told.
    since_ms: AtomicU64,
    id: AtomicU64,
    /// The hub may have died since: not believed any longer.
    until_ms: AtomicU64,
    /// No call of ours looks for itself before.
    quiet_until_ms: AtomicU64,
}

impl Hearsay {
    /// Takes what is told; where it is told again, it holds for longer.
    pub(super) fn hear(&self, told: Told, now_ms: u64) {
        self.until_ms.store(now_ms + limits::HEARSAY_MS, Relaxed);
        if self.since_ms.load(Relaxed) != 0 && self.id.load(Relaxed) == told.id {
            return;
        }
        self.id.store(told.id, Relaxed);
        self.since_ms.store(now_ms.saturating_sub(told.for_ms).max(1), Relaxed);
        self.rest(now_ms);
    }

    /// Nothing is told any more; whether anything was.
    pub(super) fn forget(&self) -> bool {
        self.since_ms.swap(0, Relaxed) != 0
    }

    /// Whether an outage is told, not long ago, and no attempt of ours that began later was answered.
    pub(super) fn holds(&self, now_ms: u64, answered_ms: impl Fn() -> u64) -> bool {
        match self.since_ms.load(Relaxed) {
            0 => false,
            since_ms => now_ms < self.until_ms.load(Relaxed) && answered_ms() <= since_ms,
        }
    }

    /// Whether it is too early for a look of our own.
    pub(super) fn is_quiet(&self, now_ms: u64) -> bool {
        now_ms < self.quiet_until_ms.load(Relaxed)
    }

    /// We look for ourselves after a pause, each sidecar after one of its own.
    pub(super) fn rest(&self, now_ms: u64) {
        if self.since_ms.load(Relaxed) != 0 {
            let pause_ms = fastrand::u64(limits::HEARSAY_PAUSE_MS);
            self.quiet_until_ms.store(now_ms + pause_ms, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Breaker, State};
    use super::*;
    use crate::error::Class;

    const OUTAGE: Told = Told { id: 7, for_ms: 1_000 };
    const LONGEST: u64 = limits::HEARSAY_PAUSE_MS.end;

    #[test]
    fn what_others_say_rests_a_target_until_we_look_and_our_answer_ends_it() {
        let breaker = Breaker::default();
        breaker.hear(OUTAGE, 10_000);
        assert!(breaker.is_cooling(10_000 + limits::HEARSAY_PAUSE_MS.start - 1));
        assert_eq!(breaker.state(10_001), State::Closed, "our own calls have seen nothing");
        let turn = 10_000 + LONGEST;
        assert!(!breaker.is_cooling(turn), "our look");
        breaker.on_dispatch(turn);
        assert!(breaker.is_cooling(turn), "one call looks, the others wait for it");
        breaker.on_success(turn);
        assert!(!breaker.is_cooling(turn));
        breaker.hear(OUTAGE, turn + 1);
        assert!(!breaker.is_cooling(turn + 2), "our own answer counts more than their word");
        breaker.hear(Told { id: 8, for_ms: 0 }, turn + 3);
        assert!(breaker.is_cooling(turn + 4), "but not for the next outage");
    }

    #[test]
    fn an_answer_from_before_the_outage_says_nothing_and_one_from_within_it_does() {
        for (began_ms, believed) in [(8_000, true), (9_500, false)] {
            let breaker = Breaker::default();
            breaker.on_success(began_ms);
            breaker.hear(OUTAGE, 10_000);
            assert_eq!(breaker.is_cooling(10_001), believed, "{began_ms}");
        }
    }

    #[test]
    fn a_look_that_fails_opens_at_once_and_is_not_repeated_soon() {
        let breaker = Breaker::default();
        breaker.hear(OUTAGE, 10_000);
        let turn = 10_000 + LONGEST;
        breaker.on_dispatch(turn);
        breaker.on_failure(Class::Server, turn + 5);
        assert_eq!(breaker.state(turn + 6), State::Open);
        let next = turn + 5 + limits::HEARSAY_PAUSE_MS.start;
        assert!(breaker.is_cooling(next - 1), "also where its own pause was shorter");
        assert!(!breaker.is_cooling(turn + 5 + LONGEST));
    }

    #[test]
    fn it_is_not_believed_for_long_without_the_hub() {
        let breaker = Breaker::default();
        breaker.hear(OUTAGE, 10_000);
        breaker.on_unreachable(Class::Connect, 10_000 + limits::HEARSAY_MS - 1);
        assert!(breaker.is_told(10_000 + limits::HEARSAY_MS - 1));
        assert!(!breaker.is_told(10_000 + limits::HEARSAY_MS));
        breaker.hear(OUTAGE, 80_000);
        assert!(breaker.is_told(80_001), "told again, it holds again");
    }

    #[test]
    fn the_end_of_an_outage_lets_us_look_soon_but_for_a_pause_that_was_asked_for() {
        let failed = Breaker::default();
        let asked = Breaker::default();
        failed.on_unreachable(Class::Connect, 20_000);
        asked.cool_for(Class::Overload, 20_000, 30_000);
        for breaker in [&failed, &asked] {
            breaker.hear_no_more(20_001);
            assert_eq!(breaker.state(20_001), State::Open, "nobody had told anything");
            breaker.hear(OUTAGE, 20_002);
            breaker.hear_no_more(20_003);
        }
        let soon = 20_003 + limits::RETURN_SPREAD_MS;
        assert_eq!(failed.state(soon), State::HalfOpen);
        assert!(!failed.is_cooling(soon));
        assert_eq!(asked.state(soon), State::Open);
    }
}

//! How much of an account to hold: enough for the next renewal at the recent rate, doubled when it
//! ran short before that, little near the end, nothing where the hub asked for money back. Beyond
//! that, what would last through an outage of the hub, where there is money to spare.

use crate::limits::{FIRST_LEASE_PICO, FIRST_LEASE_SHARE, PREFETCH_SHARE, STEADY_MS};

/// What this sidecar recently needed of one account, picodollars.
#[derive(Debug, Clone, Default)]
pub(super) struct Demand {
    /// Spent per renewal, smoothed.
    rate: u64,
    /// Grows while grants run out early.
    chunk: u64,
    /// The dearest reservation of this renewal and of the last.
    dearest: u64,
    dearest_before: u64,
    /// The most that one call of this renewal or of the last may come to cost.
    worst: u64,
    worst_before: u64,
    spent: u64,
    spent_seen: u64,
    seen_boot_ms: u64,
    renewed_boot_ms: u64,
    short_boot_ms: Option<u64>,
    recalled_until_ms: u64,
    /// Spent per second over tens of seconds, in which a burst counts for little.
    steady: u64,
    steady_spent: u64,
    steady_boot_ms: Option<u64>,
    /// The last of those was well above the ones before.
    rising: bool,
}

impl Demand {
    /// A request wanted this much.
    pub(super) fn note_reservation(&mut self, amount: u64) {
        self.dearest = self.dearest.max(amount);
    }

    /// A request may come to cost this much.
    pub(super) fn note_worst(&mut self, amount: u64) {
        self.worst = self.worst.max(amount);
    }

    /// The most that a call of late may come to cost.
    pub(super) fn worst(&self) -> u64 {
        self.worst.max(self.worst_before)
    }

    /// A request cost this much.
    pub(super) fn note_spent(&mut self, amount: u64) {
        self.spent = self.spent.saturating_add(amount);
    }

    /// Anything asked of this account since boot.
    pub(super) const fn is_used(&self) -> bool {
        self.dearest > 0 || self.dearest_before > 0 || self.spent > 0
    }

    /// The hub wants money back: fetch only what callers wait for, for one renewal.
    pub(super) fn recall(&mut self, boot_ms: u64, renew_ms: u64) {
        self.chunk = 0;
        self.recalled_until_ms = boot_ms.saturating_add(renew_ms);
    }

    /// Callers were short of `need`: the chunk doubles where that comes early again.
    pub(super) fn note_short(&mut self, need: u64, boot_ms: u64, renew_ms: u64) {
        let early = self.short_boot_ms.is_some_and(|it| boot_ms.saturating_sub(it) < renew_ms);
        self.chunk = if early { need.max(self.chunk.saturating_mul(2)) } else { need };
        self.short_boot_ms = Some(boot_ms);
    }

    /// Once a renewal: measures the rate and lets go of what is no longer needed.
    pub(super) fn measure(&mut self, boot_ms: u64, renew_ms: u64) {
        self.measure_steady(boot_ms);
        let elapsed = boot_ms.saturating_sub(self.seen_boot_ms);
        if elapsed < renew_ms.min(1_000) {
            return;
        }
        let spent = u128::from(self.spent - self.spent_seen);
        let now = spent * u128::from(renew_ms) / u128::from(elapsed.max(1));
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.rate = if now > self.rate { now } else { self.rate / 2 + now / 2 };
        self.spent_seen = self.spent;
        self.seen_boot_ms = boot_ms;
        if boot_ms.saturating_sub(self.renewed_boot_ms) >= renew_ms {
            self.renewed_boot_ms = boot_ms;
            self.dearest_before = std::mem::take(&mut self.dearest);
            self.worst_before = std::mem::take(&mut self.worst);
            self.chunk /= 2;
        }
    }

    /// Whether spending has begun or grown, and what would last through an outage is not known yet.
    pub(super) const fn is_growing(&self) -> bool {
        self.rising || (self.steady == 0 && self.spent > self.steady_spent)
    }

    /// The free part to aim at.
    pub(super) fn target(&self, boot_ms: u64) -> u64 {
        if boot_ms < self.recalled_until_ms {
            return 0;
        }
        let dearest = self.dearest.max(self.dearest_before);
        self.rate.saturating_mul(2).max(self.chunk).max(dearest.saturating_mul(2))
    }

    /// What to fetch beyond need: towards the target, but a small share of what the account has left.
    /// `remaining`: limit less used, where the hub has said it.
    pub(super) fn prefetch(
        &self,
        free: u64,
        limit: u64,
        remaining: Option<u64>,
        boot_ms: u64,
    ) -> u64 {
        if boot_ms < self.recalled_until_ms {
            return 0;
        }
        let first = FIRST_LEASE_PICO.min(limit / FIRST_LEASE_SHARE);
        let wished = self.target(boot_ms).max(first).saturating_sub(free);
        wished.min(remaining.map_or(first, |it| it / PREFETCH_SHARE))
    }

    /// What would last for so long without the hub, beyond what is free.
    pub(super) fn reserve(
        &self,
        free: u64,
        outage_ms: u64,
        remaining: Option<u64>,
        boot_ms: u64,
    ) -> u64 {
        if outage_ms == 0 || boot_ms < self.recalled_until_ms {
            return 0;
        }
        let spent = u128::from(self.steady) * u128::from(outage_ms) / 1_000;
        let spent = u64::try_from(spent).unwrap_or(u64::MAX);
        let wished = spent.saturating_add(self.target(boot_ms)).saturating_sub(free);
        wished.min(remaining.unwrap_or(0) / PREFETCH_SHARE)
    }

    fn measure_steady(&mut self, boot_ms: u64) {
        let Some(begun_ms) = self.steady_boot_ms else {
            (self.steady_boot_ms, self.steady_spent) = (Some(boot_ms), self.spent);
            return;
        };
        let elapsed = boot_ms.saturating_sub(begun_ms);
        if elapsed < STEADY_MS {
            return;
        }
        let spent = u128::from(self.spent - self.steady_spent);
        let now = u64::try_from(spent * 1_000 / u128::from(elapsed)).unwrap_or(u64::MAX);
        self.steady = if self.steady == 0 { now } else { self.steady / 2 + now / 2 };
        self.rising = now / 5 * 4 > self.steady;
        (self.steady_boot_ms, self.steady_spent) = (Some(boot_ms), self.spent);
    }
}

#[cfg(test)]
mod tests {
    use super::Demand;

    const RENEW_MS: u64 = 30_000;
    const DOLLAR: u64 = 1_000_000_000_000;

    #[test]
    fn the_target_follows_the_rate_of_spending() {
        let mut demand = Demand::default();
        demand.measure(RENEW_MS, RENEW_MS);
        demand.note_spent(3 * DOLLAR);
        demand.measure(2 * RENEW_MS, RENEW_MS);
        assert_eq!(demand.target(2 * RENEW_MS), 6 * DOLLAR, "two renewals ahead");
        for idle in 3..40 {
            demand.measure(idle * RENEW_MS, RENEW_MS);
        }
        assert!(demand.target(40 * RENEW_MS) < DOLLAR / 1_000_000, "idle: it is let go");
    }

    #[test]
    fn a_reserve_lasts_through_an_outage_at_the_steady_rate() {
        let (mut demand, horizon_ms) = (Demand::default(), 900_000);
        for second in 0..60 {
            demand.note_spent(DOLLAR / 100);
            demand.measure(second * 1_000, RENEW_MS);
        }
        let reserve = |free, left| demand.reserve(free, horizon_ms, Some(left), 60_000);
        let whole = reserve(0, 1_000 * DOLLAR);
        assert!((9 * DOLLAR..11 * DOLLAR).contains(&whole), "{whole}: fifteen minutes at a cent");
        assert_eq!(reserve(DOLLAR, 1_000 * DOLLAR), whole - DOLLAR);
        assert_eq!(reserve(0, DOLLAR), DOLLAR / 2, "near the end it is a share of what is left");
        assert_eq!(demand.reserve(0, 0, Some(DOLLAR), 60_000), 0, "nobody wants it");
        demand.recall(60_000, RENEW_MS);
        assert_eq!(demand.reserve(0, horizon_ms, Some(1_000 * DOLLAR), 60_001), 0);
    }

    #[test]
    fn it_grows_until_the_steady_rate_is_known() {
        let mut demand = Demand::default();
        demand.measure(0, RENEW_MS);
        demand.measure(20_000, RENEW_MS);
        assert!(!demand.is_growing(), "nobody calls");
        demand.note_spent(DOLLAR);
        assert!(demand.is_growing(), "somebody does");
        let seconds = (25..120).find(|second| {
            demand.note_spent(DOLLAR);
            if second % 10 == 0 {
                demand.measure(second * 1_000, RENEW_MS);
            }
            !demand.is_growing()
        });
        assert!(seconds.is_some_and(|it| it <= 60), "{seconds:?}");
        assert!(demand.steady > DOLLAR / 2, "{}", demand.steady);
    }

    #[test]
    fn what_was_needed_once_is_let_go_after_two_renewals_however_often_it_is_measured() {
        let mut demand = Demand::default();
        demand.note_reservation(DOLLAR);
        for second in 0..3 * RENEW_MS / 1_000 {
            demand.measure(second * 1_000, RENEW_MS);
        }
        assert_eq!(demand.target(3 * RENEW_MS), 0);
    }

    #[test]
    fn running_short_again_doubles_the_chunk() {
        let mut demand = Demand::default();
        demand.note_short(10, 0, RENEW_MS);
        assert_eq!(demand.target(0), 10);
        demand.note_short(10, 100, RENEW_MS);
        demand.note_short(10, 200, RENEW_MS);
        assert_eq!(demand.target(200), 40);
        demand.note_short(10, 200 + RENEW_MS, RENEW_MS);
        assert_eq!(demand.target(200 + RENEW_MS), 10, "late: it starts again");
    }

    #[test]
    fn little_is_held_near_the_end_and_nothing_after_a_recall() {
        let mut demand = Demand::default();
        demand.note_reservation(DOLLAR);
        assert_eq!(demand.prefetch(0, 1_000 * DOLLAR, Some(100 * DOLLAR), 0), 2 * DOLLAR);
        assert_eq!(demand.prefetch(0, 1_000 * DOLLAR, Some(DOLLAR), 0), DOLLAR / 2);
        assert_eq!(demand.prefetch(0, 1_000 * DOLLAR, Some(0), 0), 0);
        demand.recall(0, RENEW_MS);
        assert_eq!(demand.prefetch(0, 1_000 * DOLLAR, Some(100 * DOLLAR), 1), 0);
    }
}

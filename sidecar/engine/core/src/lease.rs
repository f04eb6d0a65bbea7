//! One lease: money of one account and window that the hub moved here, and where it is now.
//! `budget` reserves and settles on it, `ledger` raises and reports it. Pure arithmetic (I8):
//! granted + overrun = returned + spent + unconfirmed + reserved + free, in picodollars.

use std::sync::Arc;

/// How the holder's own leases begin, for what is spent without a grant.
pub const OWN: &str = "u-";

/// The stretch of ledger time in which an account's calls count together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The ledger's name for it.
    pub key: Arc<str>,
    /// First millisecond, Unix time of the ledger.
    pub start_ms: i64,
    /// First millisecond after it.
    pub end_ms: i64,
}

impl Window {
    /// Whether a call admitted at this ledger time books here.
    #[must_use]
    pub const fn contains(&self, ledger_ms: i64) -> bool {
        self.start_ms <= ledger_ms && ledger_ms < self.end_ms
    }
}

/// What a lease may still be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// New reservations, while the window and the expiry allow.
    Open,
    /// The hub no longer knows it (or its budget is gone): open reservations settle, nothing else.
    Void,
    /// Nothing is reserved and the numbers are final; kept until the hub has answered them.
    Closed,
}

/// Money of one account and window, granted by the hub or, without a grant, counted here.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The hub's name for it; `u-…`: the holder's own, for what is spent without a lease.
    pub id: Arc<str>,
    /// Which calls book here; absent for a lease of the holder's own before the hub named one.
    pub window: Option<Window>,
    /// Open, void or closed.
    pub phase: Phase,
    /// Boot time after which nothing more may be reserved, milliseconds.
    pub expires_boot_ms: u64,
    /// What running calls asked for in vain; the next sync's want.
    pub short: u64,
    /// Charges that hold a reservation here, even one of zero.
    pub open: u32,
    /// `Phase::Closed` was in a report; an answer to it lets the lease go.
    pub closed_reported: bool,
    numbers: Numbers,
    reserved: u64,
    free: u64,
    overrun: u64,
}

/// The cumulative numbers that are reported and journaled; none ever falls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Moved here by the hub.
    pub granted: u64,
    /// Moved back unused.
    pub returned: u64,
    /// Settled.
    pub spent: u64,
    /// May have been billed: abandoned attempts, and reservations that a crash left open.
    pub unconfirmed: u64,
}

impl Lease {
    /// A lease without money yet.
    #[must_use]
    pub fn new(id: Arc<str>, window: Option<Window>) -> Self {
        Self {
            id,
            window,
            phase: Phase::Open,
            expires_boot_ms: 0,
            short: 0,
            open: 0,
            closed_reported: false,
            numbers: Numbers::default(),
            reserved: 0,
            free: 0,
            overrun: 0,
        }
    }

    /// What is reported and journaled.
    #[must_use]
    pub const fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Picodollars that may still be reserved, expiry and window apart.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.free
    }

    /// Picodollars held by open charges.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Picodollars spent beyond the grant; the next grant pays them first.
    #[must_use]
    pub const fn overrun(&self) -> u64 {
        self.overrun
    }

    /// Whether a call admitted now may reserve here.
    #[must_use]
    pub fn admits(&self, boot_ms: u64, ledger_ms: i64) -> bool {
        self.extends(boot_ms) && self.window.as_ref().is_some_and(|it| it.contains(ledger_ms))
    }

    /// Whether a running call may reserve more here: also after the window's end.
    #[must_use]
    pub fn extends(&self, boot_ms: u64) -> bool {
        self.phase == Phase::Open && boot_ms < self.expires_boot_ms
    }

    /// Takes a reservation out of the free part; false, and nothing happens, where it does not fit.
    pub fn reserve(&mut self, amount: u64) -> bool {
        if amount > self.free {
            return false;
        }
        self.free -= amount;
        self.reserved += amount;
        self.check();
        true
    }

    /// Reserves whether or not it fits: `Audit`, and `Allow` while the ledger is away.
    pub fn reserve_beyond(&mut self, amount: u64) {
        self.debit(amount);
        self.reserved = self.reserved.saturating_add(amount);
        self.check();
    }

    /// Ends a reservation: `reserved` goes back, what was spent and what may have been stays.
    pub fn settle(&mut self, reserved: u64, spent: u64, unconfirmed: u64) {
        let reserved = reserved.min(self.reserved);
        self.reserved -= reserved;
        self.credit(reserved);
        self.debit(spent);
        self.debit(unconfirmed);
        self.numbers.spent = self.numbers.spent.saturating_add(spent);
        self.numbers.unconfirmed = self.numbers.unconfirmed.saturating_add(unconfirmed);
        self.check();
    }

    /// The hub's cumulative grant; an older, smaller one changes nothing. Returns what was added.
    pub fn grant(&mut self, granted: u64) -> u64 {
        let added = granted.saturating_sub(self.numbers.granted);
        self.numbers.granted += added;
        self.credit(added);
        self.check();
        added
    }

    /// Gives the whole free part back and says how much it was.
    pub fn give_back(&mut self) -> u64 {
        let free = std::mem::take(&mut self.free);
        self.numbers.returned += free;
        self.check();
        free
    }

    /// No more reservations: the hub does not know it, or its budget is gone.
    pub fn void(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Void;
        }
        self.give_back();
        self.short = 0;
    }

    /// Closes a lease that is void or past its window, once nothing is reserved. True if it closed now.
    pub fn close_if_over(&mut self, ledger_ms: i64) -> bool {
        let ended = self.window.as_ref().is_some_and(|it| it.end_ms <= ledger_ms);
        if self.phase == Phase::Closed || self.open > 0 || !(ended || self.phase == Phase::Void) {
            return false;
        }
        self.give_back();
        self.phase = Phase::Closed;
        true
    }

    /// Money comes back: it pays the overrun first.
    fn credit(&mut self, amount: u64) {
        let paid = amount.min(self.overrun);
        self.overrun -= paid;
        self.free = self.free.saturating_add(amount - paid);
    }

    /// Money goes: out of the free part first, the rest is overrun.
    fn debit(&mut self, amount: u64) {
        let covered = amount.min(self.free);
        self.free -= covered;
        self.overrun = self.overrun.saturating_add(amount - covered);
    }

    /// I8.
    fn check(&self) {
        let Numbers { granted, returned, spent, unconfirmed } = self.numbers;
        debug_assert_eq!(
            u128::from(granted) + u128::from(self.overrun),
            [returned, spent, unconfirmed, self.reserved, self.free]
                .iter()
                .map(|it| u128::from(*it))
                .sum(),
            "I8: a lease is spent + reserved + free"
        );
        debug_assert!(self.free == 0 || self.overrun == 0, "I8: overrun only when nothing is free");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Lease, Numbers, Phase, Window};

    fn lease(granted: u64) -> Lease {
        let window = Window { key: "w".into(), start_ms: 0, end_ms: 1_000 };
        let mut lease = Lease::new("l".into(), Some(window));
        lease.grant(granted);
        lease.expires_boot_ms = 900;
        lease
    }

    #[test]
    fn a_reservation_never_exceeds_the_free_part() {
        let mut lease = lease(100);
        assert!(lease.reserve(60));
        assert!(!lease.reserve(41));
        assert_eq!((lease.free(), lease.reserved()), (40, 60));
        lease.settle(60, 10, 5);
        assert_eq!((lease.free(), lease.reserved(), lease.overrun()), (85, 0, 0));
    }

    #[test]
    fn an_overrun_is_paid_by_the_next_grant() {
        let mut lease = lease(100);
        assert!(lease.reserve(100));
        lease.settle(100, 130, 0);
        assert_eq!((lease.free(), lease.overrun()), (0, 30));
        lease.grant(150);
        assert_eq!((lease.free(), lease.overrun()), (20, 0));
    }

    #[test]
    fn window_expiry_and_phase_each_end_reservations() {
        let mut lease = lease(100);
        assert!(lease.admits(899, 999));
        assert!(!lease.admits(900, 999), "hard expiry");
        assert!(!lease.admits(0, 1_000), "the window is over");
        assert!(lease.extends(0), "a running call goes on after the window");
        lease.void();
        assert!(!lease.extends(0) && lease.free() == 0);
    }

    #[test]
    fn a_lease_closes_once_nothing_is_reserved() {
        let mut lease = lease(100);
        assert!(lease.reserve(0));
        lease.open = 1;
        assert!(!lease.close_if_over(1_000));
        lease.open = 0;
        assert!(!lease.close_if_over(999), "the window goes on");
        assert!(lease.close_if_over(1_000));
        assert_eq!(lease.phase, Phase::Closed);
        assert_eq!(lease.numbers(), Numbers { granted: 100, returned: 100, ..Numbers::default() });
        assert!(!lease.close_if_over(1_000), "closes once");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve(u64),
        Beyond(u64),
        Settle(usize, u64, u64),
        Grant(u64),
        GiveBack,
        Void,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..500_u64).prop_map(Step::Reserve),
            (0..500_u64).prop_map(Step::Beyond),
            (0..8_usize, 0..700_u64, 0..50_u64).prop_map(|(n, s, u)| Step::Settle(n, s, u)),
            (0..3_000_u64).prop_map(Step::Grant),
            Just(Step::GiveBack),
            Just(Step::Void),
        ];
        proptest::collection::vec(step, 0..80)
    }

    proptest! {
        /// I8 against books kept apart from the lease: lists of what was reserved, spent and granted.
        #[test]
        fn i8_money_is_conserved_over_any_sequence(steps in steps()) {
            let mut lease = lease(0);
            let (mut open, mut spent, mut unconfirmed, mut granted) = (Vec::new(), 0, 0, 0);
            for step in steps {
                match step {
                    Step::Reserve(amount) => {
                        let free = lease.free();
                        let fits = lease.reserve(amount);
                        prop_assert_eq!(fits, amount <= free);
                        if fits { open.push(amount); }
                    }
                    Step::Beyond(amount) => { lease.reserve_beyond(amount); open.push(amount); }
                    Step::Settle(n, actual, lost) if !open.is_empty() => {
                        let reserved = open.swap_remove(n % open.len());
                        lease.settle(reserved, actual, lost);
                        spent += actual;
                        unconfirmed += lost;
                    }
                    Step::Settle(..) => {}
                    Step::Grant(to) => { lease.grant(to); granted = granted.max(to); }
                    Step::GiveBack => { lease.give_back(); }
                    Step::Void => lease.void(),
                }
                let Numbers { returned, .. } = lease.numbers();
                let expected = Numbers { granted, returned, spent, unconfirmed };
                prop_assert_eq!(lease.numbers(), expected);
                prop_assert_eq!(lease.reserved(), open.iter().sum::<u64>());
                prop_assert_eq!(
                    granted + lease.overrun(),
                    returned + spent + unconfirmed + lease.reserved() + lease.free()
                );
            }
        }
    }
}

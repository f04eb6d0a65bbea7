//! A running call whose lease was lost: the hub was restored, or let the lease expire. What it has
//! reserved stays where it is; what it needs more is reserved on the lease that took the old one's
//! place in the same window, so that every picodollar is on exactly one lease (I8).

use super::account::Account;
use super::state::{Held, Now, State};
use crate::lease::{Lease, Phase, Window};

impl State {
    /// Reserves `amount` beside a reservation some of whose leases can grow no more, or nothing.
    pub(super) fn go_on(&mut self, held: &Held, amount: u64, now: Now) -> Option<Held> {
        let mut next = Held::NONE;
        let mut moved = false;
        for slot in held.leases() {
            let beyond = self.goes_beyond(*slot, now);
            let entry = self.entry(*slot)?;
            if beyond || entry.lease.extends(now.boot_ms) {
                let fits = beyond || entry.lease.free() >= amount;
                next.push(fits.then_some(*slot)?);
                continue;
            }
            let account = entry.account;
            let window = entry.lease.window.clone()?;
            let Some(heir) = self.heir(account, &window, amount, now) else {
                self.want_heir(account, &window, amount);
                return None;
            };
            next.push(heir);
            moved = true;
        }
        if !moved || self.enter_charge(&mut next, amount).is_err() {
            return None;
        }
        for slot in next.leases() {
            let Some(entry) = self.entry_mut(*slot) else { continue };
            if !entry.lease.reserve(amount) {
                entry.lease.reserve_beyond(amount);
            }
            entry.lease.open += 1;
        }
        next.take_promise(held, amount);
        self.change_promised(&next, |it| it.saturating_sub(amount.min(held.promised)));
        Some(next)
    }

    /// A lease of the same account and window that has so much free.
    fn heir(&self, account: u16, window: &Window, amount: u64, now: Now) -> Option<u16> {
        let leases = &self.accounts.get(usize::from(account))?.leases;
        let fits = |lease: &Lease| {
            let same = lease.window.as_ref().is_some_and(|it| it.key == window.key);
            same && lease.extends(now.boot_ms) && lease.free() >= amount
        };
        leases.iter().copied().find(|slot| self.entry(*slot).is_some_and(|it| fits(&it.lease)))
    }

    /// Asks for what an heir lacks with the next sync, or for an heir.
    fn want_heir(&mut self, account: u16, window: &Window, amount: u64) {
        let Some(Account { leases, .. }) = self.accounts.get(usize::from(account)) else { return };
        let same = |slot: &u16| {
            let lease = self.entry(*slot).map(|it| &it.lease);
            lease.is_some_and(|it| {
                it.phase == Phase::Open && it.window.as_ref().is_some_and(|of| of.key == window.key)
            })
        };
        match leases.iter().copied().find(same).and_then(|slot| self.entry_mut(slot)) {
            Some(entry) => entry.lease.short = entry.lease.short.max(amount),
            None => {
                if let Some(account) = self.accounts.get_mut(usize::from(account)) {
                    account.short = account.short.max(amount);
                }
            }
        }
    }
}

//! Looking at the book without changing it: what would fit, why something was refused, what runs low.

use super::account::{Account, Crossed, Standing};
use super::state::{Ask, Held, Now, State};
use super::subjects::AccountSet;
use super::{AccountStanding, BudgetRefusal, RefusalCode};
use crate::lease::Lease;
use crate::limits::NEAR_END_CALLS;
use crate::table::OnLedgerUnavailable;

impl State {
    /// The smallest of what each enforced account would grant at once.
    pub(super) fn free_for(&self, set: &AccountSet, now: Now) -> u64 {
        let free = |account: &Account| {
            let policy = account.enforcement.on_ledger_unavailable;
            if policy == OnLedgerUnavailable::Allow && self.grants_nothing(account, now) {
                return u64::MAX;
            }
            let usable = self.leases_of(account).filter(|it| it.admits(now.boot_ms, now.ledger_ms));
            let free = usable.map(Lease::free).max().unwrap_or(0);
            free.saturating_sub(self.kept(account, now))
        };
        let accounts = set.iter().filter_map(|it| self.account(it));
        accounts.filter(|it| it.enforced()).map(free).min().unwrap_or(u64::MAX)
    }

    /// Whether an enforced account of the set is near its end for calls that may cost `worst`.
    pub(super) fn near_end(&self, set: &AccountSet, worst: u64, now: Now) -> bool {
        let mut accounts = set.iter().filter_map(|it| self.account(it)).filter(|it| it.enforced());
        accounts.any(|it| self.is_near_end(it, worst, now))
    }

    /// Picodollars of the account's leases that are kept for open streams: near the end a newcomer
    /// must not take what lets those finish that were admitted before it.
    pub(super) fn kept(&self, account: &Account, now: Now) -> u64 {
        let near = account.promised > 0 && self.is_near_end(account, account.demand.worst(), now);
        if near { account.promised } else { 0 }
    }

    /// Whether what may still be had covers few more calls that may cost `worst`, beside the open
    /// reservations, the promises made to streams and those who wait; with the ledger away, or
    /// just restored, that is what is leased.
    fn is_near_end(&self, account: &Account, worst: u64, now: Now) -> bool {
        let left = if self.grants_nothing(account, now) {
            self.leases_of(account).map(Lease::free).sum()
        } else {
            let held = self.leases_of(account).map(Lease::reserved).sum();
            account.left(held, now.ledger_ms)
        };
        let left = left.saturating_sub(account.promised).saturating_sub(account.awaited);
        left < worst.saturating_mul(NEAR_END_CALLS)
    }

    /// Changes what is promised on every account of a reservation.
    pub(super) fn change_promised(&mut self, held: &Held, change: impl Fn(u64) -> u64) {
        for slot in held.leases() {
            let Some(index) = self.entry(*slot).map(|it| usize::from(it.account)) else { continue };
            if let Some(account) = self.accounts.get_mut(index) {
                account.promised = change(account.promised);
            }
        }
    }

    /// Whether a lease of this reservation should be refilled before callers have to wait.
    pub(super) fn runs_low(&self, held: &Held, now: Now) -> bool {
        held.leases().iter().any(|slot| {
            let Some(entry) = self.entry(*slot) else { return false };
            let account = self.accounts.get(usize::from(entry.account));
            let Some(account) = account.filter(|it| it.enforced()) else { return false };
            if account.denial(now.boot_ms).is_some() {
                return false;
            }
            let free = entry.lease.free();
            if free > account.demand.target(now.boot_ms) / 2 {
                return false;
            }
            let used = account.used(now.ledger_ms);
            let remaining = used.map(|it| account.amount.saturating_sub(it));
            account.demand.prefetch(free, account.amount, remaining, now.boot_ms) > free
        })
    }

    /// Why a reservation cannot grow by `amount`. Where several limits lack it, one that has no more
    /// decides before one whose grant may still come.
    pub(super) fn shortage(&self, held: &Held, amount: u64, now: Now) -> BudgetRefusal {
        let mut passing = None;
        let mut strict = 0;
        for slot in held.leases().iter().filter(|it| !self.goes_beyond(**it, now)) {
            let Some(entry) = self.entry(*slot) else { continue };
            let Some(account) = self.accounts.get(usize::from(entry.account)) else { continue };
            strict = entry.account;
            if entry.lease.extends(now.boot_ms) && entry.lease.free() >= amount {
                continue;
            }
            let code = self.lack(account, &entry.lease, now);
            if code.is_final() {
                return self.refusal(&AccountSet::default(), entry.account, code, now);
            }
            passing.get_or_insert((entry.account, code));
        }
        // With money on all of them it was the journal that did not take the growth.
        let (index, code) = passing.unwrap_or((strict, RefusalCode::JournalUnavailable));
        self.refusal(&AccountSet::default(), index, code, now)
    }

    fn lack(&self, account: &Account, lease: &Lease, now: Now) -> RefusalCode {
        if self.journal.broken().is_some() {
            return RefusalCode::JournalUnavailable;
        }
        if account.awaits_restore(now.boot_ms) {
            return RefusalCode::LedgerRestored;
        }
        // What the hub says of the current window tells nothing about one that is over.
        if !lease.window.as_ref().is_some_and(|it| it.contains(now.ledger_ms)) {
            return RefusalCode::LedgerUnavailable;
        }
        match (account.crossed(now.ledger_ms), account.denial(now.boot_ms)) {
            (Crossed::Blocked, _) => RefusalCode::Blocked,
            (Crossed::Exhausted, _) => RefusalCode::Exhausted,
            (Crossed::No, Some(denial)) => denial.code,
            (Crossed::No, None) if self.ledger.contact.calls(account.called) => {
                RefusalCode::Exhausted
            }
            (Crossed::No, None) => RefusalCode::LedgerUnavailable,
        }
    }

    /// Whether a refusal of this account rests on a word of the hub that is too old: it is asked
    /// again then. A denial lasts as long as the hub said, and the next call after it asks.
    pub(super) fn is_stale(&self, index: u16, now: Now) -> bool {
        let Some(account) = self.accounts.get(usize::from(index)) else { return false };
        let due = |it: &Standing| now.boot_ms.saturating_sub(it.said_boot_ms) >= it.again_ms;
        account.denial(now.boot_ms).is_none() && account.standing.as_ref().is_none_or(due)
    }

    pub(super) fn refusal(
        &self,
        set: &AccountSet,
        index: u16,
        code: RefusalCode,
        now: Now,
    ) -> BudgetRefusal {
        let account = self.accounts.get(usize::from(index));
        let names = account.map(|it| it.names.clone()).unwrap_or_default();
        let denied = account.and_then(|it| it.denial.as_ref()).and_then(|it| it.resets.as_ref());
        let standing = account.and_then(|it| it.standing(now.ledger_ms)).map(|it| &it.resets);
        let resets = standing.or(denied);
        BudgetRefusal {
            code,
            account: names.account,
            budget: names.budget,
            limit: names.limit,
            amount: account.map_or(0, |it| it.amount),
            used: account.and_then(|it| it.used(now.ledger_ms)),
            available: self.free_for(set, now),
            resets_at_ms: resets.map(|it| it.at_ms),
            resets_at: resets.map(|it| it.text.clone()),
            wait_ms: account
                .and_then(|it| it.denial(now.boot_ms))
                .map_or(0, |it| it.until_boot_ms.saturating_sub(now.boot_ms)),
            detail: self.journal.broken().map(Into::into),
        }
    }

    pub(super) fn standings(&self, now: Now) -> Vec<AccountStanding> {
        let standing = |account: &Account| {
            let mut standing = AccountStanding {
                account: account.names.account.clone(),
                reserved: 0,
                free: 0,
                overrun: 0,
                percent: account.percent(now.ledger_ms),
            };
            for lease in self.leases_of(account) {
                standing.reserved += lease.reserved();
                standing.free += lease.free();
                standing.overrun += lease.overrun();
            }
            standing
        };
        self.accounts.iter().filter(|it| it.listed).map(standing).collect()
    }

    /// A request waits for this much on each enforced account.
    pub(super) fn await_money(&mut self, set: &AccountSet, ask: Ask) {
        self.change_waiting(set, |waiting, awaited| {
            (waiting.saturating_add(ask.amount), awaited.saturating_add(ask.worst))
        });
    }

    /// It no longer waits.
    pub(super) fn stop_awaiting(&mut self, set: &AccountSet, ask: Ask) {
        self.change_waiting(set, |waiting, awaited| {
            (waiting.saturating_sub(ask.amount), awaited.saturating_sub(ask.worst))
        });
    }

    fn change_waiting(&mut self, set: &AccountSet, change: impl Fn(u64, u64) -> (u64, u64)) {
        for reference in set.iter() {
            let account = self.accounts.get_mut(usize::from(reference.index));
            if let Some(it) = account.filter(|it| it.generation == reference.generation) {
                (it.waiting, it.awaited) = change(it.waiting, it.awaited);
            }
        }
    }

    fn leases_of<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a Lease> {
        let slots = account.leases.iter().chain(&account.own);
        slots.filter_map(|slot| self.entry(*slot)).map(|it| &it.lease)
    }
}

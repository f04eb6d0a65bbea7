//! What the book's lock guards: accounts, leases and the journal's slots. All of a request's
//! accounts are reserved on, or none; every step that could lose money is journaled before it is
//! relied upon. `Book` calls it for requests, `sync` for the ledger.

use std::collections::HashMap;
use std::sync::Arc;

use super::RefusalCode;
use super::account::{Account, Crossed};
use super::former::Former;
pub(super) use super::held::{Ask, Held};
use super::patience::Contact;
use super::subjects::{AccountRef, AccountSet};
use crate::journal::Journal;
use crate::lease::{Lease, OWN, Phase};
use crate::limits::{OPEN_CHARGES, RENEW_MS};
use crate::table::OnLedgerUnavailable;

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) accounts: Vec<Account>,
    pub(super) by_name: HashMap<Arc<str>, u16>,
    pub(super) leases: Vec<Option<Entry>>,
    pub(super) ledger: Ledger,
    pub(super) former: Former,
    pub(super) journal: Arc<Journal>,
    pub(super) boot: Arc<str>,
    free_charges: Vec<u16>,
    /// Settled since the leases' numbers were last journaled.
    settled_charges: Vec<u16>,
    sequence: u64,
    pub(super) own_leases: u64,
}

/// A lease in its journal slot.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) lease: Lease,
    pub(super) account: u16,
    /// The last report named it, so an answer that leaves it out voids it.
    pub(super) named: bool,
    pub(super) generation: u64,
    pub(super) turn: u64,
    pub(super) dirty: bool,
}

/// What is known of the hub.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Boot time of the last answer and the ledger's time then.
    answered: Option<(u64, i64)>,
    /// Failed syncs since the last answer.
    pub(super) failures: u32,
    /// Why the last one failed.
    pub(super) trouble: Option<Arc<str>>,
    pub(super) contact: Contact,
    pub(super) renew_ms: u64,
}

/// The two times that a decision needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) boot_ms: u64,
    pub(super) ledger_ms: i64,
}

/// What became of a request for money.
#[derive(Debug)]
pub(super) enum Outcome {
    Held(Held),
    /// A grant to this account, by index, could make it fit.
    Short(u16),
    /// The account, by index, that refuses.
    Refused(u16, RefusalCode),
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Lease(u16),
    /// On the holder's own lease, whether or not anything is granted.
    Beyond,
    /// On the holder's own lease, within what a former boot's left.
    Former,
    Short,
    Refused(RefusalCode),
}

impl Ledger {
    /// The ledger's time, Unix milliseconds; never falls. The epoch's beginning before any answer.
    pub(super) fn now_ms(&self, boot_ms: u64) -> i64 {
        let Some((answered_boot_ms, ledger_ms)) = self.answered else { return 0 };
        let since_ms = boot_ms.saturating_sub(answered_boot_ms);
        ledger_ms.saturating_add(i64::try_from(since_ms).unwrap_or(i64::MAX))
    }

    pub(super) fn answered(&mut self, boot_ms: u64, ledger_ms: i64) {
        self.answered = Some((boot_ms, ledger_ms.max(self.now_ms(boot_ms))));
        self.failures = 0;
        self.trouble = None;
        self.contact.answered();
    }

    pub(super) fn failed(&mut self, reason: &str) {
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(reason.into());
        self.contact.failed();
    }

    /// Until when a lease may be used by whoever comes after this boot; 0: not at all.
    pub(super) fn until_boot_ms(&self, lease: &Lease) -> u64 {
        let (Some((boot_ms, ledger_ms)), Some(window)) = (self.answered, &lease.window) else {
            return 0;
        };
        let ahead = window.start_ms > ledger_ms;
        if ahead || lease.phase != Phase::Open || lease.id.starts_with(OWN) {
            return 0;
        }
        let left_ms = u64::try_from(window.end_ms.saturating_sub(ledger_ms)).unwrap_or(0);
        lease.expires_boot_ms.min(boot_ms.saturating_add(left_ms))
    }

    /// One lost answer is no outage, two are; before the first answer one is.
    pub(super) const fn is_away(&self) -> bool {
        self.failures >= if self.answered.is_some() { 2 } else { 1 }
    }
}

impl State {
    pub(super) fn new(journal: Arc<Journal>, boot: Arc<str>) -> Self {
        Self {
            accounts: Vec::new(),
            by_name: HashMap::new(),
            leases: Vec::new(),
            ledger: Ledger {
                answered: None,
                failures: 0,
                trouble: None,
                contact: Contact::default(),
                renew_ms: RENEW_MS,
            },
            former: Former::default(),
            journal,
            boot,
            free_charges: (0..u16::try_from(OPEN_CHARGES).unwrap_or(u16::MAX)).rev().collect(),
            settled_charges: Vec::new(),
            sequence: 0,
            own_leases: 0,
        }
    }

    pub(super) fn now(&self, boot_ms: u64) -> Now {
        Now { boot_ms, ledger_ms: self.ledger.now_ms(boot_ms) }
    }

    /// The account behind a reference, unless its Budget is gone.
    pub(super) fn account(&self, reference: AccountRef) -> Option<&Account> {
        let account = self.accounts.get(usize::from(reference.index))?;
        (account.listed && account.generation == reference.generation).then_some(account)
    }

    pub(super) fn entry(&self, slot: u16) -> Option<&Entry> {
        self.leases.get(usize::from(slot))?.as_ref()
    }

    pub(super) fn entry_mut(&mut self, slot: u16) -> Option<&mut Entry> {
        let entry = self.leases.get_mut(usize::from(slot))?.as_mut()?;
        entry.dirty = true;
        Some(entry)
    }

    /// Reserves on every account of the set, or on none. `last`: no grant is waited for any more.
    pub(super) fn reserve(&mut self, set: &AccountSet, ask: Ask, now: Now, last: bool) -> Outcome {
        let Ask { amount, worst } = ask;
        let mut held = Held::NONE;
        for reference in set.iter() {
            if let Some(account) = self.accounts.get_mut(usize::from(reference.index)) {
                account.demand.note_worst(worst.max(amount));
            }
        }
        let mut short = None;
        let mut strict = None;
        for reference in set.iter() {
            let Some(account) = self.account(reference) else { continue };
            match self.place(account, amount, now, last) {
                Place::Refused(code) => return Outcome::Refused(reference.index, code),
                Place::Short => short = Some(reference.index),
                Place::Lease(slot) => {
                    strict = Some(reference.index);
                    held.push(slot);
                }
                Place::Former => {
                    let Some(slot) = self.own_lease(reference.index, now) else {
                        let code = RefusalCode::LedgerUnavailable;
                        return Outcome::Refused(reference.index, code);
                    };
                    strict = Some(reference.index);
                    held.push(slot);
                }
                // Without a slot for a lease of its own, usage counters alone count the call.
                Place::Beyond if short.is_none() => {
                    if let Some(slot) = self.own_lease(reference.index, now) {
                        held.push(slot);
                    }
                }
                Place::Beyond => {}
            }
        }
        if let Some(index) = short {
            return Outcome::Short(index);
        }
        // What goes beyond any grant goes on without a journal as well.
        if let (Err(code), Some(account)) = (self.enter_charge(&mut held, amount), strict) {
            return Outcome::Refused(account, code);
        }
        for slot in held.leases() {
            let Some(entry) = self.entry_mut(*slot) else { continue };
            if !entry.lease.reserve(amount) {
                entry.lease.reserve_beyond(amount);
            }
            entry.lease.open += 1;
        }
        for reference in set.iter() {
            if let Some(account) = self.accounts.get_mut(usize::from(reference.index)) {
                account.demand.note_reservation(amount);
            }
        }
        held.promised = worst.saturating_sub(amount);
        self.change_promised(&held, |it| it.saturating_add(held.promised));
        Outcome::Held(held)
    }

    fn place(&self, account: &Account, amount: u64, now: Now, last: bool) -> Place {
        if !account.enforced() {
            return Place::Beyond;
        }
        let policy = account.enforcement.on_ledger_unavailable;
        let needed = amount.saturating_add(self.kept(account, now));
        let without_ledger = |code| match policy {
            OnLedgerUnavailable::Allow => Place::Beyond,
            _ if self.former_admits(account, needed, now) => Place::Former,
            OnLedgerUnavailable::SpendLease | OnLedgerUnavailable::Deny => Place::Refused(code),
        };
        if self.journal.broken().is_some() {
            return without_ledger(RefusalCode::JournalUnavailable);
        }
        match account.crossed(now.ledger_ms) {
            Crossed::No => {}
            Crossed::Blocked => return Place::Refused(RefusalCode::Blocked),
            Crossed::Exhausted => return Place::Refused(RefusalCode::Exhausted),
        }
        let away = self.ledger.is_away();
        if away && policy == OnLedgerUnavailable::Deny {
            return Place::Refused(RefusalCode::LedgerUnavailable);
        }
        let fits = |slot: &u16| {
            let lease = self.entry(*slot).map(|it| &it.lease);
            lease.is_some_and(|it| it.admits(now.boot_ms, now.ledger_ms) && it.free() >= needed)
        };
        if let Some(slot) = account.leases.iter().copied().find(fits) {
            return Place::Lease(slot);
        }
        match account.denial(now.boot_ms).map(|it| it.code) {
            Some(code @ RefusalCode::LedgerRestored) => without_ledger(code),
            Some(RefusalCode::Exhausted) if amount > account.amount => {
                Place::Refused(RefusalCode::TooLarge)
            }
            Some(code) => Place::Refused(code),
            // Nobody gave back enough in time; the ledger is there and has no more.
            None if last && self.ledger.contact.calls(account.called) => {
                Place::Refused(RefusalCode::Exhausted)
            }
            None if away || last => without_ledger(RefusalCode::LedgerUnavailable),
            None => Place::Short,
        }
    }

    /// Takes a journal slot and enters the reservation, before anything relies on it.
    pub(super) fn enter_charge(&mut self, held: &mut Held, amount: u64) -> Result<(), RefusalCode> {
        if self.free_charges.is_empty() {
            self.checkpoint();
        }
        let Some(slot) = self.free_charges.pop() else { return Err(RefusalCode::Overloaded) };
        let sequence = self.next_sequence();
        if self.journal.open_charge(slot, sequence, amount, held.leases()).is_err() {
            self.free_charges.push(slot);
            return Err(RefusalCode::JournalUnavailable);
        }
        held.journal = Some((slot, sequence));
        Ok(())
    }

    /// Lets a reservation grow by `amount` to `total` on all its leases, or on none.
    /// `turn` counts the growths of this charge, from 1.
    pub(super) fn grow(
        &mut self,
        held: &Held,
        amount: u64,
        total: u64,
        turn: u64,
        now: Now,
    ) -> bool {
        let (mut fits, mut strict) = (true, false);
        for slot in held.leases() {
            if self.former_extends(*slot, amount, now) == Some(false) {
                fits = false;
            }
            if self.goes_beyond(*slot, now) {
                continue;
            }
            strict = true;
            let Some(lease) = self.entry_mut(*slot).map(|it| &mut it.lease) else { continue };
            if !lease.extends(now.boot_ms) || lease.free() < amount {
                lease.short = lease.short.max(amount);
                fits = false;
            }
        }
        let enter =
            |(slot, sequence)| self.journal.grow_charge(slot, sequence, turn, total).is_ok();
        let journaled = fits && held.journal.is_some_and(enter);
        if !fits || (strict && !journaled) {
            return false;
        }
        for slot in held.leases() {
            let Some(entry) = self.entry_mut(*slot) else { continue };
            if !entry.lease.reserve(amount) {
                entry.lease.reserve_beyond(amount);
            }
        }
        self.change_promised(held, |it| it.saturating_sub(amount.min(held.promised)));
        true
    }

    /// Whether a running call may go on beyond what is granted on this lease.
    pub(super) fn goes_beyond(&self, slot: u16, now: Now) -> bool {
        let Some(entry) = self.entry(slot) else { return true };
        let Some(account) = self.accounts.get(usize::from(entry.account)) else { return true };
        let allow = account.enforcement.on_ledger_unavailable == OnLedgerUnavailable::Allow;
        let own = account.own == Some(slot);
        !account.enforced() || own || (allow && self.grants_nothing(account, now))
    }

    /// Whether money of this account comes from its leases alone now.
    pub(super) fn grants_nothing(&self, account: &Account, now: Now) -> bool {
        self.ledger.is_away() || account.awaits_restore(now.boot_ms)
    }

    /// Ends a reservation, whatever its leases have become since.
    pub(super) fn settle(&mut self, held: &Held, reserved: u64, spent: u64, unconfirmed: u64) {
        let settled = self.next_sequence();
        if let Some((slot, sequence)) = held.journal {
            // A failure breaks the journal for good and nothing more is reserved; the money stays
            // known in memory, and after a crash it counts as unconfirmed.
            let _broken = self.journal.settle_charge(slot, sequence, settled, spent, unconfirmed);
            self.settled_charges.push(slot);
        }
        self.change_promised(held, |it| it.saturating_sub(held.promised));
        for slot in held.leases() {
            let Some(entry) = self.entry_mut(*slot) else { continue };
            entry.lease.settle(reserved, spent, unconfirmed);
            entry.lease.open = entry.lease.open.saturating_sub(1);
            let index = entry.account;
            let window = entry.lease.window.as_ref().map(|it| it.key.clone());
            let Some(account) = self.accounts.get_mut(usize::from(index)) else { continue };
            let total = spent.saturating_add(unconfirmed);
            account.demand.note_spent(total);
            let other =
                |key: Arc<str>| account.standing.as_ref().is_some_and(|it| it.window != key);
            if !window.is_some_and(other) {
                account.spent = account.spent.saturating_add(total);
            }
        }
    }

    /// Journals the numbers of all changed leases, which frees the slots of settled charges.
    pub(super) fn checkpoint(&mut self) {
        let journal = self.journal.clone();
        for at in 0..self.leases.len() {
            let sequence = self.next_sequence();
            let Some(Some(entry)) = self.leases.get_mut(at) else { continue };
            if !entry.dirty {
                continue;
            }
            entry.turn += 1;
            let slot = u16::try_from(at).unwrap_or(u16::MAX);
            let numbers = entry.lease.numbers();
            let order = [sequence, self.ledger.until_boot_ms(&entry.lease)];
            if journal.put_numbers(slot, entry.turn, entry.generation, order, numbers).is_err() {
                return;
            }
            entry.dirty = false;
        }
        self.free_charges.append(&mut self.settled_charges);
    }

    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

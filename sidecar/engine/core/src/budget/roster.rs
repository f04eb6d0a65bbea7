//! Who is in the book: accounts come and go with tables, leases with the ledger's answers. Their
//! places are reused only when nothing refers to them any more.

use super::account::Account;
use super::state::{Entry, Now, State};
use super::subjects::{AccountRef, concerns};
use super::{BudgetError, Holder};
use crate::journal::LeaseNames;
use crate::lease::{Lease, OWN, Phase, Window};
use crate::limits::{ACCOUNTS, ACCOUNTS_HELD, LEASES};
use crate::table::{Budget, Limit, RouteTable};

impl State {
    /// Takes over a table's Budgets; accounts that persist keep their leases, others are wound up by the next reports.
    pub(super) fn configure(
        &mut self,
        table: &RouteTable,
        holder: &Holder,
    ) -> Result<Vec<Vec<AccountRef>>, BudgetError> {
        let mine = |budget: &&Budget| concerns(&budget.subject, holder);
        let count = table.budgets.iter().filter(mine).map(|it| it.limits.len()).sum::<usize>();
        if count > ACCOUNTS || self.accounts.len() + count > ACCOUNTS_HELD {
            return Err(BudgetError::TooManyAccounts { count });
        }
        self.accounts.iter_mut().for_each(|it| it.listed = false);
        let mut accounts = Vec::with_capacity(table.budgets.len());
        for budget in &table.budgets {
            let limits = if mine(&budget) { budget.limits.as_slice() } else { &[] };
            accounts.push(limits.iter().map(|it| self.enlist(budget, it)).collect());
        }
        Ok(accounts)
    }

    fn enlist(&mut self, budget: &Budget, limit: &Limit) -> AccountRef {
        let name = format!("{}/{}/{}", budget.namespace, budget.name, limit.name);
        let known = self.by_name.get(name.as_str()).copied();
        let index = known.unwrap_or_else(|| self.place_account(budget, limit));
        match self.accounts.get_mut(usize::from(index)) {
            Some(account) => {
                account.update(budget, limit);
                AccountRef { index, generation: account.generation }
            }
            None => AccountRef::default(),
        }
    }

    /// A new account, in the place of one that is gone where there is one.
    fn place_account(&mut self, budget: &Budget, limit: &Limit) -> u16 {
        let over = |it: &Account| !it.listed && it.leases.is_empty() && it.own.is_none();
        let gone = self.accounts.iter().position(|it| over(it) && it.waiting == 0);
        let index = match gone.and_then(|at| self.accounts.get_mut(at).map(|it| (at, it))) {
            Some((at, place)) => {
                self.by_name.remove(&place.names.account);
                *place = Account::new(place.generation.wrapping_add(1), budget, limit);
                at
            }
            None => {
                self.accounts.push(Account::new(0, budget, limit));
                self.accounts.len() - 1
            }
        };
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        if let Some(account) = self.accounts.get(usize::from(index)) {
            self.by_name.insert(account.names.account.clone(), index);
        }
        index
    }

    /// Takes a lease in: journaled first, so that it is known after a crash. None: no room.
    pub(super) fn add_lease(&mut self, account: u16, lease: Lease) -> Option<u16> {
        let names = self.accounts.get(usize::from(account))?.names.clone();
        let vacant = self.leases.iter().position(Option::is_none).unwrap_or(self.leases.len());
        let slot = u16::try_from(vacant).ok().filter(|_| vacant < LEASES)?;
        let generation = self.next_sequence();
        let window = lease.window.as_ref().map_or("", |it| &*it.key);
        let names = LeaseNames { id: &lease.id, account: &names.account, window };
        let entered = self.journal.put_lease(slot, generation, names, lease.numbers(), 0);
        // Only what is spent without a lease anyway goes on without a journal.
        if entered.is_err() && !lease.id.starts_with(OWN) {
            return None;
        }
        if vacant == self.leases.len() {
            self.leases.push(None);
        }
        let entry = Entry { lease, account, named: false, generation, turn: 0, dirty: false };
        *self.leases.get_mut(vacant)? = Some(entry);
        Some(slot)
    }

    /// Enters all leases in a journal that is new. A failure breaks it, and says so.
    pub(super) fn enter_again(&mut self) {
        for (slot, entry) in (0..).zip(&self.leases) {
            let until = entry.as_ref().map_or(0, |it| self.ledger.until_boot_ms(&it.lease));
            let Some(Entry { lease, account, generation, .. }) = entry else { continue };
            let Some(account) = self.accounts.get(usize::from(*account)) else { continue };
            let window = lease.window.as_ref().map_or("", |it| &*it.key);
            let names = LeaseNames { id: &lease.id, account: &account.names.account, window };
            let numbers = lease.numbers();
            let _broken = self.journal.put_lease(slot, *generation, names, numbers, until);
        }
    }

    /// Lets a lease go whose last numbers the hub has.
    pub(super) fn remove_lease(&mut self, slot: u16) {
        let Some(entry) = self.leases.get_mut(usize::from(slot)).and_then(Option::take) else {
            return;
        };
        // A slot that stays is reported once more after a crash, which changes nothing.
        let _reported_again = self.journal.drop_lease(slot);
        if let Some(account) = self.accounts.get_mut(usize::from(entry.account)) {
            account.leases.retain(|it| *it != slot);
            account.own = account.own.filter(|it| *it != slot);
        }
    }

    /// The holder's own lease of an account's current window, made where there is none.
    pub(super) fn own_lease(&mut self, account: u16, now: Now) -> Option<u16> {
        let index = usize::from(account);
        let own = self.accounts.get(index)?.own.filter(|slot| {
            let Some(lease) = self.entry(*slot).map(|it| &it.lease) else { return false };
            let ended = lease.window.as_ref().is_some_and(|it| it.end_ms <= now.ledger_ms);
            lease.phase == Phase::Open && !ended
        });
        if own.is_some() {
            return own;
        }
        let standing = self.accounts.get(index)?.standing(now.ledger_ms);
        let window = standing.map(|it| Window {
            key: it.window.clone(),
            start_ms: i64::MIN,
            end_ms: it.resets.at_ms,
        });
        let window = window.or_else(|| self.former_window(self.accounts.get(index)?, now));
        self.own_leases += 1;
        let id = format!("{OWN}{}-{}", self.boot, self.own_leases);
        let slot = self.add_lease(account, Lease::new(id.into(), window))?;
        self.accounts.get_mut(index)?.own = Some(slot);
        Some(slot)
    }
}

//! What the leases of former boots still hold: a restarted container goes on with them while this
//! boot has not reached the ledger (`SpendLease`). What is spent so lies on this boot's own lease;
//! the ledger hears of it before the former boots are reported as ended, so their money is never
//! free for others while it is spent here (I8).

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Account;
use super::state::{Now, State};
use crate::journal::{Recovered, RecoveredLease};
use crate::lease::{Numbers, OWN, Window};
use crate::table::OnLedgerUnavailable;

/// By account; empty once the ledger has answered.
#[derive(Debug, Default)]
pub(super) struct Former {
    rests: HashMap<Arc<str>, Rest>,
}

#[derive(Debug, Clone)]
struct Rest {
    /// Where it counts, by the ledger's name.
    window: Arc<str>,
    /// Granted and not used by the boots that it was granted to, picodollars.
    free: u64,
    /// What boots before this one have spent of that after their own start.
    spent: u64,
    /// Boot time until which all of it may be used.
    until_boot_ms: u64,
}

impl Former {
    /// What journals that were read whole leave. One that was damaged leaves nothing.
    pub(super) fn of(recovered: &[Recovered]) -> Self {
        let mut rests = HashMap::<Arc<str>, Rest>::new();
        if recovered.iter().any(|it| !it.intact) {
            return Self::default();
        }
        let leases = || recovered.iter().flat_map(|it| &it.leases);
        for lease in leases().filter(|it| it.until_boot_ms > 0) {
            let Numbers { granted, returned, .. } = lease.numbers;
            let free = granted.saturating_sub(returned).saturating_sub(used(lease));
            let window: Arc<str> = lease.window.as_str().into();
            let until_boot_ms = lease.until_boot_ms;
            match rests.get_mut(lease.account.as_str()) {
                Some(known) if known.window == window => {
                    known.free = known.free.saturating_add(free);
                    known.until_boot_ms = known.until_boot_ms.min(until_boot_ms);
                }
                // Of two windows the later one: the other has ended.
                Some(known) if known.until_boot_ms >= until_boot_ms => {}
                _ => {
                    let rest = Rest { window, free, spent: 0, until_boot_ms };
                    rests.insert(lease.account.as_str().into(), rest);
                }
            }
        }
        for lease in leases().filter(|it| it.id.starts_with(OWN)) {
            if let Some(rest) = rests.get_mut(lease.account.as_str()) {
                rest.spent = rest.spent.saturating_add(used(lease));
            }
        }
        Self { rests }
    }
}

impl State {
    /// Whether a call of an account may have so much of what former boots left.
    pub(super) fn former_admits(&self, account: &Account, amount: u64, now: Now) -> bool {
        self.former_rest(account, now).is_some_and(|rest| rest >= amount)
    }

    /// Whether a running call that spends what former boots left may have so much more; none: it
    /// spends none of that.
    pub(super) fn former_extends(&self, slot: u16, amount: u64, now: Now) -> Option<bool> {
        let account = self.accounts.get(usize::from(self.entry(slot)?.account))?;
        let rest = self.former_rest(account, now).filter(|_| account.own == Some(slot))?;
        Some(rest >= amount)
    }

    /// The window in which that counts.
    pub(super) fn former_window(&self, account: &Account, now: Now) -> Option<Window> {
        self.former_rest(account, now)?;
        let rest = self.former.rests.get(&account.names.account)?;
        Some(Window { key: rest.window.clone(), start_ms: i64::MIN, end_ms: i64::MAX })
    }

    /// Whether a call that was admitted so runs: under `SpendLease` nothing else begins on a lease
    /// of the holder's own.
    pub(super) fn spends_former(&self) -> bool {
        self.leases.iter().flatten().any(|it| {
            let account = self.accounts.get(usize::from(it.account));
            let enforced = account.is_some_and(|of| of.enforced() && spends_lease(of));
            enforced && it.lease.id.starts_with(OWN) && it.lease.reserved() > 0
        })
    }

    /// The ledger has answered: leases come from it again. What was spent until now is reported;
    /// what goes on needs a lease of its window.
    pub(super) fn leave_former(&mut self) {
        for name in std::mem::take(&mut self.former.rests).into_keys() {
            let index = self.by_name.get(&name).map(|it| usize::from(*it));
            let Some(account) = index.and_then(|it| self.accounts.get_mut(it)) else { continue };
            let Some(slot) = account.own.take() else { continue };
            let entry = self.leases.get_mut(usize::from(slot)).and_then(Option::as_mut);
            if let Some(window) = entry.and_then(|it| it.lease.window.as_mut()) {
                window.end_ms = 0;
            }
        }
    }

    /// What former boots left of an account's leases and this one has not used; none: that is not
    /// for this boot to use.
    fn former_rest(&self, account: &Account, now: Now) -> Option<u64> {
        let rest = self.former.rests.get(&account.names.account)?;
        if now.boot_ms >= rest.until_boot_ms || !spends_lease(account) {
            return None;
        }
        let own = account.own.and_then(|slot| self.entry(slot)).map(|it| &it.lease);
        let mine = own.map_or(0, |it| {
            let Numbers { spent, unconfirmed, .. } = it.numbers();
            it.reserved().saturating_add(spent).saturating_add(unconfirmed)
        });
        Some(rest.free.saturating_sub(rest.spent).saturating_sub(mine))
    }
}

fn spends_lease(account: &Account) -> bool {
    account.enforcement.on_ledger_unavailable == OnLedgerUnavailable::SpendLease
}

fn used(lease: &RecoveredLease) -> u64 {
    lease.numbers.spent.saturating_add(lease.numbers.unconfirmed)
}

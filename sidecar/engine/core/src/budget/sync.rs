//! The book's side of a sync: what it reports and wants, and what an answer changes. `ledger`
//! carries the documents. Applying the same answer twice changes nothing.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::RefusalCode;
use super::account::{Denial, Reset, Standing};
use super::state::{Now, State};
use crate::lease::{Lease, Numbers, OWN, Phase, Window};
use crate::ledger::document::{
    AccountState, Denied, DeniedCode, LeaseGrant, LeaseReport, SyncAnswer, Want, WindowNames,
};
use crate::ledger::instant::unix_ms;
use crate::limits::{
    AGAIN_RANGE_MS, DENIAL_MS, NEXT_WINDOW_LEAD_MS, NEXT_WINDOW_SPREAD_MS, RENEW_MS,
    RENEW_RANGE_MS, STANDING_STALE_MS,
};

impl State {
    /// What is reported now. `last`: this boot ends, every lease closes as it is, and what is still
    /// reserved may have been billed.
    pub(super) fn report(&mut self, now: Now, last: bool) -> Vec<LeaseReport> {
        let mut reports = Vec::new();
        for entry in self.leases.iter_mut().flatten() {
            let Some(account) = self.accounts.get(usize::from(entry.account)) else { continue };
            let lease = &mut entry.lease;
            if !account.listed {
                lease.give_back();
                if lease.open == 0 {
                    lease.void();
                }
            }
            lease.close_if_over(now.ledger_ms);
            lease.closed_reported = lease.phase == Phase::Closed;
            entry.named = true;
            entry.dirty = true;
            let Numbers { granted, returned, spent, unconfirmed } = lease.numbers();
            let lost = if last { lease.reserved() } else { 0 };
            reports.push(LeaseReport {
                id: lease.id.clone(),
                account: account.names.account.clone(),
                window: lease.window.as_ref().map(|it| it.key.clone()),
                granted,
                returned,
                spent,
                unconfirmed: unconfirmed.saturating_add(lost),
                free: lease.free(),
                closed: last || lease.phase == Phase::Closed,
            });
        }
        self.accounts.iter_mut().for_each(|it| it.spent_reported = it.spent);
        self.checkpoint();
        reports
    }

    /// What every account of the table needs now.
    pub(super) fn wants(&mut self, now: Now, sidecar: &str) -> Vec<Want> {
        let mut wants = Vec::new();
        for index in 0..self.accounts.len() {
            self.ended_wants(index, now, &mut wants);
            if let Some(want) = self.want(index, now) {
                wants.push(want);
            }
            if let Some(want) = self.next_want(index, now, sidecar) {
                wants.push(want);
            }
        }
        wants
    }

    /// Running calls of windows that are over, short of money.
    fn ended_wants(&mut self, index: usize, now: Now, wants: &mut Vec<Want>) {
        let Some(account) = self.accounts.get(index) else { return };
        for slot in &account.leases {
            let Some(Some(entry)) = self.leases.get_mut(usize::from(*slot)) else { continue };
            let lease = &mut entry.lease;
            let Some(window) = lease.window.as_ref() else { continue };
            if lease.short == 0 || window.end_ms > now.ledger_ms {
                continue;
            }
            let need = std::mem::take(&mut lease.short).min(account.amount);
            wants.push(Want {
                account: account.names.account.clone(),
                window: Some(window.key.clone()),
                next: false,
                have: lease.numbers().granted,
                need,
                prefer: need,
                reserve: need,
            });
        }
    }

    fn want(&mut self, index: usize, now: Now) -> Option<Want> {
        let renew_ms = self.ledger.renew_ms;
        let kept = self.accounts.get(index).map_or(0, |it| self.kept(it, now));
        let account = self.accounts.get_mut(index)?;
        account.demand.measure(now.boot_ms, renew_ms);
        let wanted = account.eager || account.demand.is_used() || account.waiting > 0;
        if !(account.listed && account.enforced() && wanted) {
            return None;
        }
        let current = account.leases.iter().copied().find(|slot| {
            let entry = self.leases.get(usize::from(*slot)).and_then(Option::as_ref);
            let window = entry.filter(|it| it.lease.phase == Phase::Open);
            let window = window.and_then(|it| it.lease.window.as_ref());
            window.is_some_and(|it| it.contains(now.ledger_ms))
        });
        let lease = current.and_then(|slot| self.leases.get_mut(usize::from(slot))?.as_mut());
        let (window, have, free, short) = match lease.map(|it| &mut it.lease) {
            Some(lease) => (
                lease.window.as_ref().map(|it| it.key.clone()),
                lease.numbers().granted,
                lease.free(),
                std::mem::take(&mut lease.short).saturating_add(lease.overrun()),
            ),
            None => (None, 0, 0, std::mem::take(&mut account.short)),
        };
        let asked = account.waiting.saturating_add(short).saturating_add(kept);
        let need = asked.saturating_sub(free).min(account.amount);
        // A want that is repeated, for its answer was lost or said to wait, is the same shortage.
        let again = self.ledger.failures > 0 || self.ledger.contact.is_called();
        if need > 0 && !again {
            account.demand.note_short(need, now.boot_ms, renew_ms);
        }
        let used = account.used(now.ledger_ms);
        let remaining = used.map(|it| account.amount.saturating_sub(it));
        let low = free <= account.demand.target(now.boot_ms) / 2;
        let more = if low || need > 0 || current.is_none() {
            account.demand.prefetch(free, account.amount, remaining, now.boot_ms)
        } else {
            0
        };
        let outage_ms = account.outage_ms();
        let lasting = account.demand.reserve(free, outage_ms, remaining, now.boot_ms).max(more);
        // An account without a lease is named even so, for the hub's word on how it stands.
        (need > 0 || lasting > 0 || current.is_none()).then(|| Want {
            account: account.names.account.clone(),
            window,
            next: false,
            have,
            need,
            prefer: need.saturating_add(more).min(account.amount),
            reserve: need.saturating_add(lasting).min(account.amount),
        })
    }

    /// The next window's lease, asked for ahead and spread, so that midnight refuses nobody, not even
    /// while the hub is away.
    fn next_want(&self, index: usize, now: Now, sidecar: &str) -> Option<Want> {
        let account = self.accounts.get(index)?;
        let windows = || {
            let entries = account.leases.iter().filter_map(|slot| self.entry(*slot));
            entries.filter_map(|it| it.lease.window.as_ref())
        };
        let current = windows().find(|it| it.contains(now.ledger_ms))?;
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let spread_ms = hasher.hash_one((sidecar, &account.names.account)) % NEXT_WINDOW_SPREAD_MS;
        let outage_ms = account.outage_ms();
        let lead_ms = (NEXT_WINDOW_LEAD_MS + spread_ms).max(outage_ms.saturating_sub(spread_ms));
        let lead_ms = i64::try_from(lead_ms).unwrap_or(i64::MAX);
        let near = current.end_ms.saturating_sub(now.ledger_ms) <= lead_ms;
        let held = windows().any(|it| it.start_ms >= current.end_ms);
        if !near || held || !account.listed || !account.enforced() {
            return None;
        }
        let (whole, demand) = (Some(account.amount), &account.demand);
        let prefer = demand.prefetch(0, account.amount, whole, now.boot_ms);
        Some(Want {
            account: account.names.account.clone(),
            window: Some(current.key.clone()),
            next: true,
            have: 0,
            need: 0,
            prefer,
            reserve: demand.reserve(0, outage_ms, whole, now.boot_ms).max(prefer),
        })
    }

    /// Takes an answer over. True where the hub should hear of it soon: money was given back.
    pub(super) fn apply(
        &mut self,
        answer: &SyncAnswer,
        sent_boot_ms: u64,
        boot_ms: u64,
        voided: bool,
    ) -> bool {
        self.ledger.answered(boot_ms, answer.now_ms);
        self.leave_former();
        let now = self.now(boot_ms);
        let listed = |id: &Arc<str>| answer.leases.iter().any(|it| it.id == *id);
        for slot in 0..self.leases.len() {
            let Some(Some(entry)) = self.leases.get_mut(slot) else { continue };
            let own = entry.lease.id.starts_with(OWN);
            if entry.lease.closed_reported {
                self.remove_lease(u16::try_from(slot).unwrap_or(u16::MAX));
            } else if !own && (voided || entry.named) && !listed(&entry.lease.id) {
                entry.lease.void();
                entry.dirty = true;
            }
        }
        let mut returned = false;
        for grant in &answer.leases {
            returned |= self.take_grant(grant, sent_boot_ms, boot_ms);
        }
        let renewals = answer.leases.iter().map(|it| it.renew_every_ms);
        let renew_ms = renewals.min().unwrap_or(RENEW_MS);
        self.ledger.renew_ms = renew_ms.clamp(*RENEW_RANGE_MS.start(), *RENEW_RANGE_MS.end());
        for state in &answer.states {
            self.take_state(state, boot_ms);
        }
        for denied in &answer.denied {
            self.take_denial(denied, now);
        }
        self.checkpoint();
        returned
    }

    fn take_grant(&mut self, grant: &LeaseGrant, sent_boot_ms: u64, boot_ms: u64) -> bool {
        let Some(index) = self.by_name.get(&grant.account).copied() else { return false };
        let Some(slot) = self.lease_slot(index, grant) else { return false };
        let renew_ms = self.ledger.renew_ms;
        let Some(account) = self.accounts.get_mut(usize::from(index)) else { return false };
        let Some(Some(entry)) = self.leases.get_mut(usize::from(slot)) else { return false };
        entry.dirty = true;
        let lease = &mut entry.lease;
        if lease.grant(grant.granted) > 0 {
            account.denial = None;
        }
        let expires_boot_ms = sent_boot_ms.saturating_add(grant.hard_expiry_ms);
        lease.expires_boot_ms = lease.expires_boot_ms.max(expires_boot_ms);
        if lease.phase != Phase::Open || !account.listed {
            return lease.give_back() > 0;
        }
        if grant.recall {
            account.demand.recall(boot_ms, renew_ms);
            return lease.give_back() > 0;
        }
        false
    }

    /// The slot of a granted lease; a new one is journaled before it can be spent.
    fn lease_slot(&mut self, account: u16, grant: &LeaseGrant) -> Option<u16> {
        let slots = &self.accounts.get(usize::from(account))?.leases;
        let same = |slot: &u16| self.entry(*slot).is_some_and(|it| it.lease.id == grant.id);
        if let Some(slot) = slots.iter().copied().find(same) {
            return Some(slot);
        }
        let lease = Lease::new(grant.id.clone(), Some(window(&grant.window)?));
        let slot = self.add_lease(account, lease)?;
        self.accounts.get_mut(usize::from(account))?.leases.push(slot);
        Some(slot)
    }

    fn take_state(&mut self, state: &AccountState, boot_ms: u64) {
        let Some(at_ms) = unix_ms(&state.resets_at) else { return };
        let Some(index) = self.by_name.get(&state.account) else { return };
        let Some(account) = self.accounts.get_mut(usize::from(*index)) else { return };
        // Money has come back, or the limit was raised: what was refused may fit now.
        let eased = |it: &Standing| state.used < it.used || state.limit > it.limit;
        let waits = account.awaits_restore(boot_ms);
        if !waits
            && account.standing.as_ref().is_some_and(|it| it.window == state.window && eased(it))
        {
            account.denial = None;
        }
        account.standing = Some(Standing {
            window: state.window.clone(),
            limit: state.limit,
            used: state.used,
            threshold: state.threshold,
            resets: Reset { text: state.resets_at.clone(), at_ms },
            spent_then: account.spent_reported,
            said_boot_ms: boot_ms,
            again_ms: again_ms(state.again_ms, STANDING_STALE_MS),
        });
        let own = account.own.and_then(|slot| self.leases.get_mut(usize::from(slot))?.as_mut());
        if let Some(entry) = own.filter(|it| it.lease.window.is_none()) {
            // Only its end matters here: the hub has already booked it on the window it named.
            let key = state.window.clone();
            entry.lease.window = Some(Window { key, start_ms: i64::MIN, end_ms: at_ms });
        }
    }

    fn take_denial(&mut self, denied: &Denied, now: Now) {
        let code = match denied.code {
            DeniedCode::Exhausted => RefusalCode::Exhausted,
            DeniedCode::Blocked => RefusalCode::Blocked,
            DeniedCode::Restored => RefusalCode::LedgerRestored,
            // Callers wait for these as for any grant; their Budget's policy decides then.
            DeniedCode::UnknownAccount | DeniedCode::NotYet | DeniedCode::Other => return,
        };
        let Some(index) = self.by_name.get(&denied.account) else { return };
        let Some(account) = self.accounts.get_mut(usize::from(*index)) else { return };
        let standing = account.standing(now.ledger_ms);
        let current =
            standing.is_none_or(|it| denied.window.as_ref().is_none_or(|w| *w == it.window));
        // A restored ledger grants in no window.
        let any = code == RefusalCode::LedgerRestored;
        if !current && !any {
            return;
        }
        if let Some(wait_ms) = denied.wait_ms {
            account.called = Some(self.ledger.contact.called(wait_ms));
            return;
        }
        let reset = |text: &Arc<str>| Some(Reset { text: text.clone(), at_ms: unix_ms(text)? });
        let resets = denied.resets_at.as_ref().and_then(reset);
        // A new window may have money at once.
        let ends_ms = resets.as_ref().filter(|_| !any).map(|it| it.at_ms);
        let left_ms = ends_ms.map_or(i64::MAX, |it| it.saturating_sub(now.ledger_ms));
        let lasts_ms =
            again_ms(denied.again_ms, DENIAL_MS).min(u64::try_from(left_ms).unwrap_or(0));
        let until_boot_ms = now.boot_ms.saturating_add(lasts_ms);
        account.denial = Some(Denial { code, until_boot_ms, resets });
    }
}

/// When to ask again: as the hub says, within what is sane, else as always.
fn again_ms(said: Option<u64>, usual_ms: u64) -> u64 {
    said.map_or(usual_ms, |it| it.clamp(*AGAIN_RANGE_MS.start(), *AGAIN_RANGE_MS.end()))
}

fn window(names: &WindowNames) -> Option<Window> {
    let key = names.key.clone();
    Some(Window { key, start_ms: unix_ms(&names.start)?, end_ms: unix_ms(&names.end)? })
}

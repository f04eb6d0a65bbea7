//! A share of one kind of limit, as its holder spends it: pure arithmetic over a clock that is given.
//!
//! A share is a number of units. One of a rate allows one call, or one token, and rests for a minute
//! after it; one of `inFlight` is taken for as long as the call runs. Units that rest are not given
//! back, so however units wander between holders, none is used twice within a minute: no minute sees
//! more than there are.

use std::sync::Arc;

use super::document::{Calls, HoldGrant, HoldReport, Unit};
use super::window::Window;
use crate::limits;

const MINUTE_US: u64 = 60_000_000;
const MICRO: u64 = 1_000_000;

/// What this holder has of one kind of limit.
#[derive(Debug)]
pub(super) struct Share {
    unit: Unit,
    /// The whole fleet's; `None`: the table has no such limit any more.
    total: Option<u64>,
    /// Rises when a share lapses: its units are the hub's again, and counting begins anew.
    term: u64,
    granted: u64,
    returned: u64,
    /// What the hub last meant this holder to have.
    meant: u64,
    /// Units that rest.
    resting: Window,
    /// Units of calls that run: of `inFlight` alone.
    busy: u64,
    /// Millionths of units by which the share was spent ahead of its even pace.
    ahead: u64,
    ahead_us: u64,
    asked: Window,
    /// The largest that was asked for at once of late, and when.
    largest: (u64, u64),
    /// Calls that this kind stood against, more than any other.
    calls: Calls,
}

impl Share {
    pub(super) fn new(unit: Unit) -> Self {
        let slots = unit == Unit::InFlight;
        let span_s = if slots { limits::QUOTA_ABANDONED_S } else { limits::QUOTA_WINDOW_S };
        Self {
            unit,
            total: None,
            term: 1,
            granted: 0,
            returned: 0,
            meant: 0,
            resting: Window::new(span_s),
            busy: 0,
            ahead: 0,
            ahead_us: 0,
            asked: Window::new(limits::QUOTA_DEMAND_S),
            largest: (0, 0),
            calls: Calls::default(),
        }
    }

    pub(super) const fn unit(&self) -> Unit {
        self.unit
    }

    pub(super) const fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) const fn declare(&mut self, total: Option<u64>) {
        self.total = total;
    }

    pub(super) const fn held(&self) -> u64 {
        self.granted - self.returned
    }

    /// Units that rest or are in use.
    pub(super) fn occupied(&mut self, now_s: u64) -> u64 {
        self.resting.sum(now_s).saturating_add(self.busy)
    }

    /// What a call takes of it: no more than there is of the whole limit, so that one call can always
    /// be made.
    fn part(&self, amount: u64) -> u64 {
        amount.min(self.total.unwrap_or(amount))
    }

    /// Whether so much may be used now; true where there is no limit.
    pub(super) fn fits(&mut self, amount: u64, now_us: u64) -> bool {
        if self.total.is_none() {
            return true;
        }
        let part = self.part(amount);
        self.occupied(now_us / MICRO).saturating_add(part) <= self.held()
            && self.ahead_at(now_us) <= self.burst()
    }

    /// Uses so much; the second in which it was.
    pub(super) fn use_up(&mut self, amount: u64, now_us: u64) -> u64 {
        let (part, now_s) = (self.part(amount), now_us / MICRO);
        if self.unit == Unit::InFlight {
            self.busy += part;
            return now_s;
        }
        self.ahead = self.ahead_at(now_us).saturating_add(part.saturating_mul(MICRO));
        self.ahead_us = now_us;
        self.resting.add(now_s, part)
    }

    /// A call that had `amount` since `at_s` came to `actual`.
    pub(super) fn settle(&mut self, amount: u64, at_s: u64, actual: u64, now_us: u64) {
        let part = self.part(amount);
        if actual < part {
            self.resting.take_back(at_s, part - actual);
            self.ahead =
                self.ahead_at(now_us).saturating_sub((part - actual).saturating_mul(MICRO));
        } else {
            self.resting.add(now_us / MICRO, actual - part);
            let more = (actual - part).saturating_mul(MICRO);
            self.ahead = self.ahead_at(now_us).saturating_add(more);
        }
        self.ahead_us = now_us;
    }

    /// A call no longer runs; its place rests where the provider may not know that yet.
    pub(super) fn leave(&mut self, abandoned: bool, now_us: u64) {
        self.busy = self.busy.saturating_sub(1);
        if abandoned {
            self.resting.add(now_us / MICRO, 1);
        }
    }

    /// Somebody asks for so much; `queued` others wait already.
    pub(super) fn note_asked(&mut self, amount: u64, queued: u64, now_s: u64) {
        let part = self.part(amount);
        if self.unit == Unit::InFlight {
            self.asked.raise(now_s, self.busy + queued + part);
        } else {
            self.asked.add(now_s, part);
        }
        if part >= self.largest.0 || self.is_old(now_s) {
            self.largest = (part, now_s);
        }
    }

    /// The least with which what is asked for can be served at all; 0: nothing is.
    pub(super) fn need(&self, now_s: u64) -> u64 {
        if self.total.is_none() || self.is_old(now_s) { 0 } else { self.largest.0 }
    }

    /// What would serve all that is asked for.
    pub(super) fn want(&mut self, now_s: u64) -> u64 {
        let Some(total) = self.total else { return 0 };
        let measured = if self.unit == Unit::InFlight {
            self.asked.peak(now_s)
        } else {
            self.asked.sum(now_s).saturating_mul(60) / limits::QUOTA_DEMAND_S as u64
        };
        let ahead = measured.saturating_mul(100 + limits::QUOTA_AHEAD_PERCENT).div_ceil(100);
        ahead.max(self.need(now_s)).min(total)
    }

    /// Calls that it stood against, to be counted.
    pub(super) const fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    /// Whether the hub means this holder to have more, or nothing can be served with what it has.
    pub(super) fn is_short(&self, now_s: u64) -> bool {
        let held = self.held();
        held < self.need(now_s) || (held < self.meant && self.total.is_some())
    }

    /// Milliseconds until so much may be used, as far as no other holder has to give anything back for it.
    pub(super) fn comes_in_ms(&mut self, amount: u64, now_us: u64) -> Option<u64> {
        if self.total.is_none() {
            return Some(0);
        }
        let (part, held) = (self.part(amount), self.held());
        let most = held.checked_sub(part)?.checked_sub(self.busy)?;
        let at_us = self.resting.falls_to(now_us / MICRO, most).saturating_mul(MICRO);
        let over = self.ahead_at(now_us).saturating_sub(self.burst());
        let pace_us = (u128::from(over) * u128::from(MINUTE_US))
            .div_ceil(u128::from(held.max(1)) * u128::from(MICRO));
        let pace_us = u64::try_from(pace_us).unwrap_or(u64::MAX);
        Some(at_us.saturating_sub(now_us).max(pace_us).div_ceil(1_000))
    }

    /// The share lapses: what rests goes on resting, but nothing is held.
    pub(super) const fn lapse(&mut self) {
        if self.granted > self.returned {
            self.term += 1;
            self.granted = 0;
            self.returned = 0;
            self.meant = 0;
        }
    }

    /// `last`: all that is free is given back.
    pub(super) fn report(&mut self, limit: &Arc<str>, now_s: u64, last: bool) -> HoldReport {
        if last || self.total.is_none() {
            self.give_back(0, now_s);
        }
        HoldReport {
            limit: limit.clone(),
            unit: self.unit,
            term: self.term,
            granted: self.granted,
            returned: self.returned,
            want: self.want(now_s),
            need: self.need(now_s),
            used: self.occupied(now_s),
            calls: self.calls,
        }
    }

    /// Takes the hub's word; true where something was given back.
    pub(super) fn take(&mut self, grant: &HoldGrant, now_s: u64) -> bool {
        if grant.term != self.term {
            return false; // of a share that has lapsed
        }
        self.granted = self.granted.max(grant.granted);
        self.meant = grant.meant;
        self.give_back(if self.total.is_some() { grant.keep } else { 0 }, now_s)
    }

    /// Gives back what is free above `keep`.
    fn give_back(&mut self, keep: u64, now_s: u64) -> bool {
        let free = self.held().saturating_sub(self.occupied(now_s));
        let surplus = self.held().saturating_sub(keep).min(free);
        self.returned += surplus;
        surplus > 0
    }

    fn is_old(&self, now_s: u64) -> bool {
        now_s.saturating_sub(self.largest.1) >= limits::QUOTA_DEMAND_S as u64
    }

    /// Millionths of units that may be spent ahead of the pace.
    const fn burst(&self) -> u64 {
        if matches!(self.unit, Unit::InFlight) {
            return u64::MAX;
        }
        self.held().saturating_mul(MICRO * limits::QUOTA_BURST_S) / 60
    }

    fn ahead_at(&self, now_us: u64) -> u64 {
        let passed_us = u128::from(now_us.saturating_sub(self.ahead_us));
        let made = passed_us * u128::from(self.held()) * u128::from(MICRO) / u128::from(MINUTE_US);
        self.ahead.saturating_sub(u64::try_from(made).unwrap_or(u64::MAX))
    }
}

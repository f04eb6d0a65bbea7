//! The limits of one model as this holder keeps them: its shares, the calls that wait for one, and
//! what is told to the hub. One short lock; nothing in it waits but callers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::document::{Calls, HoldGrant, HoldReport, Unit};
use super::share::Share;
use super::{Bell, Shortage};
use crate::clock::SharedClock;
use crate::limits;
use crate::table::ModelLimits;

/// One limited model.
#[derive(Debug)]
pub struct Quota {
    account: Arc<str>,
    clock: SharedClock,
    bell: Arc<Bell>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    shares: [Share; 3],
    /// Boot clock: until then what is held may be spent.
    expires_ms: u64,
    /// Calls that wait, the first of which is next.
    line: VecDeque<Arc<Notify>>,
}

/// How much of each kind a share has, for metrics and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of what.
    pub unit: Unit,
    /// The fleet's.
    pub limit: u64,
    /// This holder's part.
    pub held: u64,
    /// What of it rests or is in use.
    pub used: u64,
}

impl Quota {
    pub(super) fn new(account: Arc<str>, clock: SharedClock, bell: Arc<Bell>) -> Self {
        let inner =
            Inner { shares: Unit::ALL.map(Share::new), expires_ms: 0, line: VecDeque::new() };
        Self { account, clock, bell, inner: Mutex::new(inner) }
    }

    /// Takes over what a table says; `None`: the model has no limits any more.
    pub(super) fn declare(&self, limits: Option<&ModelLimits>) {
        let mut inner = self.inner.lock();
        for share in &mut inner.shares {
            let total = limits.and_then(|limits| match share.unit() {
                Unit::Requests => limits.requests_per_minute,
                Unit::Tokens => limits.tokens_per_minute,
                Unit::InFlight => limits.max_in_flight,
            });
            share.declare(total);
        }
        drop(inner);
        self.call_next();
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.lock().shares.iter().all(|share| share.held() == 0)
    }

    /// Whether a call of so many tokens could go out now.
    #[must_use]
    pub fn has_room(&self, tokens: u64) -> bool {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        inner.lapse(now_us);
        inner.line.is_empty() && inner.fits(tokens, now_us)
    }

    /// A call of so many tokens would like to go out: counted, so that the share grows with the load.
    pub fn note_asked(&self, tokens: u64) {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        let queued = inner.line.len() as u64;
        let idle = !inner.is_asked(now_us);
        for share in &mut inner.shares {
            share.note_asked(amount(share.unit(), tokens), queued, now_us / 1_000_000);
        }
        let short = inner.is_short(now_us);
        drop(inner);
        if short {
            self.bell.hurry();
        } else if idle {
            self.bell.ring();
        }
    }

    /// Uses a part for a call that goes out now, or says how to wait for one.
    pub(super) fn take(self: &Arc<Self>, tokens: u64, first: bool) -> Result<Taken, Option<u64>> {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        inner.lapse(now_us);
        if (first || inner.line.is_empty()) && inner.fits(tokens, now_us) {
            let mut at_s = 0;
            for share in inner.shares.iter_mut().filter(|share| share.total().is_some()) {
                at_s = share.use_up(amount(share.unit(), tokens), now_us);
            }
            return Ok(Taken { quota: self.clone(), tokens, at_s, open: true });
        }
        // Each kind that is short has its own time; the last of them decides.
        let mut comes_ms = Some(0);
        for share in &mut inner.shares {
            let own = share.comes_in_ms(amount(share.unit(), tokens), now_us);
            comes_ms = comes_ms.zip(own).map(|(one, two): (u64, u64)| one.max(two));
        }
        Err(comes_ms)
    }

    /// Waits for a part until then. Cancel-safe; first come, first served.
    pub(super) async fn wait(self: &Arc<Self>, tokens: u64, until: Instant) -> Option<Taken> {
        let place = Place::new(self.clone(), tokens)?;
        loop {
            let called = place.called.notified();
            let comes_ms = match place.is_first().then(|| self.take(tokens, true)) {
                Some(Ok(taken)) => return Some(taken),
                Some(Err(comes_ms)) => comes_ms,
                None => None,
            };
            let now = Instant::now();
            if now >= until {
                return None;
            }
            // At least a moment, so that a clock that rounds down is not asked in a circle.
            let comes = comes_ms.map(|it| now + Duration::from_millis(it.max(1)));
            let _late = timeout_at(comes.map_or(until, |it| it.min(until)), called).await;
        }
    }

    /// Which limit a call of so many tokens fails by now, and when it may pass; it counts as refused.
    pub(super) fn refuse(&self, tokens: u64) -> Shortage {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        let shortage = inner.shortage(tokens, now_us);
        inner.calls(shortage.unit).refused += 1;
        shortage
    }

    /// What is told to the hub of it; `last`: this boot is over.
    pub(super) fn report(&self, last: bool) -> Vec<HoldReport> {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        inner.lapse(now_us);
        let told = |share: &&mut Share| share.total().is_some() || share.held() > 0;
        let shares = inner.shares.iter_mut().filter(told);
        shares.map(|share| share.report(&self.account, now_us / 1_000_000, last)).collect()
    }

    /// Takes the hub's word on one share, which runs until then; true where something was given back.
    pub(super) fn hear(&self, grant: &HoldGrant, expires_ms: u64) -> bool {
        let now_s = self.clock.boot_us() / 1_000_000;
        let mut inner = self.inner.lock();
        inner.expires_ms = inner.expires_ms.max(expires_ms);
        let shares = inner.shares.iter_mut().filter(|share| share.unit() == grant.unit);
        let mut returned = false;
        for share in shares {
            returned |= share.take(grant, now_s);
        }
        drop(inner);
        self.call_next();
        returned
    }

    /// How soon the hub should hear of it.
    pub(super) fn urgency(&self) -> Urgency {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        inner.lapse(now_us);
        if inner.is_short(now_us) {
            Urgency::Short
        } else if !inner.line.is_empty() || inner.is_asked(now_us) {
            Urgency::Busy
        } else {
            Urgency::Idle
        }
    }

    /// How it stands.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let now_us = self.clock.boot_us();
        let mut inner = self.inner.lock();
        inner.lapse(now_us);
        let of = |share: &mut Share| {
            let (limit, held) = (share.total()?, share.held());
            let used = share.occupied(now_us / 1_000_000).min(held);
            Some(Standing { unit: share.unit(), limit, held, used })
        };
        inner.shares.iter_mut().filter_map(of).collect()
    }

    /// `namespace/pool/model`.
    #[must_use]
    pub const fn account(&self) -> &Arc<str> {
        &self.account
    }

    /// The first in the line looks again.
    fn call_next(&self) {
        if let Some(first) = self.inner.lock().line.front() {
            first.notify_one();
        }
    }
}

/// How soon the hub should hear of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Before it lapses.
    Idle,
    /// Soon: it is being spent.
    Busy,
    /// At once: more is asked for than it can serve.
    Short,
}

impl Inner {
    fn fits(&mut self, tokens: u64, now_us: u64) -> bool {
        self.shares.iter_mut().all(|share| share.fits(amount(share.unit(), tokens), now_us))
    }

    fn lapse(&mut self, now_us: u64) {
        if now_us / 1_000 >= self.expires_ms {
            self.shares.iter_mut().for_each(Share::lapse);
        }
    }

    /// Which kind a call of so many tokens fails by now, and when it may pass.
    fn shortage(&mut self, tokens: u64, now_us: u64) -> Shortage {
        let ahead = self.line.len() as u64;
        let mut worst = Shortage { unit: Unit::Requests, limit: 0, held: 0, wait_s: 0 };
        let mut longest_ms = 0;
        for share in &mut self.shares {
            let Some(limit) = share.total() else { continue };
            let part = amount(share.unit(), tokens);
            let held = share.held();
            // A place comes with some call's end, which nobody knows; a larger share only by the hub.
            let unknown_ms = if held < part { u64::MAX } else { limits::QUOTA_CALL_MS };
            let comes_ms = share.comes_in_ms(part, now_us).unwrap_or(unknown_ms);
            // Those before it in the line take their time, too.
            let slot = share.unit() == Unit::InFlight;
            let each_ms = if slot { limits::QUOTA_CALL_MS } else { 60_000 };
            let queue_ms = ahead.saturating_mul(part).saturating_mul(each_ms) / held.max(1);
            let all_ms = comes_ms.saturating_add(queue_ms);
            if worst.limit == 0 || all_ms > longest_ms {
                longest_ms = all_ms;
                let wait_s = all_ms.div_ceil(1_000).clamp(1, limits::QUOTA_RETRY_S);
                worst = Shortage { unit: share.unit(), limit, held, wait_s };
            }
        }
        worst
    }

    /// Calls that this kind stood against.
    const fn calls(&mut self, unit: Unit) -> &mut Calls {
        self.shares[unit as usize].calls()
    }

    fn is_short(&self, now_us: u64) -> bool {
        self.shares.iter().any(|share| share.is_short(now_us / 1_000_000))
    }

    fn is_asked(&self, now_us: u64) -> bool {
        self.shares.iter().any(|share| share.need(now_us / 1_000_000) > 0)
    }
}

/// What a call takes of a kind.
const fn amount(unit: Unit, tokens: u64) -> u64 {
    match unit {
        Unit::Tokens => tokens,
        Unit::Requests | Unit::InFlight => 1,
    }
}

/// A place in the line; leaving it, by whichever way, calls the next.
#[derive(Debug)]
struct Place {
    quota: Arc<Quota>,
    called: Arc<Notify>,
    /// What it waits for, as it was when it came.
    unit: Unit,
}

impl Place {
    /// `None`: too many wait.
    fn new(quota: Arc<Quota>, tokens: u64) -> Option<Self> {
        let called = Arc::new(Notify::new());
        let now_us = quota.clock.boot_us();
        let mut inner = quota.inner.lock();
        if inner.line.len() >= limits::QUOTA_WAITERS {
            return None;
        }
        let unit = inner.shortage(tokens, now_us).unit;
        inner.line.push_back(called.clone());
        let calls = inner.calls(unit);
        calls.waiting += 1;
        calls.waited += 1;
        drop(inner);
        Some(Self { quota, called, unit })
    }

    fn is_first(&self) -> bool {
        let inner = self.quota.inner.lock();
        inner.line.front().is_some_and(|first| Arc::ptr_eq(first, &self.called))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.quota.inner.lock();
        inner.line.retain(|it| !Arc::ptr_eq(it, &self.called));
        inner.calls(self.unit).waiting -= 1;
        drop(inner);
        self.quota.call_next();
    }
}

/// What one attempt has of its model's limits.
#[derive(Debug)]
#[must_use = "dropping it gives its place back as if the call had been given up"]
pub struct Taken {
    quota: Arc<Quota>,
    tokens: u64,
    at_s: u64,
    open: bool,
}

impl Taken {
    /// The attempt is over. `tokens`: what the provider counted, where that is known; `abandoned`: the
    /// provider may still be at it.
    pub fn settle(mut self, tokens: Option<u64>, abandoned: bool) {
        self.finish(tokens, abandoned);
    }

    fn finish(&mut self, tokens: Option<u64>, abandoned: bool) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let now_us = self.quota.clock.boot_us();
        let mut inner = self.quota.inner.lock();
        for share in &mut inner.shares {
            match (share.unit(), tokens) {
                (Unit::InFlight, _) => share.leave(abandoned, now_us),
                (Unit::Tokens, Some(actual)) if share.total().is_some() => {
                    share.settle(self.tokens, self.at_s, actual, now_us);
                }
                _ => {}
            }
        }
        drop(inner);
        self.quota.call_next();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.finish(None, true);
    }
}

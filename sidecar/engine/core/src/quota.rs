//! What a provider allows the whole fleet (a ModelPool's `limits`): this holder's shares of it. `call`
//! takes a part before an attempt goes out and settles it afterwards; `client` speaks with the hub in
//! the background, which divides each limit among those that need it. Models without limits have none
//! of this.

mod client;
mod document;
mod model;
mod share;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use client::{Holder, PATH, run};
pub use document::{Calls, HoldGrant, HoldReport, LimitsAnswer, LimitsRequest, Unit};
pub use model::{Quota, Standing, Taken};

use crate::check::Rejected;
use crate::clock::SharedClock;
use crate::limits;
use crate::table::{ModelLimits, RouteTable};

/// Which limit stands against a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// Of what.
    pub unit: Unit,
    /// The fleet's.
    pub limit: u64,
    /// This holder's part.
    pub held: u64,
    /// When it may pass, seconds.
    pub wait_s: u64,
}

/// Every limited model, over tables.
#[derive(Debug)]
pub struct Quotas {
    clock: SharedClock,
    bell: Arc<Bell>,
    known: Mutex<HashMap<Arc<str>, Arc<Quota>>>,
    /// Why the hub was not reached, if it was not.
    trouble: Mutex<Option<Arc<str>>>,
}

/// Wakes the conversation with the hub.
#[derive(Debug, Default)]
struct Bell {
    urgent: AtomicBool,
    rung: Notify,
}

impl Bell {
    /// There is something new; when it is told is the conversation's affair.
    fn ring(&self) {
        self.rung.notify_one();
    }

    /// It is to be told soon. However many callers say so, the conversation wakes once.
    fn hurry(&self) {
        if !self.urgent.swap(true, Ordering::AcqRel) {
            self.rung.notify_one();
        }
    }
}

impl Quotas {
    /// None yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            bell: Arc::default(),
            known: Mutex::default(),
            trouble: Mutex::new(Some("the hub was not asked yet".into())),
        }
    }

    /// Whether a table's limits can be kept beside those that still hold something.
    ///
    /// # Errors
    /// There are too many.
    pub fn check(&self, table: &RouteTable) -> Result<(), Rejected> {
        let mut known = self.known.lock();
        known.retain(|_, quota| Arc::strong_count(quota) > 1 || !quota.is_empty());
        let limited = table.models.iter().filter(|model| model.limits.is_some()).count();
        if known.len() + limited > limits::QUOTAS {
            let most = limits::QUOTAS;
            return Err(Rejected::at("models", format!("at most {most} of them can have limits")));
        }
        Ok(())
    }

    /// The limits of each model of a table, in its order; what it has no more gives back what it holds.
    #[must_use]
    pub fn configure(&self, table: &RouteTable) -> Vec<Option<Arc<Quota>>> {
        let declared: HashMap<&str, &ModelLimits> = table
            .models
            .iter()
            .filter_map(|model| model.limits.as_ref())
            .map(|limits| (limits.account.as_str(), limits))
            .collect();
        let mut known = self.known.lock();
        for (account, limits) in &declared {
            let account: Arc<str> = (*account).into();
            let made = || Quota::new(account.clone(), self.clock.clone(), self.bell.clone());
            known.entry(account.clone()).or_insert_with(|| Arc::new(made())).declare(Some(limits));
        }
        for quota in known.values().filter(|it| !declared.contains_key(&**it.account())) {
            quota.declare(None);
        }
        let of = |limits: &ModelLimits| known.get(limits.account.as_str()).cloned();
        let quotas = table.models.iter().map(|model| model.limits.as_ref().and_then(of)).collect();
        drop(known);
        // A first share before the first call.
        self.call();
        quotas
    }

    /// The hub wants to hear of this holder now.
    pub fn call(&self) {
        if !self.known.lock().is_empty() {
            self.bell.hurry();
        }
    }

    /// What is held of each limit, for `Engine::state`.
    #[must_use]
    pub fn survey(&self) -> serde_json::Value {
        let of = |quota: Arc<Quota>| {
            let kinds = quota.standings().into_iter().map(|at| {
                let standing = json!({"limit": at.limit, "held": at.held, "used": at.used});
                (at.unit.as_str().to_owned(), standing)
            });
            let kinds: serde_json::Map<_, _> = kinds.collect();
            (!kinds.is_empty()).then(|| (quota.account().to_string(), kinds.into()))
        };
        let found: serde_json::Map<_, _> = self.all().into_iter().filter_map(of).collect();
        found.into()
    }

    /// Why the hub was not reached, if it was not.
    #[must_use]
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.trouble.lock().clone()
    }

    /// The hub was, or was not, reached.
    pub fn note_trouble(&self, why: Option<&str>) {
        *self.trouble.lock() = why.map(Into::into);
    }

    /// What is told to the hub; `last`: this boot is over.
    #[must_use]
    pub fn report(&self, last: bool) -> Vec<HoldReport> {
        self.all().iter().flat_map(|quota| quota.report(last)).collect()
    }

    /// Takes the answer to a report that was sent then (boot clock, milliseconds); true where something
    /// was given back, which others may wait for.
    pub fn hear(&self, answer: &LimitsAnswer, sent_ms: u64) -> bool {
        let horizon_ms = answer.horizon_ms.min(limits::QUOTA_HORIZON_MS);
        let expires_ms = sent_ms.saturating_add(horizon_ms);
        let mut returned = false;
        for grant in &answer.holds {
            let quota = self.known.lock().get(&grant.limit).cloned();
            returned |= quota.is_some_and(|quota| quota.hear(grant, expires_ms));
        }
        let mut known = self.known.lock();
        known.retain(|_, quota| Arc::strong_count(quota) > 1 || !quota.is_empty());
        returned
    }

    fn all(&self) -> Vec<Arc<Quota>> {
        self.known.lock().values().cloned().collect()
    }

    fn urgency(&self) -> Option<model::Urgency> {
        self.all().iter().map(|quota| quota.urgency()).max()
    }
}

impl Quota {
    /// Uses a part for a call of so many tokens, waiting for one until then where it must. Cancel-safe.
    ///
    /// # Errors
    /// The limit that stands against it.
    pub async fn acquire(self: &Arc<Self>, tokens: u64, until: Instant) -> Result<Taken, Shortage> {
        if let Ok(taken) = self.take(tokens, false) {
            return Ok(taken);
        }
        self.wait(tokens, until).await.ok_or_else(|| self.refuse(tokens))
    }
}

#[cfg(test)]
mod tests;

//! The endpoints of one model, as the hub told them last. They come and go; calls that run keep theirs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Uri;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::document::{State, Told};
use super::member::{Member, Occupied};
use super::pick::{Slot, pick};
use crate::breaker::{self, Breaker, Outage};
use crate::limits;
use crate::table::EndpointSource;

/// What selection needs to know of a candidate's endpoints, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Load {
    /// It can take a call.
    Free,
    /// Every endpoint is full; calls would wait in the engine.
    Saturated,
    /// A breaker is open.
    Cooling,
    /// No endpoint yet, but some start or could wake.
    ColdStart,
    /// There is none.
    NoEndpoint,
}

/// The endpoints of a model.
#[derive(Debug)]
pub struct Group {
    path: String,
    /// A Service answers under its own address until the hub has told its endpoints.
    service: Option<Arc<Member>>,
    current: ArcSwap<Members>,
    /// Also those that have left, a while: one that returns goes on counting.
    known: Mutex<HashMap<Arc<str>, Arc<Member>>>,
    changed: watch::Sender<()>,
    /// Until when a call waits to hear of the first endpoint.
    patient_until: Instant,
}

/// One state of a group.
#[derive(Debug)]
pub struct Members {
    told: bool,
    state: State,
    slots: Vec<Slot>,
    /// Others from which something may still come; `None`: not known.
    unready: Option<Vec<String>>,
}

impl Group {
    /// A group that the hub has told nothing of.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the base URL.
    pub fn new(source: EndpointSource, base_url: &str) -> Result<Self, String> {
        let base = base_url.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|error| format!("`{base_url}` is no URL: {error}"))?;
        let path = uri.path().trim_end_matches('/').to_owned();
        let origin = base.strip_suffix(&*path).unwrap_or(base);
        let service = match source {
            EndpointSource::Service => Some(Arc::new(Member::new(origin, &path)?)),
            EndpointSource::Pods => None,
        };
        let group = Self {
            path,
            service,
            current: ArcSwap::from_pointee(Members {
                told: false,
                state: State::Absent,
                slots: Vec::new(),
                unready: None,
            }),
            known: Mutex::default(),
            changed: watch::channel(()).0,
            patient_until: Instant::now() + Duration::from_millis(limits::TABLE_WAIT_MS),
        };
        group.current.store(Arc::new(group.untold()));
        Ok(group)
    }

    /// What the group is while nobody tells its endpoints.
    #[must_use]
    pub fn untold(&self) -> Members {
        let slot = |member: &Arc<Member>| Slot { level: 0, member: member.clone() };
        let slots = self.service.iter().map(slot).collect();
        Members { told: false, state: State::Absent, slots, unready: None }
    }

    /// What the hub told, with the endpoints that are known already.
    ///
    /// # Errors
    /// A URL cannot be used.
    pub fn members(&self, told: &Told) -> Result<Members, String> {
        let mut known = self.known.lock();
        let mut slots = Vec::with_capacity(told.endpoints.len());
        for endpoint in &told.endpoints {
            let member = match known.get(endpoint.url.as_str()) {
                Some(member) => member.clone(),
                None => {
                    let member = Arc::new(Member::new(&endpoint.url, &self.path)?);
                    known.insert(member.url.clone(), member.clone());
                    member
                }
            };
            slots.push(Slot { level: endpoint.level, member });
        }
        Ok(Members { told: true, state: told.state, slots, unready: told.unready.clone() })
    }

    /// Makes it the group's state; calls in flight keep their endpoints.
    pub fn tell(&self, members: Members) {
        self.current.store(Arc::new(members));
        self.forget();
        self.changed.send_replace(());
    }

    /// The best that any endpoint offers.
    #[must_use]
    pub fn load(&self, now_ms: u64) -> Load {
        let current = self.current.load();
        let offers = |slot: &Slot| {
            if slot.member.breaker.is_cooling(now_ms) {
                Load::Cooling
            } else if slot.is_full() {
                Load::Saturated
            } else {
                Load::Free
            }
        };
        let mut best = match current.state {
            State::Starting | State::Asleep => Load::ColdStart,
            State::Ready | State::Absent => Load::NoEndpoint,
        };
        for slot in &current.slots {
            best = best.min(offers(slot));
            if best == Load::Free {
                break;
            }
        }
        best
    }

    /// The health of the best endpoint; closed where there is none, which is not a failure.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> breaker::State {
        let current = self.current.load();
        let states = current.slots.iter().map(|slot| slot.member.breaker.state(now_ms));
        states.min().unwrap_or(breaker::State::Closed)
    }

    /// Why none of its endpoints is well; `None`: one is, or there is none.
    #[must_use]
    pub fn outage(&self, now_ms: u64) -> Option<Outage> {
        let current = self.current.load();
        let breakers = current.slots.iter().map(|slot| &slot.member.breaker);
        breakers.min_by_key(|breaker| breaker.state(now_ms)).and_then(Breaker::outage)
    }

    /// When the attempt began that one of them answered last, boot clock; 0: none.
    #[must_use]
    pub fn answered_ms(&self) -> u64 {
        let current = self.current.load();
        let answered = current.slots.iter().map(|slot| slot.member.breaker.answered_ms());
        answered.max().unwrap_or(0)
    }

    /// What the hub says of why there is no endpoint.
    #[must_use]
    pub fn why_empty(&self) -> State {
        self.current.load().state
    }

    /// Takes an endpoint for one attempt.
    pub fn take(
        &self,
        tried: impl Fn(&Arc<Member>) -> bool,
        now_ms: u64,
        rng: &mut fastrand::Rng,
    ) -> Option<Occupied> {
        let current = self.current.load();
        pick(&current.slots, tried, now_ms, rng).map(|slot| Occupied::new(slot.member.clone()))
    }

    /// Whether an endpoint that was not tried yet would take a call.
    pub fn has_other(&self, tried: impl Fn(&Arc<Member>) -> bool, now_ms: u64) -> bool {
        let current = self.current.load();
        current
            .slots
            .iter()
            .any(|slot| !tried(&slot.member) && !slot.member.breaker.is_cooling(now_ms))
    }

    /// Whether nothing will come from an endpoint any more, by the hub's word: it sleeps, or is gone.
    #[must_use]
    pub fn has_left(&self, member: &Member) -> bool {
        let current = self.current.load();
        let Some(unready) = &current.unready else { return false };
        let is_service = self.service.as_ref().is_some_and(|service| service.url == member.url);
        let listed = current.slots.iter().any(|slot| slot.member.url == member.url);
        !is_service && !listed && !unready.iter().any(|url| **url == *member.url)
    }

    /// Waits until an endpoint has left while `elsewhere` holds. Cancel-safe.
    pub async fn leaves(&self, member: &Member, elsewhere: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !(self.has_left(member) && elsewhere(self)) {
            if changed.changed().await.is_err() {
                // The sender lives as long as the group.
                return std::future::pending().await;
            }
        }
    }

    /// Waits until there is an endpoint; `false`: not by then. Cancel-safe.
    pub async fn appears(&self, until: Instant) -> bool {
        let mut changed = self.changed.subscribe();
        loop {
            if !self.current.load().slots.is_empty() {
                return true;
            }
            // The sender lives as long as the group.
            if tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                return false;
            }
        }
    }

    /// Waits until the hub has told something of this model, or until then. Cancel-safe.
    pub async fn heard(&self, until: Instant) {
        let mut changed = self.changed.subscribe();
        if !self.current.load().told {
            // Heard or not, the call goes on.
            drop(tokio::time::timeout_at(until, changed.changed()).await);
        }
    }

    /// Until when a call waits to hear of endpoints at all; `None`: it has heard, or waited long enough.
    #[must_use]
    pub fn patience(&self) -> Option<Instant> {
        let waits = !self.current.load().told && Instant::now() < self.patient_until;
        waits.then_some(self.patient_until)
    }

    /// The endpoints that the hub told.
    #[must_use]
    pub fn told_slots(&self) -> Vec<Slot> {
        let current = self.current.load();
        if current.told { current.slots.clone() } else { Vec::new() }
    }

    /// The endpoints in use, told or not.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        self.current.load().slots.clone()
    }

    /// How many endpoints are remembered.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known.lock().len()
    }

    /// Keeps what is known bounded: those that left and work on nothing of ours go first.
    fn forget(&self) {
        let mut known = self.known.lock();
        if known.len() <= limits::ENDPOINTS_KNOWN {
            return;
        }
        // Listed ones and those with a call have another holder.
        known.retain(|_, member| Arc::strong_count(member) > 1);
    }
}

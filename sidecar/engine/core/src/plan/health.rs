//! A model's health as attempts tell it: of its one address, or of the endpoint that an attempt took,
//! and of the credential that it shares with others.

use super::PlannedModel;
use crate::breaker::{Breaker, Outage, State};
use crate::error::Class;
use crate::fleet::{Load, Member};

impl PlannedModel {
    /// What selection needs to know of it.
    #[must_use]
    pub fn load(&self, now_ms: u64) -> Load {
        let rests = self.shared().is_some_and(|breaker| breaker.is_cooling(now_ms));
        let load = match &self.group {
            Some(group) if rests => group.load(now_ms).max(Load::Cooling),
            Some(group) => group.load(now_ms),
            None if rests || self.breaker.is_cooling(now_ms) => Load::Cooling,
            None => Load::Free,
        };
        match &self.quota {
            // Even the smallest call would have to wait.
            Some(quota) if !quota.has_room(1) => load.max(Load::Saturated),
            _ => load,
        }
    }

    /// Whether selection should put this target last because its calls fail.
    #[must_use]
    pub fn is_cooling(&self, now_ms: u64) -> bool {
        self.load(now_ms) == Load::Cooling
    }

    /// What metrics and status show: the worse of the target's state and its credential's, where the
    /// best of its endpoints counts.
    #[must_use]
    pub fn state(&self, now_ms: u64) -> State {
        let own = match &self.group {
            Some(group) => group.state(now_ms),
            None => self.breaker.state(now_ms),
        };
        self.shared().map_or(own, |breaker| own.max(breaker.state(now_ms)))
    }

    /// Why it is not closed, and since when; of several endpoints that are not, the one that is nearest
    /// to being called again.
    #[must_use]
    pub fn outage(&self, now_ms: u64) -> Option<Outage> {
        let resting = self.shared().filter(|breaker| breaker.state(now_ms) == self.state(now_ms));
        let own = || match &self.group {
            Some(group) => group.outage(now_ms),
            None => self.breaker.outage(),
        };
        resting.and_then(Breaker::outage).or_else(own)
    }

    /// When the attempt began that it answered last, boot clock; 0: none.
    #[must_use]
    pub fn answered_ms(&self) -> u64 {
        self.group.as_ref().map_or_else(|| self.breaker.answered_ms(), |group| group.answered_ms())
    }

    /// Whether the other target uses the same credential.
    #[must_use]
    pub fn shares_credential(&self, other: &Self) -> bool {
        match (&self.credential, &other.credential) {
            (Some(one), Some(two)) => std::sync::Arc::ptr_eq(one, two),
            _ => false,
        }
    }

    /// An attempt goes out, to this endpoint where there are several.
    pub fn on_dispatch(&self, endpoint: Option<&Member>, now_ms: u64) {
        self.breakers(endpoint).for_each(|breaker| breaker.on_dispatch(now_ms));
    }

    /// An attempt that began then was answered whole.
    pub fn on_success(&self, endpoint: Option<&Member>, began_ms: u64) {
        self.breakers(endpoint).for_each(|breaker| breaker.on_success(began_ms));
        if let Some(member) = endpoint {
            member.count_served();
        }
    }

    /// An attempt that began then shows its first content.
    pub fn on_first_token(&self, endpoint: Option<&Member>, began_ms: u64) {
        self.breakers(endpoint).for_each(|breaker| breaker.on_first_token(began_ms));
    }

    /// An attempt ended without telling anything.
    pub fn on_neutral(&self, endpoint: Option<&Member>) {
        self.breakers(endpoint).for_each(Breaker::on_neutral);
    }

    /// An attempt failed, which tells about the target and nothing about its credential.
    pub fn on_failed(&self, endpoint: Option<&Member>, class: Class, now_ms: u64) {
        let breaker = self.own(endpoint);
        if class == Class::Connect {
            breaker.on_unreachable(class, now_ms);
        } else if class.counts_toward_breaker() {
            breaker.on_failure(class, now_ms);
        } else {
            breaker.on_neutral();
        }
        if let Some(member) = endpoint.filter(|_| class.counts_against_endpoint()) {
            member.count_failed();
        }
        if let Some(shared) = self.shared() {
            shared.on_neutral();
        }
    }

    /// The breaker that an attempt's own failures move.
    #[must_use]
    pub fn own<'a>(&'a self, endpoint: Option<&'a Member>) -> &'a Breaker {
        endpoint.map_or(&*self.breaker, |member| &member.breaker)
    }

    fn shared(&self) -> Option<&Breaker> {
        self.credential.as_deref().map(|credential| &credential.breaker)
    }

    fn breakers<'a>(&'a self, endpoint: Option<&'a Member>) -> impl Iterator<Item = &'a Breaker> {
        std::iter::once(self.own(endpoint)).chain(self.shared())
    }
}

//! Which endpoint of a model an attempt takes, and what is learnt of it. Models with one fixed address
//! pass through here by one comparison.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Call;
use crate::attempt::Again;
use crate::dispatch::Failure;
use crate::error::NoCandidate;
use crate::fleet::{Group, Load, Member, Occupied, State};
use crate::select::{Filtered, passed_over};
use crate::upstream;

/// An attempt that goes elsewhere where its endpoint falls asleep or vanishes before it answers.
#[derive(Debug)]
pub struct Leaving {
    group: Arc<Group>,
    member: Arc<Member>,
    tried: Vec<Arc<Member>>,
    next: bool,
    next_if_cold: bool,
}

impl Leaving {
    /// Returns once nothing will come from here and there is somewhere else to go: alone, a call may
    /// still be answered when the sleeper wakes. Cancel-safe.
    pub async fn is_due(&self, now_ms: impl Fn() -> u64) {
        let elsewhere = |group: &Group| {
            let tried = |member: &Arc<Member>| self.tried.iter().any(|it| Arc::ptr_eq(it, member));
            let cold = group.load(now_ms()) == Load::ColdStart;
            (if cold { self.next_if_cold } else { self.next }) || group.has_other(tried, now_ms())
        };
        self.group.leaves(&self.member, elsewhere).await;
    }
}

impl Call {
    /// Where the current attempt goes.
    #[must_use]
    pub fn upstream(&self) -> Option<&upstream::Endpoint> {
        let (_, planned) = self.model()?;
        Some(self.target.as_ref().map_or(&planned.endpoint, |target| &target.endpoint))
    }

    /// Takes an endpoint for an attempt at the chosen model, waiting for one where its engines start or
    /// wake; `false`: none came in time. Cancel-safe.
    pub async fn take_endpoint(&mut self, deadline: Instant) -> bool {
        let Some(group) = self.model().and_then(|(_, planned)| planned.group.clone()) else {
            self.target = None;
            return true;
        };
        // The former attempt's endpoint works on nothing of ours any more.
        self.target = None;
        self.target = self.draw(&group);
        if self.target.is_none() {
            // Boxed: few calls wait, and all would be larger by what a wait holds.
            let appears = Box::pin(group.appears(self.patience(&group, deadline)));
            if appears.await {
                self.target = self.draw(&group);
            }
        }
        self.target.is_some()
    }

    /// What may end an attempt at the endpoint that was taken: `next` says whether there is a candidate
    /// after this one. `None`: the model has one fixed address.
    #[must_use]
    pub fn leaving(&self, next: bool) -> Option<Leaving> {
        let target = self.target.as_ref()?;
        Some(Leaving {
            group: self.model()?.1.group.clone()?,
            member: target.member().clone(),
            tried: self.attempts.iter().filter_map(|row| row.endpoint.clone()).collect(),
            next,
            next_if_cold: next && self.route()?.route.overflow.on_cold_start,
        })
    }

    /// Whether the route lets a call go on to the next candidate whose endpoint has left.
    #[must_use]
    pub fn may_overflow(&self) -> bool {
        let cold = self.model().and_then(|(_, planned)| planned.group.as_ref());
        let cold = cold.is_some_and(|group| group.load(self.now_ms()) == Load::ColdStart);
        !cold || self.route().is_some_and(|route| route.route.overflow.on_cold_start)
    }

    /// What another try at the chosen model would reach after this failure. At a pool's gateway nothing
    /// where the first may be billed: its caller, who pays, decides on a second.
    #[must_use]
    pub fn again(&self, failure: &Failure) -> Again {
        if self.plan.table.gateway.is_some() && failure.billable && !failure.left {
            return Again::Nobody;
        }
        let same = if failure.hopeless.is_some() { Again::Nobody } else { Again::Same };
        let Some(group) = self.model().and_then(|(_, planned)| planned.group.as_ref()) else {
            return same;
        };
        if self.target.is_none() {
            Again::Nobody
        } else if group.has_other(|member| self.tried(member), self.now_ms()) {
            Again::Other
        } else {
            same
        }
    }

    /// A group of a candidate that is out because nobody has told its endpoints yet, and until when to
    /// wait for that.
    #[must_use]
    pub fn unheard(&self) -> Option<(Arc<Group>, Instant)> {
        let out = self.rows.iter().filter(|row| row.filtered == Some(Filtered::NoEndpoint));
        out.filter_map(|row| self.plan.models[self.model_of(row)].group.as_ref())
            .find_map(|group| Some((group.clone(), group.patience()?)))
    }

    /// Why there is nothing to call, for the candidate that came closest.
    #[must_use]
    pub fn no_endpoint(&self) -> NoCandidate {
        let row = self.rows.iter().find(|row| row.filtered == Some(Filtered::NoEndpoint));
        let place = self.chosen.or_else(|| row.map(|row| self.model_of(row)));
        let planned = place.map(|place| &self.plan.models[place]);
        NoCandidate::NoEndpoint {
            model: planned.map(|planned| planned.name.to_string()).unwrap_or_default(),
            state: planned
                .and_then(|planned| planned.group.as_ref())
                .map_or(State::Absent, |group| group.why_empty()),
        }
    }

    /// Whether the chosen model's endpoints are told and none could be taken.
    #[must_use]
    pub fn lacks_endpoint(&self) -> bool {
        self.target.is_none() && self.model().is_some_and(|(_, planned)| planned.group.is_some())
    }

    /// Counts the candidates that the call passed over for the state of their endpoints.
    pub fn count_overflow(&self) {
        let Some(route) = self.route() else { return };
        for row in passed_over(route.route.strategy, &self.rows) {
            if let Some(why) = row.filtered {
                let planned = &self.plan.models[self.model_of(row)];
                self.worker.shared.stats.overflow(&planned.stats, why.as_str());
                self.note_passed(row);
            }
        }
    }

    pub(super) fn measure_first_token(&mut self) {
        self.first_content_us = self.elapsed_us();
        if let Some(target) = &self.target {
            target.first_token.add(self.first_content_us.saturating_sub(self.attempt_began_us()));
        }
    }

    /// A whole stream tells the time between its tokens: the provider's count, our clock.
    pub(super) fn measure_pace(&self) {
        let Some(target) = &self.target else { return };
        let tokens = self.booked.usage.output;
        if self.first_content_us > 0 && self.booked.reported && tokens > 1 {
            let took_us = self.elapsed_us().saturating_sub(self.first_content_us);
            target.between_tokens.add(took_us / (tokens - 1));
        }
    }

    fn draw(&self, group: &Group) -> Option<Occupied> {
        let mut rng = self.worker.rng.borrow_mut();
        group.take(|member| self.tried(member), self.now_ms(), &mut rng)
    }

    fn tried(&self, member: &Arc<Member>) -> bool {
        let same = |endpoint: &Arc<Member>| Arc::ptr_eq(endpoint, member);
        self.attempts.iter().any(|row| row.endpoint.as_ref().is_some_and(same))
    }

    /// How long to wait for an endpoint: as long as for a first token where one is to come.
    fn patience(&self, group: &Group, deadline: Instant) -> Instant {
        let now = Instant::now();
        match group.why_empty() {
            State::Starting | State::Asleep => {
                let timeouts = self.route().map(|route| route.route.timeouts).unwrap_or_default();
                deadline.min(now + Duration::from_millis(timeouts.first_token_ms))
            }
            State::Ready | State::Absent => now,
        }
    }
}

//! The queueing model of a self-hosted engine: front ends with one event loop each, and behind
//! them a batch with a KV cache. It knows no clock: the tests run it through virtual time, the
//! server through real time.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod front;
pub(crate) mod profile;

use std::collections::VecDeque;

use batch::{Batch, Running, Token};
use front::{Front, whole};
use profile::Profile;

/// A request that comes to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: u64,
    /// Equal for equal prompts.
    pub(crate) prompt_key: u64,
    /// At least 1.
    pub(crate) prompt_tokens: usize,
    /// At least 1.
    pub(crate) output_tokens: usize,
}

/// A stream event that leaves the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) id: u64,
    /// When it leaves, in microseconds of the model's time.
    pub(crate) at_us: u64,
    pub(crate) tokens: usize,
    pub(crate) last: bool,
}

/// What the engine says about itself; the front ends say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Gauges {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    /// Held share of the KV cache, 0 to 1.
    pub(crate) kv_usage: f64,
    pub(crate) kv_held_tokens: usize,
    pub(crate) kv_tokens: usize,
    pub(crate) preemptions: u64,
    pub(crate) queried_tokens: u64,
    pub(crate) found_tokens: u64,
    pub(crate) generated: u64,
}

/// A server's whole state.
#[derive(Debug)]
pub(crate) struct Model {
    profile: Profile,
    now_us: u64,
    /// Arrivals on their way in, in order of time.
    coming: VecDeque<(u64, Running)>,
    fronts: Vec<Front>,
    batch: Batch,
    step_end_us: Option<u64>,
    arrivals: usize,
}

impl Model {
    /// An idle server at time 0.
    pub(crate) fn new(profile: Profile) -> Self {
        let fronts = (0..profile.front_ends).map(|_| Front::default()).collect();
        let batch = Batch::new(&profile);
        Self {
            profile,
            now_us: 0,
            coming: VecDeque::new(),
            fronts,
            batch,
            step_end_us: None,
            arrivals: 0,
        }
    }

    /// A request comes in; front ends take them in turn. Its time must not lie before one that
    /// was given already.
    pub(crate) fn arrive(&mut self, at_us: u64, arrival: Arrival) {
        let front = self.arrivals % self.fronts.len();
        self.arrivals += 1;
        let request = Running {
            id: arrival.id,
            front,
            key: arrival.prompt_key,
            prompt_tokens: arrival.prompt_tokens,
            left: arrival.output_tokens,
            made: 0,
            not_before: 0,
        };
        self.coming.push_back((at_us + whole(self.profile.latency_us / 2.0), request));
    }

    /// A caller goes away.
    pub(crate) fn leave(&mut self, id: u64) {
        self.coming.retain(|(_, request)| request.id != id);
        for front in &mut self.fronts {
            front.abort(id);
        }
        self.batch.abort(id);
    }

    /// When something happens next.
    pub(crate) fn next_us(&self) -> Option<u64> {
        let rounds = self.fronts.iter().filter_map(Front::round_end_us);
        rounds.chain(self.step_end_us).chain(self.coming.front().map(|(at, _)| *at)).min()
    }

    /// Lets everything happen up to `to_us`; what is sent is added to `chunks`.
    pub(crate) fn advance(&mut self, to_us: u64, chunks: &mut Vec<Chunk>) {
        while let Some(next) = self.next_us().filter(|next| *next <= to_us) {
            self.now_us = self.now_us.max(next);
            self.happen(chunks);
        }
        self.now_us = self.now_us.max(to_us);
    }

    /// The engine's own figures.
    pub(crate) fn gauges(&self) -> Gauges {
        let cache = self.batch.cache();
        Gauges {
            running: self.batch.running(),
            waiting: self.batch.waiting(),
            kv_usage: cache.usage(),
            kv_held_tokens: cache.held_tokens(),
            kv_tokens: cache.tokens(),
            preemptions: self.batch.preemptions,
            queried_tokens: self.batch.queried_tokens,
            found_tokens: self.batch.found_tokens,
            generated: self.batch.generated,
        }
    }

    /// Everything that is due now, and what it sets going.
    fn happen(&mut self, chunks: &mut Vec<Chunk>) {
        while self.coming.front().is_some_and(|(at, _)| *at <= self.now_us) {
            if let Some((_, request)) = self.coming.pop_front() {
                self.fronts[request.front].receive(request);
            }
        }
        for front in &mut self.fronts {
            if front.round_end_us().is_some_and(|end| end <= self.now_us) {
                for request in front.end_round() {
                    self.batch.submit(request);
                }
            }
        }
        if self.step_end_us.is_some_and(|end| end <= self.now_us) {
            self.step_end_us = None;
            let tokens = self.batch.end_step();
            self.hand_out(&tokens);
        }
        for front in &mut self.fronts {
            front.begin_round(self.now_us, &self.profile, chunks);
        }
        let behind = |front: &Front| front.unsent_steps() >= self.profile.lead_steps;
        if self.step_end_us.is_none() && !self.fronts.iter().any(behind) {
            let step = self.batch.begin_step();
            self.step_end_us = step.map(|us| self.now_us + whole(us).max(1));
        }
    }

    /// Gives a step's tokens to the front ends whose requests they are.
    fn hand_out(&mut self, tokens: &[Token]) {
        let mut shares: Vec<Vec<Token>> = vec![Vec::new(); self.fronts.len()];
        for token in tokens {
            shares[token.front].push(*token);
        }
        for (front, share) in self.fronts.iter_mut().zip(shares) {
            if !share.is_empty() {
                front.deliver(share);
            }
        }
    }
}

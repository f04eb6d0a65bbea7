//! The queueing model of a self-hosted engine: front ends with one event loop each, and behind
//! them a batch with a KV cache. It knows no clock: the tests run it through virtual time, the
//! server through real time.

pub(crate) mod batch;
pub(crate) mod cache;
#[cfg(test)]
mod calibration;
pub(crate) mod front;
#[cfg(test)]
mod load;
pub(crate) mod profile;

use std::collections::BTreeMap;

use batch::{Batch, Running, Token};
use front::{Front, whole};
use profile::Profile;

/// A request that comes to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: u64,
    /// Equal for equal prompts, which are equally long.
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
    /// Requests on their way in, by time and number.
    coming: BTreeMap<(u64, u64), Running>,
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
            coming: BTreeMap::new(),
            fronts,
            batch,
            step_end_us: None,
            arrivals: 0,
        }
    }

    /// A request comes in; front ends take them in turn.
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
        let way_us = self.profile.latency_us * exponential(arrival.id);
        self.coming.insert((at_us + whole(way_us), arrival.id), request);
    }

    /// A caller goes away.
    pub(crate) fn leave(&mut self, id: u64) {
        self.coming.retain(|(_, number), _| *number != id);
        for front in &mut self.fronts {
            front.abort(id);
        }
        self.batch.abort(id);
    }

    /// When something happens next.
    pub(crate) fn next_us(&self) -> Option<u64> {
        let rounds = self.fronts.iter().filter_map(Front::round_end_us);
        rounds.chain(self.step_end_us).chain(self.coming.keys().next().map(|(at, _)| *at)).min()
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
        while let Some(first) = self.coming.first_entry() {
            if first.key().0 > self.now_us {
                break;
            }
            let request = first.remove();
            self.fronts[request.front].receive(request, self.profile.receive_rounds);
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

/// An exponentially distributed number of mean 1, the same for the same `id`.
fn exponential(id: u64) -> f64 {
    let mut bits = id.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits ^= bits >> 27;
    let share = batch::real(usize::try_from(bits % 1_000_000).unwrap_or(0)) / 1_000_000.0;
    -(1.0 - share).ln()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A server that 40 callers fill in every way: slots, cache and front end.
    fn small() -> Profile {
        Profile { slots: 8, kv_tokens: 1_024, front_ends: 2, ..Profile::vllm() }
    }

    fn arrival(id: u64) -> Arrival {
        let size = usize::try_from(id).unwrap();
        let (prompt_tokens, output_tokens) = (20 + size % 5 * 17, 1 + size * 53 % 400);
        Arrival { id, prompt_key: id % 5, prompt_tokens, output_tokens }
    }

    /// Lets everything end; the tokens that each call got.
    fn finish(model: &mut Model) -> BTreeMap<u64, usize> {
        let (mut chunks, mut got) = (Vec::new(), BTreeMap::new());
        while let Some(next) = model.next_us() {
            model.advance(next, &mut chunks);
        }
        for chunk in chunks {
            *got.entry(chunk.id).or_default() += chunk.tokens;
        }
        got
    }

    /// Every caller gets all tokens and no more, also those that were pushed out of the cache, and
    /// an idle server holds nothing.
    #[test]
    fn every_call_gets_exactly_its_tokens() {
        let mut model = Model::new(small());
        (0..40).for_each(|id| model.arrive(id * 10_000, arrival(id)));
        let got = finish(&mut model);
        let due = (0..40).map(|id| (id, arrival(id).output_tokens)).collect();
        assert_eq!(got, due);
        let gauges = model.gauges();
        assert!(gauges.preemptions > 0, "{gauges:?}");
        assert_eq!((gauges.running, gauges.waiting, gauges.kv_held_tokens), (0, 0, 0));
    }

    /// Callers that go away at any moment leave nothing behind and disturb nobody.
    #[test]
    fn callers_that_leave_give_everything_back() {
        let mut model = Model::new(small());
        (0..40).for_each(|id| model.arrive(id * 10_000, arrival(id)));
        let mut chunks = Vec::new();
        for id in (0..40).step_by(2) {
            model.advance(id * 25_000, &mut chunks);
            model.leave(id);
        }
        let before = chunks.iter().map(|chunk| (chunk.id, chunk.tokens));
        let mut got = finish(&mut model);
        before.for_each(|(id, tokens)| *got.entry(id).or_default() += tokens);
        for id in (1..40).step_by(2) {
            assert_eq!(got[&id], arrival(id).output_tokens, "{id}");
        }
        assert_eq!((model.gauges().running, model.gauges().kv_held_tokens), (0, 0));
    }

    /// An engine waits for front ends that cannot send what it makes.
    #[test]
    fn a_slow_front_end_holds_the_engine_back() {
        let slow = Profile { chunk_us: 50_000.0, ..Profile::vllm() };
        let mut model = Model::new(slow);
        (0..10).for_each(|id| model.arrive(0, Arrival { output_tokens: 100, ..arrival(id) }));
        model.advance(10_000_000, &mut Vec::new());
        let gauges = model.gauges();
        assert!(gauges.generated < 700, "{gauges:?}");
        assert_eq!(gauges.waiting, 0);
    }
}

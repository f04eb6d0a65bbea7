//! An open-loop load in virtual time, as the sweeps on the real vLLM were run, and what its
//! callers and the gauges saw of it.

use std::collections::HashMap;

use super::profile::Profile;
use super::{Arrival, Model};

/// How often the gauges are read, in microseconds.
const POLL_US: u64 = 100_000;

/// Lengths of the sweeps' answers, in tokens.
const ANSWERS: [usize; 4] = [64, 128, 256, 512];

/// One row's load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Client processes. Each sends the same requests, a little offset, as the sweeps' clients
    /// did: equal prompts meet in the KV cache.
    pub(crate) clients: usize,
    /// Requests of one client, by the length of their answers.
    pub(crate) requests: [usize; 4],
    /// The time in which they come, uniformly at random (a Poisson process of that many events).
    pub(crate) window_ms: u64,
}

impl Load {
    /// Requests of all clients.
    pub(crate) fn calls(&self) -> usize {
        self.clients * self.requests.iter().sum::<usize>()
    }
}

/// What one row's columns say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) first_p50_ms: f64,
    pub(crate) first_p95_ms: f64,
    /// Median over the calls of their mean time between events.
    pub(crate) between_p50_ms: f64,
    pub(crate) waiting_max: usize,
    pub(crate) running_max: usize,
    pub(crate) kv_max: f64,
    pub(crate) tokens_per_s: f64,
    pub(crate) preemptions: u64,
}

/// One call as its caller sees it.
#[derive(Default)]
struct Course {
    begun_us: u64,
    first_us: u64,
    last_us: u64,
    chunks: usize,
}

/// Runs `load` against a fresh server until the last call has ended.
pub(crate) fn run(profile: Profile, load: Load, seed: u64) -> Seen {
    let arrivals = arrivals(load, seed);
    let mut model = Model::new(profile);
    let mut courses: HashMap<u64, Course> = HashMap::new();
    let (mut running_max, mut waiting_max, mut kv_max) = (0, 0, 0.0_f64);
    let (mut chunks, mut open, mut end_us) = (Vec::new(), 0, 0);
    let mut coming = arrivals.iter().peekable();
    let mut poll_us = 0;
    while coming.peek().is_some() || open > 0 {
        poll_us += POLL_US;
        while let Some((at_us, arrival)) = coming.next_if(|(at_us, _)| *at_us <= poll_us) {
            model.advance(*at_us, &mut chunks);
            model.arrive(*at_us, *arrival);
            courses.insert(arrival.id, Course { begun_us: *at_us, ..Course::default() });
            open += 1;
        }
        model.advance(poll_us, &mut chunks);
        for chunk in chunks.drain(..) {
            let course = courses.get_mut(&chunk.id).expect("every chunk has its call");
            if course.chunks == 0 {
                course.first_us = chunk.at_us;
            }
            course.chunks += 1;
            course.last_us = chunk.at_us;
            end_us = end_us.max(chunk.at_us);
            open -= usize::from(chunk.last);
        }
        let gauges = model.gauges();
        running_max = running_max.max(gauges.running);
        waiting_max = waiting_max.max(gauges.waiting);
        kv_max = kv_max.max(gauges.kv_usage);
    }
    let first = sorted(courses.values().map(|call| ms(call.first_us - call.begun_us)));
    let between = sorted(
        courses
            .values()
            .map(|call| ms(call.last_us - call.first_us) / real(call.chunks.max(2) - 1)),
    );
    let gauges = model.gauges();
    let generated = usize::try_from(gauges.generated).expect("a small count");
    Seen {
        first_p50_ms: quantile(&first, 50),
        first_p95_ms: quantile(&first, 95),
        between_p50_ms: quantile(&between, 50),
        waiting_max,
        running_max,
        kv_max,
        tokens_per_s: real(generated) / ms(end_us - arrivals[0].0) * 1_000.0,
        preemptions: gauges.preemptions,
    }
}

/// Prompts of 60 to 600 tokens with the sweeps' mean of 245, answers of the sweeps' lengths.
fn arrivals(load: Load, seed: u64) -> Vec<(u64, Arrival)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for (output_tokens, count) in ANSWERS.into_iter().zip(load.requests) {
        for _ in 0..count {
            let at_us = random.u64(0..load.window_ms * 1_000);
            let prompt_tokens = 60 + (random.f64().powf(1.92) * 540.0) as usize;
            all.push((at_us, all.len() as u64, prompt_tokens, output_tokens));
        }
    }
    let mut arrivals = Vec::new();
    for _ in 0..load.clients {
        let offset_us = random.u64(0..200_000);
        for (at_us, prompt_key, prompt_tokens, output_tokens) in &all {
            let id = arrivals.len() as u64;
            let (prompt_key, prompt_tokens) = (*prompt_key, *prompt_tokens);
            let output_tokens = *output_tokens;
            let arrival = Arrival { id, prompt_key, prompt_tokens, output_tokens };
            arrivals.push((at_us + offset_us, arrival));
        }
    }
    arrivals.sort_by_key(|(at_us, _)| *at_us);
    arrivals
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

fn real(count: usize) -> f64 {
    count as f64
}

//! What the server has seen: the counters and histograms that `/metrics` and the control port
//! show.

/// Upper bounds of vLLM's first-token histogram, in seconds.
pub(crate) const FIRST_TOKEN_S: [f64; 22] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];

/// Upper bounds of vLLM's histogram of the time between tokens, in seconds.
pub(crate) const BETWEEN_TOKENS_S: [f64; 19] = [
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];

/// Upper bounds of vLLM's histogram of whole calls, in seconds.
pub(crate) const CALL_S: [f64; 21] = [
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

/// Counts by upper bound; the last place counts what lies above all.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    pub(crate) bounds: &'static [f64],
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    fn observe(&mut self, seconds: f64, times: usize) {
        let at = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[at] += times as u64;
        self.sum += seconds * super::model::batch::real(times);
    }
}

/// Everything counted since the engine started.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) concurrent: u64,
    pub(crate) concurrent_max: u64,
    pub(crate) stopped: u64,
    pub(crate) cut: u64,
    pub(crate) cancelled: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) first_token: Histogram,
    pub(crate) between_tokens: Histogram,
    pub(crate) call: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            calls: 0,
            concurrent: 0,
            concurrent_max: 0,
            stopped: 0,
            cut: 0,
            cancelled: 0,
            prompt_tokens: 0,
            output_tokens: 0,
            first_token: Histogram::new(&FIRST_TOKEN_S),
            between_tokens: Histogram::new(&BETWEEN_TOKENS_S),
            call: Histogram::new(&CALL_S),
        }
    }
}

/// A call that goes on, as far as the counters need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    begun_us: u64,
    last_us: Option<u64>,
    prompt_tokens: usize,
    cut: bool,
}

impl Tally {
    /// A call begins.
    pub(crate) fn begin(&mut self, now_us: u64, prompt_tokens: usize, cut: bool) -> Course {
        self.calls += 1;
        self.concurrent += 1;
        self.concurrent_max = self.concurrent_max.max(self.concurrent);
        Course { begun_us: now_us, last_us: None, prompt_tokens, cut }
    }

    /// A call got tokens.
    pub(crate) fn tokens(&mut self, course: &mut Course, at_us: u64, tokens: usize, last: bool) {
        self.output_tokens += tokens as u64;
        let mut rest = tokens;
        let since = if let Some(before) = course.last_us {
            before
        } else {
            self.prompt_tokens += course.prompt_tokens as u64;
            self.first_token.observe(seconds(course.begun_us, at_us), 1);
            rest -= 1;
            at_us
        };
        if rest > 0 {
            let each = seconds(since, at_us) / super::model::batch::real(rest);
            self.between_tokens.observe(each, rest);
        }
        course.last_us = Some(at_us);
        if last {
            self.call.observe(seconds(course.begun_us, at_us), 1);
            if course.cut { self.cut += 1 } else { self.stopped += 1 }
        }
    }

    /// A call is over; `finished` where all of it was sent.
    pub(crate) fn end(&mut self, finished: bool) {
        self.concurrent = self.concurrent.saturating_sub(1);
        if !finished {
            self.cancelled += 1;
        }
    }
}

fn seconds(from_us: u64, to_us: u64) -> f64 {
    std::time::Duration::from_micros(to_us.saturating_sub(from_us)).as_secs_f64()
}

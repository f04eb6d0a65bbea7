//! The engine: requests that run together in steps, a queue before them, and what happens when
//! the KV cache is full. Every running request gets one token a step.

use std::collections::VecDeque;

use super::cache::Cache;
use super::profile::Profile;

/// A request inside the engine.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) id: u64,
    /// The front end that it came through.
    pub(crate) front: usize,
    pub(crate) key: u64,
    pub(crate) prompt_tokens: usize,
    /// Tokens still to be made.
    pub(crate) left: usize,
    /// Tokens made before the last step, which the cache holds.
    pub(crate) made: usize,
    /// The step from which it may run.
    pub(crate) not_before: u64,
}

impl Running {
    fn tokens(&self) -> usize {
        self.prompt_tokens + self.made
    }
}

/// A token for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) id: u64,
    pub(crate) front: usize,
    pub(crate) last: bool,
}

/// The engine's state.
#[derive(Debug)]
pub(crate) struct Batch {
    profile: Profile,
    waiting: VecDeque<Running>,
    running: Vec<Running>,
    cache: Cache,
    step: u64,
    stepping: bool,
    /// What the last planned step left in the queue.
    passed_over: usize,
    /// Requests pushed out for want of room, since the start.
    pub(crate) preemptions: u64,
    /// Prompt tokens asked of the cache, and found there.
    pub(crate) queried_tokens: u64,
    pub(crate) found_tokens: u64,
    /// Tokens made.
    pub(crate) generated: u64,
}

impl Batch {
    /// An idle engine.
    pub(crate) fn new(profile: &Profile) -> Self {
        Self {
            profile: profile.clone(),
            waiting: VecDeque::new(),
            running: Vec::new(),
            cache: Cache::new(profile.kv_tokens),
            step: 0,
            stepping: false,
            passed_over: 0,
            preemptions: 0,
            queried_tokens: 0,
            found_tokens: 0,
            generated: 0,
        }
    }

    /// Requests in the batch.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Requests that the last step had no room for. One that came since is not among them: the
    /// scheduler counts when it plans.
    pub(crate) fn waiting(&self) -> usize {
        self.passed_over.min(self.waiting.len())
    }

    /// The KV cache.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Takes a request in. A busy engine has planned its next steps already.
    pub(crate) fn submit(&mut self, mut request: Running) {
        let planned = if self.stepping { self.profile.planned_steps } else { 0 };
        request.not_before = self.step + planned;
        self.waiting.push_back(request);
    }

    /// Forgets a request whose caller went away.
    pub(crate) fn abort(&mut self, id: u64) {
        self.waiting.retain(|request| request.id != id);
        if let Some(at) = self.running.iter().position(|request| request.id == id) {
            let gone = self.running.remove(at);
            self.cache.release(gone.key, gone.prompt_tokens, gone.tokens());
        }
    }

    /// Plans a step and says how long it takes, in microseconds; none where nothing is to be done.
    pub(crate) fn begin_step(&mut self) -> Option<f64> {
        if self.stepping {
            return None;
        }
        // After a push-out nobody new comes in, or it would be pushed out at once.
        let pushed_out = self.grow();
        let computed = if pushed_out && !self.running.is_empty() { 0 } else { self.admit() };
        let known = self.waiting.iter().filter(|request| request.not_before <= self.step);
        self.passed_over = known.count();
        if self.running.is_empty() {
            return None;
        }
        self.stepping = true;
        self.step += 1;
        let profile = &self.profile;
        Some(
            profile.step_us
                + profile.step_request_us * real(self.running.len())
                + profile.prefill_token_us * real(computed),
        )
    }

    /// Ends the step: a token for every request of the batch.
    pub(crate) fn end_step(&mut self) -> Vec<Token> {
        self.stepping = false;
        let mut tokens = Vec::with_capacity(self.running.len());
        let mut at = 0;
        while at < self.running.len() {
            let request = &mut self.running[at];
            request.left -= 1;
            let last = request.left == 0;
            tokens.push(Token { id: request.id, front: request.front, last });
            if last {
                let done = self.running.remove(at);
                self.cache.release(done.key, done.prompt_tokens, done.tokens());
            } else {
                at += 1;
            }
        }
        self.generated += tokens.len() as u64;
        tokens
    }

    /// Room for each running request's next token; the youngest is pushed out where there is
    /// none. True where one was.
    fn grow(&mut self) -> bool {
        let mut pushed_out = false;
        let mut at = 0;
        while at < self.running.len() {
            if self.cache.grow(self.running[at].tokens()) {
                self.running[at].made += 1;
                at += 1;
                continue;
            }
            pushed_out = true;
            self.preemptions += 1;
            let Some(mut youngest) = self.running.pop() else { break };
            self.cache.release(youngest.key, youngest.prompt_tokens, youngest.tokens());
            youngest.not_before = self.step;
            self.waiting.push_front(youngest);
        }
        pushed_out
    }

    /// Takes from the queue what fits; returns the prompt tokens to be computed.
    fn admit(&mut self) -> usize {
        let mut computed = 0;
        while let Some(next) = self.waiting.front() {
            let room = self.running.len() < self.profile.slots
                && (next.not_before <= self.step || self.running.is_empty())
                && (computed == 0 || computed + next.tokens() <= self.profile.step_tokens);
            if !room {
                break;
            }
            let tokens = next.tokens();
            let Some(known) = self.cache.take(next.key, next.prompt_tokens, tokens) else { break };
            self.queried_tokens += tokens as u64;
            self.found_tokens += known as u64;
            computed += tokens - known;
            self.running.extend(self.waiting.pop_front());
        }
        computed
    }
}

/// A count as a factor.
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

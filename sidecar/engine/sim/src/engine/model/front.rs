//! A front end: one process with one event loop. In each round it sends what the engine made and
//! takes in a few requests; while it does, everything else waits. It reports nothing of this.

use std::collections::VecDeque;

use super::Chunk;
use super::batch::{Running, Token, real};
use super::profile::Profile;

/// One API server process.
#[derive(Debug, Default)]
pub(crate) struct Front {
    /// Requests that are being received, and the rounds that this still takes.
    entering: VecDeque<(usize, Running)>,
    /// How many of them came since the last round began.
    fresh: usize,
    /// Requests that were received, but not taken in yet.
    inbox: VecDeque<Running>,
    /// Results of engine steps that were not sent yet.
    results: VecDeque<Vec<Token>>,
    /// When the round that goes on ends, and what it hands to the engine then.
    round: Option<(u64, Vec<Running>)>,
}

impl Front {
    /// A request comes in; it takes `rounds` of the event loop to receive it.
    pub(crate) fn receive(&mut self, request: Running, rounds: usize) {
        self.entering.push_back((rounds, request));
        self.fresh += 1;
    }

    /// The engine's results of one step.
    pub(crate) fn deliver(&mut self, tokens: Vec<Token>) {
        self.results.push_back(tokens);
    }

    /// Steps whose results were not sent yet.
    pub(crate) fn unsent_steps(&self) -> usize {
        self.results.len()
    }

    /// When the current round ends.
    pub(crate) fn round_end_us(&self) -> Option<u64> {
        self.round.as_ref().map(|(end, _)| *end)
    }

    /// Forgets a request whose caller went away. What was made for it is worked off.
    pub(crate) fn abort(&mut self, id: u64) {
        self.entering.retain(|(_, request)| request.id != id);
        self.inbox.retain(|request| request.id != id);
        if let Some((_, admitted)) = &mut self.round {
            admitted.retain(|request| request.id != id);
        }
    }

    /// Begins a round where none goes on and there is work. The events that it sends are added
    /// to `chunks` with the times at which they leave.
    pub(crate) fn begin_round(&mut self, now_us: u64, profile: &Profile, chunks: &mut Vec<Chunk>) {
        let idle = self.entering.is_empty() && self.inbox.is_empty() && self.results.is_empty();
        if self.round.is_some() || idle {
            return;
        }
        for (rounds, _) in &mut self.entering {
            *rounds = rounds.saturating_sub(1);
        }
        while let Some((0, _)) = self.entering.front() {
            self.inbox.extend(self.entering.pop_front().map(|(_, request)| request));
        }
        let strain = 1.0 + profile.congestion * real(self.inbox.len());
        let mut spent_us = profile.receive_us * real(std::mem::take(&mut self.fresh)) * strain;
        let mut events: Vec<Chunk> = Vec::new();
        for tokens in std::mem::take(&mut self.results) {
            merge(&mut events, &tokens);
        }
        for mut event in events {
            spent_us += profile.chunk_us * strain;
            event.at_us = now_us + whole(spent_us);
            chunks.push(event);
        }
        let taken = self.inbox.len().min(profile.admit_burst);
        let admitted: Vec<Running> = self.inbox.drain(..taken).collect();
        for request in &admitted {
            let prompt_us = profile.admit_token_us * real(request.prompt_tokens);
            spent_us += (profile.admit_us + prompt_us) * strain;
        }
        self.round = Some((now_us + whole(spent_us).max(1), admitted));
    }

    /// Ends the round; the requests that it took in go to the engine.
    pub(crate) fn end_round(&mut self) -> Vec<Running> {
        self.round.take().map(|(_, admitted)| admitted).unwrap_or_default()
    }
}

/// Adds a step's tokens to the events: a stream whose last token is still unsent gets one event
/// with both. Requests keep their order from step to step, so that one pass finds them.
fn merge(events: &mut Vec<Chunk>, tokens: &[Token]) {
    let mut at = 0;
    let before = events.len();
    for token in tokens {
        let found = events[at..before].iter().position(|event| event.id == token.id);
        if let Some(event) = found.map(|offset| at + offset).and_then(|found| {
            at = found + 1;
            events.get_mut(found)
        }) {
            event.tokens += 1;
            event.last = token.last;
        } else {
            events.push(Chunk { id: token.id, at_us: 0, tokens: 1, last: token.last });
        }
    }
}

/// Microseconds as a whole number.
pub(crate) fn whole(us: f64) -> u64 {
    us.round() as u64
}

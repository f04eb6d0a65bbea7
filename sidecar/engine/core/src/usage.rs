//! Tokens: what a provider says that it bills, and what is booked where it says nothing.
//!
//! **Bounds.** A token of text is at least one byte, so the bytes of a text bound its tokens from
//! above; no vocabulary in use has a token above `limits::TOKEN_BYTES`, and a byte of text takes at
//! most six on the wire (`\u00XX`), so `bytes / (6 * TOKEN_BYTES)` bounds them from below.
//!
//! **A call that was cut** is booked as its input bound plus
//! `reported + bytes since the report + max(largest delta, limits::CUT_TOKENS)` output tokens, at most
//! the call's cap: the provider bills a chunk before it sends it, so one that we never saw may be on
//! its bill. Booked is therefore never below the bill, but for reasoning that the wire does not
//! show; `Meter::hidden` adds what the caller allows for that. `epsilon` is the most by which the
//! booking can exceed the bill.

use std::sync::atomic::{AtomicU32, Ordering};

use pointsman_wire::form::Tokens;
use serde::Deserialize;

use crate::limits;
use crate::price;
use crate::table::Pricing;

/// Tokens of one call, as billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt, cached part included.
    pub input: u64,
    /// The part of `input` that the provider had cached.
    pub cached_input: u64,
    /// The part of `input` that it wrote to its cache for its usual time.
    pub cache_write: u64,
    /// The part of `input` that it wrote to its cache for an hour or longer.
    pub cache_write_long: u64,
    /// Answer, reasoning included.
    pub output: u64,
    /// The part of `output` that the caller does not see.
    pub reasoning: u64,
    /// The part of `input` that is sound or images.
    pub media_input: u64,
    /// The part of `output` that is.
    pub media_output: u64,
    /// Seconds, characters or images, where those are billed.
    pub units: u64,
}

#[derive(Deserialize)]
struct Wire {
    prompt_tokens: u64,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
}

impl Usage {
    /// Reads OpenAI's `usage` of a chat answer. `None`: it says nothing that can be billed, which
    /// is not the same as zeros. DeepSeek's `prompt_cache_hit_tokens` counts where details lack.
    #[must_use]
    pub fn of_chat(json: &[u8]) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(json).ok()?;
        let from_total = || wire.total_tokens?.checked_sub(wire.prompt_tokens);
        let output = wire.completion_tokens.or_else(from_total)?;
        let cached = wire.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens);
        let cached = cached.or(wire.prompt_cache_hit_tokens).unwrap_or(0);
        let heard = wire.prompt_tokens_details.as_ref().and_then(|details| details.audio_tokens);
        let written = wire.prompt_tokens_details.and_then(|details| details.cache_write_tokens);
        let said = wire.completion_tokens_details.as_ref().and_then(|it| it.audio_tokens);
        let reasoning = wire.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        Self {
            input: wire.prompt_tokens,
            cached_input: cached.min(wire.prompt_tokens),
            cache_write: written.unwrap_or(0).min(wire.prompt_tokens.saturating_sub(cached)),
            cache_write_long: 0,
            output,
            reasoning: reasoning.unwrap_or(0).min(output),
            media_input: heard.unwrap_or(0).min(wire.prompt_tokens),
            media_output: said.unwrap_or(0).min(output),
            units: 0,
        }
        .credible()
    }

    /// Reads the `usage` of an embeddings answer: prompt tokens alone.
    #[must_use]
    pub fn of_embeddings(json: &[u8]) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(json).ok()?;
        Self { input: wire.prompt_tokens, ..Self::default() }.credible()
    }

    /// As a dialect's reader understood it.
    #[must_use]
    pub fn of_tokens(tokens: &Tokens) -> Option<Self> {
        let cached = tokens.cache_read.min(tokens.input);
        let long = tokens.cache_write_long.min(tokens.input - cached);
        Self {
            input: tokens.input,
            cached_input: cached,
            cache_write: tokens.cache_write.min(tokens.input - cached - long),
            cache_write_long: long,
            output: tokens.output,
            reasoning: tokens.reasoning.min(tokens.output),
            media_input: tokens.audio_input.min(tokens.input),
            media_output: tokens.audio_output.min(tokens.output),
            units: tokens.units,
        }
        .credible()
    }

    /// No call has a thousand million tokens: such a report is a fault, not a bill.
    pub(crate) fn credible(self) -> Option<Self> {
        (self.input.max(self.output).max(self.units) <= limits::CALL_TOKENS).then_some(self)
    }
}

/// What has been seen of an answer so far; `sse::ChatStream::seen` fills it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The last usage in the stream.
    pub reported: Option<Usage>,
    /// Bytes of all deltas.
    pub bytes: u64,
    /// Bytes of the deltas after `reported`.
    pub bytes_since_report: u64,
    /// Bytes of the largest delta.
    pub largest: u64,
}

/// Did the provider end its answer, or may there be more on its bill than we saw?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every choice finished.
    Complete,
    /// We or the provider broke off.
    Cut,
}

/// Counts one call where the provider does not (yet) say.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    /// Prompt tokens, at most: bytes of the prompt, plus what its images can cost.
    pub input_bound: u64,
    /// Answer tokens, at most: the cap times the choices; `None`: unknown.
    pub output_cap: Option<u64>,
    /// Reasoning tokens that the wire may not show; 0 where the model has none.
    pub hidden: u64,
}

impl Meter {
    /// The most that the call can cost the provider's bill, from what was seen.
    #[must_use]
    pub fn bound(&self, seen: &Seen, ending: Ending) -> Usage {
        let in_flight = match (ending, seen.reported) {
            (Ending::Complete, Some(settled)) => return settled,
            (Ending::Complete, None) => 0,
            (Ending::Cut, _) => seen.largest.max(limits::CUT_TOKENS),
        };
        let reported = seen.reported.map_or(0, |usage| usage.output);
        let most = reported
            .saturating_add(seen.bytes_since_report)
            .saturating_add(in_flight)
            .saturating_add(self.hidden);
        let output = self.output_cap.map_or(most, |cap| most.min(cap)).max(reported);
        self.with_output(seen, output)
    }

    /// What the call has probably cost so far; top-ups go by it. Between the two bounds, never above `bound`.
    #[must_use]
    pub fn estimate(&self, seen: &Seen, tokens: &Calibration) -> Usage {
        let reported = seen.reported.map_or(0, |usage| usage.output);
        let bound = self.bound(seen, Ending::Cut);
        let output = reported.saturating_add(tokens.tokens(seen.bytes_since_report));
        self.with_output(seen, output.min(bound.output))
    }

    /// The least that the call can have cost: the lower bound of `epsilon`.
    #[must_use]
    pub fn least(&self, seen: &Seen) -> Usage {
        let fewest = |bytes: u64| bytes.div_ceil(6 * limits::TOKEN_BYTES);
        let input = seen.reported.map_or_else(|| u64::from(self.input_bound > 0), |u| u.input);
        let reported = seen.reported.map_or(0, |usage| usage.output);
        let output = reported.saturating_add(fewest(seen.bytes_since_report));
        let cached_input = seen.reported.map_or(input, |usage| usage.cached_input);
        Usage { input, cached_input, output, ..Usage::default() }
    }

    /// The published epsilon of one cut call, picodollars: booked bound less the least possible bill.
    #[must_use]
    pub fn epsilon(&self, seen: &Seen, pricing: &Pricing) -> u64 {
        let booked = price::cost(pricing, &self.bound(seen, Ending::Cut));
        booked.saturating_sub(price::cost(pricing, &self.least(seen)))
    }

    fn with_output(&self, seen: &Seen, output: u64) -> Usage {
        match seen.reported {
            Some(usage) => Usage { output, ..usage },
            None => Usage { input: self.input_bound, output, ..Usage::default() },
        }
    }
}

/// Tokens per byte of a model's answers, learned from returned usage; shared by all its calls.
#[derive(Debug)]
pub struct Calibration {
    micro_tokens_per_byte: AtomicU32,
}

/// English text has about four bytes a token; JSON escapes make that a little more bytes.
const START: u32 = 250_000;
/// No sane vocabulary is outside: one token per 16 bytes .. one per byte.
const RANGE: std::ops::RangeInclusive<u32> = 62_500..=1_000_000;
/// Shorter answers say too little.
const LEAST_BYTES: u64 = 64;

impl Default for Calibration {
    fn default() -> Self {
        Self { micro_tokens_per_byte: AtomicU32::new(START) }
    }
}

impl Calibration {
    /// Learns from a complete answer of `bytes` delta bytes with this usage: one part in 16 is new.
    pub fn learn(&self, bytes: u64, usage: &Usage) {
        if bytes < LEAST_BYTES {
            return;
        }
        let visible = u128::from(usage.output.saturating_sub(usage.reasoning));
        let seen = visible * 1_000_000 / u128::from(bytes);
        let seen = u32::try_from(seen).unwrap_or(u32::MAX).clamp(*RANGE.start(), *RANGE.end());
        // A lost update between two threads loses one sample, not the figure.
        let old = self.micro_tokens_per_byte.load(Ordering::Relaxed);
        let new = (u64::from(old) * 15 + u64::from(seen)).div_ceil(16);
        self.micro_tokens_per_byte.store(u32::try_from(new).unwrap_or(old), Ordering::Relaxed);
    }

    /// Probable tokens of this many bytes, rounded up.
    #[must_use]
    pub fn tokens(&self, bytes: u64) -> u64 {
        let rate = u128::from(self.micro_tokens_per_byte.load(Ordering::Relaxed));
        let tokens = (u128::from(bytes) * rate).div_ceil(1_000_000);
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }
}

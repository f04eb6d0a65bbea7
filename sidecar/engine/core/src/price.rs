//! Money: picodollars (10^-12 USD) in u64, products in u128. Prices are whole picodollars a token, so
//! a bill is an exact sum: nothing is rounded before the bill, and the bill itself only when shown
//! as something coarser. What does not fit saturates: too dear, never too cheap.

use std::fmt;

use crate::table::{MediaPricing, Pricing};
use crate::usage::Usage;

/// Picodollars in one USD.
pub const USD: u64 = 1_000_000_000_000;

/// What a call costs.
#[must_use]
pub fn cost(pricing: &Pricing, usage: &Usage) -> u64 {
    let cached = usage.cached_input.min(usage.input);
    let long = usage.cache_write_long.min(usage.input - cached);
    let written = usage.cache_write.min(usage.input - cached - long);
    let write = pricing.cache_write.unwrap_or(pricing.input);
    if let Some(media) = &pricing.media {
        return cost_with_media(pricing, media, usage);
    }
    total(&[
        (usage.input - cached - long - written, pricing.input),
        (cached, pricing.cached_input.unwrap_or(pricing.input)),
        (written, write),
        (long, pricing.cache_write_long.unwrap_or(write)),
        (usage.output, pricing.output),
    ])
}

/// The same of a call with sound or images, which have prices of their own. Those that came out of a cache
/// count as text's do.
fn cost_with_media(pricing: &Pricing, media: &MediaPricing, usage: &Usage) -> u64 {
    let (sent, made) = (usage.media_input.min(usage.input), usage.media_output.min(usage.output));
    let cached = usage.cached_input.min(usage.input);
    let sent = sent.min(usage.input - cached);
    let text = Usage { input: usage.input - sent, output: usage.output - made, ..*usage };
    let apart = total(&[
        (sent, media.input.unwrap_or(pricing.input)),
        (made, media.output.unwrap_or(pricing.output)),
        (usage.units, media.unit.unwrap_or(0)),
    ]);
    cost(&Pricing { media: None, ..*pricing }, &text).saturating_add(apart)
}

/// The dearest token of an answer.
fn dearest_output(pricing: &Pricing) -> u64 {
    pricing.media.and_then(|media| media.output).map_or(pricing.output, |it| it.max(pricing.output))
}

/// The most that a call of at most so many tokens can cost, whatever part is read from or written to a
/// cache.
#[must_use]
pub fn upper_bound(pricing: &Pricing, input_tokens: u64, output_tokens: u64) -> u64 {
    let heard = pricing.media.and_then(|media| media.input);
    let apart = [pricing.cached_input, pricing.cache_write, pricing.cache_write_long, heard];
    let input = apart.into_iter().flatten().fold(pricing.input, u64::max);
    total(&[(input_tokens, input), (output_tokens, dearest_output(pricing))])
}

/// Answer tokens that `picodollars` pay for after the dearest prompt of `input_tokens`;
/// `None`: not even the prompt.
#[must_use]
pub fn affordable_output(pricing: &Pricing, input_tokens: u64, picodollars: u64) -> Option<u64> {
    let rest = picodollars.checked_sub(upper_bound(pricing, input_tokens, 0))?;
    Some(rest.checked_div(dearest_output(pricing)).unwrap_or(u64::MAX))
}

fn total(lines: &[(u64, u64)]) -> u64 {
    let products = lines.iter().map(|&(tokens, price)| u128::from(tokens) * u128::from(price));
    let sum = products.fold(0_u128, u128::saturating_add);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// An amount shown exactly in USD: `0.000123456789`, `5`, `1.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usd(pub u64);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / USD, self.0 % USD);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let (mut digits, mut rest) = ([b'0'; 12], part);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let digits = str::from_utf8(&digits).unwrap_or_default();
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

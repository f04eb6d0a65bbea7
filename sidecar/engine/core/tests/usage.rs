//! Tokens: what providers report, and what is booked where they do not.

use pointsman_core::table::Pricing;
use pointsman_core::usage::{Calibration, Ending, Meter, Seen, Usage};
use pointsman_core::{limits, price};
use proptest::prelude::*;

const PRICE: Pricing = Pricing {
    input: 150_000,
    cached_input: Some(75_000),
    output: 600_000,
    cache_write: None,
    cache_write_long: None,
    media: None,
};

fn chat(json: &str) -> Option<Usage> {
    Usage::of_chat(json.as_bytes())
}

/// OpenAI's usage includes cached and reasoning tokens; details may be null or absent; zero is a value.
#[test]
fn reads_reported_usage() {
    let full = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
        "prompt_tokens_details":{"cached_tokens":30,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":20,"rejected_prediction_tokens":0}}"#;
    let expected =
        Usage { input: 100, cached_input: 30, output: 50, reasoning: 20, ..Usage::default() };
    assert_eq!(chat(full), Some(expected));
    let vllm = r#"{"prompt_tokens":10,"total_tokens":26,"completion_tokens":16,"prompt_tokens_details":null}"#;
    assert_eq!(chat(vllm), Some(Usage { input: 10, output: 16, ..Usage::default() }));
    let zeros = r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    assert_eq!(chat(zeros), Some(Usage::default()));
    let deepseek = r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8}"#;
    assert_eq!(chat(deepseek).unwrap().cached_input, 8);
    let total = r#"{"prompt_tokens":9,"total_tokens":12}"#;
    assert_eq!(chat(total).unwrap().output, 3);
    let more_cached =
        r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":10}}"#;
    assert_eq!(chat(more_cached).unwrap().cached_input, 9);
    let embeddings = br#"{"prompt_tokens":8,"total_tokens":8}"#;
    assert_eq!(Usage::of_embeddings(embeddings).unwrap().input, 8);
}

/// What cannot be billed is "not reported", so that the bound is booked and never zero.
#[test]
fn nonsense_is_not_reported() {
    for json in [
        "{}",
        "null",
        "[]",
        r#"{"prompt_tokens":-1,"completion_tokens":1}"#,
        r#"{"prompt_tokens":5}"#,
        r#"{"prompt_tokens":5,"total_tokens":4}"#,
        r#"{"prompt_tokens":5,"completion_tokens":99999999999999}"#,
    ] {
        assert_eq!(chat(json), None, "{json}");
    }
}

/// The documented sum: input bound + bytes + largest delta, at most the cap, plus hidden reasoning.
#[test]
fn cut_calls_are_booked_at_the_documented_bound() {
    let meter = Meter { input_bound: 400, output_cap: None, hidden: 0 };
    let seen = Seen { bytes: 1000, bytes_since_report: 1000, largest: 40, reported: None };
    let booked = |meter: &Meter, seen: &Seen| meter.bound(seen, Ending::Cut);
    assert_eq!(booked(&meter, &seen), Usage { input: 400, output: 1040, ..Usage::default() });
    assert_eq!(booked(&Meter { output_cap: Some(512), ..meter }, &seen).output, 512);
    assert_eq!(booked(&Meter { hidden: 1000, ..meter }, &seen).output, 2040);
    assert_eq!(booked(&meter, &Seen::default()).output, limits::CUT_TOKENS);
    let settled = Usage { input: 90, output: 200, ..Usage::default() };
    let late = Seen { reported: Some(settled), bytes_since_report: 30, ..seen };
    assert_eq!(booked(&meter, &late), Usage { input: 90, output: 270, ..Usage::default() });
    assert_eq!(meter.bound(&late, Ending::Complete), settled);
    assert_eq!(meter.bound(&seen, Ending::Complete).output, 1000);
}

/// Calibration follows what is returned, within its range, and never from tiny answers.
#[test]
fn calibration_learns_within_bounds() {
    let tokens = Calibration::default();
    assert_eq!(tokens.tokens(4000), 1000);
    tokens.learn(63, &Usage { output: 63, ..Usage::default() });
    assert_eq!(tokens.tokens(4000), 1000);
    for _ in 0..200 {
        tokens.learn(1000, &Usage { output: 700, reasoning: 200, ..Usage::default() });
    }
    assert_eq!(tokens.tokens(1000), 500);
    for _ in 0..200 {
        tokens.learn(100, &Usage { output: u64::MAX, ..Usage::default() });
    }
    assert_eq!(tokens.tokens(1000), 1000);
    for _ in 0..200 {
        tokens.learn(100, &Usage::default());
    }
    assert!(tokens.tokens(1600) >= 100);
}

proptest! {
    /// Whatever a provider billed for the deltas seen and one more, booked is at or above it, and
    /// above it by no more than epsilon. Deltas are (bytes, tokens) with tokens <= bytes.
    #[test]
    fn booked_lies_between_bill_and_bill_plus_epsilon(
        input in 1..100_000_u64,
        slack in 0..1_000_u64,
        deltas in proptest::collection::vec((1..200_u64, 1..200_u64), 0..50),
        report_at in 0..50_usize,
        unseen in 0..2_usize,
    ) {
        let billed_tokens = |(bytes, tokens): &(u64, u64)| (*tokens).min(*bytes);
        let mut seen = Seen::default();
        let mut output = 0;
        for (at, delta) in deltas.iter().enumerate() {
            output += billed_tokens(delta);
            seen.bytes += delta.0;
            seen.bytes_since_report += delta.0;
            seen.largest = seen.largest.max(delta.0);
            if at == report_at {
                seen.reported = Some(Usage { input, output, ..Usage::default() });
                seen.bytes_since_report = 0;
            }
        }
        output += deltas.iter().map(billed_tokens).max().unwrap_or(0) * unseen as u64;
        let bill = price::cost(&PRICE, &Usage { input, output, ..Usage::default() });
        let meter = Meter { input_bound: input + slack, output_cap: None, hidden: 0 };
        let booked = price::cost(&PRICE, &meter.bound(&seen, Ending::Cut));
        prop_assert!(booked >= bill, "booked {booked} < bill {bill}");
        prop_assert!(booked - bill <= meter.epsilon(&seen, &PRICE));
        let estimate = meter.estimate(&seen, &Calibration::default());
        prop_assert!(price::cost(&PRICE, &estimate) <= booked);
    }
}

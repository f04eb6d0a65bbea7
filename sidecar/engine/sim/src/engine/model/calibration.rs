//! Both tables measured on a real vLLM 0.24 (one H100, an 8B model) come out of the model: the
//! presets against the sweeps' rates, lengths and windows, each column the median of three runs (five where few requests come).
//!
//! Tolerances: first token p50 within a factor of 1.5 or 30 ms, p95 within 2 or 60 ms; time between
//! events within 1.5; requests running within 1.5; tokens a second within 15 %; the KV cache
//! within 0.1; requests waiting and preemptions where there were any, and nowhere else.

use super::load::{Load, Seen, run};
use super::profile::Profile;

/// A row of a table: its load, and what was measured.
struct Row {
    name: &'static str,
    load: Load,
    seen: Seen,
}

/// The largest deviations that pass: factors, or milliseconds where these are more generous.
const FIRST_P50: (f64, f64) = (1.5, 30.0);
const FIRST_P95: (f64, f64) = (2.0, 60.0);
const FACTOR: f64 = 1.5;
const TOKENS: f64 = 1.15;
const KV: f64 = 0.1;

#[rustfmt::skip]
const ONE_FRONT_END: [Row; 6] = [
    row("8/s", 1, [34, 47, 37, 32], 20_000, [31.0, 78.0, 7.0], 0, 20, 0.02, 1484.0, 0),
    row("16/s", 1, [65, 99, 92, 79], 20_000, [43.0, 108.0, 8.1], 0, 45, 0.05, 3524.0, 0),
    row("32/s", 1, [174, 179, 156, 146], 20_000, [134.0, 302.0, 13.2], 0, 104, 0.10, 6305.0, 0),
    row("48/s", 1, [240, 233, 233, 246], 20_000, [1079.0, 3875.0, 18.8], 0, 198, 0.19, 8405.0, 0),
    row("64/s", 1, [301, 289, 316, 288], 20_000, [3421.0, 6634.0, 35.4], 0, 440, 0.41, 8229.0, 0),
    row("64/s of four", 4, [57, 77, 76, 61], 15_000, [9705.0, 14358.0, 23.9], 0, 203, 0.12, 8000.0, 0),
];

#[rustfmt::skip]
const SIX_FRONT_ENDS: [Row; 5] = [
    row("24/s", 6, [9, 10, 13, 11], 11_600, [38.0, 97.0, 8.1], 0, 78, 0.12, 4989.0, 0),
    row("48/s", 6, [21, 26, 23, 18], 12_000, [46.0, 100.0, 9.4], 0, 137, 0.15, 7491.0, 0),
    row("72/s", 6, [32, 40, 35, 35], 12_000, [77.0, 149.0, 16.0], 0, 310, 0.40, 12199.0, 0),
    row("96/s", 6, [41, 66, 58, 51], 12_000, [105.0, 178.0, 29.0], 0, 739, 0.81, 14837.0, 0),
    row("144/s", 6, [67, 73, 72, 63], 12_000, [124.0, 284.0, 37.0], 205, 964, 1.0, 16219.0, 476),
];

/// A row as the tables write it.
#[expect(clippy::too_many_arguments, reason = "they are the columns of a table")]
const fn row(
    name: &'static str,
    clients: usize,
    requests: [usize; 4],
    window_ms: u64,
    [first_p50_ms, first_p95_ms, between_p50_ms]: [f64; 3],
    waiting_max: usize,
    running_max: usize,
    kv_max: f64,
    tokens_per_s: f64,
    preemptions: u64,
) -> Row {
    let seen = Seen {
        first_p50_ms,
        first_p95_ms,
        between_p50_ms,
        waiting_max,
        running_max,
        kv_max,
        tokens_per_s,
        preemptions,
    };
    Row { name, load: Load { clients, requests, window_ms }, seen }
}

/// What the model makes of a row.
fn simulated(profile: &Profile, row: &Row) -> Seen {
    // Few requests vary more from run to run.
    let seeds = if row.load.calls() < 700 { 1..=5 } else { 1..=3 };
    let runs: Vec<Seen> = seeds.map(|seed| run(profile.clone(), row.load, seed)).collect();
    let median = |column: fn(&Seen) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(column).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Seen {
        first_p50_ms: median(|seen| seen.first_p50_ms),
        first_p95_ms: median(|seen| seen.first_p95_ms),
        between_p50_ms: median(|seen| seen.between_p50_ms),
        waiting_max: median(|seen| seen.waiting_max as f64) as usize,
        running_max: median(|seen| seen.running_max as f64) as usize,
        kv_max: median(|seen| seen.kv_max),
        tokens_per_s: median(|seen| seen.tokens_per_s),
        preemptions: median(|seen| seen.preemptions as f64) as u64,
    }
}

/// The columns in which a row misses its tolerance.
fn misses(profile: &Profile, row: &Row) -> Vec<String> {
    let (is, was) = (simulated(profile, row), row.seen);
    let factor = |is: f64, was: f64| (is / was).max(was / is);
    let near =
        |(most, ms): (f64, f64), is, was| factor(is, was) <= most || f64::abs(is - was) <= ms;
    let (running, ran) = (is.running_max as f64, was.running_max as f64);
    let columns = [
        ("first p50", near(FIRST_P50, is.first_p50_ms, was.first_p50_ms)),
        ("first p95", near(FIRST_P95, is.first_p95_ms, was.first_p95_ms)),
        ("between", factor(is.between_p50_ms, was.between_p50_ms) <= FACTOR),
        ("waiting", (is.waiting_max > 0) == (was.waiting_max > 0)),
        ("running", factor(running, ran) <= FACTOR),
        ("kv", (is.kv_max - was.kv_max).abs() <= KV),
        ("tokens", factor(is.tokens_per_s, was.tokens_per_s) <= TOKENS),
        ("preemptions", (is.preemptions > 0) == (was.preemptions > 0)),
    ];
    println!("{}: {is:.1?}\n  measured {was:.1?}", row.name);
    let missed = columns.into_iter().filter(|(_, holds)| !holds);
    missed.map(|(column, _)| format!("{}: {column}", row.name)).collect()
}

/// One front end: it is full from about 45 requests a second on, callers wait for seconds, and
/// queue and KV cache say "free".
///
/// Not met, and pinned here so that it is known: how many run at 64/s from one client process, and
/// what they hold of the cache. That client was itself at its limit (the row below it is the same
/// server and load from four), which a model of the server cannot know.
#[test]
fn one_front_end_gives_the_first_table() {
    let profile = Profile::vllm();
    let missed: Vec<String> = ONE_FRONT_END.iter().flat_map(|row| misses(&profile, row)).collect();
    assert_eq!(missed, ["64/s: running", "64/s: kv"]);
}

/// Six front ends: the engine itself fills; KV cache, queue and preemptions tell, the first token
/// hardly moves.
#[test]
fn six_front_ends_give_the_second_table() {
    let profile = Profile::six_front_ends();
    let missed: Vec<String> = SIX_FRONT_ENDS.iter().flat_map(|row| misses(&profile, row)).collect();
    assert_eq!(missed, Vec::<String>::new());
}

//! Bounds of breakers, cooldowns and retries (I6).

/// First and longest pause of a breaker that a refused connection opened, doubling between them.
pub const BREAKER_FIRST_PAUSE_MS: u64 = 1_000;
/// See above: the line returns within ten seconds of recovery.
pub const BREAKER_LONGEST_PAUSE_MS: u64 = 8_000;
/// A pause is shorter by up to this part, drawn at random: a quarter.
pub const PAUSE_JITTER: u64 = 4;
/// Server errors in a row that open a breaker.
pub const BREAKER_FAILURES: u32 = 5;
/// The longest cooldown of a target, whatever asked for it.
pub const COOLDOWN_MS: u64 = 900_000;
/// Between two tries with a key that was refused: the provider may take it after all.
pub const KEY_COOLDOWN_MS: u64 = 60_000;
/// Between two looks whether the Secret of a resting credential holds another key.
pub const KEY_WATCH_MS: u64 = 500;
/// A probe that has not ended by then no longer keeps others out.
pub const PROBE_MS: u64 = 10_000;
/// How long a caller may be kept waiting for a rate limit to pass when nothing else can serve it.
pub const RATE_LIMIT_PATIENCE_MS: u64 = 2_000;
/// Hundredths of a retry that requests may save up for each target: 100 retries.
pub const RETRIES_EARNED_CENTI: u64 = 10_000;
/// Jittered pause before a retry on the same target.
pub const RETRY_PAUSE_MS: std::ops::Range<u64> = 20..120;
/// Pauses before further tries where nobody was reached, a quarter of each at random besides: a Service
/// names a pod that has ended for a second or two.
pub const UNREACHED_PAUSES_MS: [u64; 5] = [100, 200, 400, 800, 1_000];
/// All of that together, from the first failure on: who takes longer to refuse is not waited for.
pub const UNREACHED_PATIENCE_MS: u64 = 3_200;
/// Calls that wait so for one target at once: a target that is gone must not fill the room of others.
pub const UNREACHED_WAITERS: u64 = 256;

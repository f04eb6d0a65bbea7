//! Bounds of what is known of targets' health, by our own calls and by what others say (`breaker`).

/// Failures that are further apart are of two outages.
pub const OUTAGE_GAP_MS: u64 = 30_000;
/// How exactly it is known when a target answered last.
pub const ANSWERED_STEP_MS: u64 = 250;
/// An answer of longer ago is not reported.
pub const ANSWERED_MS: u64 = 60_000;
/// What others say of a target is believed for so long, if they do not say it again.
pub const HEARSAY_MS: u64 = 45_000;
/// Pause before a call of ours looks whether a target is down that others find down: with the call that
/// looks and the one after it, less than ten seconds.
pub const HEARSAY_PAUSE_MS: std::ops::Range<u64> = 3_000..7_000;
/// Over how long a fleet comes back to a target that others have found up again.
pub const RETURN_SPREAD_MS: u64 = 1_000;
/// A `health` document: a thousand models are fifty kilobytes.
pub const HEALTH_BYTES: usize = 1 << 20;

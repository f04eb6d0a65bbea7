//! Bounds of what providers allow a whole fleet, and of the shares that sidecars hold of it (I6).

/// How long a used unit of a minute's rate rests, whole seconds: a minute, and two for the clocks and
/// connections on the way, which may bring two calls closer together than they were sent.
pub const QUOTA_WINDOW_S: usize = 62;
/// What a share may be spent ahead of its even pace, seconds: providers count by the second, too.
pub const QUOTA_BURST_S: u64 = 3;
/// The place of a call that was given up is taken by nobody for so long, seconds: its provider notices
/// later than we do.
pub const QUOTA_ABANDONED_S: usize = 2;
/// Over how many seconds it is measured what a sidecar needs.
pub const QUOTA_DEMAND_S: usize = 10;
/// What is asked for beyond that, percent: load grows, and the hub is not asked at every step.
pub const QUOTA_AHEAD_PERCENT: u64 = 25;
/// Calls of one model that wait for a share at once; more are refused at once.
pub const QUOTA_WAITERS: usize = 256;
/// Limits known at once, those of earlier tables included whose shares are not given back yet; calls
/// of further models are refused with the table.
pub const QUOTAS: usize = 2_048;
/// Least time between two words with the hub while callers wait, milliseconds, until it names another.
pub const QUOTA_URGENT_GAP_MS: u64 = 100;
/// Shortest and longest time that the hub may name for it, milliseconds.
pub const QUOTA_AGAIN_RANGE_MS: std::ops::RangeInclusive<u64> = 20..=10_000;
/// Between two words while shares are being spent, milliseconds.
pub const QUOTA_BUSY_GAP_MS: u64 = 1_000;
/// Between two words while nothing is asked for: a share must not lapse, milliseconds.
pub const QUOTA_IDLE_GAP_MS: u64 = 30_000;
/// How long a share may be spent that the hub has not confirmed, where it says longer, milliseconds.
pub const QUOTA_HORIZON_MS: u64 = 900_000;
/// How long a call is taken to last where its place is waited for, milliseconds: what a refused
/// caller is told is a guess then.
pub const QUOTA_CALL_MS: u64 = 1_000;
/// The longest wait that a refused caller is told, seconds.
pub const QUOTA_RETRY_S: u64 = 60;

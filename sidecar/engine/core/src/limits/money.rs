//! Bounds of reservations, leases, journal and ledger (I6).

// Reservations.

/// Tokens that one image can cost, at most (tiled at the highest detail).
pub const IMAGE_TOKENS: u64 = 4_000;
/// Answer tokens that a stream reserves at once.
pub const STREAM_STEP_TOKENS: u64 = 256;
/// A stream asks for more when less than this is left.
pub const STREAM_AHEAD_TOKENS: u64 = 96;
/// Where an account has room for fewer worst cases than this, streams reserve theirs like plain calls.
pub const NEAR_END_CALLS: u64 = 64;
/// An answer shorter than this is not worth its prompt: refused instead.
pub const LEAST_CAP_TOKENS: u64 = 16;

// Money: `budget`, `lease`, `journal`, `ledger`.

/// Accounts of one table that can be booked on; more are refused with the table.
pub const ACCOUNTS: usize = 256;
/// Accounts known at once, with those of earlier tables whose leases are not yet closed; more are
/// refused with the table.
pub const ACCOUNTS_HELD: usize = 2_048;
/// Accounts that may bind one request; a request that more bind is refused, never booked in part.
pub const ACCOUNTS_PER_REQUEST: usize = 16;
/// Leases held at once: two windows an account, and some that drain. One journal slot each.
pub const LEASES: usize = 640;
/// Times that a running call may go on on a new lease because its own was lost; then it is cut.
pub const LEASES_PER_CHARGE: usize = 4;
/// Reservations open at once, each with a journal slot; above: refused as overloaded.
pub const OPEN_CHARGES: usize = 4_096;
/// Requests that wait for a grant at once; above: refused as overloaded.
pub const BUDGET_WAITERS: usize = 1_024;
/// How long one request waits for a grant where the ledger is silent, milliseconds.
pub const BUDGET_WAIT_MS: u64 = 250;
/// How long it waits for the answer to a sync that is under way, from when that was sent, milliseconds.
pub const BUDGET_ANSWER_MS: u64 = 2_000;
/// Answers that are waited for: a want that arrives during one exchange is carried by the next.
pub const BUDGET_ANSWERS: u64 = 2;
/// How long it waits for what other holders give back, where the hub has called them, milliseconds:
/// above the hub's own limit, so that the hub's word decides.
pub const BUDGET_CALLED_MS: u64 = 5_000;
/// Shortest and longest time after which the hub may want to be asked again then, milliseconds.
pub const CALLED_RANGE_MS: std::ops::RangeInclusive<u64> = 20..=1_000;
/// After an answer the next sync is sent within the urgent gap; the rest is for a busy machine.
pub const NEXT_SYNC_MS: u64 = 100;
/// Dimension tuples counted apart; the rest share one whose dimensions are `other`.
pub const USAGE_TUPLES: usize = 256;
/// Bytes of one usage dimension; longer ones are cut.
pub const USAGE_DIMENSION_BYTES: usize = 128;
/// Journals of former boots that wait for the hub; with more, no lease is taken.
pub const OLD_JOURNALS: usize = 16;
/// An answer of the ledger, bytes; larger ones are refused.
pub const SYNC_ANSWER_BYTES: usize = 4 << 20;
/// One exchange with the ledger, connecting included, milliseconds.
pub const SYNC_TIMEOUT_MS: u64 = 5_000;
/// Least time between two syncs while somebody waits, milliseconds: at most 50 a second.
pub const SYNC_URGENT_GAP_MS: u64 = 20;
/// Least time between two syncs that only refill, milliseconds.
pub const SYNC_REFILL_GAP_MS: u64 = 200;
/// The first pause after a failed sync; the second failure makes an outage, while callers still wait.
pub const SYNC_FIRST_PAUSE_MS: u64 = 50;
/// Longest pause after failed syncs, milliseconds.
pub const SYNC_BACKOFF_MS: u64 = 5_000;
/// How long the last report at shutdown is tried, milliseconds.
pub const FINAL_REPORT_MS: u64 = 5_000;
/// Between two tries of the last report, milliseconds.
pub const FINAL_RETRY_MS: u64 = 100;
/// The first lease of an account whose needs are not known: a tenth of a dollar at most, picodollars.
pub const FIRST_LEASE_PICO: u64 = 100_000_000_000;
/// And at most one in so many of its limit.
pub const FIRST_LEASE_SHARE: u64 = 1_000;
/// A prefetch asks for at most one in so many of what an account has left; the hub, which knows how
/// many hold leases, cuts it to a fair share.
pub const PREFETCH_SHARE: u64 = 2;
/// How often the spending is measured that a lease should last for through an outage, milliseconds.
pub const STEADY_MS: u64 = 10_000;
/// How long a ledger's "exhausted" refuses at once what does not fit, where it names no time itself,
/// milliseconds.
pub const DENIAL_MS: u64 = 1_000;
/// A block that the hub reported longer ago is asked about again, where it names no time itself,
/// milliseconds.
pub const STANDING_STALE_MS: u64 = 5_000;
/// Shortest and longest time that a hub may name for either, milliseconds.
pub const AGAIN_RANGE_MS: std::ops::RangeInclusive<u64> = 100..=60_000;
/// The next window's lease is asked for at least so long before it starts, milliseconds ...
pub const NEXT_WINDOW_LEAD_MS: u64 = 60_000;
/// ... and at most so much earlier, spread over sidecars and accounts, milliseconds.
pub const NEXT_WINDOW_SPREAD_MS: u64 = 120_000;
/// Time between two renewals until the hub has named one, milliseconds.
pub const RENEW_MS: u64 = 30_000;
/// Shortest and longest time between renewals that a hub may set, milliseconds.
pub const RENEW_RANGE_MS: std::ops::RangeInclusive<u64> = 100..=600_000;

//! Every bound of the data plane (I6), each with its reason. Nothing else defines one.

/// Request bodies; above: 413. 64 MiB holds a dozen images as base64.
pub const REQUEST_BODY_BYTES: usize = 64 << 20;
/// Plain answers are buffered up to here before headers go down, so that a truncated one stays retriable.
pub const PLAIN_ANSWER_BYTES: usize = 8 << 20;
/// A stream holds back at most this much before its first content.
pub const STREAM_HOLD_BYTES: usize = 64 << 10;

// Errors and streams (`error`, `sse`, `usage`, `decode`).

/// Bytes of an upstream's error answer that are read to classify it.
pub const ERROR_BODY_BYTES: usize = 64 << 10;
/// Characters of a caller's text that an error message repeats.
pub const ECHO_CHARS: usize = 200;
/// The longest wait that a provider may impose on us, and that we pass on.
pub const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(900);
/// The longest rest of an overloaded target before its half-open probe.
pub const OVERLOAD_COOLDOWN: std::time::Duration = std::time::Duration::from_secs(30);

// Features and choosing.

/// Characters kept of the start and of the end of the last user text: routing reads no more.
pub const FEATURE_SIDE_CHARS: u32 = 500;
/// Answer length assumed for a model of which nothing is known, tokens; money reserves the worst case instead.
pub const EXPECTED_OUTPUT_TOKENS: u32 = 300;

// Request bodies and rules (`scan`, `rules`).

/// Open containers of a request body; `serde_json`'s own bound, so that both accept the same documents.
pub const JSON_DEPTH: usize = 127;
/// Bytes of a requested model's name; the longest fine-tune names stay under 150.
pub const MODEL_NAME_BYTES: usize = 512;
/// Bytes of a service tier's name.
pub const SERVICE_TIER_BYTES: usize = 64;
/// One event of a stream; an image as base64 fits.
pub const STREAM_EVENT_BYTES: usize = 4 << 20;
/// Bytes around a chunk's text that a stream remembers to recognise the next one.
pub const STREAM_TEMPLATE_BYTES: usize = 1 << 10;
/// Choices of one call: `n` is at most this at every provider.
pub const CHOICES: u32 = 128;
/// Depth of a delta; deeper is no chunk.
pub const DELTA_DEPTH: usize = 32;
/// Characters of a provider's own id or tier that are kept.
pub const UPSTREAM_ID_CHARS: usize = 128;
/// Tokens of one call; a report above is a fault, not a bill.
pub const CALL_TOKENS: u64 = 1_000_000_000;
/// Bytes of the longest token in use (a run of spaces in OpenAI's o200k).
pub const TOKEN_BYTES: u64 = 128;
/// Tokens that a cut call may have been billed for beyond what arrived, if its deltas were smaller.
pub const CUT_TOKENS: u64 = 16;
/// Signals of one table: one bit each in a request's match. The CRD allows fewer.
pub const SIGNALS: usize = 128;
/// Decoded bytes of a compressed stream.
pub const STREAM_DECODED_BYTES: usize = 64 << 20;
/// Decoded bytes for each byte that arrived: repetitive chunks reach 50, a bomb 1,000.
pub const DECODE_RATIO: u64 = 200;
/// Decoded bytes that are allowed beside the ratio, for small answers.
pub const DECODE_SLACK_BYTES: u64 = 64 << 10;
/// A gzip header, names and comments included.
pub const GZIP_HEADER_BYTES: usize = 4 << 10;
// Money: `budget`, `lease`, `journal`, `ledger`.

/// Accounts of one table that can be booked on; more are refused with the table.
pub const ACCOUNTS: usize = 256;
/// Accounts that may bind one request; a request that more bind is refused, never booked in part.
pub const ACCOUNTS_PER_REQUEST: usize = 16;
/// Leases held at once: two windows an account, and some that drain. One journal slot each.
pub const LEASES: usize = 640;
/// Reservations open at once, each with a journal slot; above: refused as overloaded.
pub const OPEN_CHARGES: usize = 4_096;
/// Requests that wait for a grant at once; above: refused as overloaded.
pub const BUDGET_WAITERS: usize = 1_024;
/// How long one request waits for a grant, milliseconds.
pub const BUDGET_WAIT_MS: u64 = 250;
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
/// Longest pause after failed syncs, milliseconds.
pub const SYNC_BACKOFF_MS: u64 = 5_000;
/// How long the last report at shutdown is tried, milliseconds.
pub const FINAL_REPORT_MS: u64 = 5_000;
/// The first lease of an account whose needs are not known: a tenth of a dollar at most, picodollars.
pub const FIRST_LEASE_PICO: u64 = 100_000_000_000;
/// And at most one in so many of its limit.
pub const FIRST_LEASE_SHARE: u64 = 1_000;
/// A prefetch takes at most one in so many of what an account has left.
pub const PREFETCH_SHARE: u64 = 16;
/// How long a ledger's "exhausted" refuses at once what does not fit, milliseconds.
pub const DENIAL_MS: u64 = 1_000;
/// A block that the hub reported longer ago is asked about again, milliseconds.
pub const STANDING_STALE_MS: u64 = 5_000;
/// The next window's lease is asked for at least so long before it starts, milliseconds ...
pub const NEXT_WINDOW_LEAD_MS: u64 = 60_000;
/// ... and at most so much earlier, spread over sidecars and accounts, milliseconds.
pub const NEXT_WINDOW_SPREAD_MS: u64 = 120_000;
/// Time between two renewals until the hub has named one, milliseconds.
pub const RENEW_MS: u64 = 30_000;

//! Every bound of the data plane (I6), each with its reason. Nothing else defines one. Those of money,
//! of attempts, of health and of sound and images stand in files of their own.

mod attempts;
mod health;
mod media;
mod money;
mod quota;

pub use attempts::*;
pub use health::*;
pub use media::*;
pub use money::*;
pub use quota::*;

/// Request bodies; above: 413. 64 MiB holds a dozen images as base64.
pub const REQUEST_BODY_BYTES: usize = 64 << 20;
/// Plain answers are buffered up to here before headers go down, so that a truncated one stays retriable.
pub const PLAIN_ANSWER_BYTES: usize = 8 << 20;
/// A stream holds back at most this much before its first content.
pub const STREAM_HOLD_BYTES: usize = 64 << 10;

// What providers keep (`kept`, `pin`).

/// A file on its way to a provider, which passes as it comes; above: 413, or the upload breaks off.
/// OpenAI's own bound.
pub const UPLOAD_BYTES: u64 = 512 << 20;
/// JSON bodies of such requests, which are read whole.
pub const KEPT_BODY_BYTES: usize = 1 << 20;
/// Models that a batch among them may name.
pub const BATCH_MODELS: usize = 64;
/// How long one may take, the upload too.
pub const KEPT_TOTAL_MS: u64 = 600_000;

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
// --- serving ---
/// Request line and headers together; above: 431 in OpenAI's shape (hyper's own bound is higher).
pub const REQUEST_HEAD_BYTES: usize = 32 << 10;
/// hyper's own bound on a request head, and the size of its read buffer.
pub const HTTP_BUFFER_BYTES: usize = 512 << 10;
/// Headers of one request; above: 431. Hyper's own bound is the same: one that is set there costs two
/// large allocations a request.
pub const REQUEST_HEADERS: usize = 100;
/// How long a caller may take over its request head, a new connection's first one counted from its begin.
pub const HEADER_READ_TIMEOUT_MS: u64 = 15_000;
/// How long an app's connection may be idle between two requests: clients that keep theirs for long (Go's: 90 s)
/// close them first, so that none sends a request on one that is just being closed.
pub const IDLE_CALLER_MS: u64 = 120_000;
/// The same at a gateway, where load balancers keep theirs for up to ten minutes (Google's; Amazon's: one).
pub const IDLE_GUEST_MS: u64 = 630_000;
/// Between two ticks of a data thread's nearest timer; shorter than any timeout of a request.
pub const NEAR_TIMER_MS: u64 = 250;
/// How long a caller may pause within its request body.
pub const BODY_IDLE_TIMEOUT_MS: u64 = 30_000;
/// Beside that pause, a body arrives at this rate at least, bytes a second: who sends a byte now and then
/// holds room that others need.
pub const BODY_LEAST_RATE: u64 = 4 << 10;
/// How much of a refused request's body is read on and thrown away, so that its answer arrives.
pub const DISCARDED_BODY_BYTES: usize = 64 << 20;
/// The pause in it after which no more is expected.
pub const DISCARD_IDLE_MS: u64 = 500;
/// Open connections of apps a data thread; above, they wait in the listen queue.
pub const CONNECTIONS: usize = 16_384;
/// How soon a full or failing listener looks again.
pub const ACCEPT_PAUSE_MS: u64 = 20;
/// Memory for each call in flight; more calls than there is memory for: 503. Streams count until their last
/// byte. They take 30 to 40 KiB each (measured), which leaves room for the bodies below: 4,096 calls in the
/// default 256 MiB.
pub const CALL_BYTES: u64 = 64 << 10;
/// Calls in flight a process, however much memory there is: each has two sockets.
pub const IN_FLIGHT_REQUESTS: u64 = 16_384;
/// Of the room for calls and bodies, in hundredths: what all may fill before routes of low priority are
/// refused ...
pub const LOW_PRIORITY_PERCENT: u64 = 50;
/// ... and, where the table has routes of high priority, those of normal priority.
pub const NORMAL_PRIORITY_PERCENT: u64 = 90;
/// Request bytes that calls in flight hold, in hundredths of the memory limit; above: 503.
pub const IN_FLIGHT_BODY_PERCENT: u64 = 40;
/// The memory limit where none is told: what the injector sets by default.
pub const DEFAULT_MEMORY_BYTES: u64 = 256 << 20;
/// A call without a table waits this long for one.
pub const TABLE_WAIT_MS: u64 = 2_000;
/// After the drain the process waits this long for Python before it exits.
pub const PYTHON_EXIT_WAIT_MS: u64 = 1_000;

/// Connections that wait to be accepted.
pub const LISTEN_QUEUE: i32 = 1_024;
/// Between two looks at the connections that are still open while draining.
pub const DRAIN_LOOK_MS: u64 = 20;
/// How long the event of a cut stream gets to reach the socket before the body is aborted.
pub const CUT_FLUSH_MS: u64 = 5;
/// What still runs when the drain is over has so long to tell its caller; then the process ends.
pub const LAST_WORDS_MS: u64 = 500;
/// An answer of our own that nobody reads holds its connection so long; one to a call, as long as the
/// call may take.
pub const ANSWER_WRITE_MS: u64 = 30_000;
/// Between two tries to pay for the rest of a stream.
pub const PAYMENT_PAUSE_MS: u64 = 10;
/// How long a finished stream's connection may take to show its end, to be used again.
pub const RECYCLE_MS: u64 = 500;

// --- upstream ---
/// Answer head of an egress proxy.
pub const TUNNEL_HEAD_BYTES: usize = 8 << 10;
/// How long a read key is used before its file is looked at again (rotation without restart).
pub const KEY_REREAD_MS: u64 = 2_000;
/// Largest key file.
pub const KEY_BYTES: usize = 16 << 10;
/// Idle HTTP/1.1 connections kept an origin and thread.
pub const IDLE_CONNECTIONS: usize = 512;
/// An idle connection older than this is not used: the peer may be closing it.
pub const IDLE_CONNECTION_MS: u64 = 55_000;
/// TCP, TLS and HTTP/2 handshakes together.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// HTTP/2 keep-alive ping interval.
pub const HTTP2_PING_MS: u64 = 20_000;
/// Streams on one HTTP/2 connection, under the peer's own limit.
pub const HTTP2_STREAMS: usize = 100;
/// Headers of an upstream answer.
pub const UPSTREAM_HEAD_BYTES: usize = 64 << 10;

// --- table ---
/// A table's canonical bytes.
pub const TABLE_BYTES: usize = 16 << 20;
/// Models of a table.
pub const MODELS: usize = 1_000;
/// Rules of a table.
pub const RULES: usize = 256;
/// Candidates of a route.
pub const CANDIDATES: usize = 32;

// --- fleet ---
/// A `fleet` document: a thousand endpoints are a hundred kilobytes.
pub const FLEET_BYTES: usize = 8 << 20;
/// Endpoints of one model.
pub const ENDPOINTS: usize = 1_024;
/// Endpoints of one model that are remembered, those that have left included.
pub const ENDPOINTS_KNOWN: usize = 2_048;
/// What a caller is told to wait when a self-hosted model has no endpoint, seconds.
pub const ENDPOINT_RETRY_S: u64 = 5;
/// The hub's highest level: the endpoint can take no more.
pub const FULL_LEVEL: u8 = 4;

// --- metrics ---
/// How long a model that left the table is still shown: several scrapes see its last counts.
pub const RETIRED_LABELS_MS: u64 = 300_000;
/// Models that left and are still shown, at most; the oldest go first.
pub const RETIRED_LABELS: usize = 64;

// --- records ---
/// Records kept for `explain` in the engine.
pub const RECORD_RING: usize = 2_048;
/// Records waiting for Python; older ones are dropped and counted.
pub const RECORD_QUEUE: usize = 4_096;
/// Successes recorded in full a second; all else is always recorded.
pub const RECORDED_SUCCESSES_PER_SECOND: u32 = 50;
/// Candidate rows in one record.
pub const RECORD_CANDIDATES: usize = 32;
/// A team or key label longer than this is cut.
pub const LABEL_BYTES: usize = 64;

// --- life cycle ---
/// The startup probe passes without a table after this.
pub const STARTUP_WAIT_MS: u64 = 5_000;
/// Liveness fails when Python has been silent for longer and no call is in flight.
pub const SUPERVISOR_SILENCE_MS: u64 = 300_000;
/// Bytes scanned between two turns of the runtime: no step holds the thread longer than 500 us.
pub const SCAN_SLICE_BYTES: usize = 128 << 10;
/// The slowest answer that a plain call waits for, beyond the first-token limit.
pub const PLAIN_ANSWER_MS_PER_TOKEN: u64 = 50;
// Request bodies and rules (`scan`, `rules`).

/// Open containers of a request body; `serde_json`'s own bound, so that both accept the same documents.
pub const JSON_DEPTH: usize = 127;
/// Bytes of a requested model's name; the longest fine-tune names stay under 150.
pub const MODEL_NAME_BYTES: usize = 512;
/// Bytes of a service tier's name.
pub const SERVICE_TIER_BYTES: usize = 64;

// --- traces ---
/// Spans waiting to be sent.
pub const SPAN_QUEUE: usize = 8_192;
/// Between two batches.
pub const SPAN_EXPORT_MS: u64 = 1_000;
/// A collector that takes longer is away.
pub const SPAN_SEND_MS: u64 = 5_000;
/// Spans of one batch: a few hundred kilobytes.
pub const SPAN_BATCH: usize = 512;
/// A batch that a collector could not take as often is lost.
pub const SPAN_SEND_TRIES: u32 = 3;
/// At the end: how long the last spans may take, and between two tries.
pub const SPAN_FLUSH_MS: u64 = 2_000;
/// See `SPAN_FLUSH_MS`.
pub const SPAN_RETRY_MS: u64 = 100;
/// A collector's answer; more is not read.
pub const SPAN_ANSWER_BYTES: usize = 64 << 10;
/// Characters of a text on a span.
pub const SPAN_TEXT_CHARS: usize = 256;
/// One event of a stream; an image as base64 fits.
pub const STREAM_EVENT_BYTES: usize = 4 << 20;
/// Bytes around a chunk's text that a stream remembers to recognise the next one.
pub const STREAM_TEMPLATE_BYTES: usize = 1 << 10;
/// Chunks without a match after which a stream is taken to have none (obfuscation changes each).
pub const STREAM_TEMPLATE_MISSES: u8 = 8;
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
/// Answer tokens that a plain call may wait for where the caller set no cap.
pub const UNCAPPED_ANSWER_TOKENS: u64 = 4_096;
/// Signals of one table: one bit each in a request's match. The CRD allows fewer.
pub const SIGNALS: usize = 128;
/// Decoded bytes of a compressed stream.
pub const STREAM_DECODED_BYTES: usize = 64 << 20;
/// Decoded bytes for each byte that arrived: repetitive chunks reach 50, a bomb 1,000.
pub const DECODE_RATIO: u64 = 200;
/// Decoded bytes that are allowed beside the ratio, for small answers.
pub const DECODE_SLACK_BYTES: u64 = 64 << 10;
/// Bytes inflated at a time.
pub const INFLATE_BLOCK_BYTES: usize = 16 << 10;
/// A gzip header, names and comments included.
pub const GZIP_HEADER_BYTES: usize = 4 << 10;

/// The end of a large answer that is kept to read its usage from.
pub const LARGE_TAIL_BYTES: usize = 4 << 10;

// --- gateways ---
/// A ticket; ours have a few hundred bytes.
pub const TICKET_BYTES: usize = 2_048;
/// Tickets whose signature is remembered as good: one for each pod that calls.
pub const TICKETS_VERIFIED: usize = 16_384;
/// Clocks of hub and gateway may differ by this.
pub const TICKET_SKEW_S: i64 = 60;
/// Key and certificate that the next start finds; a chain has some kilobytes.
pub const KEPT_CERTIFICATE_BYTES: u64 = 64 << 10;
/// How long a caller may take over the TLS handshake.
pub const TLS_HANDSHAKE_MS: u64 = 10_000;
/// A gateway waits as long as its caller does, whose policy has the real limits: the API's largest.
pub const GATEWAY_WAIT_MS: u64 = 3_600_000;
// --- API keys (`admission`) ---
/// API keys of one gateway; a Secret holds about as many.
pub const API_KEYS: usize = 4_096;
/// One key's entry; its globs are most of it.
pub const API_KEY_ENTRY_BYTES: u64 = 16 << 10;
/// Between two looks whether the callers that are known have changed: a change acts within two seconds.
pub const CALLERS_LOOK_MS: u64 = 1_000;

// --- signatures and tokens ---
/// How long an assertion of a service account holds: the most that Google takes.
pub const GOOGLE_ASSERTION_S: u64 = 3_600;
/// How long before its end an access token is replaced: a call that begins just before may take minutes.
pub const TOKEN_MARGIN_S: u64 = 300;
/// A clock that is off by less is none the worse for it: AWS takes signatures of five minutes either way.
pub const CLOCK_SKEW_S: u64 = 240;
/// How long grants are asked for where one may say so: what every role and account allows.
pub const GRANT_S: u64 = 3_600;
/// How long a call waits for the first token of a source.
pub const TOKEN_WAIT_MS: u64 = 5_000;
/// How long one exchange may take.
pub const TOKEN_TIMEOUT_MS: u64 = 10_000;
/// An endpoint's answer; tokens have some kilobytes.
pub const TOKEN_ANSWER_BYTES: usize = 64 << 10;
/// A source that nobody asked for so long is not renewed until somebody does.
pub const TOKEN_IDLE_MS: u64 = 600_000;
/// How often a source looks whether it is still needed.
pub const TOKEN_LOOK_MS: u64 = 60_000;
/// Renewals of a fleet are spread over this before their time.
pub const TOKEN_SPREAD_MS: u64 = 60_000;
/// A token that is refused within this time of being given is not replaced: it was never any good.
pub const TOKEN_FRESH_MS: u64 = 2_000;
/// The same for one that took the place of a refused one: shortest time between two such replacements.
pub const TOKEN_AGAIN_MS: u64 = 30_000;
/// The pause after a failed exchange, doubled each time ...
pub const TOKEN_RETRY_MS: u64 = 1_000;
/// ... up to this.
pub const TOKEN_RETRY_MAX_MS: u64 = 60_000;
// --- translation (`wire`) ---
/// Larger bodies are translated beside the data thread, which takes some 10 us a kilobyte.
pub const TRANSLATED_HERE_BYTES: usize = 32 << 10;
/// The header that names what a translation left out.
pub const DROPPED_BYTES: usize = 1_024;
/// How often a provider may repeat a request in a stream before its first content (Responses does twice,
/// with escapes).
pub const STREAM_ECHOES: usize = 4;

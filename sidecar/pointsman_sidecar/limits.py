"""Every bound of the Python side in one place, with its unit (I6); the engine has its own."""

MAX_PORT = 65535
MAX_DATA_THREADS = 64
MAX_DRAIN_S = 3600
"""Largest values of the settings of those names."""

LEAST_MEMORY_BYTES = 2**20
"""Smallest value of the setting of that name: room for sixteen calls."""

MAX_MEMORY_BYTES = 2**60
"""A memory limit above is none: cgroups of version 1 say so by their largest number."""

MAX_LINE_BYTES = 32 * 1024 * 1024
"""One event of the hub's stream: a gzipped table in base64."""

MAX_TABLE_BYTES = 64 * 1024 * 1024
"""A table once unpacked; what would grow beyond it is refused unread."""

MAX_BUNDLE_BYTES = 256 * 1024
"""The hub's authority: some certificates of two kilobytes each."""

MAX_UNSENT_BATCHES = 16
"""Batches of decisions kept for a hub that does not answer; the oldest goes first."""

MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Bytes of those batches together."""

MAX_EXPLAIN_ANSWERS = 64
"""Answers to `explain` events that wait for the next report."""

MAX_ERROR_BYTES = 2048
"""Of an error's body, for the log."""

READ_BYTES = 64 * 1024
"""One read from the stream."""

STREAM_IDLE_S = 25.0
"""Without a byte for this long (the hub pings every 10 s) the stream is dead."""

REPORT_TIMEOUT_S = 5.0
"""Connecting, sending and waiting for the answer of one report, each."""

KEEP_ALIVE_S = 3.0
"""A connection that lay idle longer is not used again: the hub may be closing it."""

REPORT_EVERY_S = 0.25
"""Between looks for new decisions and questions; nothing is sent when there is nothing new."""

REPORT_AT_LEAST_EVERY_S = 30.0
"""A report goes out this often even with nothing new."""

RECONNECT_MIN_S = 0.2
RECONNECT_MAX_S = 20.0
"""Waits between attempts grow from the one to the other, each drawn at random from [0, wait]."""

WATCH_EVERY_S = 1.0
"""Between looks at a table file."""

HUB_AWAY_S = 90.0
"""With the hub away for this long the ConfigMap is newer: the kubelet brings it a minute late."""

MAX_TROUBLE_CHARACTERS = 1000
"""Of what the sources say is wrong, for a report."""

HEALTH_AGAIN_S = 12.0
"""While the hub's stream lives, what it said is down is said to the engine again after this; it
pings every ten, and the engine believes it for 45."""

STATE_EVERY_S = 0.5
"""Between looks at what the engine says of targets, keys and the ledger: a target that went down is
told to the hub within this and `REPORT_EVERY_S`."""

FINAL_REPORT_S = 0.8
"""After the drain: the engine gives Python one second in all."""

OPEN_FILES = 40_000
"""Two sockets for each call of the engine's most; listeners, files and idle connections."""

LEAST_OPEN_FILES = 9_000
"""The same for the calls that a sidecar of the default size takes; with fewer it says so."""

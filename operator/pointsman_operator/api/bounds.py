"""Every maximum of the custom resources (I6), each with its reason.

Schemas and models read them here.
"""

from __future__ import annotations

MODELS_PER_POOL = 64
"""Models of one pool: keeps CEL's quadratic alias rule affordable and a table under 1 MiB."""
ALIASES_PER_MODEL = 8
"""Globs under which callers may ask for one model."""
POOLS_PER_POLICY = 8
"""Pools that one policy reads: 512 candidates are more than any rule can use."""
SIGNALS_PER_POLICY = 64
"""Named predicates; each costs the data plane at most a few microseconds a request."""
RULES_PER_POLICY = 64
"""Rules are tried in order on every request."""
SIGNALS_PER_LIST = 16
"""Signals in one list of a `when`: rules x lists x signals keeps CEL's estimated cost below its
limit."""
CANDIDATES_PER_ROUTE = 16
"""The engine keeps one fixed array of scores a request."""
NAMES_PER_LIST = 64
"""Values of one header, namespaces, workloads, keywords, globs."""
REGIONS_PER_LIST = 32
"""Regions that a pool or a policy allows."""
LIMITS_PER_BUDGET = 8
"""Accounts of one Budget: all must pass on every request."""
THRESHOLDS_PER_BUDGET = 8
"""Steps between silence and refusal."""
LABELS_PER_SELECTOR = 16
"""Labels that select workloads."""
GATEWAY_REPLICAS = 64
"""Pods of one gateway: each takes tens of thousands of calls a second."""
CONDITIONS = 16
"""Conditions of one status."""

NAME_LENGTH = 63
"""A DNS label, so that names fit into Kubernetes object names and metric labels."""
GLOB_LENGTH = 128
"""Globs over model names."""
KEY_NAME_LENGTH = 64
"""An API key's name: the engine cuts labels of attribution there."""
TEXT_LENGTH = 256
"""Upstream model ids, header values, keywords."""
URL_LENGTH = 512
"""Base URLs."""

MESSAGE_LENGTH = 4_096
"""Condition messages are cut here; `pointsman validate` prints all problems."""
TIME_LENGTH = 40
"""RFC 3339 with fraction and offset."""
AMOUNT_LENGTH = 24
"""Dollars that a status shows, sign and decimals included."""
SHARE_LENGTH = 24
"""`40/40` in a status."""
LIMIT_LENGTH = 20
"""Dollars of a limit, as written."""
PRICE_LENGTH = 14
"""Dollars of a price, as written."""
DURATION_LENGTH = 20
"""A duration such as `1h30m`."""
DIGEST_LENGTH = 80
"""`sha256:` and 64 hexadecimal digits."""
SECRET_KEY_LENGTH = 253
"""Kubernetes' own bound on the keys of a Secret."""
CAPABILITIES = 12
"""Capabilities of one model: more than there are."""

TOKENS = 100_000_000
"""Context windows and token signals."""
TIER = 9
"""Highest tier."""
PERCENT = 100
"""Shares are integers 0-100."""
WEIGHT = 1_000_000
"""Weights of `Weighted`, priorities of `Failover`."""
PRIORITY = 1_000_000
"""Priority of a policy, either way."""
GPUS = 1_024
"""Accelerators behind one self-hosted endpoint."""
PORT = 65_535
"""TCP."""
QUEUE = 100_000
"""Calls that wait at one self-hosted endpoint."""
QUEUE_FULL = 5
KV_CACHE_FULL_PERCENT = 80
METRICS_STALE_MS = 3_000
"""What counts as full, and as old, where `saturation` does not say."""
UNITS_PER_MINUTE = 1_000_000_000
"""Calls or tokens that a provider allows in a minute."""
IN_FLIGHT = 1_000_000
"""Calls that a provider takes at once."""
TOKENS_PER_SECOND = 100_000_000
"""Throughput of one self-hosted endpoint."""
ATTEMPTS = 10
"""Attempts of one request over all candidates."""
RETRIES_PER_SECOND = 10_000
"""Retries that are always allowed."""
HELD_TOKENS = 200
"""Tokens of a stream that are held back: their events fill the 64 KiB that the engine holds."""
HELD_MS = 10_000
"""How long they are: whoever reads along waits."""

LIMIT_USD = 9_000_000
"""A limit in dollars: its picodollars fit a signed 64-bit integer with room for the overrun."""
PRICE_USD_PER_MTOK = 1_000_000
"""A price in dollars per million tokens."""
GPU_HOUR_USD = 10_000
"""An accelerator's hour in dollars."""
FILE_BYTES = 4 << 20
"""One resource file; a Kubernetes object is at most 1.5 MiB."""
DOCUMENT_VALUES = 100_000
"""Values of one document with its aliases written out: a few nested aliases make billions."""
FILES = 1_000
"""Resource files of one folder."""

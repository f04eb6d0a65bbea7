"""Every bound and interval of what watches self-hosted engines (I6), with its reason."""

from __future__ import annotations

PLACES_MAX = 256
"""Services and selectors watched at once, one watch each."""
ENDPOINTS_PER_MODEL_MAX = 256
POOL_BYTES_MAX = 1 << 20
"""One pool's document."""
POOLS_MAX = 10_000

SCRAPE_EVERY_S = 1.0
SCRAPE_JITTER = 0.2
"""Of the interval, either way: a fleet that starts at once is not asked at once for ever."""
SCRAPE_WITHIN_S = 2.0
SCRAPES_AT_ONCE = 32
PAGE_BYTES_MAX = 4 << 20
"""A metrics page; vLLM's is 44 KB."""
SLEEP_AGAIN_S = 30.0
"""How soon an engine that knew no `/is_sleeping` is asked for it again."""
VALUE_MAX = 1e12
"""A figure above this is a mistake."""

TELL_EVERY_S = 0.25
"""Changes of a quarter of a second are told together."""
KNOWN_WITHIN_S = 10.0
"""How long the first word to a stream waits for all models of its table to be known."""
SETTLED_S = 5.0
"""How long a state lasts before a status says it: conditions do not flicker."""

LEVEL_SHARES = (0.25, 0.5, 0.75, 1.0)
"""Where the levels Light, Busy, Heavy and Full begin."""
LEVEL_MARGIN = 0.9
"""A level is left only below this part of where it began."""
SHARE_MOST = 2.0
"""More than twice full is no fuller: it must also fall again."""
SHARE_HALVES_S = 1.5
"""A share rises at once and falls by half in this time."""
PREEMPTED_FOR_S = 5.0
"""How long a preemption counts: the KV cache was full."""
BETWEEN_FULL = 6.0
"""An engine whose tokens come this many times slower than unloaded is full."""
SLOWER_PER_S = 1.0005
"""How the unloaded time between tokens drifts upwards, to forget what never comes again."""
FIRST_TOKENS_FOR_S = 5.0
"""How long what a router saw counts: its calls fade by 1/e in this time."""
FIRST_TOKENS_LEAST = 0.1
"""Fewer (faded) calls than this say nothing."""
FIRST_TOKENS_MOST = 100.0
"""More calls than this are no longer remembered: 35 s after the last report, whatever it claims."""
ROUTERS_MAX = 4_096
"""Pods whose reports on one endpoint are kept; those heard of last."""
ROUTER_THERE_S = 90.0
"""A router that is silent for longer is not there any more; it reports every half minute."""
LONE_SHARE = 0.85
"""The most of full that follows from one pod's word where there are others: it holds no level of
full either."""
REPORTED_MS_MAX = 3_600_000
REPORTED_COUNT_MAX = 2**53
REPORTED_MODELS_MAX = 512

KNEE_STEPS = 4
"""Throughput is kept by this many steps for each doubling of running calls."""
KNEE_SAMPLES = 5
KNEE_FORGETS_S = 900.0
KNEE_SHARE = 0.95
"""From here on of the best throughput it counts as rising no more."""
KNEE_BEYOND = 1.5
"""It takes samples at so many times the knee's running calls,"""
KNEE_SLOWER = 1.5
"""and first tokens that took so many times as long there."""
KNEE_LEAST = 4
"""Fewer running calls than this are no knee: one busy slot is not saturation."""
SMOOTHING = 0.2
"""Weight of a new sample in moving averages."""

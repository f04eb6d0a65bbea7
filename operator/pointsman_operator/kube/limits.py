"""Every bound and interval of what talks to Kubernetes and the hub (I6), with its reason."""

from __future__ import annotations

import datetime as dt

WRITES_PER_S = 20.0
"""Kind to the API server's priority and fairness, which gives one client not much more."""
WRITES_AT_ONCE = 40
"""Calls that may go without waiting after a pause: an edit that touches a few dozen namespaces."""
WRITES_KEPT = 10
"""Of those at once, kept for what follows from users' edits: a catch-up never uses them up."""
WRITES_PASSED_MOST = 4
"""Calls that may go before others that wait: a flood of edits leaves those every fifth."""
THREADS = 12
"""Calls of the blocking client in flight: one for each worker, and two for who else calls."""
CALL_WITHIN_S = 20.0
"""One call to the API server; it gives up on a write after 34 s itself, we ask again earlier."""
RETRIES_OF_429 = 5
"""How often one call comes back after 429 before its caller's own backoff decides."""
RETRY_AFTER_MOST_S = 30.0
"""A Retry-After above this is cut: the caller's backoff is no longer than that either."""

PAGE = 500
"""Objects a page of a list."""
PAGE_COMPARED = 100
"""The same where nobody waits for the list: a page is read in one go, in which all else waits."""
WATCH_S = 300
"""The server ends a watch after this long; it is resumed from where it was."""
SILENCE_S = 75.0
"""Bookmarks come once a minute: a watch that says nothing for longer is dead."""
CONNECT_WITHIN_S = 10.0
RECONNECT_FIRST_S = 0.5
RECONNECT_MOST_S = 15.0
"""Pauses between attempts to reach the API server or the hub: double from the first to the last."""

SERVICE_AGAIN_S = 2.0
"""How soon a Service is asked for again that is not there, or has no such port."""

LEASE_S = 12
"""A standby waits this long after the last renewal that it saw."""
LEASES_COUNTED_FROM = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
"""A new Lease's transitions are the seconds since then (kube/lease.py says why)."""
LEASE_RENEW_S = 3.0
LEASE_LOOK_S = 1.5
"""How often a standby looks; with the duration above a takeover takes at most 14 s."""
LEASE_CALL_S = 3.0
"""One call for the Lease: three of them fit before it runs out."""
LEASE_MARGIN_S = 2.0
"""Writing stops this long before others may take the Lease: a write on its way still arrives."""

HUB_CALL_S = 15.0
"""One call to the hub that is to be answered at once."""
FLEET_WAIT_S = 25
"""How long the hub may hold the question for the fleet; its proxies allow 30 s."""
FLEET_PAUSE_S = 0.5
"""Least time between two answers: a fleet that starts changes with every pod."""

EVENTS_REMEMBERED = 4_096
"""Events that are not told again within the time below."""
EVENT_AGAIN_S = 600.0
NOTE_CHARACTERS = 1_000
"""Kubernetes allows 1,024 in an Event's note."""

KEYS_AGAIN_S = 10.0
"""Least time between two questions for the cluster's keys: unknown key ids cost nothing."""
CLOCK_SKEW_S = 10
REVIEWS_AT_ONCE = 4
REVIEWS_WAITING = 256
"""TokenReviews in flight and waiting."""
REVIEWS_PER_S = 15.0
REVIEWS_IN_A_ROW = 1
"""Never more than 20 arrive in any second, whoever comes back at once: those in flight may be late.
"""
REVIEW_WITHIN_S = 15.0
"""Waiting and asking; a caller whom nobody can tell by then is told to come back."""
LISTED_WITHIN_S = 8.0
"""After a start callers wait this long for the list of pods, rather than cost a review each."""
UNCONFIRMED_FOR_S = 5.0
"""A token whose signature is good, where whether its pod exists could not be asked."""
REVIEWED_FOR_S = 60.0
"""A reviewed token is asked about again after this long."""
REFUSED_FOR_S = 5.0
RIGHTS_FOR_S = 10.0
TOKENS_REMEMBERED = 40_000
"""Good and refused tokens, rights: a table each."""
GONE_REMEMBERED = 40_000
"""Pods that left; their tokens live for an hour at most."""

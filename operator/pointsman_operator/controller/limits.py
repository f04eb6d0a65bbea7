"""Every bound and interval of the controller, in one place (I6), each with its reason."""

from __future__ import annotations

import datetime as dt

WORKERS = 8
"""Keys in work at once; each waits for the API server or the hub most of the time."""
EDIT_WORKERS = 2
"""Workers beside those that only what follows from edits can have: calls that take long, all of a
catch-up, do not hold an edit up."""
PASSED_MOST = 8
"""Pieces of work that may go before a lane in which others wait: a ninth of the turns is sure."""
SETTLE_S = 0.02
"""A burst of events about one object becomes one piece of work."""
STATUS_SETTLE_S = 0.25
"""What follows an edit within this time (published, loaded by the sidecars) is one status."""
BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 60.0
"""Pauses between attempts of one key: double from the first to the last."""
RESYNC_S = 30.0
"""How often the server's list is held against what kopf has told."""
FULL_LOOK_S = 600.0
"""How often every object is looked at again, whatever nobody noticed."""
BUDGETS_EVERY_S = 5.0
"""How often the hub is asked for the accounts."""
MONEY_EVERY_S = 30.0
"""Least time between two statuses of which only the money differs: no heartbeats through etcd."""
HEALTH_EVERY_S = 5.0
"""Least time between two statuses of which only targets' health differs: one that flaps at ten
thousand sidecars is written as often as one that does at two."""
STARTS_WITHIN_S = 120.0
"""A younger pod whose sidecar has never spoken is starting, not silent."""
TABLES_REMEMBERED = 8
"""Tables of one policy of which we know which Budgets they hold: a sidecar is hardly more edits
behind; one that is counts as not having the Budget."""
HUB_AWAY_AFTER_S = 5.0
"""A hub that restarts faster is not worth a status of every policy."""
NAMES_SHOWN = 5
"""Pods, Secrets, models that one message names."""
AUTHORITY_EVERY_S = 60.0
"""How often the certificates are looked at: a Secret that was emptied is filled again."""
GATEWAYS_EVERY_S = 1.0
"""How often it is looked whether gateways are needed, and what they ask for; mostly in memory."""
GATEWAY_CERTIFICATE_RENEWED_AFTER = dt.timedelta(days=60)
"""Two thirds of a leaf's life."""
COLLECTED_EVERY_S = 60.0
"""How often what waits in circles is freed; a look takes milliseconds."""
KOPF_RESTART_S = 5.0
"""Pause before kopf is started again after it gave up."""
SHUTDOWN_WITHIN_S = 5.0
"""Time for calls in flight after SIGTERM."""
OVERLAP_S = 600.0
"""Default: a new root is trusted this long before it signs. The kubelet refreshes ConfigMaps within
two minutes at its own defaults."""

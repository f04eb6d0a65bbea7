"""Every bound and every interval of the ledger, in one place (invariant I6)."""

from __future__ import annotations

MONEY_MAX = 9_000_000 * 10**12
"""The largest limit, lease or report in picodollars; fits a signed 64-bit integer."""

LEASES_PER_SYNC_MAX = 4_096
USAGE_PER_SYNC_MAX = 4_096
WANTS_PER_SYNC_MAX = 1_024
NAME_CHARACTERS_MAX = 512
"""Longest account, window, lease id or dimension."""

SYNCS_PER_COMMIT_MAX = 256
"""How many waiting syncs share one transaction."""
SYNCS_WAITING_MAX = 20_000
"""Above this many waiting syncs a caller is told to come back."""

HARD_EXPIRY_MS = 900_000
"""How long a holder may spend a lease that it could not renew, where the Budget says nothing."""
HARD_EXPIRY_MIN_MS = 6_000
"""The least outage horizon: below it leases would lapse between renewals."""
EXPIRY_MARGIN_MS = 60_000
"""What the hub adds before it gives a silent lease up: covers the answer's way and clock drift."""
RENEW_EVERY_MS = 30_000
RENEW_FAST_MS = 1_000
"""Renewal near a limit's end, so that recalled money comes back while somebody still wants it."""
SYNCS_PER_SECOND_NEAR_END = 200
"""Fast renewal of one account never asks the hub for more than this."""
AGAIN_MIN_MS = 1_000
"""A holder that was turned away asks again no sooner than this."""
AGAIN_MAX_MS = 30_000
"""And no later: what comes back to a limit reaches every waiting holder within this time."""
TURNS_PER_SECOND = 200
"""Holders of one limit that may ask again in a second, while leased money may come back to it."""
TURNS_PER_SECOND_SPENT = 50
"""The same where nothing is leased any more: only a release or a higher limit changes that."""
STARTUP_GRACE_MS = 2 * RENEW_EVERY_MS
"""After a start no lease expires before its holder had two chances to reach the hub again."""
RESTORE_SETTLE_MS = STARTUP_GRACE_MS
"""So long after a restore nothing is granted: every living holder has reported by then."""
INCARNATIONS_SINCE_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: incarnations after the first are numbered by the seconds since."""
RESTORE_SPREAD_MS = 3_000
"""Over so long those come back who were told to wait for that."""

CONNECT_WITHIN_S = 5
STATEMENT_MS = 10_000
"""PostgreSQL ends a statement of ours that takes longer."""
IDLE_IN_TRANSACTION_MS = 30_000
LOCK_WITHIN_MS = 3_000
"""How long one attempt waits for another hub to end; the next one comes after the pause below."""
STORE_AGAIN_S = 1.0
WRITE_WITHIN_S = 25.0
"""A transaction over a connection that says nothing for longer is given up, and the connection."""
READ_WITHIN_S = 30.0
SILENT_PEER_MS = 15_000
"""After this long without an acknowledgement a connection counts as dead, on both its ends."""
READERS = 4
"""Connections for reading that are kept; as many again may be opened for a while."""

SHARE_DIVISOR = 4
"""A grant takes at most available / (divisor x holders), unless the caller needs more right now."""
SOLE_SHARE_DIVISOR = 2
"""The same where one holder alone has a lease."""
RESERVE_DIVISOR = 2
"""What lasts through an outage is granted while more than unspent / divisor is not leased."""
NEEDS_REMEMBERED = 64
"""Recent needs of an account's window from which the p95 reservation is taken."""

POTS_REMEMBERED = 10_000
"""Accounts' windows whose needs are remembered at once."""
STARVED_FOR_MS = 10_000
"""After a need could not be met, leases of that window are recalled for this long."""
RECALL_WITHIN_MS = 4_000
"""A holder whose need cannot be met waits so long for what others hold and do not use."""
RECALL_AGAIN_MS = 100
"""It asks again after this; where many wait, each adds the next."""
RECALL_TURN_MS = 5
RECALL_EVERY_MS = 250
"""A holder is called to give back no more often than this."""
RECALL_FORGOTTEN_MS = 1_500
"""A holder that waits and has not asked again for so long has no callers any more."""
RECALL_ASKERS_MAX = 64
"""Holders of one limit that wait at once; more are turned away until their turn."""
RECALL_HOLDERS_MAX = 1_000
"""Holders of one limit whose idle money is known."""
RENEWALS_BEFORE_EXPIRY = 3
"""A lease survives two lost renewals, however short its horizon."""

ROLLED_UP_MAX = 5_000
"""Rows that one roll-up takes, so that syncs never wait long behind it."""
KEYS_PER_QUERY = 500
"""Well below SQLite's bound on variables."""
ZONES_CACHED = 64
WINDOWS_CACHED = 1_024
"""Time zones and calendar windows that need not be computed again."""
EXPIRIES_PER_SWEEP_MAX = 1_000
LEASES_KEPT_MS = 35 * 86_400_000
"""How long a closed lease or an unchanged usage mark is kept for reports that come late."""
SPEND_MINUTES_KEPT_MS = 48 * 3_600_000
"""Spend is kept by the minute for this long, by the hour afterwards."""

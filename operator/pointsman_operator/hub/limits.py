"""Every bound and interval of the hub, in one place (invariant I6); the ledger has its own."""

from __future__ import annotations

MIB = 2**20

BODY_BYTES_MAX = 16 * MIB
"""A request's body; a report of a sidecar that could not reach the hub for long is the largest."""
TABLE_BYTES_MAX = 16 * MIB
"""One route table's canonical bytes."""
TABLES_MAX = 10_000
STREAMS_MAX = 20_000
SIDECARS_MAX = 40_000
"""Sidecars remembered, connected ones first."""
LABEL_CHARACTERS_MAX = 512
DECISION_ID_CHARACTERS_MAX = 128
REASON_CHARACTERS_MAX = 4_096
"""Why a sidecar refused a table."""
RULES_PER_TUNING_MAX = 1_024
TABLES_WITHIN_MS = 60_000
"""How long a ledger that was just made waits for the controller to publish a Budget's table."""
LISTEN_QUEUE = 4_096
"""Connections that wait to be accepted, when a whole fleet comes back at once."""

CONNECTIONS_WAITING_MAX = 20_000
"""Connections that were accepted and wait for their handshake to begin."""
ADMITTED_AT_ONCE = 8
"""Of them, how many begin each time that the event loop goes round: some milliseconds' work."""
ACCEPT_AGAIN_S = 0.2
"""Pause where nobody can be accepted: too many wait, or no file is left."""
HANDSHAKE_WITHIN_S = 15.0

TOKEN_BYTES_MAX = 16_384
"""A bearer token; a cluster's are below 2 KiB."""
TARGET_BYTES_MAX = 8_192
"""A target's header, and a sidecar's labels."""
LABELS_MAX = 256
FLEET_WAIT_S = 30.0
"""How long the controller's question for news may wait."""
GONE_REMEMBERED = 10_000
"""Sidecars that are gone of which the controller can be told; one that asks later is told of all
that there are."""
LISTED_AT_ONCE = 500
"""Sidecars that are written for it before others have their turn: about a millisecond's work, or
ten where all have changed."""
FACTS_MAX = 1_024
"""Targets and credentials in one report."""

CLAIM_FRESH_S = 30.0
"""How long a sidecar's word that a target is down counts after its latest failure."""
EVIDENCE_S = 60.0
"""A sidecar that was answered within this time is one that calls the target, too."""
WITNESSES = 2
"""Sidecars that must find a target down before all are told, where more than one calls it."""
CONTRADICTED_WITHIN_S = 1.0
"""How long witnesses' word waits to be contradicted: answers take three quarters to arrive."""
VERDICT_HOLDS_S = 1.0
"""Shortest time between two changes of what is told of a target: a flapping one is no storm."""
JUDGED_EVERY_S = 0.25
"""Reports of a quarter of a second are judged together."""
VOICES_MAX = 512
"""Sidecars whose words on one target are kept, those heard of last: enough to see a majority."""
TARGETS_MAX = 20_000
"""Targets of which something is known."""
AGO_MS_MAX = 10**12
"""The longest time that a report may speak of."""
WAVERING_MS = 3_000
"""Moments that reports reckon from their own clocks are the same within this."""

PING_EVERY_S = 10.0
SEND_WITHIN_S = 30.0
"""A subscriber that takes nothing for this long is let go; it resumes by its digest."""
QUESTIONS_MAX = 64
"""Decisions asked for at once, and the questions that wait for one subscriber."""
ANSWER_WITHIN_S = 3.0
"""How long sidecars are given to find a decision in their rings."""

RECORDS_MAX = 50_000
"""Decisions kept; at some two kilobytes each, 100 MB."""
RECORDS_PER_REPORT_MAX = 10_000
REPORTS_PER_COMMIT_MAX = 64
REPORTS_WAITING_MAX = 4_096

COLLECTED_AT = (20_000, 10, 10)
"""New objects before garbage is looked for, and after how many times the older ones are, too: ten
thousand streams are a million objects that stay, and Python's own 700 has them looked at for ever.
"""

CERTIFICATE_LOOK_S = 1.0
"""How soon another certificate is noticed."""
SWEEP_EVERY_S = 10.0
"""Silent leases, old spend."""
SHUTDOWN_WITHIN_S = 5
"""Time for running requests after SIGTERM; streams end at once."""

TICKET_LIFE_S = 3_600
"""A ticket's life, where no Budget asks for a longer outage."""
TICKET_LIFE_MAX_S = 86_400
"""The longest: a deleted pod's ticket is remembered as void for as long."""
TICKET_GRACE_S = 300
"""Clocks differ: a ticket counts as expired so much later."""
TICKETS_TENDED_EVERY_S = 1.0
"""How soon it is on disk who holds a ticket."""
SIGNING_KEY_LIFE_S = 30 * 86_400
"""Then another key signs."""
SIGNING_KEY_SPREAD_S = 600
"""A new key signs only after gateways have had this long to learn of it."""
CERTIFICATE_BYTES_MAX = 65_536
"""A chain of certificates, and the request for one."""
CERTIFICATES_MAX = 4_096
"""Gateways whose certificate is remembered, so that a stream that comes back gets it."""

HOLDS_PER_REPORT_MAX = 6_144
"""Shares of one sidecar: three kinds of limits for as many models as its engine keeps."""
SHARE_HORIZON_MS = 900_000
"""How long a sidecar may spend shares that it could not renew: an outage of the hub, or of the way
to it. As long as Budgets have where they say nothing."""
SHARE_MARGIN_MS = 60_000
"""What the hub adds before it gives a silent holder up: covers the answer's way and clock drift."""
SHARE_RESTS_MS = 62_000
"""How long a lost holder's share rests: it may have been used up a moment ago, and a rate counts by
the minute; the rest is for clocks and the way."""
SHARE_AGAIN_EACH_MS = 5
"""While callers wait, holders ask again after this for each holder: 200 a second a limit ..."""
SHARE_AGAIN_MIN_MS = 100
"""... but no sooner ..."""
SHARE_AGAIN_MAX_MS = 5_000
"""... and no later than this."""
SHARE_CALL_EVERY_MS = 500
"""A holder of more than its part is called no more often than this."""
SPARE_DIVISOR = 2
"""Of what nobody wants, one part in so many is handed out, too: for while the hub is away."""
LOW_DIVISOR = 4
"""Shares beyond their part are called back while less than one in so many is left to hand out."""
LINE_MAX = 64
"""Holders of one limit that come first because they can serve nothing; the others after them."""
DIVIDED_EACH_TIME = 64
"""With more holders than this a limit is not divided anew each time that one speaks ..."""
DIVIDED_EVERY_MS = 100
"""... but after this."""
STRAIN_LOOK_S = 5.0
"""How often it is looked which limits are nearly used up, or refuse calls."""
STRAIN_NEAR_PERCENT = 90
"""Used so far, twice in succession, a limit is nearly used up ..."""
STRAIN_EASED_PERCENT = 75
"""... until it was used less far than this ..."""
STRAIN_HOLDS_MS = 60_000
"""... for so long; and it refuses calls until none was for so long. What is told of a limit changes
no more often."""
LIMITS_MEASURED_MAX = 1_000
"""Limits in the hub's metrics, by name; it is told how many are left out."""
HOLDERS_SHOWN_MAX = 100
"""Holders of one limit that people are shown."""
HOLDERS_OVER_MAX = 40_000
"""Starts that have ended and are still known, so that what comes late of them changes nothing."""

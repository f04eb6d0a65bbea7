"""A whole fleet comes back to a hub that was killed, while signing keys and pods have changed.

A real hub process serves TLS to streams that each have a pod's token of its own; they wait and try
again as sidecars do. The hub is killed, the cluster's signing key changes, half of the tokens are
new, and the hub starts again with the keys that it has kept. The API server is an endpoint that
notes the time of every TokenReview.
"""

from __future__ import annotations

from pathlib import Path

import uvloop

from scale.rows import Row
from scale.size import Size
from scale.watched import allow_files, load
from support.reconnects import measure as returned

NAME, SECONDS = "hub-reconnects", 180
STREAMS = 10_000
BACK_S, REVIEWS_PER_S, REFUSED_S = 30, 20, 10


def measure(folder: Path, size: Size) -> list[Row]:
    """Kill the hub of `STREAMS x size.share` streams and start it again."""
    streams = int(STREAMS * size.share)
    allow_files()
    seen = uvloop.run(returned(folder, streams))
    told = f"{streams:,} streams, load {load()}"
    return [
        Row(NAME, "back", seen.back_s, "s", f"hub's start to the last; {told}", at_most=BACK_S),
        Row(
            *(NAME, "reviews_in_a_second", seen.most_reviews_in_a_second, ""),
            f"the most in any second, as the endpoint counted them; {seen.reviews} in all",
            at_most=REVIEWS_PER_S,
        ),
        Row(
            *(NAME, "gone_refused", seen.gone_refused_s, "s"),
            "hub's start until the token of a pod is refused that was deleted meanwhile",
            at_most=REFUSED_S,
        ),
        Row(
            *(NAME, "deleted_refused", seen.deleted_refused_s, "s"),
            "a pod's deletion until its token is refused, all streams open",
            at_most=REFUSED_S,
        ),
        Row(NAME, "first", seen.first_s, "s", "the same at the beginning, spread as a rollout"),
    ]
